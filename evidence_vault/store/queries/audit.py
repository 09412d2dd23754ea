"""Everything, in order and a little at a time: what a check of the whole store reads."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, func, select
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.events import encode_leaf_entry
from evidence_vault.store.models import (
    Checkpoint,
    Event,
    Leaf,
    PackedDeposit,
    PendingEvent,
    SubjectHead,
    TreeHead,
)

ROWS_AT_A_TIME = 4096


@value
class CheckpointRow:
    """A signed checkpoint; root_hash: of the committed head of its size, None if there is none."""

    size: int
    note: bytes
    note_sha256: bytes
    published: bool
    root_hash: bytes | None


@value
class EventRow:
    """An event with its place: leaf_index None while it waits, and then `pending`."""

    event_id: int
    kind: str
    subject_id: str
    seq: int
    type: str
    at: datetime
    sha256: bytes
    slot: bytes
    raw: bytes
    leaf_index: int | None
    pending: bool


def all_entries(session: Session) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Yield (leaf index, entry) of all leaves by index, in groups."""
    statement = (
        select(Leaf.leaf_index, Event.sha256, Event.slot)
        .join(Event, Event.id == Leaf.event_id)
        .order_by(Leaf.leaf_index)
    )
    for rows in _groups(session, statement):
        yield [(index, encode_leaf_entry(sha256, slot)) for index, sha256, slot in rows]


def all_tree_heads(session: Session) -> Iterator[tuple[int, bytes, int]]:
    """Yield (size, root hash, epoch) of every committed head, the smallest first."""
    statement = select(TreeHead.size, TreeHead.root_hash, TreeHead.epoch).order_by(TreeHead.size)
    for rows in _groups(session, statement):
        yield from ((size, root_hash, epoch) for size, root_hash, epoch in rows)


def all_checkpoints(session: Session) -> Iterator[Sequence[CheckpointRow]]:
    """Yield every signed checkpoint with the root of its head, the smallest first, in groups."""
    statement = (
        select(
            Checkpoint.size,
            Checkpoint.note,
            Checkpoint.note_sha256,
            Checkpoint.published_at.is_not(None),
            TreeHead.root_hash,
        )
        .outerjoin(TreeHead, TreeHead.size == Checkpoint.size)
        .order_by(Checkpoint.size)
    )
    for rows in _groups(session, statement):
        yield [
            CheckpointRow(size=size, note=note, note_sha256=digest, published=published, root_hash=root)
            for size, note, digest, published, root in rows
        ]


def all_events(session: Session) -> Iterator[EventRow]:
    """Yield every event, subject by subject, in order of seq."""
    statement = (
        select(
            Event.id,
            Event.subject_kind,
            Event.subject_id,
            Event.seq,
            Event.type,
            Event.at,
            Event.sha256,
            Event.slot,
            Event.raw,
            Leaf.leaf_index,
            PendingEvent.event_id,
        )
        .outerjoin(Leaf, Leaf.event_id == Event.id)
        .outerjoin(PendingEvent, PendingEvent.event_id == Event.id)
        .order_by(Event.subject_kind, Event.subject_id, Event.seq)
    )
    for rows in _groups(session, statement):
        for row in rows:
            yield EventRow(
                event_id=row[0],
                kind=row[1],
                subject_id=row[2],
                seq=row[3],
                type=row[4],
                at=row[5],
                sha256=row[6],
                slot=row[7],
                raw=row[8],
                leaf_index=row[9],
                pending=row[10] is not None,
            )


def all_packed(session: Session) -> Iterator[Sequence[tuple[str, int, str]]]:
    """Yield (pack, position, item id) of every deposit in a pack, pack by pack, in groups."""
    packed = PackedDeposit
    statement = select(packed.pack, packed.position, packed.item_id).order_by(packed.pack, packed.position)
    for rows in _groups(session, statement):
        yield [(pack, position, item_id) for pack, position, item_id in rows]


def all_subject_heads(session: Session) -> Iterator[tuple[str, str, int, bytes, bytes]]:
    """Yield (kind, id, seq, event_sha256, next slot) of every subject's head, in the order of `all_events`."""
    head = SubjectHead
    statement = select(head.subject_kind, head.subject_id, head.seq, head.event_sha256, head.next_slot)
    for rows in _groups(session, statement.order_by(head.subject_kind, head.subject_id)):
        yield from ((kind, name, seq, sha256, slot) for kind, name, seq, sha256, slot in rows)


def slot_that_stands_twice(session: Session) -> bytes | None:
    """Return a slot that two events have, if there is one. The database's own constraint forbids it."""
    return session.scalar(select(Event.slot).group_by(Event.slot).having(func.count() > 1).limit(1))


def count_leaves(session: Session) -> int:
    """Return how many leaves there are, of events that exist or not."""
    return session.scalar(select(func.count()).select_from(Leaf)) or 0


def _groups(session: Session, statement: Executable) -> Iterator[Sequence[Any]]:
    result: Any = session.execute(statement, execution_options={"yield_per": ROWS_AT_A_TIME})
    yield from result.partitions(ROWS_AT_A_TIME)
