"""The operations of an OpenTimestamps proof: each makes one message out of another.

    0x02 sha1 · 0x03 ripemd160 · 0x08 sha256 · 0x67 keccak256      a digest of the message
    0xf0 append · 0xf1 prepend                                    an argument of 1 to 4096 bytes joins it
    0xf2 reverse · 0xf3 hexlify                                   its bytes backwards; as lower-case hex

A message has at most 4096 bytes before and after (python-opentimestamps, `core/op.py`). SHA-1 and
RIPEMD-160 are no weakness here: a time-stamp needs that nobody finds a second message to an old digest.
"""

import hashlib
from collections.abc import Mapping

from anchors.errors import FormatError
from anchors.ethereum.keccak import keccak256
from anchors.values import value

SHA1, RIPEMD160, SHA256, KECCAK256 = 0x02, 0x03, 0x08, 0x67
APPEND, PREPEND, REVERSE, HEXLIFY = 0xF0, 0xF1, 0xF2, 0xF3

NAMES: Mapping[int, str] = {
    SHA1: "sha1",
    RIPEMD160: "ripemd160",
    SHA256: "sha256",
    KECCAK256: "keccak256",
    APPEND: "append",
    PREPEND: "prepend",
    REVERSE: "reverse",
    HEXLIFY: "hexlify",
}
WITH_ARGUMENT = frozenset({APPEND, PREPEND})
DIGEST_BYTES: Mapping[int, int] = {SHA1: 20, RIPEMD160: 20, SHA256: 32}
"""Digests that a detached file may be over, with their lengths."""

MAX_MESSAGE_BYTES = 4096


@value(kw_only=False)
class Operation:
    """One step: its tag, and its argument where it has one (else empty)."""

    tag: int
    argument: bytes = b""


def apply_operation(operation: Operation, message: bytes, *, place: str) -> bytes:
    """Return what the operation makes of the message. Raises FormatError where it can't be applied."""
    match operation.tag:
        case 0xF0:
            made = message + operation.argument
        case 0xF1:
            made = operation.argument + message
        case 0xF2:
            made = message[::-1]
        case 0xF3:
            made = message.hex().encode("ascii")
        case 0x67:
            made = keccak256(message)
        case _:
            made = _digest(NAMES[operation.tag], message, place)
    if len(made) > MAX_MESSAGE_BYTES:
        raise FormatError(place, f"messages of at most {MAX_MESSAGE_BYTES} bytes", len(made))
    return made


def _digest(name: str, message: bytes, place: str) -> bytes:
    try:
        return hashlib.new(name, message, usedforsecurity=False).digest()
    except ValueError:  # an OpenSSL may come without RIPEMD-160
        raise FormatError(place, "an operation that this machine's OpenSSL has", name) from None
