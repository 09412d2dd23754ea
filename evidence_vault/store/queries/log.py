"""The log: pending events become leaves under the lock of the tree head; heads become checkpoints."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    cast,
    column,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from anchors.base import TreeHead as Head
from anchors.values import value
from evidence_vault.core.events import encode_leaf_entry
from evidence_vault.core.merkle import Frontier
from evidence_vault.store.columns import table
from evidence_vault.store.driver import run
from evidence_vault.store.models import Checkpoint, CurrentTreeHead, Event, Job, Leaf, PendingEvent, TreeHead

ABOUT_THE_LOG = ("log", "checkpoint")
"""Kinds of subjects whose events call for no token and no anchor, or each would call for the next."""


@value
class Pending:
    """Events that wait for their leaves: their ids, and at the same places the entries of the log."""

    event_ids: Sequence[int]
    entries: Sequence[bytes]


def open_tree(session: Session) -> None:
    """Write the head of the empty tree: the row that sequencers lock."""
    head = Frontier().tree_head()
    session.add(CurrentTreeHead(id=1, size=0, root_hash=head.root_hash, epoch=0, frontier=b""))
    session.flush()


def lock_tree_head(session: Session) -> CurrentTreeHead:
    """Return the current head, locked until the end of the transaction: one sequencer at a time."""
    statement = select(CurrentTreeHead).with_for_update().execution_options(populate_existing=True)
    return session.scalars(statement).one()


def current_tree_head(session: Session) -> Head:
    """Return the newest committed tree head."""
    row = current_row(session)
    return Head(size=row.size, root_hash=row.root_hash)


def current_row(session: Session) -> CurrentTreeHead:
    """Return the newest committed head with its frontier."""
    return session.scalars(select(CurrentTreeHead)).one()


def tree_head_at(session: Session, size: int) -> Head | None:
    """Return the committed head of this size; none if the log never stopped there."""
    row = session.get(TreeHead, size)
    return None if row is None else Head(size=row.size, root_hash=row.root_hash)


def pending_events(session: Session, limit: int) -> Pending:
    """Return events without a leaf, in an order in which seq rises within each subject."""
    rows = run(session.connection(), _PENDING, (limit,))
    return Pending(
        event_ids=[row[0] for row in rows],
        entries=[encode_leaf_entry(sha256, slot) for _, sha256, slot in rows],
    )


# The queue first, then its events: else PostgreSQL, which knows little of a queue, joins them all.
_PENDING = """
    SELECT events.id, events.sha256, events.slot
    FROM (SELECT event_id FROM pending_events ORDER BY event_id LIMIT ?) AS first
    JOIN events ON events.id = first.event_id
    ORDER BY events.id
"""


def insert_leaves(session: Session, *, first_index: int, event_ids: Sequence[int]) -> None:
    """Give the events their leaves from `first_index` on, and take them from the queue.

    By id, never by range: everything up to the last id that was seen is in `event_ids`, but a concurrent
    transaction may since have committed a smaller one. All ids are one parameter of one statement, which takes a
    tenth of the time of a parameter, or a statement, for each.
    """
    number, event_id = _numbered(session, event_ids)
    leaf = table(Leaf).c
    session.execute(
        insert(table(Leaf)).from_select(
            [leaf.leaf_index, leaf.event_id], select(number + first_index, event_id).order_by(number)
        )
    )
    queue = table(PendingEvent)
    session.execute(delete(queue).where(queue.c.event_id.in_(select(event_id))))


def _numbered(session: Session, ids: Sequence[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return the columns (number from 0, id) of a table that holds these ids in this order."""
    if session.get_bind().dialect.name == "sqlite":
        each = func.json_each(json.dumps(ids)).table_valued("key", "value")
        return cast(each.c.key, BigInteger), cast(each.c.value, BigInteger)
    array = cast(list(ids), ARRAY(BigInteger))
    each = (
        func.unnest(array).table_valued(column("id", BigInteger), with_ordinality="number").render_derived()
    )
    return cast(each.c.number, BigInteger) - 1, each.c.id


def swap_tree_head(
    session: Session, *, old_size: int, old_epoch: int, frontier: Frontier, at: datetime
) -> bool:
    """Make `frontier` the head if the head is still (old_size, old_epoch); false if it is not."""
    head = frontier.tree_head()
    session.execute(
        insert(table(TreeHead)),
        {"size": head.size, "root_hash": head.root_hash, "epoch": old_epoch + 1, "sequenced_at": at},
    )
    swapped = session.execute(
        update(CurrentTreeHead)
        .where(CurrentTreeHead.size == old_size, CurrentTreeHead.epoch == old_epoch)
        .values(
            size=head.size,
            root_hash=head.root_hash,
            epoch=old_epoch + 1,
            frontier=b"".join(frontier.hashes),
        )
        .returning(CurrentTreeHead.id)
        .execution_options(synchronize_session=False)
    )
    return swapped.first() is not None


def leaf_entries(session: Session, *, start: int, end: int) -> Sequence[bytes]:
    """Return the 65-byte entries of the leaves [start, end)."""
    rows = session.execute(
        select(Event.sha256, Event.slot)
        .join(Leaf, Leaf.event_id == Event.id)
        .where(Leaf.leaf_index >= start, Leaf.leaf_index < end)
        .order_by(Leaf.leaf_index)
    )
    return [encode_leaf_entry(sha256, slot) for sha256, slot in rows]


def leaf_events(session: Session, *, start: int, end: int) -> Sequence[tuple[int, bytes]]:
    """Return row id and bytes of the events behind the leaves [start, end)."""
    rows = session.execute(
        select(Event.id, Event.raw)
        .join(Leaf, Leaf.event_id == Event.id)
        .where(Leaf.leaf_index >= start, Leaf.leaf_index < end)
        .order_by(Leaf.leaf_index)
    )
    return [(event_id, raw) for event_id, raw in rows]


def leaf_indexes(session: Session, event_ids: Iterable[int]) -> dict[int, int]:
    """Return the leaf index of each of these events that has one, by event id."""
    rows = session.execute(select(Leaf.event_id, Leaf.leaf_index).where(Leaf.event_id.in_(list(event_ids))))
    return {event_id: index for event_id, index in rows}


def content_leaf_in(session: Session, *, start: int, end: int) -> bool:
    """Whether a leaf in [start, end) is about something other than the log itself."""
    found = session.scalar(
        select(
            exists().where(
                Leaf.event_id == Event.id,
                Leaf.leaf_index >= start,
                Leaf.leaf_index < end,
                Event.subject_kind.not_in(ABOUT_THE_LOG),
            )
        )
    )
    return bool(found)


def count_content_leaves(session: Session, *, start: int, end: int, most: int) -> int:
    """Return how many leaves in [start, end) are about something other than the log itself; stops at `most`."""
    some = (
        select(Leaf.leaf_index)
        .join(Event, Leaf.event_id == Event.id)
        .where(Leaf.leaf_index >= start, Leaf.leaf_index < end, Event.subject_kind.not_in(ABOUT_THE_LOG))
        .limit(most)
        .subquery()
    )
    return session.scalar(select(func.count()).select_from(some)) or 0


def add_checkpoint(session: Session, *, size: int, note: bytes, note_sha256: bytes, at: datetime) -> None:
    """Keep a signed checkpoint, not yet published."""
    session.execute(
        insert(table(Checkpoint)),
        {"size": size, "note": note, "note_sha256": note_sha256, "signed_at": at, "published_at": None},
    )


def mark_published(session: Session, size: int, *, at: datetime) -> None:
    """Note that everyone may read the checkpoint of this size now. Does nothing the second time."""
    session.execute(
        update(Checkpoint)
        .where(Checkpoint.size == size, Checkpoint.published_at.is_(None))
        .values(published_at=at)
        .execution_options(synchronize_session=False)
    )


def get_checkpoint(session: Session, size: int) -> Checkpoint | None:
    """Return the checkpoint of this size, published or only signed."""
    return session.get(Checkpoint, size, populate_existing=True)


def latest_published(session: Session) -> Checkpoint | None:
    """Return the newest published checkpoint."""
    return session.scalar(
        select(Checkpoint)
        .where(Checkpoint.published_at.is_not(None))
        .order_by(Checkpoint.size.desc())
        .limit(1)
    )


def signed_only(session: Session, *, below: int) -> Sequence[Checkpoint]:
    """Return the checkpoints smaller than `below` that were signed and never published, ascending."""
    return session.scalars(
        select(Checkpoint)
        .where(Checkpoint.published_at.is_(None), Checkpoint.size < below)
        .order_by(Checkpoint.size)
    ).all()


def first_published_above(session: Session, leaf_index: int) -> Checkpoint | None:
    """Return the oldest published checkpoint that covers this leaf."""
    return session.scalar(
        select(Checkpoint)
        .where(Checkpoint.published_at.is_not(None), Checkpoint.size > leaf_index)
        .order_by(Checkpoint.size)
        .limit(1)
    )


def max_tree_size(session: Session) -> int:
    """Return the largest size in the append-only heads: the head row must agree with it."""
    return session.scalar(select(func.max(TreeHead.size))) or 0


def newest_signed(session: Session) -> int | None:
    """Return the size of the newest checkpoint, published or only signed."""
    return session.scalar(select(func.max(Checkpoint.size)))


def newest_anchored(session: Session) -> int | None:
    """Return the size of the newest checkpoint whose anchor was found on a chain."""
    return session.scalar(
        select(func.max(Job.checkpoint_size)).where(
            Job.kind == "anchor", Job.state.in_(("INCLUDED", "FINAL"))
        )
    )
