"""How the authorities are doing: rest for those that fail, and their clocks against ours.

The circuit breaker is a row for each authority, shared by all workers: after REST_AFTER failures in a row nobody
asks it before its rest is over, each rest longer than the last; the first answer ends it. Its jobs stay due and
are not touched meanwhile. A server's own Retry-After counts for all its jobs at once.

Every verified gen_time is compared with our clock, beyond the stated accuracy and the round trip. One authority
that disagrees may be wrong itself: then a line in the log and /readyz say so. When authorities of two groups (or
of the only one) put our clock off by more than `clock_limit_s` in one direction, ours is wrong: that is an
incident, recorded as INCIDENT_NOTED, and again with its end. Who has been silent for an hour has no say in it.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy.orm import Session

from anchors.base import Attested
from anchors.rfc3161.errors import ClockError
from anchors.values import replace, value
from evidence_vault.errors import UnavailableError
from evidence_vault.pipeline.platform.incidents import Incident, note_incident, open_incident
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.pace_models import Pace
from evidence_vault.store.queries import paces

LOG = logging.getLogger("evidence_vault.pipeline")

REST_AFTER = 3
"""Failures in a row that are no accident any more."""

COMPARED_WITHIN = timedelta(hours=1)
"""What an authority said of our clock before counts no more: since then either clock may have been set."""

NOTED_EVERY = timedelta(seconds=10)
"""A healthy authority's row is written this often, not with every token."""


@value
class Told:
    """What one request says of its authority: how it failed, or that it answered.

    offset: how far the time of its token is outside of what our clock said; None: no token came.
    """

    error: UnavailableError | None = None
    offset: timedelta | None = None


def note_told(vault: Vault, session: Session, name: str, told: Sequence[Told]) -> None:
    """Write down what requests say of an authority, in the order in which they ended."""
    for has_failed, run in groupby(told, lambda one: one.error is not None):
        if not has_failed:
            offsets = [one.offset for one in run if one.offset is not None]
            _note_answer(vault, session, name, offset=max(offsets, key=abs, default=None))
            continue
        for one in run:
            assert one.error is not None
            note_failure(vault, session, name, one.error)


def note_failure(vault: Vault, session: Session, name: str, error: UnavailableError) -> None:
    """Count a failure; from the third in a row on, nobody asks before the rest is over."""
    now = vault.clock()
    pace = paces.lock_pace(session, name, now=now)
    pace.failures += 1
    pace.last_error = str(error)[: paces.MAX_ERROR_CHARS]
    rest = vault.backoff(pace.failures) if pace.failures >= REST_AFTER else timedelta(0)
    if error.retry_after_s is not None and pace.failures >= REST_AFTER:
        rest = max(rest, timedelta(seconds=min(error.retry_after_s, vault.settings.retry_most_s)))
    pace.free_at = max(pace.free_at, now + rest)
    session.flush()
    if isinstance(error, ClockError):
        _compare(vault, session, pace, error.offset, now=now)


def _note_answer(vault: Vault, session: Session, name: str, *, offset: timedelta | None) -> None:
    """End an authority's rest, and compare its time, if a token came, with our clock."""
    now = vault.clock()
    known = paces.find_pace(session, name)
    beyond = offset is not None and abs(offset).total_seconds() > vault.settings.clock_limit_s
    fresh = known is not None and known.answered_at is not None and now - known.answered_at < NOTED_EVERY
    if fresh and known is not None and not known.failures and not beyond:
        return
    pace = paces.lock_pace(session, name, now=now)
    pace.failures, pace.last_error, pace.answered_at = 0, None, now
    session.flush()
    if offset is not None:
        _compare(vault, session, pace, offset, now=now)


def offset_of(attested: Attested | None, sent_at: datetime, answered_at: datetime) -> timedelta | None:
    """Return how far a token's time is outside of what our clock said, give or take its accuracy; zero within."""
    if attested is None:
        return None
    if attested.time < sent_at - attested.accuracy:
        return attested.time - sent_at + attested.accuracy
    return max(timedelta(0), attested.time - answered_at - attested.accuracy)


def _compare(vault: Vault, session: Session, pace: Pace, offset: timedelta, *, now: datetime) -> None:
    """Keep the offset with the authority's row, which the caller has locked, and hold all of them together."""
    settings = vault.settings
    pace.clock_offset_ms, pace.clock_compared_at = round(offset.total_seconds() * 1000), now
    session.flush()
    if abs(offset).total_seconds() > settings.clock_limit_s:
        LOG.warning("clocks disagree", extra={"target": pace.target, "wait_s": offset.total_seconds()})
    groups = {authority.name: authority.group for authority in settings.authorities}
    offsets = {
        known: other.clock_offset_ms / 1000
        for known, other in paces.paces_of(session, groups).items()
        if other.clock_offset_ms is not None and is_fresh(other, now)
    }
    ahead = {groups[one] for one, found in offsets.items() if found > settings.clock_limit_s}
    behind = {groups[one] for one, found in offsets.items() if found < -settings.clock_limit_s}
    wrong = max(len(ahead), len(behind)) >= min(2, len(set(groups.values())))
    opened = open_incident(session, "clock")
    if wrong and opened is None:
        worst = max(offsets.values(), key=abs)
        summary = f"The vault's clock and the authorities' are {abs(worst):.1f} s apart."
        LOG.critical("the vault's clock is wrong", extra={"error": summary})
        name = f"clock-{int(now.timestamp())}"
        found = Incident(name=name, kind="clock", began_at=now, ended_at=None, summary=summary)
        note_incident(vault, session, found)
    elif opened is not None and not wrong:
        note_incident(vault, session, replace(opened, ended_at=now))


def is_fresh(pace: Pace, now: datetime) -> bool:
    """Whether the authority's clock was compared with ours so lately that it still says something."""
    return pace.clock_compared_at is not None and now - pace.clock_compared_at <= COMPARED_WITHIN
