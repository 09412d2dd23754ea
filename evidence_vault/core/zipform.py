"""The one zip encoding of a bundle: all bytes but the content follow from names, sizes and CRC-32s.

    local header, content   for each file, in the order of the bytes of its name, no gaps   APPNOTE §4.3.7
    central header          for each file, in the same order                                APPNOTE §4.3.12
    end record              before it, where needed, its ZIP64 record and locator           APPNOTE §4.3.14-16

Stored, never compressed; made-by 0x0314, needed 20 (45 with ZIP64), flags 0, time 0, date 0x0021 (1 January
1980), mode 0o100644; no directory entries, descriptors or comments. The one extra field is ZIP64, exactly
where a value reaches its field's all-ones. What the two headers of a file share is equal, also `needed`.

Here is the encoding, with its writer; `zipreader` reads by predicting what this module would write. Why so
strict: a lax reader misses flipped bits in fields that it doesn't use, and two readers may see two different
sets of files in one lax zip.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import BinaryIO

from anchors.values import value
from evidence_vault.errors import FormatError, IntegrityError

MAX_NAME_BYTES = 200
"""Bytes of a name with its base folder: it fits every file system below some folder of the user's."""

MAX_16, MAX_32 = 0xFFFF, 0xFFFFFFFF
MADE_BY, PLAIN, WITH_ZIP64 = 0x0314, 20, 45
DATE, REGULAR_FILE = 0x0021, 0o100644 << 16

_NAME = re.compile(r"[A-Za-z0-9._/-]+", re.ASCII)


@value
class ZipMember:
    """What the headers say of one file. name: with the base folder; size: bytes."""

    name: str
    size: int
    crc32: int


def write_zip(
    out: BinaryIO, members: Sequence[ZipMember], read: Callable[[ZipMember], Iterable[bytes]]
) -> int:
    """Write a zip front to back, contents in the chunks that `read` yields; return its length in bytes.

    out: must write all it is given, as a buffered file does. Raises FormatError for the names, before the
    first byte, and IntegrityError if a content isn't what its member says; the output is then worthless.
    """
    check_names([member.name for member in members])
    directory: list[bytes] = []
    offset = 0
    for member in members:
        header = encode_local(member, offset)
        out.write(header)
        size = crc32 = 0
        for chunk in read(member):
            out.write(chunk)
            size += len(chunk)
            crc32 = zlib.crc32(chunk, crc32)
        # The headers say what the deposit recorded; content that changed since must not go out under them.
        if (size, crc32) != (member.size, member.crc32):
            raise IntegrityError(f"zip entry {member.name}", (member.size, member.crc32), (size, crc32))
        directory.append(encode_central(member, offset))
        offset += len(header) + size
    length = sum(map(len, directory))
    end = encode_end(len(members), offset, length)
    out.write(b"".join(directory))
    out.write(end)
    return offset + length + len(end)


def zip_length(members: Iterable[ZipMember]) -> int:
    """Return the length in bytes of the whole zip, known before any content is read."""
    offset = directory = entries = 0
    for member in members:
        directory += len(encode_central(member, offset))
        offset += len(encode_local(member, offset)) + member.size
        entries += 1
    return offset + directory + len(encode_end(entries, offset, directory))


def check_names(names: Sequence[str]) -> str:
    """Check all names of one zip, in their order, and return the base folder. Raises FormatError.

    (1) Each has only portable characters, and no segment that is empty, `.` or `..`: it stays in its place.
    (2) All lie below one base folder.
    (3) They are sorted by bytes, without repetition.
    (4) They still are different files where case is ignored, and none is another's folder.
    """
    if not names:
        raise FormatError("zip", "at least one entry", 0)
    base = names[0].partition("/")[0]
    last = ""
    for number, name in enumerate(names, 1):
        place = f"zip entry {number}, name"
        # (1) Attack: a name that climbs out of the folder into which somebody unpacks.
        if len(name) > MAX_NAME_BYTES or not _NAME.fullmatch(name):
            raise FormatError(place, f"1 to {MAX_NAME_BYTES} of the characters A-Z a-z 0-9 . _ / -", name)
        if not {"", ".", ".."}.isdisjoint(name.split("/")):
            raise FormatError(place, "no empty segment, no `.` and no `..`", name)
        # (2) One zip unpacks into one folder.
        if not name.startswith(base + "/"):
            raise FormatError(place, f"a file below the base folder {base}", name)
        # (3) Attack: two entries of one name, of which readers take the first or the last.
        if name <= last:
            raise FormatError(place, f"a name that sorts after {last}", name)
        last = name
    # (4) With the separator sorting first, a folder's files stand right behind a file of the folder's name.
    for one, other in pairwise(sorted(name.lower().replace("/", "\0") for name in names)):
        if one == other:
            raise FormatError("zip entries, names", "differences in more than case", _shown(other))
        if other.startswith(one + "\0"):
            raise FormatError("zip entries, names", "no file that is another's folder", _shown(other))
    return base


class Record:
    """A fixed-length structure of the format: a signature, and fields by name with struct's letters."""

    def __init__(self, signature: bytes, **fields: str) -> None:
        self.signature = signature
        self._names = tuple(fields)
        self._struct = struct.Struct("<4s" + "".join(fields.values()))
        self.length = self._struct.size

    def encode(self, **values: int) -> bytes:
        """Encode the fields named; all others are 0."""
        return self._struct.pack(self.signature, *(values.get(name, 0) for name in self._names))

    def decode(self, data: bytes) -> dict[str, int]:
        """Decode `data`, as long as this structure, without a look at the signature."""
        return dict(zip(self._names, self._struct.unpack(data)[1:], strict=True))


_SHARED = {
    "needed": "H",
    "flags": "H",
    "method": "H",
    "time": "H",
    "date": "H",
    "crc32": "I",
    "compressed_size": "I",
    "size": "I",
    "name_length": "H",
    "extra_length": "H",
}
LOCAL = Record(b"PK\x03\x04", **_SHARED)
CENTRAL = Record(
    b"PK\x01\x02",
    made_by="H",
    **_SHARED,
    comment_length="H",
    disk="H",
    internal="H",
    external="I",
    offset="I",
)
END64 = Record(
    b"PK\x06\x06",
    record_length="Q",
    made_by="H",
    needed="H",
    disk="I",
    directory_disk="I",
    entries_here="Q",
    entries="Q",
    directory_length="Q",
    directory_offset="Q",
)
LOCATOR = Record(b"PK\x06\x07", disk="I", end64_offset="Q", disks="I")
END = Record(
    b"PK\x05\x06",
    disk="H",
    directory_disk="H",
    entries_here="H",
    entries="H",
    directory_length="I",
    directory_offset="I",
    comment_length="H",
)


def encode_local(member: ZipMember, offset: int) -> bytes:
    """Encode the header before a member's content; the header stands at byte `offset`."""
    extra = _extra64([member.size, member.size] if member.size >= MAX_32 else [])
    return LOCAL.encode(**_shared(member, offset, extra)) + member.name.encode("ascii") + extra


def encode_central(member: ZipMember, offset: int) -> bytes:
    """Encode a member's header in the directory; its local header stands at byte `offset`."""
    sizes = [member.size, member.size] if member.size >= MAX_32 else []
    extra = _extra64(sizes + ([offset] if offset >= MAX_32 else []))
    own = {"made_by": MADE_BY, "external": REGULAR_FILE, "offset": min(offset, MAX_32)}
    return CENTRAL.encode(**_shared(member, offset, extra), **own) + member.name.encode("ascii") + extra


def encode_end(entries: int, directory_offset: int, directory_length: int) -> bytes:
    """Encode what follows the directory of so many entries, at that byte and of that length."""
    large = entries >= MAX_16 or directory_offset >= MAX_32 or directory_length >= MAX_32
    end = END.encode(
        entries_here=min(entries, MAX_16),
        entries=min(entries, MAX_16),
        directory_length=min(directory_length, MAX_32),
        directory_offset=min(directory_offset, MAX_32),
    )
    if not large:
        return end
    end64 = END64.encode(
        record_length=END64.length - 12,  # of what follows this field, APPNOTE §4.3.14.1
        made_by=MADE_BY,
        needed=WITH_ZIP64,
        entries_here=entries,
        entries=entries,
        directory_length=directory_length,
        directory_offset=directory_offset,
    )
    return end64 + LOCATOR.encode(end64_offset=directory_offset + directory_length, disks=1) + end


def _shared(member: ZipMember, offset: int, extra: bytes) -> dict[str, int]:
    """Return the fields that both headers of a member have."""
    return {
        "needed": WITH_ZIP64 if max(member.size, offset) >= MAX_32 else PLAIN,
        "date": DATE,
        "crc32": member.crc32,
        "compressed_size": min(member.size, MAX_32),
        "size": min(member.size, MAX_32),
        "name_length": len(member.name),
        "extra_length": len(extra),
    }


def _extra64(values: list[int]) -> bytes:
    """Encode the ZIP64 extra field: the values whose own fields are all-ones, in order. APPNOTE §4.5.3."""
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""


def _shown(folded: str) -> str:
    return folded.replace("\0", "/")
