"""Header fields of tus 1.0, parsed strictly.

    Upload-Metadata: filename 54Wn54mHLnBuZw==,note Zm91bmQgb24gcGFnZSAz,secret
    Upload-Checksum: sha256 n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=

What the vault doesn't know is refused: metadata that was sent to be kept must not be lost in silence.
"""

import base64
import re

from anchors.values import value
from evidence_vault.api.fields import MAX_FIELD_CHARS, parse_repr_digest
from evidence_vault.core.names import parse_sha256
from evidence_vault.errors import FormatError
from evidence_vault.pipeline.intake.receiving import Checksum

CHECKSUMS = {"sha1": 20, "sha256": 32, "sha512": 64}
"""Of one request's bytes: name and bytes. SHA-1 because tus demands it; it guards the way, never the evidence."""

_KEYS = ("filename", "filetype", "note", "secret", "sha256")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@value
class Metadata:
    """What an upload will be, as its creator said it. secret: present means yes, or `true`."""

    file_name: str | None
    media_type: str | None
    note: str | None
    secret: bool
    sha256: bytes | None


def parse_number(text: str, *, place: str) -> int:
    """Return a whole number, without sign or leading zeros, below 2^63. Raises FormatError."""
    if not _NUMBER.fullmatch(text) or int(text) >= 1 << 63:
        raise FormatError(place, "a whole number below 2^63", text[:60])
    return int(text)


def parse_metadata(field: str) -> Metadata:
    """Return the known metadata; each key once, each value base64 of UTF-8. Raises FormatError."""
    place, found = "Upload-Metadata", dict[str, str]()
    if len(field) > MAX_FIELD_CHARS:
        raise FormatError(place, f"at most {MAX_FIELD_CHARS} characters", len(field))
    for pair in field.split(",") if field.strip() else ():
        key, _, encoded = pair.strip().partition(" ")
        if key not in _KEYS or key in found:
            raise FormatError(place, f"each of {', '.join(_KEYS)} once at most", key[:60])
        try:
            found[key] = base64.b64decode(encoded, validate=True).decode("utf-8")
        except ValueError:
            raise FormatError(f"{place} {key}", "base64 of UTF-8", encoded[:60]) from None
    secret, sha256 = found.get("secret"), found.get("sha256")
    if secret not in (None, "", "true", "false"):
        raise FormatError(f"{place} secret", "true, false, or no value for true", secret)
    return Metadata(
        file_name=found.get("filename"),
        media_type=found.get("filetype") or None,
        note=found.get("note") or None,
        secret=secret in ("", "true"),
        sha256=None if sha256 is None else parse_sha256(sha256, place=f"{place} sha256"),
    )


def require_sha256(metadata: Metadata, repr_digest: str | None) -> bytes | None:
    """Return the digest that the content must have, said in either place. Raises FormatError if they disagree."""
    if repr_digest is None:
        return metadata.sha256
    sha256 = parse_repr_digest(repr_digest)["sha-256"]
    if metadata.sha256 not in (None, sha256):
        raise FormatError("Repr-Digest", "the same as in Upload-Metadata", sha256.hex())
    return sha256


def parse_checksum(field: str | None) -> Checksum | None:
    """Return what this request's bytes must digest to. Raises FormatError, as for an unknown algorithm."""
    if field is None:
        return None
    place = "Upload-Checksum"
    algorithm, _, encoded = field.partition(" ")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise FormatError(place, "base64", encoded[:60]) from None
    if algorithm not in CHECKSUMS or len(digest) != CHECKSUMS[algorithm]:
        raise FormatError(place, f"one of {', '.join(CHECKSUMS)}, and its digest", field[:60])
    return Checksum(algorithm=algorithm, digest=digest)
