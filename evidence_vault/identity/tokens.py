"""Bearer tokens: `ev_` and 32 random bytes in base64url (RFC 6750 §2.1).

    ev_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE

Shown once, when made; kept as its SHA-256. A slow, salted hash is for secrets that people choose: nobody
guesses 256 random bits, so one fast hash loses nothing and lets a token be found by its digest. Finding it
that way leaks no time that helps: whoever sends a guess doesn't control where its digest falls.
"""

import base64
import hashlib
import re

from evidence_vault.errors import FormatError

_TOKEN = re.compile(r"ev_[A-Za-z0-9_-]{43}")


def encode_token(random_32: bytes) -> str:
    """Return the token for 32 random bytes. The caller brings the randomness."""
    if len(random_32) != 32:
        raise FormatError("token", "32 bytes", len(random_32))
    return "ev_" + base64.urlsafe_b64encode(random_32).rstrip(b"=").decode("ascii")


def digest_token(token: str) -> bytes:
    """Return the SHA-256 by which a token is kept. Raises FormatError, which never quotes the token."""
    if not _TOKEN.fullmatch(token):
        raise FormatError("token", "ev_ and 43 characters of base64url", f"{len(token)} characters")
    return hashlib.sha256(token.encode("ascii")).digest()
