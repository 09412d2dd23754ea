"""Names and times as every format of ours writes them.

it_01hzx3v9k2m8q4r6t7w5y0abcd    prefix, then 128 random bits in Crockford base32, lower-case, 26 characters
2026-11-22T16:37:00.123Z         UTC, always milliseconds
vault.example/log                an origin: the log's name, a URL without its scheme (C2SP tlog-checkpoint)
"""

import re
from datetime import UTC, datetime
from typing import Literal

from evidence_vault.core.shapes import OneOf, Text
from evidence_vault.errors import FormatError

Prefix = Literal["it", "cs", "gr", "ac", "bd", "up", "wh", "og", "pr"]
LogClass = Literal["production", "test", "development"]

NETWORK_CLASSES = {
    "production": "production network",
    "test": "TEST NETWORK",
    "development": "DEVELOPMENT",
    "unknown": "class unknown",
}
"""What stands beside a network's name wherever people read it: an anchor is worth what its network is."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_ID_BODY = r"[0-7][0-9a-hjkmnp-tv-z]{25}"
_TIME = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
)  # not \d, which in Python also matches the digits of other scripts: a second spelling of one time
_ORIGIN = r"(?!evidence-vault/)[a-z0-9][a-z0-9._:~-]*(?:/[A-Za-z0-9._~-]+)*(?<!/receipt)"

ITEM_ID = Text(f"it_{_ID_BODY}", 29, "an item id")
CASE_ID = Text(f"cs_{_ID_BODY}", 29, "a case id")
GRANT_ID = Text(f"gr_{_ID_BODY}", 29, "a grant id")
ACTOR_ID = Text(f"ac_{_ID_BODY}", 29, "an actor id")
ORGANISATION_ID = Text(f"og_{_ID_BODY}", 29, "an organisation id")
PROPOSAL_ID = Text(f"pr_{_ID_BODY}", 29, "a proposal id")
BUNDLE_ID = Text(f"bd_{_ID_BODY}", 29, "a bundle id")
WEBHOOK_ID = Text(f"wh_{_ID_BODY}", 29, "a webhook id")
UPLOAD_ID = Text(f"up_{_ID_BODY}", 29, "an upload id")
SHA256 = Text(r"[0-9a-f]{64}", 64, "a SHA-256 digest, 64 lower-case hex digits")
TIME = Text(_TIME, 24, "a time like 2026-11-22T16:37:00.123Z")
ORIGIN = Text(_ORIGIN, 100, "an origin like vault.example/log")
LOG_CLASS = OneOf(("production", "test", "development"))
JURISDICTION = Text(
    r"[a-z]{2}(?:-[a-z0-9]{1,3})?", 6, "a country or a part of one in lower case, like cn or us-vt (ISO 3166)"
)
CODE = Text(r"[a-z0-9][a-z0-9._:-]{0,63}", 64, "a lower-case code word")
LABEL = Text(r"[^\x00-\x1f\x7f]{1,200}", 200, "one line of text")


def encode_id(prefix: Prefix, random_16: bytes) -> str:
    """Return the id for 16 random bytes. The caller brings the randomness."""
    if len(random_16) != 16:
        raise FormatError("id", "16 bytes", len(random_16))
    number = int.from_bytes(random_16)
    return f"{prefix}_" + "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def encode_time(at: datetime) -> str:
    """Return an aware datetime as `YYYY-MM-DDThh:mm:ss.sssZ`, cut (not rounded) to the millisecond."""
    if at.tzinfo is None:
        raise FormatError("time", "an aware datetime", at)
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_time(text: str, *, place: str) -> datetime:
    """Return the aware UTC datetime. Raises FormatError for anything but the one form, or no such day."""
    TIME.check(text, place)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise FormatError(place, "a day that exists", text) from None


def parse_sha256(text: str, *, place: str) -> bytes:
    """Return the 32 bytes of a lower-case hex SHA-256 digest."""
    SHA256.check(text, place)
    return bytes.fromhex(text)


def is_origin(text: str) -> bool:
    """Whether `text` may name a log."""
    return len(text) <= ORIGIN.max_chars and re.fullmatch(_ORIGIN, text) is not None
