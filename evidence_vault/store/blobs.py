"""The blob store: content, with the journal of its first event beside it; large in files, small in packs.

    blobs/<xx>/<item id>           the content (see `segments`); xx = the id's first two characters
    blobs/<xx>/<item id>.event     the journal: what `recover` needs to replay the deposit
    packs/<name>.evp               small contents with their journals, many in a file (see `packs`)
    incoming/<item id>             being written; nothing here was ever acknowledged
    quarantine/<item id>[.event]   found without a record; kept, never deleted in silence
    quarantine/torn-…              journals that a crash tore before anybody was told of their deposits

By item id, never by digest: one file for two depositors would tell each that the other holds it too.
Reading is the same for both: who reads never knows where content lies.

Contract of a write: at the end of the block of `BlobStore.packing` its records are on the disk; after
`BlobWriter.place` returns, content, journal and both names are. Before it, a crash leaves a file in `incoming` that
nobody was told about. Nothing here is ever overwritten.
"""

import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

from anchors.values import value
from evidence_vault.core.names import ITEM_ID
from evidence_vault.durable import create_flushed, flush_folder, storage_errors
from evidence_vault.errors import IntegrityError, Missing, TooLarge
from evidence_vault.store.packs import (
    SUFFIX,
    Damage,
    Location,
    PackRecord,
    PackWriter,
    read_record,
    record_ids,
    require_places,
    scan,
)
from evidence_vault.store.segment_writer import SegmentWriter
from evidence_vault.store.segments import (
    SEGMENT_BYTES,
    read_crc32_at_end,
    read_header,
    read_segment,
    segment_offset,
)

JOURNAL_SUFFIX = ".event"
_FOLDERS = [a + b for a in "01234567" for b in "0123456789abcdefghjkmnpqrstvwxyz"]
PARTS = len(_FOLDERS)
"""Of the store, to be looked through one at a time: 256."""
_HASHLIB_NAMES = {"sha256": "sha256", "sha512": "sha512", "sha3-256": "sha3_256", "sm3": "sm3"}


@value
class Sealed:
    """Content that was read to its end. digests: name → raw digest, sha256 always among them."""

    size: int
    crc32: int
    digests: Mapping[str, bytes]

    @property
    def sha256(self) -> bytes:
        """The SHA-256 of the content, 32 bytes."""
        return self.digests["sha256"]


class ContentDigest:
    """Digests, size and CRC-32 of content that passes by."""

    def __init__(self, *, max_bytes: int, extra_digests: Sequence[str] = ()) -> None:
        """Begin. extra_digests: names beside sha256, such as sm3."""
        self._hashes = {n: hashlib.new(_HASHLIB_NAMES[n]) for n in dict.fromkeys(("sha256", *extra_digests))}
        self._max_bytes = max_bytes
        self.size = 0
        self.crc32 = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes. Raises TooLarge as soon as they are too many."""
        self.hash(data)
        self.crc32 = zlib.crc32(data, self.crc32)

    def hash(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes as `update` does, but for the CRC-32: whoever writes segments has it."""
        self.size += len(data)
        self.require_room(self.size)
        for digest in self._hashes.values():
            digest.update(data)

    def require_room(self, size: int) -> None:
        """Raise TooLarge if content of this size may not be."""
        if size > self._max_bytes:
            raise TooLarge("content", self._max_bytes)

    def sealed(self) -> Sealed:
        """Return what the content was."""
        digests = {name: digest.digest() for name, digest in self._hashes.items()}
        return Sealed(size=self.size, crc32=self.crc32, digests=digests)


Locate = Callable[[str], Location | None]
Told = Callable[[str, Damage | Exception], None]


class BlobStore:
    """The files of one vault."""

    def __init__(self, folder: Path, *, locate: Locate = lambda _item_id: None) -> None:
        """Use `folder`, making what is missing in it. locate: where the database says an item is packed."""
        self._locate = locate
        self._blobs = folder / "blobs"
        self._packs = folder / "packs"
        self._packs.mkdir(parents=True, exist_ok=True)
        self._packer = PackWriter(self._packs)
        self._incoming = folder / "incoming"
        self._quarantine = folder / "quarantine"
        if not (self._blobs / _FOLDERS[-1]).is_dir():
            for name in _FOLDERS:
                (self._blobs / name).mkdir(parents=True, exist_ok=True)
            flush_folder(self._blobs)
        self._incoming.mkdir(exist_ok=True)
        self._quarantine.mkdir(exist_ok=True)
        flush_folder(folder)

    def create(self, item_id: str, *, max_bytes: int, extra_digests: Sequence[str] = ()) -> "BlobWriter":
        """Begin the content of a new item. Raises StorageFull."""
        return BlobWriter(
            incoming=self._incoming / item_id,
            final=self._path(item_id),
            content=ContentDigest(max_bytes=max_bytes, extra_digests=extra_digests),
        )

    def packing(self, records: Sequence[PackRecord]) -> AbstractContextManager[list[Location]]:
        """Keep these small deposits; enter to where each lies. Durable at the block's end. Raises StorageFull."""
        return self._packer.appending(records)

    def path_of(self, item_id: str) -> Path:
        """Return where the content of this item is, or will be."""
        return self._path(item_id)

    def exists(self, item_id: str) -> bool:
        """Whether there is content under this id."""
        if self._path(item_id).is_file():
            return True
        record = self._packed(item_id)
        return record is not None and record.blob != b""

    def chunks(self, item_id: str, *, start: int = 0) -> Iterator[bytes]:
        """Yield the content from byte `start`, up to 1 MiB at a time.

        Raises IntegrityError, naming the item, if it is missing or any byte has changed.
        """
        with self._open(item_id) as file:
            read_header(file, item_id)
            number, skip = divmod(start, SEGMENT_BYTES)
            crc32 = read_crc32_at_end(file, number - 1, item_id) if number else 0
            file.seek(segment_offset(number))
            while True:
                data, crc32 = read_segment(file, crc32, item_id)
                if not data:
                    break
                if skip < len(data):
                    yield data[skip:] if skip else data
                skip = max(0, skip - len(data))
            if file.read(1):
                raise IntegrityError(item_id, "the end of the blob", "more bytes")

    def digest(self, item_id: str) -> Sealed:
        """Read the content again and return what it is now. Raises IntegrityError as `chunks`."""
        content = ContentDigest(max_bytes=2**63)
        for data in self.chunks(item_id):
            content.update(data)
        return content.sealed()

    def is_there(self) -> bool:
        """Whether the folders are there, so that a content that isn't is missing by itself."""
        return (self._blobs / _FOLDERS[-1]).is_dir() and self._packs.is_dir()

    def uncache(self, item_id: str) -> None:
        """Let the system forget what it has of this content in memory, where it can: the disk is read next."""
        location = self._locate(item_id)
        path = self._path(item_id) if location is None else self._packs / f"{location.pack}{SUFFIX}"
        if hasattr(os, "posix_fadvise"):
            with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def journal(self, item_id: str) -> bytes | None:
        """Return the journal beside the content, if it is there."""
        path = journal_path(self._path(item_id))
        if path.is_file():
            return path.read_bytes()
        record = self._packed(item_id)
        return None if record is None else record.journal

    def packed(self, told: Told) -> Iterator[tuple[Location, PackRecord]]:
        """Yield every record of every pack. told: takes the pack and what it has beside records."""
        for path in sorted(self._packs.glob(f"*{SUFFIX}")):
            try:
                for found in scan(path):
                    if isinstance(found, Damage):
                        told(path.stem, found)
                    else:
                        yield Location(pack=path.stem, position=found[0]), found[1]
            except (IntegrityError, OSError) as error:
                told(path.stem, error)

    def item_ids(self, part: int, *, older_than_s: float = float("-inf"), now_s: float = 0.0) -> set[str]:
        """Return the ids in this part whose content or journal has lain there untouched for so long."""
        found = set()
        with os.scandir(self._blobs / _FOLDERS[part]) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # of a deposit that was just discarded
                    if now_s - entry.stat().st_mtime >= older_than_s:
                        found.add(entry.name.removesuffix(JOURNAL_SUFFIX))
        return found

    def pack_sizes(
        self, *, older_than_s: float = float("-inf"), now_s: float = 0.0
    ) -> Iterator[tuple[str, int]]:
        """Yield name and size of each pack in which nothing was written for so long."""
        with os.scandir(self._packs) as entries:
            for entry in entries:
                if not entry.name.endswith(SUFFIX):
                    continue  # such as one that is being written anew, and soon gone
                status = entry.stat()
                if now_s - status.st_mtime >= older_than_s:
                    yield entry.name.removesuffix(SUFFIX), status.st_size

    def packed_ids(self, pack: str) -> set[str]:
        """Return the ids of a pack's records, as far as it is sound. Raises IntegrityError if it is no pack."""
        return set(record_ids(self._packs / f"{pack}{SUFFIX}"))

    def require_packed(self, pack: str, places: Iterable[tuple[int, str]]) -> None:
        """Raise IntegrityError unless the pack is one, and these items' records begin at these bytes."""
        require_places(self._packs / f"{pack}{SUFFIX}", places)

    def quarantine(self, item_id: str) -> None:
        """Set content and journal without a record aside. Durable after return; nothing is deleted."""
        path = self._path(item_id)
        for source in (path, journal_path(path)):
            if source.is_file():
                source.rename(self._quarantine / source.name)
        flush_folder(self._quarantine)
        flush_folder(path.parent)

    def set_torn_journal_aside(self, item_id: str) -> None:
        """Set aside a journal that a crash tore, and nobody can read. Durable after return."""
        torn = journal_path(self._path(item_id))
        name = f"torn-{hashlib.sha256(torn.read_bytes()).hexdigest()[:16]}-{torn.name}"
        torn.rename(self._quarantine / name)
        flush_folder(self._quarantine)
        flush_folder(torn.parent)

    def quarantined(self) -> Iterator[str]:
        """Yield the ids whose content or journal was set aside."""
        for path in sorted(self._quarantine.glob("it_*")):
            yield path.name.removesuffix(JOURNAL_SUFFIX)

    def quarantined_journal(self, item_id: str) -> bytes | None:
        """Return the journal of what was set aside, if it is there."""
        path = journal_path(self._quarantine / self._path(item_id).name)
        return path.read_bytes() if path.is_file() else None

    def bring_back(self, item_id: str) -> None:
        """Put what was set aside in its place again. Durable after return; nothing is written over."""
        path = self._path(item_id)
        for target in (path, journal_path(path)):
            source = self._quarantine / target.name
            if source.is_file() and not target.exists():
                source.rename(target)
        flush_folder(path.parent)
        flush_folder(self._quarantine)

    def sweep_incoming(self, *, older_than_s: float, now_s: float) -> int:
        """Delete what unfinished deposits left behind, if untouched for so long; return how many.

        Resumable uploads (`partial`) have a time of their own. Nothing in `incoming` was ever acknowledged.
        """
        swept = 0
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):  # of a deposit that was just placed
                if path.name.startswith("it_") and now_s - path.stat().st_mtime > older_than_s:
                    path.unlink()
                    swept += 1
        return swept

    def _path(self, item_id: str) -> Path:
        ITEM_ID.check(item_id, "item id")  # nothing else ever becomes a path
        return self._blobs / item_id[3:5] / item_id

    def _open(self, item_id: str) -> BinaryIO:
        try:
            return self._path(item_id).open("rb")
        except FileNotFoundError:
            record = self._packed(item_id)
        if record is None or not record.blob:
            raise Missing(item_id, "its content", "no such file")
        return io.BytesIO(record.blob)

    def _packed(self, item_id: str) -> PackRecord | None:
        location = self._locate(item_id)
        return None if location is None else read_record(self._packs, location, item_id=item_id)


class BlobWriter:
    """Content on its way in. Exactly one of `place` and `discard` ends it."""

    def __init__(self, *, incoming: Path, final: Path, content: ContentDigest) -> None:
        """Create the file in `incoming`. Raises StorageFull."""
        self._incoming, self._final, self._content = incoming, final, content
        self._item_id = final.name
        with storage_errors(self._item_id):
            self._file = incoming.open("x+b", buffering=0)
        self._segments = SegmentWriter(self._file.fileno(), self._item_id)

    def write(self, data: bytes) -> None:
        """Take the next bytes: hashed here, while those before are written. Raises TooLarge, StorageFull."""
        self._content.hash(data)
        self._segments.write(data)

    def seal(self) -> Sealed:
        """End the content and flush it; it is not under its name yet."""
        self._content.crc32 = self._segments.finish()
        self._file.close()
        return self._content.sealed()

    def place(self, journal: bytes) -> None:
        """Put the sealed content and its journal under their names. Durable after return."""
        with storage_errors(self._item_id):
            create_flushed(journal_path(self._final), journal)
            self._incoming.rename(self._final)
            flush_folder(self._final.parent)

    def discard(self) -> None:
        """Remove all that was written, placed or not. Only for content that no committed row knows."""
        self._segments.abandon()
        self._file.close()
        for path in (self._incoming, self._final, journal_path(self._final)):
            path.unlink(missing_ok=True)


def journal_path(path: Path) -> Path:
    """Where the journal of this content lies."""
    return path.with_name(path.name + JOURNAL_SUFFIX)
