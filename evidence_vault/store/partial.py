"""Content that comes in several requests: a file in `incoming` that grows, in the form of a blob.

    incoming/up_…      written by one process at a time, which holds the file's lock (flock)

A lock of the file and not of the database: it ends with the process, so whoever was killed holds nothing, and
bytes of two writers can't mix however slow one of them is. Whole, the file becomes the item's blob by a rename.

Contract: after `flush` the bytes are on the disk. Anything behind the last flushed offset is cut off when the
file is opened again.
"""

import fcntl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from evidence_vault.core.names import UPLOAD_ID
from evidence_vault.durable import create_flushed, flush_file, flush_folder, storage_errors
from evidence_vault.errors import IntegrityError, Locked
from evidence_vault.store.blobs import BlobStore, ContentDigest, Sealed, journal_path
from evidence_vault.store.segment_writer import SegmentWriter
from evidence_vault.store.segments import read_header, read_segment

_NAMES = "up_*"
"""Ours, of the files in `incoming`; the others are deposits that come in one request (`blobs`)."""

BUSY_RETRY_S = 1.0
"""When to ask again for a file that another request writes: most pieces are done by then."""


class PartialStore:
    """The growing files of one vault."""

    def __init__(self, folder: Path, blobs: BlobStore) -> None:
        """Use `folder`/incoming; `blobs` says where a whole file goes."""
        self._incoming, self._blobs = folder / "incoming", blobs

    def create(self, upload_id: str) -> None:
        """Make the empty file. Durable after return. Raises StorageFull."""
        with storage_errors(upload_id):
            create_flushed(self._path(upload_id), b"")
            flush_folder(self._incoming)

    def lock(self, upload_id: str, item_id: str) -> "PartialFile":
        """Take the file for this request, wherever a crash has left it.

        Raises Locked, and IntegrityError if it is gone. Who holds the lock reads the row again: what it said
        before may be over.
        """
        return PartialFile(self._path(upload_id), self._blobs.path_of(item_id))

    def ids(self, *, older_than_s: float, now_s: float) -> list[str]:
        """Return the uploads whose files have lain here untouched for so long."""
        found = []
        for path in self._incoming.glob(_NAMES):
            with suppress(FileNotFoundError):  # of an upload that just became an item
                if now_s - path.stat().st_mtime >= older_than_s:
                    found.append(path.name)
        return sorted(found)

    def is_lost(self, upload_id: str, item_id: str) -> bool:
        """Whether its file is nowhere."""
        return not any(path.exists() for path in (self._path(upload_id), self._blobs.path_of(item_id)))

    def remove(self, upload_id: str) -> None:
        """Remove the file, if it is there."""
        self._path(upload_id).unlink(missing_ok=True)

    def _path(self, upload_id: str) -> Path:
        UPLOAD_ID.check(upload_id, "upload id")  # nothing else ever becomes a path
        return self._incoming / upload_id


class PartialFile:
    """One growing file, held by this process until it is closed."""

    def __init__(self, path: Path, blob: Path) -> None:
        """Open and lock it. See `PartialStore.lock`."""
        self._file = _open(path, blob)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise Locked("upload", BUSY_RETRY_S) from None
        # Under its last name already, where a deposit was cut off between the rename and the commit.
        self._incoming, self._blob, self._journal = path, blob, journal_path(blob)
        self._path = path if path.exists() else blob
        self._placed_now = False
        self._segments: SegmentWriter | None = None

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it go."""
        self.close()

    @property
    def is_placed(self) -> bool:
        """Whether it lies under the item's name."""
        return self._path == self._blob

    def go_on(self, received: int) -> None:
        """Be ready for the bytes after the first `received`; what is behind them is cut off."""
        if self._segments is not None:
            self._segments.abandon()
        self._segments = SegmentWriter(self._file.fileno(), self._path.name, size=received)

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises StorageFull."""
        assert self._segments is not None
        self._segments.write(data)

    def flush(self) -> None:
        """Make all that was written durable."""
        assert self._segments is not None
        self._segments.flush()

    def read_again(self, size: int, content: ContentDigest, *, alive: Callable[[], None]) -> Sealed:
        """End the file after `size` bytes, then digest what the disk gives back. `alive` is called as it goes.

        Raises IntegrityError if it is not what was written.
        """
        self.go_on(size)
        assert self._segments is not None
        self._segments.finish()
        with self._path.open("rb") as file:
            read_header(file, self._path.name)
            crc32 = 0
            while True:
                data, crc32 = read_segment(file, crc32, self._path.name)
                if not data:
                    break
                content.update(data)
                alive()
        return content.sealed()

    def journal(self) -> bytes | None:
        """Return the journal under the item's name: of a step that a crash cut off, or that a restore forgot."""
        return self._journal.read_bytes() if self._journal.exists() else None

    def place(self, journal: bytes) -> None:
        """Put the ended file and its journal under the item's name. Durable after return.

        Raises IntegrityError where another journal is: somebody may have its receipt, so it is never written over.
        """
        with storage_errors(self._path.name):
            try:
                create_flushed(self._journal, journal)
                self._placed_now = True
            except FileExistsError:
                if self.journal() != journal:
                    raise IntegrityError(self._blob.name, "its own journal", "another") from None
                flush_file(self._journal)
            self._path.rename(self._blob)
            flush_folder(self._blob.parent)
            flush_folder(self._path.parent)
            self._path = self._blob

    def withdraw(self) -> None:
        """Undo `place`, for what was refused: no journal of it may be replayed. What was there before stays."""
        if self._placed_now:
            self._journal.unlink()
            self._blob.rename(self._incoming)
            flush_folder(self._blob.parent)
            flush_folder(self._incoming.parent)
            self._path, self._placed_now = self._incoming, False

    def remove(self) -> None:
        """Remove what lies in `incoming`, and a journal that no commit can have followed.

        Under the item's name it may be an item's, of which a restored database knows nothing: it stays, to be found
        as an orphan.
        """
        if not self.is_placed:
            self._path.unlink(missing_ok=True)
            self._journal.unlink(missing_ok=True)

    def close(self) -> None:
        """Let it go. Nothing of it is being written any more."""
        if self._segments is not None:
            self._segments.abandon()
        self._file.close()


def _open(path: Path, blob: Path) -> BinaryIO:
    for where in (path, blob, path):  # a deposit may rename it just now
        with suppress(FileNotFoundError):
            return where.open("r+b", buffering=0)
    raise IntegrityError(path.name, "its file in incoming", "no such file")
