"""Reads the one zip encoding of a bundle, and nothing else.

Central headers are read only to learn names, sizes and CRC-32s. From these every other byte is predicted with
`zipform` and compared, so a zip that opens has exactly one reading: nothing overlaps, hides between entries,
or hangs on either end. Hostile input is normal: limits come first, and memory is bounded by them.

Nothing is extracted or written. Content is read only when asked for; a CRC-32 that disagrees there is not a
malformed zip but wrong content, hence VerificationError.
"""

import os
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from anchors.values import value
from evidence_vault.core.zipform import (
    CENTRAL,
    END,
    END64,
    LOCAL,
    LOCATOR,
    MAX_16,
    MAX_32,
    Record,
    ZipMember,
    check_names,
    encode_central,
    encode_end,
    encode_local,
)
from evidence_vault.errors import FormatError, VerificationError


@value
class ZipLimits:
    """What a reader is willing to look at.

    max_entries: files. max_bytes: of the whole zip. max_directory_bytes: of its central directory, which is
    held in memory: 100,000 headers with names of 200 bytes are 25 MB.
    """

    max_entries: int = 100_000
    max_bytes: int = 1 << 40
    max_directory_bytes: int = 32 << 20


@value
class ZipEntry:
    """One file of an opened zip: its content is the `size` bytes from byte `offset` of the zip."""

    name: str
    offset: int
    size: int
    crc32: int


@value
class ZipIndex:
    """What a well-formed zip holds: its files by full name, in order, all below the folder `base`."""

    base: str
    entries: Mapping[str, ZipEntry]


def open_zip(file: BinaryIO, limits: ZipLimits) -> ZipIndex:
    """Read and check every byte of `file` but the contents. Raises FormatError naming the place.

    (1) The end record is the end of the file, and what it says of the directory is within the limits.
    (2) The directory ends where the end records begin.
    (3) It holds as many headers as the end record says, with permitted names.
    (4) Each central header, and each local header in its predicted place, is the predicted one.
    (5) The directory begins where the last content ends.
    (6) The end records are the predicted ones.
    """
    length = file.seek(0, os.SEEK_END)
    if length > limits.max_bytes:
        raise FormatError("zip", f"at most {limits.max_bytes} bytes", length)
    # (1) Before anything is read whose length a stranger chose.
    end = _read_end(file, length)
    if not 1 <= end.entries <= limits.max_entries:
        raise FormatError("zip end record, entries", f"1 to {limits.max_entries}", end.entries)
    if end.directory_length > limits.max_directory_bytes:
        raise FormatError(
            "zip end record, directory_length", f"at most {limits.max_directory_bytes}", end.directory_length
        )
    # (2) Attack: bytes before the zip, or behind its directory, that other readers take for the zip.
    if end.directory_offset + end.directory_length != end.begins:
        raise FormatError(
            "zip directory, its end", f"byte {end.begins}", end.directory_offset + end.directory_length
        )
    # (3) Read leniently: all that isn't name, size or CRC-32 is compared below.
    directory = _read_at(file, end.directory_offset, end.directory_length)
    members = _parse_directory(directory, end.entries)
    base = check_names([member.name for member in members])
    # (4) Attack: entries that overlap, or a file that its two headers describe differently.
    entries: dict[str, ZipEntry] = {}
    at = offset = 0
    for member in members:
        central, local = encode_central(member, offset), encode_local(member, offset)
        _require_equal(f"zip directory, {member.name}", CENTRAL, central, directory[at : at + len(central)])
        content = offset + len(local)
        if content + member.size > end.directory_offset:
            raise FormatError(
                f"zip directory, {member.name}, size", "a content that ends before the directory", member.size
            )
        _require_equal(f"zip local header, {member.name}", LOCAL, local, _read_at(file, offset, len(local)))
        entries[member.name] = ZipEntry(
            name=member.name, offset=content, size=member.size, crc32=member.crc32
        )
        at += len(central)
        offset = content + member.size
    # (5) Attack: bytes after the last content that no entry owns.
    if offset != end.directory_offset:
        raise FormatError("zip directory, its start", f"byte {offset}", end.directory_offset)
    # (6) Nothing is left that could differ.
    _require_end(encode_end(len(members), offset, at), _read_at(file, end.begins, length - end.begins))
    return ZipIndex(base=base, entries=entries)


def read_content(file: BinaryIO, entry: ZipEntry, *, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
    """Yield an entry's content in chunks; behind the last one, raise VerificationError if its CRC-32 differs.

    Who stops early has checked nothing. Each chunk is sought again, so readers of one file may take turns.
    Raises FormatError if the file has become shorter.
    """
    crc32, at, end = 0, entry.offset, entry.offset + entry.size
    while at < end:
        chunk = _read_at(file, at, min(chunk_bytes, end - at))
        crc32 = zlib.crc32(chunk, crc32)
        at += len(chunk)
        yield chunk
    if crc32 != entry.crc32:
        raise VerificationError(f"zip CRC-32 of {entry.name}", f"{entry.crc32:#010x}", f"{crc32:#010x}")


@value
class _End:
    """What the end records say, and the byte where they begin."""

    entries: int
    directory_length: int
    directory_offset: int
    begins: int


def _read_end(file: BinaryIO, length: int) -> _End:
    begins = max(0, length - END.length)
    data = _read_at(file, begins, length - begins)
    if len(data) < END.length or not data.startswith(END.signature):
        raise _misplaced_end(file, length)
    fields = END.decode(data)
    if fields["entries"] == MAX_16 or MAX_32 in (fields["directory_length"], fields["directory_offset"]):
        begins -= END64.length + LOCATOR.length
        data = _read_at(file, max(0, begins), END64.length) if begins >= 0 else b""
        if not data.startswith(END64.signature):
            raise FormatError("zip end record", "a ZIP64 record and its locator before it", data[:4])
        fields = END64.decode(data)
    return _End(
        entries=fields["entries"],
        directory_length=fields["directory_length"],
        directory_offset=fields["directory_offset"],
        begins=begins,
    )


def _misplaced_end(file: BinaryIO, length: int) -> FormatError:
    """Say why the file doesn't end with an end record: a comment, something behind it, or none there."""
    longest = min(length, END.length + MAX_16)
    tail = _read_at(file, length - longest, longest)
    at = tail.rfind(END.signature)
    behind = len(tail) - at - END.length
    if at < 0 or behind < 0:
        return FormatError("zip end record", f"it in the last {END.length} bytes", tail[-END.length :])
    if END.decode(tail[at : at + END.length])["comment_length"] == behind:
        return FormatError("zip end record, comment_length", "0x0", f"{behind:#x}")
    return FormatError("zip, behind its end record", "nothing", f"{behind} bytes")


def _parse_directory(directory: bytes, entries: int) -> list[ZipMember]:
    """Take names, sizes and CRC-32s from the central headers, which must fill the directory."""
    members: list[ZipMember] = []
    at = 0
    for number in range(1, entries + 1):
        place = f"zip directory, entry {number}"
        name_at = at + CENTRAL.length
        if name_at > len(directory):
            raise FormatError(place, "a complete header", f"the end after {len(directory) - at} bytes")
        if not directory.startswith(CENTRAL.signature, at):
            raise FormatError(f"{place}, signature", CENTRAL.signature.hex(), directory[at : at + 4].hex())
        fields = CENTRAL.decode(directory[at:name_at])
        extra_at = name_at + fields["name_length"]
        name = directory[name_at:extra_at].decode("latin-1")  # what isn't ASCII is no permitted name
        size = fields["size"]
        if size == MAX_32:
            size = int.from_bytes(directory[extra_at + 4 : extra_at + 12], "little")
            if size < MAX_32:
                raise FormatError(f"{place}, size", "ZIP64 only from 2^32 - 1 on", size)
        members.append(ZipMember(name=name, size=size, crc32=fields["crc32"]))
        at = extra_at + fields["extra_length"] + fields["comment_length"]
    if at != len(directory):
        raise FormatError(f"zip directory, behind entry {entries}", "its end", f"{len(directory) - at} bytes")
    return members


def _require_equal(place: str, record: Record, expected: bytes, found: bytes) -> None:
    """Compare a structure with the predicted one, and name the first field that differs."""
    if found == expected:
        return
    if len(found) < record.length or not found.startswith(record.signature):
        raise FormatError(f"{place}, signature", record.signature.hex(), found[:4].hex())
    wanted = record.decode(expected[: record.length])
    for field, read in record.decode(found[: record.length]).items():
        if read != wanted[field]:
            raise FormatError(f"{place}, {field}", f"{wanted[field]:#x}", f"{read:#x}")
    rest, found_rest = expected[record.length :], found[record.length :]
    raise FormatError(f"{place}, name and extra field", rest.hex(), found_rest.hex())


def _require_end(expected: bytes, found: bytes) -> None:
    """Compare the end records with the predicted ones, the last first."""
    if len(found) != len(expected):
        raise FormatError("zip end record", "ZIP64 only where a value reaches its all-ones", found.hex())
    to = len(expected)
    for place, record in (("zip end record", END), ("zip64 locator", LOCATOR), ("zip64 end record", END64)):
        at = to - record.length
        if at >= 0:
            _require_equal(place, record, expected[at:to], found[at:to])
        to = at


def _read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """Read exactly `length` bytes. Raises FormatError where the file ends before."""
    file.seek(offset)
    data = file.read(length)
    if len(data) != length:
        raise FormatError(f"zip, byte {offset}", f"{length} bytes", f"{len(data)} bytes")
    return data
