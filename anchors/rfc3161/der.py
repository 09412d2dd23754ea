"""DER, the one encoding: a cursor that reads it and a few functions that write it. X.690 §8, §10, §11.

A `Reader` walks the contents of one constructed value; parsers ask it field by field, in the order of the
ASN.1 module, and get FormatError with the place for anything else. Depth is bounded because every parser
descends by name, never by recursion over what it finds.

Refused: indefinite or non-minimal lengths, tag numbers above 30, non-minimal integers and object
identifiers, booleans other than 00 and FF, trailing bytes. Deliberately not checked: the order of a SET OF.
FreeTSA, GlobalSign, DigiCert and D-Trust send unsorted sets; they are hashed as sent, so order carries no
freedom there.

Why not a library: asn1crypto decodes lazily and accepts BER; `cryptography.hazmat.asn1` refuses unsorted
sets, doesn't give back the bytes of a value, and declares itself unstable.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from anchors.errors import FormatError

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
ENUMERATED, UTF8_STRING, GENERALIZED_TIME, SEQUENCE, SET = 0x0A, 0x0C, 0x18, 0x30, 0x31

# Serial numbers have 160 bits (RFC 3161 §2.4.2), nonces 64 in practice; the bound keeps int() cheap.
MAX_INTEGER_BYTES = 128

_DOTTED = re.compile(r"([01]\.([0-9]|[1-3][0-9])|2\.(0|[1-9][0-9]{0,38}))(\.(0|[1-9][0-9]{0,38})){0,32}")


def context(number: int) -> int:
    """The identifier octet of a primitive [number]."""
    return 0x80 | number


def context_constructed(number: int) -> int:
    """The identifier octet of a constructed [number]."""
    return 0xA0 | number


class Element(NamedTuple):
    """One value: its identifier octet, its contents, and its whole encoding as sent."""

    tag: int
    contents: bytes
    encoded: bytes


class Reader:
    """Walks the values inside `data`; `place` names it in errors."""

    __slots__ = ("_at", "_data", "place")

    def __init__(self, data: bytes, place: str) -> None:
        self._data = data
        self._at = 0
        self.place = place

    @property
    def more(self) -> bool:
        """Whether a value follows."""
        return self._at < len(self._data)

    def next_is(self, tag: int) -> bool:
        """Whether a value with this identifier octet follows."""
        return self._at < len(self._data) and self._data[self._at] == tag

    def any(self, name: str) -> Element:
        """Take the next value, whatever it is."""
        data, start = self._data, self._at
        if start + 2 > len(data):
            raise self._error(name, "a value", "the end")
        tag, length = data[start], data[start + 1]
        if tag & 0x1F == 0x1F:
            raise self._error(name, "a tag number below 31 (X.690 §8.1.2.4)", tag)
        begin = start + 2
        if length >= 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise self._error(name, "a definite length of at most 4 octets (X.690 §10.1)", length)
            begin += count
            length = int.from_bytes(data[start + 2 : begin], "big")
            if length < 0x80 or length >> (8 * (count - 1)) == 0:
                raise self._error(name, "a length in its shortest form (X.690 §10.1)", length)
        end = begin + length
        if end > len(data):
            raise self._error(name, f"{length} bytes", f"{max(0, len(data) - begin)} bytes")
        self._at = end
        return Element(tag, data[begin:end], data[start:end])

    def _error(self, name: str, expected: str, found: object) -> FormatError:
        return FormatError(f"{self.place}.{name}", expected, found)

    def element(self, tag: int, name: str) -> Element:
        """Take the next value, which must have this identifier octet."""
        if not self.next_is(tag):
            found = f"tag {self._data[self._at]:02x}" if self.more else "the end"
            raise FormatError(f"{self.place}.{name}", f"tag {tag:02x}", found)
        return self.any(name)

    def optional(self, tag: int, name: str) -> Element | None:
        """Take the next value if it has this identifier octet."""
        return self.any(name) if self.next_is(tag) else None

    def inside(self, tag: int, name: str) -> "Reader":
        """Descend into the next value, which must be constructed and have this identifier octet."""
        return Reader(self.element(tag, name).contents, f"{self.place}.{name}")

    def optional_inside(self, tag: int, name: str) -> "Reader | None":
        """Descend into the next value if it has this identifier octet."""
        return self.inside(tag, name) if self.next_is(tag) else None

    def sequence(self, name: str) -> "Reader":
        """Descend into the next value, a SEQUENCE."""
        return self.inside(SEQUENCE, name)

    def integer(self, name: str, tag: int = INTEGER) -> int:
        """Take an INTEGER (or an IMPLICIT one under `tag`)."""
        octets = self.element(tag, name).contents
        place = f"{self.place}.{name}"
        if not 1 <= len(octets) <= MAX_INTEGER_BYTES:
            raise FormatError(place, f"an integer of 1 to {MAX_INTEGER_BYTES} bytes", len(octets))
        if len(octets) > 1 and octets[0] in (0x00, 0xFF) and octets[0] >> 7 == octets[1] >> 7:
            raise FormatError(place, "an integer in its shortest form (X.690 §8.3.2)", octets.hex())
        return int.from_bytes(octets, "big", signed=True)

    def oid(self, name: str) -> str:
        """Take an OBJECT IDENTIFIER, in dotted form."""
        return decode_oid(self.element(OID, name).contents, f"{self.place}.{name}")

    def octets(self, name: str) -> bytes:
        """Take a primitive OCTET STRING."""
        return self.element(OCTET_STRING, name).contents

    def boolean_default_false(self, name: str) -> bool:
        """Take a BOOLEAN DEFAULT FALSE; an encoded FALSE, which DER forbids, is understood all the same."""
        found = self.optional(BOOLEAN, name)
        if found is None:
            return False
        if found.contents not in (b"\x00", b"\xff"):
            raise FormatError(f"{self.place}.{name}", "00 or ff (X.690 §11.1)", found.contents.hex())
        return found.contents == b"\xff"

    def generalized_time(self, name: str) -> datetime:
        """Take a GeneralizedTime as RFC 3161 §2.4.2 writes it: `YYYYMMDDhhmmss[.s…]Z`, an aware UTC datetime.

        Digits beyond microseconds are cut off: earlier by less than 1 µs, and a leap second is refused.
        """
        text = self.element(GENERALIZED_TIME, name).contents
        return parse_generalized_time(text, f"{self.place}.{name}")

    def end(self) -> None:
        """Nothing may follow."""
        if self.more:
            raise FormatError(self.place, "nothing more", f"{len(self._data) - self._at} bytes")


def parse_generalized_time(text: bytes, place: str) -> datetime:
    """`YYYYMMDDhhmmss[.s…]Z` as an aware UTC datetime; raises FormatError."""
    digits, _, fraction = text[:-1].partition(b".")
    well_formed = (
        text[-1:] == b"Z"
        and len(digits) == 14
        and digits.isdigit()
        and len(fraction) <= 32
        and (fraction.isdigit() or b"." not in text)
    )
    if not well_formed:
        raise FormatError(place, "YYYYMMDDhhmmss[.s…]Z (RFC 3161 §2.4.2)", text)
    numbers = [int(digits[a:b]) for a, b in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))]
    try:
        return datetime(*numbers, int(fraction[:6].ljust(6, b"0")), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError as error:
        raise FormatError(place, "a moment of the calendar", text) from error


@lru_cache(maxsize=512)
def decode_oid(contents: bytes, place: str) -> str:
    """The dotted form of an OBJECT IDENTIFIER's contents; raises FormatError."""
    if not 1 <= len(contents) <= 64 or contents[-1] & 0x80:
        raise FormatError(place, "an object identifier of at most 64 bytes", contents.hex())
    arcs: list[int] = []
    value, fresh = 0, True
    for octet in contents:
        if fresh and octet == 0x80:
            raise FormatError(place, "arcs in their shortest form (X.690 §8.19.2)", contents.hex())
        value, fresh = value << 7 | octet & 0x7F, not octet & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def parse_whole(der: bytes, tag: int, place: str) -> Reader:
    """Descend into `der`, which must be exactly one value with this identifier octet."""
    outer = Reader(der, place)
    inside = Reader(outer.element(tag, "outer").contents, place)
    outer.end()
    return inside


def tlv(tag: int, *contents: bytes) -> bytes:
    """Encode one value: identifier octet, shortest length, contents joined."""
    body = b"".join(contents)
    length = len(body)
    if length < 0x80:
        return bytes((tag, length)) + body
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + body


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """Encode an INTEGER in its shortest form."""
    magnitude = value if value >= 0 else ~value
    return tlv(tag, value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


@lru_cache(maxsize=512)
def encode_oid(dotted: str) -> bytes:
    """Encode an OBJECT IDENTIFIER from its dotted form. Raises FormatError."""
    if not _DOTTED.fullmatch(dotted):
        raise FormatError("object identifier", "dotted numbers such as 1.2.840 (X.660)", dotted)
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = bytearray()
    for arc in (40 * first + second, *rest):
        group = [arc & 0x7F]
        while arc := arc >> 7:
            group.append(0x80 | arc & 0x7F)
        out += bytes(reversed(group))
    return tlv(OID, bytes(out))


def encode_generalized_time(moment: datetime) -> bytes:
    """Encode an aware datetime in UTC; a fraction without trailing zeros (RFC 3161 §2.4.2)."""
    utc = moment.astimezone(UTC)
    fraction = f".{utc.microsecond:06d}".rstrip("0") if utc.microsecond else ""
    return tlv(GENERALIZED_TIME, f"{utc:%Y%m%d%H%M%S}{fraction}Z".encode())
