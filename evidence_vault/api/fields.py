"""Header fields of a deposit, parsed strictly: what a file is called, and which digest the sender expects.

    Content-Disposition: attachment; filename="photo.png"; filename*=UTF-8''%E7%85%A7%E7%89%87.png
    Repr-Digest: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:
    Evidence-Note: UTF-8''found%20on%20page%203
    Evidence-Secret: ?1

RFC 6266, RFC 8187, RFC 9530, RFC 8941. A field that is there and can't be read is refused, never ignored:
whoever sent it relies on it.
"""

import base64
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from evidence_vault.errors import FormatError

HASH_MEDIA_TYPE = "application/vnd.evidence-vault.hash+json"
"""Marks a deposit of digests: a body of any other type is content."""

MAX_FIELD_CHARS = 16_384
"""One header field; a file name of 4 kB in percent-encoding takes 12 kB, and is refused for its length."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110 §5.6.2, nothing secret
_PARAMETER = re.compile(rf';[ \t]*({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^";\s]+))[ \t]*')
_EXT_VALUE = re.compile(r"UTF-8'[A-Za-z0-9-]*'((?:%[0-9A-Fa-f]{2}|[A-Za-z0-9!#$&+.^_`|~-])*)", re.IGNORECASE)
_DIGEST = re.compile(r"([a-z0-9-]+)=:([A-Za-z0-9+/]*=*):")


def parse_content_disposition(value: str) -> str | None:
    """Return the file name as the sender gave it, `filename*` before `filename`; none if there is none.

    The name is kept, never used as a path. Raises FormatError naming the parameter.
    """
    place = "Content-Disposition"
    _require_length(place, value)
    kind, _, _ = value.partition(";")
    if not re.fullmatch(_TOKEN, kind.strip()):
        raise FormatError(place, "a type such as attachment (RFC 6266)", kind)
    rest, parameters = value[len(kind) :], dict[str, str]()
    while rest:
        found = _PARAMETER.match(rest)
        if not found:
            raise FormatError(place, 'parameters like filename="name" (RFC 6266)', rest[:60])
        name, rest = found[1].lower(), rest[found.end() :]
        if name in parameters:
            raise FormatError(place, "each parameter once", name)
        parameters[name] = re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
    if "filename*" in parameters:
        return parse_ext_value(parameters["filename*"], place=f"{place} filename*")
    if "filename" in parameters and not parameters["filename"].isascii():
        return _from_latin1(parameters["filename"], place=f"{place} filename")
    return parameters.get("filename")


def parse_ext_value(value: str, *, place: str) -> str:
    """Return the text of an extended value, `UTF-8''percent-encoded` (RFC 8187 §3.2). Raises FormatError."""
    _require_length(place, value)
    found = _EXT_VALUE.fullmatch(value)
    if not found:
        raise FormatError(place, "UTF-8''percent-encoded (RFC 8187)", value[:60])
    try:
        return unquote_to_bytes(found[1]).decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(place, "UTF-8 in percent-encoding (RFC 8187)", value[:60]) from None


def parse_repr_digest(value: str) -> Mapping[str, bytes]:
    """Return the digests by algorithm, such as `sha-256` (RFC 9530 §3). Raises FormatError.

    An algorithm that the vault doesn't know may stand beside SHA-256 but can't replace it: a check that was
    asked for and not made would be worse than none.
    """
    place = "Repr-Digest"
    _require_length(place, value)
    digests = {}
    for member in value.split(","):
        found = _DIGEST.fullmatch(member.strip())
        if not found or found[1] in digests:
            raise FormatError(place, "sha-256=:base64: (RFC 9530), each algorithm once", member[:60])
        try:
            digests[found[1]] = base64.b64decode(found[2], validate=True)
        except ValueError:
            raise FormatError(place, "base64 between the colons", member[:60]) from None
    if len(digests.get("sha-256", b"")) != 32:
        raise FormatError(place, "a sha-256 of 32 bytes among its digests", ", ".join(digests))
    return digests


def parse_boolean(value: str, *, place: str) -> bool:
    """Return a structured-field boolean, `?1` or `?0` (RFC 8941 §3.3.6). Raises FormatError."""
    if value not in ("?0", "?1"):
        raise FormatError(place, "?1 or ?0 (RFC 8941)", value[:60])
    return value == "?1"


def encode_content_disposition(file_name: str | None) -> str:
    """Return the field for handing out a file: always a download, the name in its one safe spelling."""
    if file_name is None:
        return "attachment"
    return f"attachment; filename*={encode_ext_value(file_name)}"


def encode_ext_value(text: str) -> str:
    """Return `UTF-8''percent-encoded` (RFC 8187 §3.2), everything but letters and digits encoded."""
    return "UTF-8''" + "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}" for byte in text.encode("utf-8")
    )


def encode_repr_digest(sha256: bytes) -> str:
    """Return the field that names the SHA-256 of a whole representation (RFC 9530 §3)."""
    return f"sha-256=:{base64.b64encode(sha256).decode('ascii')}:"


def _from_latin1(text: str, *, place: str) -> str:
    """Header fields arrive as Latin-1; a bare name beyond ASCII is read as the UTF-8 it almost surely is."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        raise FormatError(place, "UTF-8; filename* says it for sure (RFC 8187)", text[:60]) from None


def _require_length(place: str, value: str) -> None:
    if len(value) > MAX_FIELD_CHARS:
        raise FormatError(place, f"at most {MAX_FIELD_CHARS} characters", len(value))
