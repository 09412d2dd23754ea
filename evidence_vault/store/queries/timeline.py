"""Timelines: the events of several subjects in one order, from a place to a bound, and how far the log has come."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from evidence_vault.core.events import Subject
from evidence_vault.core.states import JobState
from evidence_vault.store.case_models import Grant
from evidence_vault.store.models import Event
from evidence_vault.store.queries import checkpoint_jobs

_ALL_SIZES = 2**53


def newest_event_id(session: Session) -> int:
    """Return the id of the newest event's row; 0 if there is none."""
    return session.scalar(select(func.max(Event.id))) or 0


def events_between(
    session: Session,
    subjects: Collection[Subject],
    *,
    after_id: int,
    up_to_id: int,
    limit: int,
    types: Collection[str] = (),
    from_at: datetime | None = None,
    until_at: datetime | None = None,
) -> Sequence[Event]:
    """Return events about these subjects in the order of their rows, from after one row up to another.

    types: only these, all if empty. from_at, until_at: the vault's time, both inclusive.
    """
    ids: dict[str, list[str]] = {}
    for subject in subjects:
        ids.setdefault(subject.kind, []).append(subject.id)
    about = [and_(Event.subject_kind == kind, Event.subject_id.in_(ids[kind])) for kind in sorted(ids)]
    if not about:
        return []
    asked = select(Event).where(or_(*about), Event.id > after_id, Event.id <= up_to_id)
    if types:
        asked = asked.where(Event.type.in_(sorted(types)))
    if from_at is not None:
        asked = asked.where(Event.at >= from_at)
    if until_at is not None:
        asked = asked.where(Event.at <= until_at)
    return session.scalars(asked.order_by(Event.id).limit(limit)).all()


def orders_of_grants(session: Session, grant_ids: Collection[str]) -> Mapping[str, str]:
    """Return the order from which each of these grants follows, of those that follow from one."""
    rows = session.execute(
        select(Grant.id, Grant.order_id).where(Grant.id.in_(sorted(grant_ids)), Grant.order_id.is_not(None))
    )
    return {grant_id: str(order_id) for grant_id, order_id in rows}


def largest_size(
    session: Session, *, kind: str, targets: Collection[str], states: Collection[JobState]
) -> int:
    """Return the largest checkpoint for which any of these targets has come to one of these states; 0 if none."""
    found = [
        size
        for target in targets
        for state in states
        for size in checkpoint_jobs.last_sizes_up_to(
            session, _ALL_SIZES, kind=kind, target=target, state=state, limit=1
        )
    ]
    return max(found, default=0)
