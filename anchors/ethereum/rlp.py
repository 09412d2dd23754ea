"""RLP, Ethereum's encoding of byte strings and lists: a strict decoder (Ethereum Yellow Paper, appendix B).

Every item has exactly one encoding and anything else is refused: a single byte below 0x80 stands for
itself, a length takes the short form where it fits and has no leading zero, nothing follows the item. So a
structure that decodes has one hash. Bounded: a list deeper than MAX_DEPTH is refused; time is linear in the
input.
"""

from collections.abc import Sequence
from typing import TypeAlias

from anchors.errors import FormatError

Item: TypeAlias = "bytes | Sequence[Item]"

# The deepest structure read here is a receipt: receipt, logs, log, topics.
MAX_DEPTH = 8


def decode(data: bytes, place: str) -> Item:
    """The one item that `data` encodes; FormatError at `place` (with the offset) for any other bytes."""
    item, end = _decode_at(data, 0, len(data), 0, place)
    if end != len(data):
        raise FormatError(f"{place} at byte {end}", "the end of the item", f"{len(data) - end} more bytes")
    return item


def decode_list(data: bytes, place: str) -> Sequence[Item]:
    """As `decode`, and the item must be a list."""
    return as_list(decode(data, place), place)


def as_list(item: Item, place: str) -> Sequence[Item]:
    """`item` as a list; FormatError at `place` if it is a byte string."""
    if isinstance(item, bytes):
        raise FormatError(place, "a list", item.hex())
    return item


def as_bytes(item: Item, place: str, length: int | None = None) -> bytes:
    """`item` as a byte string, of `length` bytes if that is given; FormatError at `place` otherwise."""
    if not isinstance(item, bytes):
        raise FormatError(place, "a byte string", "a list")
    if length is not None and len(item) != length:
        raise FormatError(place, f"{length} bytes", f"{len(item)} bytes")
    return item


def as_uint(item: Item, place: str, max_bytes: int) -> int:
    """`item` as an unsigned number: big-endian, no leading zero, zero is empty; at most `max_bytes` bytes."""
    raw = as_bytes(item, place)
    if raw.startswith(b"\0"):
        raise FormatError(place, "a number without leading zeros", raw.hex())
    if len(raw) > max_bytes:
        raise FormatError(place, f"a number of at most {max_bytes} bytes", f"{len(raw)} bytes")
    return int.from_bytes(raw, "big")


def encode_uint(number: int) -> bytes:
    """RLP of an unsigned number below 2**64; the key of a receipt in its trie is that of its index."""
    raw = number.to_bytes(8, "big").lstrip(b"\0")
    return raw if len(raw) == 1 and raw[0] < 0x80 else bytes([0x80 + len(raw)]) + raw


def _decode_at(data: bytes, at: int, limit: int, depth: int, place: str) -> tuple[Item, int]:
    """The item that begins at `at` and where it ends; nothing at or behind `limit` belongs to it."""
    if at >= limit:
        raise FormatError(f"{place} at byte {at}", "an item", "the end")
    tag = data[at]
    if tag < 0x80:
        return data[at : at + 1], at + 1
    is_list = tag >= 0xC0
    start, end = _payload(data, at, limit, 0xC0 if is_list else 0x80, place)
    if not is_list:
        if end - start == 1 and data[start] < 0x80:
            raise FormatError(
                f"{place} at byte {at}", "a byte below 0x80 without a prefix", data[at:end].hex()
            )
        return data[start:end], end
    if depth == MAX_DEPTH:
        raise FormatError(f"{place} at byte {at}", f"lists at most {MAX_DEPTH} deep")
    items: list[Item] = []
    while start < end:
        item, start = _decode_at(data, start, end, depth + 1, place)
        items.append(item)
    return items, end


def _payload(data: bytes, at: int, limit: int, base: int, place: str) -> tuple[int, int]:
    """Where the payload of the item at `at` starts and ends; its length must be in the one right form."""
    short = data[at] - base
    if short <= 55:
        start, length = at + 1, short
    else:
        start = at + 1 + short - 55
        digits = data[at + 1 : min(start, limit)]
        length = int.from_bytes(digits, "big")
        if len(digits) < short - 55 or digits[0] == 0 or length <= 55:
            raise FormatError(f"{place} at byte {at}", "a length in its shortest form", data[at:start].hex())
    if start + length > limit:
        raise FormatError(f"{place} at byte {at}", f"{length} bytes of payload", f"{limit - start} bytes")
    return start, start + length
