"""Bearer secrets: a prefix and 32 random bytes in base64url (RFC 6750 §2.1).

    ev_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE     a token: made for a program, good until revoked or expired
    es_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE     a session: made by a login, ends by silence

Shown once, when made; kept as its SHA-256. A slow, salted hash is for secrets that people choose: nobody
guesses 256 random bits, so one fast hash loses nothing and lets a token be found by its digest. Finding it
that way leaks no time that helps: whoever sends a guess doesn't control where its digest falls.

A code to set a password is two such secrets of 128 bits, its halves, joined by a dot: each may be in the hands of
another person, and who has one knows nothing.
"""

import base64
import hashlib
import re
from typing import Literal

from evidence_vault.errors import FormatError

Prefix = Literal["ev", "es"]

_SECRET = re.compile(r"e[vs]_[A-Za-z0-9_-]{43}")
_HALF = re.compile(r"ec_[A-Za-z0-9_-]{22}")


def encode_token(random_32: bytes, prefix: Prefix = "ev") -> str:
    """Return the token, or the session's secret, for 32 random bytes. The caller brings the randomness."""
    if len(random_32) != 32:
        raise FormatError("token", "32 bytes", len(random_32))
    return f"{prefix}_" + base64.urlsafe_b64encode(random_32).rstrip(b"=").decode("ascii")


def digest_token(token: str) -> bytes:
    """Return the SHA-256 by which a secret is kept. Raises FormatError, which never quotes it."""
    if not _SECRET.fullmatch(token):
        raise FormatError("token", "ev_ or es_ and 43 characters of base64url", f"{len(token)} characters")
    return hashlib.sha256(token.encode("ascii")).digest()


def encode_half(random_16: bytes) -> str:
    """Return half a code for 16 random bytes."""
    if len(random_16) != 16:
        raise FormatError("half a code", "16 bytes", len(random_16))
    return "ec_" + base64.urlsafe_b64encode(random_16).rstrip(b"=").decode("ascii")


def digest_half(half: str) -> bytes:
    """Return the SHA-256 of half a code. Raises FormatError, which never quotes it."""
    if not _HALF.fullmatch(half):
        raise FormatError("half a code", "ec_ and 22 characters of base64url", f"{len(half)} characters")
    return hashlib.sha256(half.encode("ascii")).digest()


def join_halves(first_sha256: bytes, second_sha256: bytes) -> bytes:
    """Return the SHA-256 by which a code is kept, from those of its halves: nobody has to see both."""
    return hashlib.sha256(b"evidence-vault/code/v1\n" + first_sha256 + second_sha256).digest()


def digest_code(code: str) -> bytes:
    """Return the SHA-256 by which a whole code is kept. Raises FormatError, which never quotes it."""
    first, dot, second = code.partition(".")
    if not dot:
        raise FormatError("code", "two halves with a dot between them", f"{len(code)} characters")
    return join_halves(digest_half(first), digest_half(second))
