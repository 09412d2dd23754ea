"""What is read again: the sweep, its next contents, and how each was found.

All that changes these rows works under one name (`begin`): a row that isn't there yet can't be locked.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.store.custody_models import FAILURES, ContentCheck, FixitySweep
from evidence_vault.store.models import Item
from evidence_vault.store.session import serialize

SHOWN_FAILURES = 100
"""Items that a status names; all are counted."""


@value
class Content:
    """A content to be read: its item, the row of its first event, and what it should be."""

    item_id: str
    event_id: int
    sha256: bytes
    size: int
    received_at: datetime


@value
class FixityState:
    """How the store is doing. failing: ids of items whose content was not sound when last read, of `failures`."""

    sweep: FixitySweep | None
    failures: int
    failing: tuple[str, ...]


def begin(session: Session) -> FixitySweep | None:
    """Keep everybody else from these rows until the end of the transaction; return the sweep."""
    serialize(session, "fixity")
    return session.get(FixitySweep, 1, populate_existing=True)


def first_sweep(session: Session, *, now: datetime) -> FixitySweep:
    """Add the row of the sweep, before the first one."""
    sweep = FixitySweep(
        id=1,
        number=0,
        started_at=now,
        finished_at=now,
        after_event_id=0,
        items=0,
        bytes_read=0,
        failed=0,
        free_at=now,
        asked=True,
    )
    session.add(sweep)
    return sweep


def next_contents(session: Session, *, after_event_id: int, limit: int) -> Sequence[Content]:
    """Return the contents deposited after this event, in that order."""
    statement = select(Item).where(Item.mode == "content", Item.event_id > after_event_id)
    return _contents(session.scalars(statement.order_by(Item.event_id).limit(limit)))


def content_of(session: Session, item_id: str) -> Content | None:
    """Return the content that is kept for an item; None if there is no such item, or none is kept."""
    found = _contents(session.scalars(select(Item).where(Item.id == item_id, Item.mode == "content")))
    return found[0] if found else None


def checks_of(session: Session, item_ids: Iterable[str]) -> Mapping[str, ContentCheck]:
    """Return how these were found, by item; none for those never read nor asked for."""
    rows = session.scalars(select(ContentCheck).where(ContentCheck.item_id.in_(list(item_ids))))
    return {row.item_id: row for row in rows}


def check_of(session: Session, item_id: str) -> ContentCheck:
    """Return how the item was found, in a row that is made if there is none."""
    known = session.get(ContentCheck, item_id)
    if known is None:
        known = ContentCheck(item_id=item_id)
        session.add(known)
        session.flush()
    return known


def count_failing(session: Session) -> int:
    """Return how many contents were not sound when they were last read."""
    statement = select(func.count()).select_from(ContentCheck).where(ContentCheck.state.in_(FAILURES))
    return session.scalar(statement) or 0


def fixity_state(session: Session) -> FixityState:
    """Return how the store is doing."""
    statement = (
        select(ContentCheck.item_id).where(ContentCheck.state.in_(FAILURES)).order_by(ContentCheck.item_id)
    )
    return FixityState(
        sweep=session.get(FixitySweep, 1),
        failures=count_failing(session),
        failing=tuple(session.scalars(statement.limit(SHOWN_FAILURES))),
    )


def _contents(rows: Iterable[Item]) -> list[Content]:
    return [
        Content(
            item_id=row.id,
            event_id=row.event_id,
            sha256=row.sha256,
            size=row.size,
            received_at=row.received_at,
        )
        for row in rows
        if row.sha256 is not None and row.size is not None
    ]
