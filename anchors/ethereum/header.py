"""A block header, as far as an anchor needs it (Yellow Paper §4.4).

The block hash is Keccak-256 of the header bytes as given, so every field is bound, read or not. Read are
items 5 (receiptsRoot), 8 (number) and 11 (timestamp), whose places no fork has moved; the first block of
main net has 15 items, later forks append (17 and more since London and Shanghai, 23 known), and appended
ones are let pass. Not checked: that the header belongs to any chain. A proof-of-stake header carries no
work, anyone can invent one.
"""

from datetime import UTC, datetime

from anchors.errors import FormatError
from anchors.ethereum.keccak import Digest, keccak256
from anchors.ethereum.rlp import as_bytes, as_uint, decode_list
from anchors.values import value

MAX_HEADER_BYTES = 4096
"""The longest header known (23 items) has about 700 bytes; the rest is room for coming forks."""

_MAX_TIME_S = 253_370_764_799  # the last second of the year 9998: datetime ends a year later


@value
class BlockHeader:
    """What a header says: its own hash and receipts root (32 bytes each), its number and its time (UTC)."""

    block_hash: bytes
    number: int
    time: datetime
    receipts_root: bytes


def parse_header(header: bytes, *, digest: Digest = keccak256) -> BlockHeader:
    """Read the RLP of a header; FormatError for anything that is none."""
    if len(header) > MAX_HEADER_BYTES:
        raise FormatError("header", f"at most {MAX_HEADER_BYTES} bytes", f"{len(header)} bytes")
    items = decode_list(header, "header")
    if len(items) < 15:
        raise FormatError("header", "at least 15 items", f"{len(items)} items")
    time_s = as_uint(items[11], "header timestamp", 8)
    if time_s > _MAX_TIME_S:
        raise FormatError("header timestamp", "a time before the year 9999", time_s)
    return BlockHeader(
        block_hash=digest(header),
        number=as_uint(items[8], "header number", 8),
        time=datetime.fromtimestamp(time_s, UTC),
        receipts_root=as_bytes(items[5], "header receiptsRoot", 32),
    )
