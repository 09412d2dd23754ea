"""A signature as people have it: DER, DER in base64, or PEM with any of the labels that tools write. RFC 7468 §9.

-----BEGIN CMS-----      openssl cms -outform PEM
-----BEGIN PKCS7-----    openssl smime, browsers, many signing tools
"""

import base64
import re

from evidence_vault.errors import FormatError

_PEM = re.compile(
    rb"\s*-----BEGIN (CMS|PKCS7|PKCS #7 SIGNED DATA)-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END \1-----\s*"
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]+={0,2}\s*")


def parse_signature(data: bytes, *, place: str = "signature") -> bytes:
    """Return the DER bytes. What they are is not looked at. Raises FormatError."""
    if data[:1] == b"\x30" and not _BASE64.fullmatch(data):
        return data
    found = _PEM.fullmatch(data)
    text = found[2] if found else data
    if not _BASE64.fullmatch(text):
        raise FormatError(place, "DER, base64 of it, or PEM (CMS, PKCS7)", data[:40])
    try:
        return base64.b64decode(re.sub(rb"\s", b"", text), validate=True)
    except ValueError:
        raise FormatError(place, "base64", data[:40]) from None
