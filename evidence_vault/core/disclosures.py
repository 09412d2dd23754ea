"""Disclosures: personal values stay out of events; an event holds only their salted digests.

    disclosure = base64url(UTF-8 JSON [salt, name, value]), unpadded     e.g. WyJfMjZi…Il0
    digest     = base64url(SHA-256(ASCII disclosure)), unpadded, listed in the event's `_sd`

The clear value lives in an erasable table and travels only where its reader may see it. Erasing value and
salt leaves the chain whole. The mechanics are those of RFC 9901 (SD-JWT) §4.2; top level only.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping

from anchors.values import value
from evidence_vault.core.canonical import Json, encode_canonical, parse_canonical
from evidence_vault.core.events import Event
from evidence_vault.errors import FormatError, VerificationError

MAX_DISCLOSURE_CHARS = 16 * 1024
"""One personal value: a name, a file name, a note."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@value
class Disclosure:
    """One clear value with its name; `digest` is what the event holds."""

    name: str
    value: str
    digest: str


def encode_disclosure(name: str, value: str, *, salt: bytes) -> str:
    """Return the disclosure of one value. salt: 16 random bytes, never used twice."""
    if len(salt) != 16:
        raise FormatError("disclosure salt", "16 bytes", len(salt))
    if not _NAME.fullmatch(name):
        raise FormatError("disclosure name", "a name like file_name", name)
    text = _b64url(encode_canonical([_b64url(salt), name, value]))
    if len(text) > MAX_DISCLOSURE_CHARS:
        raise FormatError("disclosure", f"at most {MAX_DISCLOSURE_CHARS} characters", len(text))
    return text


def digest_disclosure(disclosure: str) -> str:
    """Return the digest that stands in the event's `_sd`."""
    return _b64url(hashlib.sha256(disclosure.encode("ascii")).digest())


def parse_disclosure(text: str, *, place: str = "disclosure") -> Disclosure:
    """Return name, value and digest. Raises FormatError; the encoding must be the one this module writes."""
    if len(text) > MAX_DISCLOSURE_CHARS:
        raise FormatError(place, f"at most {MAX_DISCLOSURE_CHARS} characters", len(text))
    value: Json = parse_canonical(_unb64url(text, place), place=place, max_bytes=MAX_DISCLOSURE_CHARS)
    match value:
        case [str(salt), str(name), str(clear)] if _NAME.fullmatch(name):
            if len(_unb64url(salt, f"{place} salt")) != 16:
                raise FormatError(f"{place} salt", "16 bytes", salt)
            return Disclosure(name=name, value=clear, digest=digest_disclosure(text))
    raise FormatError(place, "an array of salt, name and value, all strings", value)


def open_disclosures(event: Event, disclosures: Iterable[str], *, place: str) -> Mapping[str, str]:
    """Return the clear values of an event by name.

    Raises FormatError for a malformed disclosure, a name twice or one that is a field of the event, and
    VerificationError where the event holds no such digest.
    """
    clear: dict[str, str] = {}
    for i, text in enumerate(disclosures):
        disclosure = parse_disclosure(text, place=f"{place}[{i}]")
        if disclosure.name in event.fields or disclosure.name in clear:
            raise FormatError(f"{place}[{i}]", "a name that stands nowhere else", disclosure.name)
        if disclosure.digest not in event.disclosure_digests:
            raise VerificationError(
                f"disclosure {disclosure.name!r}", "a digest that the event holds", disclosure.digest
            )
        clear[disclosure.name] = disclosure.value
    return clear


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unb64url(text: str, place: str) -> bytes:
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        raise FormatError(place, "unpadded base64url", text[:60]) from None
    if _b64url(data) != text:
        raise FormatError(place, "unpadded base64url, in its one encoding", text[:60])
    return data
