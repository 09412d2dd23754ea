"""Passwords: argon2id (RFC 9106), each with a salt of its own.

The parameters are settings: 64 MiB, three passes, four lanes (RFC 9106 §4, second recommended choice), because a
thief of the database guesses on graphics cards, and memory is what costs him. The same memory is what a flood of
logins would take from us: only a few hashes are computed at once, and whoever waits too long is sent away.

Whoever isn't there has a password too: a random one, hashed once, against which a guess takes the same time.
(After a change of the parameters a known login takes the old time until it was used once.)
"""

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from evidence_vault.errors import FormatError, IntegrityError, Overloaded
from evidence_vault.identity_settings import Identity

MAX_CHARS = 256
"""A sentence; longer ones only cost time before the hash begins."""

MIN_DISTINCT = 5
"""Different characters; "aaaaaaaaaaaa" has one."""

WAIT_S = 5.0
"""So long a login waits for its turn to be hashed."""


class Passwords:
    """Hashes and compares. One for each process: it bounds what is computed at once."""

    def __init__(self, settings: Identity) -> None:
        self._min_chars = settings.password_min_chars
        self._turns = threading.BoundedSemaphore(settings.password_hashes_at_once)
        self._hasher = PasswordHasher(
            time_cost=settings.password_passes,
            memory_cost=settings.password_memory_kib,
            parallelism=settings.password_lanes,
            hash_len=32,
            salt_len=16,
        )

    def require_good(self, password: str, *, login: str | None = None) -> None:
        """Return if this may be a password. Raises FormatError, which never quotes it.

        Length is what counts (NIST SP 800-63B §3.1.1.2): no classes of characters are asked for.
        """
        text = _normal(password)
        if not self._min_chars <= len(text) <= MAX_CHARS:
            raise FormatError("password", f"{self._min_chars} to {MAX_CHARS} characters", len(text))
        if len(set(text)) < MIN_DISTINCT:
            raise FormatError("password", f"at least {MIN_DISTINCT} different characters", len(set(text)))
        if login is not None and _normal(login).casefold() in text.casefold():
            raise FormatError("password", "one that doesn't hold the login")

    def hash(self, password: str) -> str:
        """Return the hash to keep, with its parameters in it. Raises Overloaded."""
        with self._turn():
            return self._hasher.hash(_normal(password))

    def verify(self, kept: str | None, password: str) -> bool:
        """Whether this is the password behind a hash. None: nobody's, which takes as long. Raises Overloaded."""
        against = self._nobodys if kept is None else kept
        with self._turn():
            try:
                right = self._hasher.verify(against, _normal(password))
            except VerifyMismatchError:
                return False
            except (InvalidHashError, VerificationError) as error:
                raise IntegrityError("logins", "an argon2id hash", type(error).__name__) from None
        return bool(right) and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_hex(32))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=WAIT_S):
            raise Overloaded("logins", "many log in at once", 5.0)
        try:
            yield
        finally:
            self._turns.release()


def _normal(password: str) -> str:
    """One password, whatever keyboard it was typed on (NIST SP 800-63B §3.1.1.2, NFKC)."""
    return unicodedata.normalize("NFKC", password)
