"""Who works in a home: any number of serving processes of this machine, or one command that needs it for itself.

A lock of the system's (flock) on `<home>/.in-use`: it ends with the process and those forked from it, however they
end, and nothing has to be cleaned up. It doesn't reach other machines: where several serve one database, their
operator stops them all.
"""

import fcntl
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from evidence_vault.errors import ConfigError

BEGINNING_S = 1.0
"""Far longer than a process that begins to serve has the home for itself; far shorter than a recovery."""


@contextmanager
def serving(home: Path, *, when_first: Callable[[], None]) -> Iterator[None]:
    """Serve from this home. Raises ConfigError while a command has it for itself.

    when_first: called, if no other process of this machine serves from it, before any other can begin.
    """
    with suppress(ConfigError), alone(home):
        when_first()
    # Another that begins at this moment may be in the two lines above, for as long as `when_first` takes.
    with _locked(home, fcntl.LOCK_SH, "a recovery is under way in it", patience_s=BEGINNING_S):
        yield


def place_of(home: Path) -> str:
    """Return what workers from this home are called by, and nobody else's: 16 hex digits of machine and folder.

    The folder by its inode, so that a copy of it is another place.
    """
    here = home.stat()
    text = f"{socket.gethostname()}\n{here.st_dev}\n{here.st_ino}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Have the home for oneself. Raises ConfigError while the vault is served."""
    with _locked(home, fcntl.LOCK_EX, "the vault is served from it: stop it first"):
        yield


@contextmanager
def _locked(home: Path, how: int, refusal: str, *, patience_s: float = 0.0) -> Iterator[None]:
    until = time.monotonic() + patience_s
    descriptor = os.open(home / ".in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _try(descriptor, how):
            if time.monotonic() >= until:
                raise ConfigError("home", refusal)
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
