"""Files that survive a power cut: written aside, flushed, renamed, and the folder flushed too.

After `save_file` returns, either the old or the new bytes are there for ever, never a mixture.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from evidence_vault.errors import StorageFull

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def storage_errors(place: str) -> Iterator[None]:
    """Turn "no space left" and its kin into StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(place) from None
        raise


def save_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `path` whole and durably, or leave it as it was. Raises StorageFull."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    with storage_errors(path.name):
        try:
            write_flushed(aside, data, mode=mode)
            aside.replace(path)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        flush_folder(path.parent)


def write_flushed(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Create or replace `path` and flush its bytes; the folder entry is not flushed yet."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def create_flushed(path: Path, data: bytes) -> None:
    """Create `path` and flush its bytes. Raises FileExistsError, and StorageFull; then there is nothing new."""
    with storage_errors(path.name):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as file, ExitStack() as undo:
            undo.callback(path.unlink, missing_ok=True)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            undo.pop_all()


def flush_file(path: Path) -> None:
    """Flush a file that somebody has written, and perhaps not flushed."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_folder(folder: Path) -> None:
    """Make `folder` and what it lies in, durably; nothing if it is there."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush_folder(folder.parent)


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Keep others who change a file of this folder out while it is read, changed and saved: they wait.

    A lock of the system's (flock) on the folder itself, because `save_file` puts a new file in the place of the
    old. It ends with the process.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def append_line(path: Path, line: str) -> None:
    """Add one line to a file of lines. Durable after return."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(line.encode("utf-8") + b"\n")
        file.flush()
        os.fsync(file.fileno())
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Flush the entries of a folder: without it a renamed file may be gone after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
