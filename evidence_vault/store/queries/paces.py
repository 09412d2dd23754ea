"""Paces: when a target may be asked again, and how it answered last; shared by all workers of all processes."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from evidence_vault.store.pace_models import Pace

MAX_ERROR_CHARS = 500
"""What of an error's text is kept with a target."""


def take_turn(session: Session, target: str, *, now: datetime, interval: timedelta) -> datetime | None:
    """Return None and book the next turn if the target may be asked now; else when it will be free."""
    pace = lock_pace(session, target, now=now)
    if pace.free_at > now:
        return pace.free_at
    pace.free_at = now + interval
    session.flush()
    return None


def find_pace(session: Session, target: str) -> Pace | None:
    """Return what is known of a target; None for one that was never asked."""
    return session.get(Pace, target)


def paces_of(session: Session, targets: Iterable[str]) -> Mapping[str, Pace]:
    """Return what is known of these targets, by name."""
    rows = session.scalars(select(Pace).where(Pace.target.in_(list(targets))))
    return {pace.target: pace for pace in rows}


def bring_forward(session: Session, *, now: datetime, by: timedelta) -> None:
    """Have who rests rest so much less: the clock was set back by it."""
    for pace in session.scalars(select(Pace).where(Pace.free_at > now).with_for_update()):
        pace.free_at = max(now, pace.free_at - by)
    session.flush()


def lock_pace(session: Session, target: str, *, now: datetime) -> Pace:
    """Return what is known of a target, locked until the end of the transaction."""
    pace = session.get(Pace, target, with_for_update=True, populate_existing=True)
    if pace is None:
        pace = Pace(target=target, free_at=now, failures=0)
        session.add(pace)
        session.flush()
    return pace
