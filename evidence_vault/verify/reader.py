"""Reads a bundle's files, from its zip or from an unpacked folder. Hostile input is normal here.

The reader yields bytes and their digests; what they mean is `contents`. Nothing is ever written or unpacked.
Each malformed case raises FormatError that names the place. A CRC-32 that disagrees in a well-formed zip is
no matter of form: it is returned as damage, and the check that owns the file reports it.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from evidence_vault.core.zipform import MAX_NAME_BYTES, check_names
from evidence_vault.core.zipreader import ZipIndex, ZipLimits, open_zip, read_content
from evidence_vault.errors import FormatError, VerificationError

MAX_FILES = 100_000
"""Files in one bundle; an item with its proofs has about 60."""

MAX_PROOF_BYTES = 16 * 1024 * 1024
"""The largest single file that is read into memory: parts.txt of a full bundle. Contents are streamed."""

MAX_TOTAL_PROOF_BYTES = 256 * 1024 * 1024
"""All files together that are read into memory."""

CHUNK_BYTES = 1024 * 1024

LARGE_BYTES = 16 * CHUNK_BYTES
"""From here on a second thread pays."""

_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Open without waiting for anybody at the other end of a pipe, and without translation where there is one."""

_SOME_BASE = "b" * 32
"""As long as a bundle's base folder: an unpacked folder may have been renamed."""


class BundleFiles(Protocol):
    """The files of a bundle by their path relative to its base folder."""

    base: str | None
    """The base folder's name; None where the caller named the folder."""

    sizes: Mapping[str, int]
    """Size in bytes of each file."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes. Raises VerificationError after the last chunk if the CRC-32 disagrees."""
        ...


class FileDigest:
    """What one pass over a file's bytes found."""

    def __init__(self, path: str, algorithms: tuple[str, ...]) -> None:
        self.path = path
        self.size = 0
        self.damage: VerificationError | None = None
        # An OpenSSL may lack SM3; SHA-256 is always there.
        wanted = dict.fromkeys(("sha256", *(set(algorithms) & hashlib.algorithms_available)))
        self._hashes = {name: hashlib.new(name) for name in wanted}

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.size += len(chunk)
        for running in self._hashes.values():
            running.update(chunk)

    def hex(self, algorithm: str) -> str | None:
        """Return a digest in lower-case hex; None if it was not computed. `algorithm` is hashlib's name."""
        running = self._hashes.get(algorithm)
        return running.hexdigest() if running else None

    @property
    def sha256(self) -> bytes:
        """The SHA-256 digest, 32 bytes."""
        return self._hashes["sha256"].digest()


@contextmanager
def open_bundle(path: Path) -> Iterator[BundleFiles]:
    """Open a bundle's zip, or its unpacked folder. Raises FormatError; OSError where it can't be read."""
    if path.is_dir():
        yield FolderFiles(path)
        return
    with path.open("rb") as file:
        yield ZipFiles(file, open_zip(file, ZipLimits(max_entries=MAX_FILES)))


def digest_file(files: BundleFiles, path: str, *, algorithms: tuple[str, ...] = ()) -> FileDigest:
    """Read a file once, and only for its digests."""
    found = FileDigest(path, algorithms)
    chunks = files.chunks(path)
    for _ in _observed(_ahead(chunks) if files.sizes[path] >= LARGE_BYTES else chunks, found):
        pass
    return found


def read_file(files: BundleFiles, path: str, *, max_bytes: int) -> tuple[bytes, FileDigest]:
    """Return a file's bytes with its digest. Raises FormatError beyond `max_bytes`."""
    if files.sizes[path] > max_bytes:
        raise FormatError(path, f"at most {max_bytes} bytes", files.sizes[path])
    found = FileDigest(path, ())
    return b"".join(_observed(files.chunks(path), found)), found


def _ahead(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks while a thread reads the next one: its CRC-32 costs as much as our SHA-256."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 10 ms that small bundles need not pay

    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk


def _observed(chunks: Iterator[bytes], found: FileDigest) -> Iterator[bytes]:
    try:
        for chunk in chunks:
            found.update(chunk)
            yield chunk
    except VerificationError as error:
        found.damage = error


class ZipFiles:
    """Files in the one zip encoding of `core.zipform`."""

    def __init__(self, file: BinaryIO, index: ZipIndex) -> None:
        self._file = file
        self.base: str | None = index.base
        prefix = len(index.base) + 1
        self._entries = {name[prefix:]: entry for name, entry in index.entries.items()}
        self.sizes: Mapping[str, int] = {name: entry.size for name, entry in self._entries.items()}

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes, and check its CRC-32."""
        yield from read_content(self._file, self._entries[path], chunk_bytes=CHUNK_BYTES)


class FolderFiles:
    """Files of a folder: regular files only, under the names that a zip could hold."""

    base: str | None = None

    def __init__(self, root: Path) -> None:
        self._root = root
        self._left = MAX_FILES
        found = dict(sorted(self._walk(root, "")))
        self._found = {path: _identity(status) for path, status in found.items()}
        self.sizes: Mapping[str, int] = {path: status.st_size for path, status in found.items()}
        check_names([f"{_SOME_BASE}/{name}" for name in self.sizes])

    def _walk(self, folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield path and status of every file. Attack: folders without end, or one inside the other."""
        for child in folder.iterdir():
            path = f"{prefix}{child.name}"
            self._left -= 1
            if self._left < 0:
                raise FormatError("folder", f"at most {MAX_FILES} files and folders")
            if len(path) > MAX_NAME_BYTES:
                raise FormatError(path[:MAX_NAME_BYTES], f"a path of at most {MAX_NAME_BYTES} bytes")
            status = child.lstat()
            if stat.S_ISDIR(status.st_mode):
                yield from self._walk(child, f"{path}/")
            elif stat.S_ISREG(status.st_mode):
                yield path, status
            else:
                raise FormatError(path, "a regular file or a folder")

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes, no more than its size promised: memory was planned by it."""
        left = self.sizes[path]
        with os.fdopen(os.open(self._root / path, _AT_ONCE), "rb") as file:
            # Attack: a link or pipe put in the file's place since the folder was walked.
            if _identity(os.fstat(file.fileno())) != self._found[path]:
                raise FormatError(path, "the file that was there before", "another")
            while chunk := file.read(min(CHUNK_BYTES, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise FormatError(path, f"{self.sizes[path]} bytes", "more")
                yield chunk


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    """Which file this is; the kind too, because the number of a removed file is given again."""
    return status.st_dev, status.st_ino, stat.S_IFMT(status.st_mode)
