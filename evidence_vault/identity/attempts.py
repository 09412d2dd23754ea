"""Against guessing: failed logins are counted by account, by address, and by both; too many, and one waits.

    by                       free    then waits of 2, 4, 8 … s, at most    counts for
    account at an address       5    15 min; 1 min where it was let in     everybody
    address                    20    15 min                                whoever wasn't let in from there
    account                    30    1 min                                 whoever wasn't let in from there

An attempt is counted before the password is looked at, so that many at once can't all be the first. Nobody can
be locked out for good: from an address where an account was let in before (within 90 days), what others do
counts only if they do it from the same address, and then costs a minute. Elsewhere somebody who never stops
guessing can keep an account waiting while he does. Unknown names are counted like known ones.
"""

import hashlib
import ipaddress
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.errors import Overloaded
from evidence_vault.store.queries import logins
from evidence_vault.store.session import serialize

FREE = {"pair": 5, "address": 20, "account": 30}
MOST_S = {"pair": 900.0, "address": 900.0, "account": 60.0}
MOST_WHERE_KNOWN_S = 60.0

FORGET_AFTER = timedelta(hours=1)
"""Failures in a row are in a row no longer after so long a silence."""

KNOWN_FOR = timedelta(days=90)


@value
class Attempt:
    """One attempt, counted: under which keys, and whether the account was let in from this address before."""

    keys: tuple[tuple[str, bytes], ...]
    known: bool


def begin_attempt(session: Session, *, account: str, address: str, now: datetime) -> Attempt:
    """Count an attempt as failed, until it turns out otherwise. Raises Overloaded with the seconds to wait.

    account: the issuer and name that were given, existing or not. Commit before the password is looked at.
    """
    serialize(session, "login-attempts")
    logins.forget_attempts(session, before=now - 24 * FORGET_AFTER, known_before=now - KNOWN_FOR)
    place = _place(address)
    keys = {
        "pair": _key(account, place),
        "address": _key(place),
        "account": _key(account),
    }
    pair = logins.lock_attempts(session, "pair", keys["pair"])
    known = pair is not None and pair.known
    counted = [("pair", keys["pair"])] if known else list(keys.items())
    found = {kind: logins.lock_attempts(session, kind, key) for kind, key in counted}
    for row in found.values():
        if row is not None and row.until is not None and row.until > now:
            raise Overloaded("logins", "too many attempts failed", (row.until - now).total_seconds())
    for kind, key in counted:
        row = found[kind]
        failures = 1 + (0 if row is None or now - row.last_at > FORGET_AFTER else row.failures)
        logins.note_attempts(
            session,
            kind,
            key,
            failures=failures,
            known=kind == "pair" and known,
            at=now,
            until=_until(kind, failures, known, now),
        )
    return Attempt(keys=tuple(counted), known=known)


def attempt_at(session: Session, *, account: str, address: str) -> Attempt:
    """Return an attempt that was counted in an earlier transaction, as it was counted then."""
    place = _place(address)
    pair = logins.lock_attempts(session, "pair", _key(account, place))
    if pair is not None and pair.known:
        return Attempt(keys=(("pair", _key(account, place)),), known=True)
    keys = {"pair": _key(account, place), "address": _key(place), "account": _key(account)}
    return Attempt(keys=tuple(keys.items()), known=False)


def attempt_succeeded(session: Session, attempt: Attempt, *, now: datetime) -> None:
    """Take the attempt back. Failures of others stay: or whoever has an account could wipe out his guesses."""
    serialize(session, "login-attempts")
    for kind, key in attempt.keys:
        row = logins.lock_attempts(session, kind, key)
        failures = 0 if row is None or kind == "pair" else max(0, row.failures - 1)
        logins.note_attempts(
            session,
            kind,
            key,
            failures=failures,
            known=kind == "pair",
            at=now,
            until=None if row is None or failures <= FREE[kind] else row.until,
        )


def _until(kind: str, failures: int, known: bool, now: datetime) -> datetime | None:
    over = failures - FREE[kind]
    if over <= 0:
        return None
    most_s = MOST_WHERE_KNOWN_S if known else MOST_S[kind]
    return now + timedelta(seconds=min(most_s, 2.0 ** min(over, 20)))


def _place(address: str) -> str:
    """An address, or for IPv6 the network of 64 bits that one subscriber has."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _key(*parts: str) -> bytes:
    return hashlib.sha256("\n".join(("evidence-vault/attempts/v1", *parts)).encode("utf-8")).digest()
