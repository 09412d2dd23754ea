"""Who works in a home: any number of serving processes of this machine, or one command that needs it for itself.

A lock of the system's (flock) on `<home>/.in-use`: it ends with the process, however that ends, and nothing has
to be cleaned up. It doesn't reach other machines: where several serve one database, their operator stops them all.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence_vault.errors import ConfigError


@contextmanager
def serving(home: Path) -> Iterator[None]:
    """Serve from this home. Raises ConfigError while a command has it for itself."""
    with _locked(home, fcntl.LOCK_SH, "a recovery is under way in it"):
        yield


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Have the home for oneself. Raises ConfigError while the vault is served."""
    with _locked(home, fcntl.LOCK_EX, "the vault is served from it: stop it first"):
        yield


@contextmanager
def _locked(home: Path, how: int, refusal: str) -> Iterator[None]:
    descriptor = os.open(home / ".in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError("home", refusal) from None
        yield
    finally:
        os.close(descriptor)
