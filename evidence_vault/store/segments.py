"""The form of a stored blob: a header, then segments, then an empty one that says "this is all".

    header    16 bytes: "evblob" ‖ format 0x01 (in clear) ‖ log2 of the segment size, 0x14 ‖ 8 zero bytes
    segment   4 bytes length ‖ 4 bytes CRC-32 of the *content up to here* ‖ the bytes
    last      4 zero bytes ‖ CRC-32 of the whole content

All integers are big-endian. Every segment but the last holds 1 MiB, so segment n begins at
16 + n · (1 MiB + 8) and a reader can begin anywhere. The CRC runs on, so that one pass over the content
serves both the segments and the CRC-32 that an export's zip needs; a flipped bit, a swapped or a missing
segment shows when it is read. It guards against rot, not against people: SHA-256 does that.

The format byte is there so that an encrypted form needs no migration: its segments carry their own tags.
"""

import struct
import zlib
from typing import BinaryIO

from evidence_vault.errors import IntegrityError

SEGMENT_BYTES = 1 << 20
"""1 MiB of content: large enough that calls cost nothing, small enough to hold several in memory."""

FORMAT_CLEAR = 1
HEADER = b"evblob" + bytes([FORMAT_CLEAR, SEGMENT_BYTES.bit_length() - 1]) + bytes(8)

_FRAME = struct.Struct(">II")
FRAME_BYTES = _FRAME.size
"""Length and CRC-32."""


def segment_offset(number: int) -> int:
    """Return where in the file segment `number` begins."""
    return len(HEADER) + number * (_FRAME.size + SEGMENT_BYTES)


def stored_size(size: int) -> int:
    """Return the size of the file that holds `size` bytes of content."""
    segments = -(-size // SEGMENT_BYTES)
    return len(HEADER) + size + (segments + 1) * _FRAME.size


def encode_blob(content: bytes, crc32: int) -> bytes:
    """Return content of at most one segment in its stored form."""
    data = (encode_frame(len(content), crc32), content) if content else ()
    return b"".join((HEADER, *data, encode_frame(0, crc32)))


def encode_frame(length: int, crc32: int) -> bytes:
    """Return the 8 bytes before a segment's content."""
    return _FRAME.pack(length, crc32)


def parse_frame(frame: bytes, place: str) -> tuple[int, int]:
    """Return length and CRC-32 of a frame. Raises IntegrityError unless it is one."""
    if len(frame) != FRAME_BYTES:
        raise IntegrityError(place, "a segment, or the end mark", f"{len(frame)} bytes")
    length, crc32 = _FRAME.unpack(frame)
    if length > SEGMENT_BYTES:
        raise IntegrityError(place, f"a segment of at most {SEGMENT_BYTES} bytes", length)
    return length, crc32


def read_header(file: BinaryIO, place: str) -> None:
    """Raise IntegrityError unless the file begins as a blob of this format does."""
    found = file.read(len(HEADER))
    if found != HEADER:
        raise IntegrityError(place, f"a blob header {HEADER.hex()}", found.hex())


def read_segment(file: BinaryIO, crc32_before: int, place: str) -> tuple[bytes, int]:
    """Return the next segment's content and the CRC-32 up to its end; empty content: this was all.

    Raises IntegrityError for a segment that is cut short or whose bytes have changed.
    """
    length, crc32 = parse_frame(file.read(FRAME_BYTES), place)
    data = file.read(length)
    if len(data) != length or zlib.crc32(data, crc32_before) != crc32:
        raise IntegrityError(place, "a segment as it was written", "other bytes")
    return data, crc32


def read_crc32_at_end(file: BinaryIO, number: int, place: str) -> int:
    """Return the CRC-32 of the content up to the end of segment `number`, from its frame alone."""
    file.seek(segment_offset(number))
    return parse_frame(file.read(FRAME_BYTES), place)[1]
