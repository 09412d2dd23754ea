"""Packs: files that hold many small deposits, content and journal together, flushed once for many.

    packs/<32 hex digits>.evp

    header     16 bytes: "evpack" ‖ format 0x01 ‖ 1 zero byte ‖ the mark, 8 random bytes
    record     the mark ‖ CRC-32 of all that follows ‖ 4 bytes journal length ‖ 4 bytes room of the journal
               ‖ 4 bytes blob length ‖ 29 bytes item id ‖ journal, zeros up to its room ‖ blob (see `segments`)

All integers are big-endian; a record without content has a blob of length 0. The blob has the very bytes that a
file of its own would have, so one reader serves both. The mark is each pack's own: whoever deposits a file that
looks like records can't know it, so that no content is ever read as a record after some damage. A journal's room
stays when disclosures in it are erased: what follows keeps its place, and the rows that name it stay right.

Contract of `PackWriter.appending`: at the end of its block all its records are on the disk. Before that they may be
there whole, torn or not at all: rows that name them are committed after the block. If `appending` itself raises,
none counts: what was written of them is cut off or, if that fails too, stays as a torn tail that readers pass over,
and the pack is left. If only the block raises, they are records that nobody asks for. A process writes packs of its
own only, and never goes on with one from before it started: a tail that a crash tore is never written over, so it
can be looked at, and no start has to repair anything. The database says which records are deposits; one that it
doesn't know was never acknowledged, or is newer than a restored database (`recover`).
"""

import contextlib
import os
import secrets
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path

from anchors.values import value
from evidence_vault.core.names import ITEM_ID
from evidence_vault.durable import flush_folder, save_file, storage_errors
from evidence_vault.errors import FormatError, IntegrityError, Missing

SUFFIX = ".evp"
MAGIC = b"evpack\x01\x00"
HEADER_BYTES = 16
MAX_PACK_BYTES = 64 << 20
"""A pack is closed beyond that: small enough to read whole and to write anew when something in it is erased."""

_FLUSHES = ThreadPoolExecutor(max_workers=1, thread_name_prefix="flush")
"""The thread that waits for the disk while rows are inserted: one, as one group is committed at a time."""

_FRAME = struct.Struct(">8sIIII29s")
ITEM_ID_BYTES = 29
_CHECKED_FROM = 12
"""The CRC-32 covers the record from here on."""


@value
class Location:
    """Where a record lies: the pack's name without suffix, and the byte in it where the record begins."""

    pack: str
    position: int


@value
class PackRecord:
    """A deposit in a pack. blob: empty if the content is not kept here."""

    item_id: str
    journal: bytes
    blob: bytes
    room: int = 0


@value
class Damage:
    """Bytes of a pack, [start, end), that are no record: a tail that a crash tore, or rot."""

    start: int
    end: int


def encode_record(record: PackRecord, *, mark: bytes) -> bytes:
    """Return a record as it stands in the pack with this mark."""
    room = max(record.room, len(record.journal))
    body = b"".join(
        (
            struct.pack(">III", len(record.journal), room, len(record.blob)),
            record.item_id.encode("ascii"),
            record.journal,
            bytes(room - len(record.journal)),
            record.blob,
        )
    )
    return mark + zlib.crc32(body).to_bytes(4) + body


class PackWriter:
    """Appends to packs of its own, one group of records at a time: other threads wait."""

    def __init__(self, folder: Path) -> None:
        """Write into this folder, which exists. No file is made before there is something to write."""
        self._folder, self._lock = folder, threading.Lock()
        self._file: int | None = None
        self._name, self._mark, self._end = "", b"", 0

    @contextlib.contextmanager
    def appending(self, records: Sequence[PackRecord]) -> Iterator[list[Location]]:
        """Write these records and flush them while the block runs; yield where each lies.

        Raises StorageFull: before the block, or at its end, whatever the block has raised. Then none counts.
        """
        if not records:
            yield []
            return
        with self._lock, contextlib.ExitStack() as undo:
            with storage_errors("packs"):
                file = self._opened()
                encoded = [encode_record(record, mark=self._mark) for record in records]
                *starts, end = accumulate(map(len, encoded), initial=self._end)
                undo.callback(self._abandon)
                _write_all(file, b"".join(encoded), at=self._end)
                flush = _begin_flush(file)
            try:
                yield [Location(pack=self._name, position=start) for start in starts]
            finally:  # before anything else is written here
                with storage_errors("packs"):
                    flush.result()
                self._end = end
                undo.pop_all()

    def close(self) -> None:
        """Write to the present pack no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        if self._file is None or self._end >= MAX_PACK_BYTES:
            self._begin()
        assert self._file is not None
        return self._file

    def _begin(self) -> None:
        """Begin a pack; its name is on the disk before any record is."""
        self.close()
        name = secrets.token_hex(16)
        path = self._folder / f"{name}{SUFFIX}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._name, self._mark, self._end = name, secrets.token_bytes(8), HEADER_BYTES
        with contextlib.ExitStack() as undo:
            undo.callback(path.unlink, missing_ok=True)
            undo.callback(self.close)
            _write_all(self._file, MAGIC + self._mark, at=0)
            flush_folder(self._folder)
            undo.pop_all()

    def _abandon(self) -> None:
        """Cut off what may be half there, and never write here again: after a failed flush nobody knows."""
        assert self._file is not None
        with contextlib.suppress(OSError):  # else a torn tail: readers pass over it
            os.ftruncate(self._file, self._end)
        self.close()


def read_record(folder: Path, location: Location, *, item_id: str) -> PackRecord:
    """Return the item's record. Raises IntegrityError if it is missing, another item's, or was changed."""
    try:
        with (folder / f"{location.pack}{SUFFIX}").open("rb") as file:
            mark = _parse_header(file.read(HEADER_BYTES), item_id)
            file.seek(location.position)
            head = file.read(_FRAME.size)
            rest = file.read(_rest_length(head, mark))
    except FileNotFoundError:
        raise Missing(item_id, f"pack {location.pack}", "no such file") from None
    record = _parse(head + rest, mark)
    if record is None or record.item_id != item_id:
        raise IntegrityError(item_id, f"its record in pack {location.pack}", "other bytes")
    return record


def scan(path: Path) -> Iterator[tuple[int, PackRecord] | Damage]:
    """Yield every record of a pack with its position, and what lies between that is none.

    A header that rotted is such a piece, too, if a whole record stands where the first one must: it says the mark.
    Raises IntegrityError if the file doesn't begin as a pack.
    """
    data = path.read_bytes()
    if len(data) < HEADER_BYTES and MAGIC.startswith(data[: len(MAGIC)]):
        return  # begun, and cut off before its first record
    at = bad_from = HEADER_BYTES
    mark, first = data[at : at + 8], data[at : at + _FRAME.size]
    if (
        data[:at] == MAGIC + mark
        or _parse(data[at : at + _FRAME.size + _rest_length(first, mark)], mark) is None
    ):
        mark = _parse_header(data[:at], _place(path))
    else:
        yield Damage(start=0, end=at)
    while at < len(data):
        length = _FRAME.size + _rest_length(data[at : at + _FRAME.size], mark)
        record = _parse(data[at : at + length], mark)
        if record is None:
            following = data.find(mark, at + 1)
            at = len(data) if following < 0 else following
            continue
        if bad_from < at:
            yield Damage(start=bad_from, end=at)
        yield at, record
        at = bad_from = at + length
    if bad_from < at:
        yield Damage(start=bad_from, end=at)


def record_ids(path: Path) -> Iterator[str]:
    """Yield the item ids of a pack's records by their frames alone, up to where there is none.

    Reads 57 bytes of each; whether a record is sound is for `scan`.
    """
    with path.open("rb", buffering=0) as file:
        header = os.pread(file.fileno(), HEADER_BYTES, 0)
        if len(header) < HEADER_BYTES:
            return  # begun, and cut off
        mark, at = _parse_header(header, _place(path)), HEADER_BYTES
        while True:
            head = os.pread(file.fileno(), _FRAME.size, at)
            if len(head) < _FRAME.size or not head.startswith(mark):
                return
            item_id = head[-ITEM_ID_BYTES:].decode("ascii", "replace")
            try:
                ITEM_ID.check(item_id, "item id")
            except FormatError:
                return  # rot
            yield item_id
            at += _FRAME.size + _rest_length(head, mark)


def require_places(path: Path, places: Iterable[tuple[int, str]]) -> None:
    """Raise IntegrityError unless the file begins as a pack, and at each place begins a record of that item.

    Reads 57 bytes of each; whether a record is sound is for `scan`.
    """
    try:
        with path.open("rb", buffering=0) as file:
            mark = _parse_header(os.pread(file.fileno(), HEADER_BYTES, 0), _place(path))
            for position, item_id in places:
                head = os.pread(file.fileno(), _FRAME.size, position)
                if not head.startswith(mark) or head[-ITEM_ID_BYTES:] != item_id.encode("ascii"):
                    place = f"{_place(path)}, byte {position}"
                    raise IntegrityError(place, f"the record of {item_id}", "other bytes")
    except OSError as error:
        raise IntegrityError(_place(path), "a pack", error.strerror or str(error)) from None


def rewrite(path: Path, records: Sequence[tuple[int, PackRecord]]) -> None:
    """Write a closed pack anew with these records in their old places: how something in it is erased.

    Durable after return; a crash leaves the old pack or the new one. The pack has been scanned without damage,
    and each record takes exactly the bytes it took before: its journal may only be shorter.
    """
    with path.open("rb") as file:
        data = bytearray(file.read(HEADER_BYTES))
    mark = _parse_header(bytes(data), _place(path))
    for position, record in records:
        if position != len(data):
            raise IntegrityError(path.name, f"a record at {len(data)}", position)
        data += encode_record(record, mark=mark)
    if len(data) != path.stat().st_size:
        raise IntegrityError(path.name, f"{path.stat().st_size} bytes", len(data))
    save_file(path, bytes(data))


def _parse_header(header: bytes, place: str) -> bytes:
    """Return the pack's mark."""
    if len(header) != HEADER_BYTES or not header.startswith(MAGIC):
        raise IntegrityError(place, f"a pack header {MAGIC.hex()}…", header.hex())
    return header[len(MAGIC) :]


def _place(path: Path) -> str:
    return f"packs/{path.name}"


def _rest_length(head: bytes, mark: bytes) -> int:
    """Return how long the record is after its frame, as far as its frame says; 0 if it is none."""
    if len(head) != _FRAME.size:
        return 0
    found, _crc32, journal, room, blob, _item_id = _FRAME.unpack(head)
    return int(room) + int(blob) if found == mark and journal <= room <= MAX_PACK_BYTES else 0


def _parse(data: bytes, mark: bytes) -> PackRecord | None:
    """Return the record that these bytes are, exactly; none if they are not one."""
    if len(data) < _FRAME.size:
        return None
    found, crc32, journal, room, blob, raw_id = _FRAME.unpack_from(data)
    if found != mark or journal > room or len(data) != _FRAME.size + room + blob:
        return None
    if zlib.crc32(memoryview(data)[_CHECKED_FROM:]) != crc32:
        return None
    try:
        item_id = raw_id.decode("ascii")
        ITEM_ID.check(item_id, "item id")
    except (UnicodeDecodeError, FormatError):
        return None
    at = _FRAME.size
    return PackRecord(item_id=item_id, journal=data[at : at + journal], blob=data[at + room :], room=room)


def _begin_flush(file: int) -> Future[None]:
    """Flush in another thread; return when it has begun.

    Who doesn't wait keeps the interpreter, which the other thread needs to begin: the disk would wait for that.
    """
    begun = threading.Event()
    flush = _FLUSHES.submit(_flush, file, begun)
    begun.wait()
    return flush


def _flush(file: int, begun: threading.Event) -> None:
    begun.set()
    os.fdatasync(file)


def _write_all(file: int, data: bytes, *, at: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, at)
        rest, at = rest[written:], at + written
