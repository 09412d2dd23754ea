"""The two fields that C2SP texts are made of, each with exactly one spelling: decimals and base64.

A value that could be spelled in two ways would let two different texts mean the same, and a signature cover
only one of them. So every field is parsed, and then must encode to the very characters it came from.
"""

import base64
import binascii
import re

from evidence_vault.errors import FormatError

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def parse_decimal(place: str, text: str) -> int:
    """Parse an ASCII decimal from 0 to 2^63 - 1 without leading zeros, sign or space. Raises FormatError."""
    if not _DECIMAL.fullmatch(text) or (value := int(text)) >= 1 << 63:
        raise FormatError(place, "a decimal below 2^63 without leading zeros", text)
    return value


def parse_base64(place: str, text: str, *, length: int | None = None) -> bytes:
    """Parse standard padded base64 (RFC 4648 §4), exactly as `encode_base64` writes it; `length` in bytes.

    Raises FormatError, also for set bits after the end, which a lax decoder drops.
    """
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError(place, "standard padded base64", text) from None
    if encode_base64(value) != text:
        raise FormatError(place, "canonical base64, unused bits zero", text)
    if length is not None and len(value) != length:
        raise FormatError(place, f"{length} bytes", f"{len(value)} bytes")
    return value


def encode_base64(value: bytes) -> str:
    """Encode bytes as standard padded base64. RFC 4648 §4."""
    return base64.b64encode(value).decode("ascii")
