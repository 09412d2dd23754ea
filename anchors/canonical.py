"""Canonical JSON of the anchors' own files: sorted keys, no spaces, ASCII; only one byte string per value.

A subset of RFC 8785: objects, arrays, ASCII strings, integers below 2**53, booleans, null. Reading is strict:
what is read must encode to exactly the bytes read, so duplicate keys, spaces, floats and escapes that need
not be are refused without being looked for.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from anchors.errors import FormatError

MAX_INTEGER: Final = (1 << 53) - 1
"""Largest number that every JSON reader takes exactly (RFC 8785 §3.2.2.3)."""


_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def encode_canonical(value: object) -> bytes:
    """The canonical bytes of a JSON value made of the types above."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def parse_canonical(data: bytes, *, place: str, max_bytes: int) -> object:
    """The value of `data`; FormatError at `place` for anything not canonical or over `max_bytes`."""
    if len(data) > max_bytes:
        raise FormatError(place, f"at most {max_bytes} bytes", f"{len(data)} bytes")
    try:
        value: object = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise FormatError(place, "JSON in ASCII", str(error)) from error
    try:
        canonical = encode_canonical(value) == data
    except (ValueError, RecursionError) as error:
        raise FormatError(place, "canonical JSON", str(error)) from error
    if not canonical:
        raise FormatError(place, "canonical JSON (sorted keys, no spaces, one encoding)")
    return value


def as_object(value: object, place: str, fields: frozenset[str]) -> Mapping[str, object]:
    """`value` as an object with exactly `fields`; a missing or unknown one is named."""
    if not isinstance(value, dict):
        raise FormatError(place, "an object", value)
    for name in sorted(fields - value.keys()):
        raise FormatError(f"{place} {name}", "this field")
    for name in sorted(value.keys() - fields):
        raise FormatError(f"{place} {name}", "no such field")
    return value


def as_array(value: object, place: str, max_items: int) -> list[object]:
    """`value` as an array of at most `max_items`."""
    if not isinstance(value, list):
        raise FormatError(place, "an array", value)
    if len(value) > max_items:
        raise FormatError(place, f"at most {max_items} items", len(value))
    return value


def as_integer(value: object, place: str, lowest: int, highest: int = MAX_INTEGER) -> int:
    """`value` as a whole number within bounds; true and false are no numbers."""
    if type(value) is not int:
        raise FormatError(place, "a whole number", value)
    if not lowest <= value <= highest:
        raise FormatError(place, f"a number from {lowest} to {highest}", value)
    return value


def as_hex(value: object, place: str, *, length: int | None = None) -> bytes:
    """`value` as bytes: a string of lower-case hex, without 0x, of `length` bytes if that is given."""
    if not isinstance(value, str):
        raise FormatError(place, "a string of hex digits", value)
    try:
        raw = bytes.fromhex(value)
    except ValueError as error:
        raise FormatError(place, "lower-case hex digits, two a byte", value) from error
    if raw.hex() != value:
        raise FormatError(place, "lower-case hex digits without spaces", value)
    if length is not None and len(raw) != length:
        raise FormatError(place, f"{length} bytes", f"{len(raw)} bytes")
    return raw


def encode_base64(raw: bytes) -> str:
    """`raw` in base64, padded. RFC 4648 §4."""
    return base64.b64encode(raw).decode("ascii")


def as_host(value: object, place: str) -> str:
    """Return a host, perhaps with a port, without what of an address may hold a secret: path, user, query."""
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= 255
        or not (value.isascii() and value.isprintable())
        or any(char in " /@?#\\" for char in value)
    ):
        raise FormatError(place, "a host name or address, with or without a port", value)
    return value


def encode_time(at: datetime) -> str:
    """`at` in UTC, to the millisecond: `2026-11-22T16:37:00.123Z`."""
    return at.astimezone(UTC).strftime(_TIME)[:-4] + "Z"


def as_time(value: object, place: str) -> datetime:
    """`value` as a time: a string exactly as `encode_time` writes it."""
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "").astimezone(UTC)
        canonical = encode_time(at) == value
    except (ValueError, OverflowError) as error:  # the latter: a time before the year 1 in UTC
        raise FormatError(place, "YYYY-MM-DDThh:mm:ss.sssZ", value) from error
    if not canonical:
        raise FormatError(place, "YYYY-MM-DDThh:mm:ss.sssZ", value)
    return at


def as_base64(value: object, place: str) -> bytes:
    """`value` as bytes: a string exactly as `encode_base64` writes it, so unused bits are zero."""
    if not isinstance(value, str):
        raise FormatError(place, "a string of base64", value)
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError as error:
        raise FormatError(place, "base64 with padding", value) from error
    if encode_base64(raw) != value:
        raise FormatError(place, "base64 in its one spelling, unused bits zero", value)
    return raw
