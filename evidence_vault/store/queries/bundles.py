"""What a bundle is made of: events with their place in the log, and the checkpoints that outsiders witnessed."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Select, cast, exists, func, select
from sqlalchemy.orm import Session

from evidence_vault.core.events import Subject, parse_event
from evidence_vault.store.models import Checkpoint, Event, Leaf

_SIZE = cast(Event.subject_id, BigInteger)


class LoggedEvent(NamedTuple):
    """An event and the index of its leaf."""

    event: Event
    leaf_index: int


def logged_events(session: Session, subject: Subject, *, below: int) -> Sequence[LoggedEvent]:
    """Return the subject's events whose leaf index is less than `below`, in order of seq."""
    rows = session.execute(
        select(Event, Leaf.leaf_index)
        .join(Leaf, Leaf.event_id == Event.id)
        .where(Event.subject_kind == subject.kind, Event.subject_id == subject.id, Leaf.leaf_index < below)
        .order_by(Event.seq)
    )
    return [LoggedEvent(event, index) for event, index in rows]


def logged_event(session: Session, subject: Subject, seq: int) -> LoggedEvent | None:
    """Return one event with its leaf; none if the log doesn't hold it yet."""
    row = session.execute(
        select(Event, Leaf.leaf_index)
        .join(Leaf, Leaf.event_id == Event.id)
        .where(Event.subject_kind == subject.kind, Event.subject_id == subject.id, Event.seq == seq)
    ).first()
    return None if row is None else LoggedEvent(row[0], row[1])


def leaf_indexes_of(session: Session, subject: Subject, *, below: int) -> dict[int, int]:
    """Return the leaf index of each of the subject's events below that index, by seq."""
    rows = session.execute(
        select(Event.seq, Leaf.leaf_index)
        .join(Leaf, Leaf.event_id == Event.id)
        .where(Event.subject_kind == subject.kind, Event.subject_id == subject.id, Leaf.leaf_index < below)
    )
    return {seq: index for seq, index in rows}


def indexes_of(
    session: Session, subjects: Sequence[Subject], *, below: int, without: Collection[str]
) -> list[int]:
    """Return the leaf indexes below that one of all events of these subjects but of some types, ascending."""
    ids: dict[str, list[str]] = {}
    for subject in subjects:
        ids.setdefault(subject.kind, []).append(subject.id)
    found: list[int] = []
    for kind, of_kind in ids.items():
        rows = session.scalars(
            select(Leaf.leaf_index)
            .join(Event, Event.id == Leaf.event_id)
            .where(
                Event.subject_kind == kind,
                Event.subject_id.in_(of_kind),
                Event.type.not_in(list(without)),
                Leaf.leaf_index < below,
            )
        )
        found += rows
    return sorted(found)


def recorded_at(session: Session, sizes: Collection[int], *, below: int, tokens: int) -> dict[int, int]:
    """Return, of those checkpoints with so many tokens recorded below that index, the index of the last record."""
    rows = session.execute(
        select(Event.subject_id, func.max(Leaf.leaf_index))
        .join(Leaf, Leaf.event_id == Event.id)
        .where(
            Event.subject_kind == "checkpoint",
            Event.subject_id.in_([str(size) for size in sorted(sizes)]),
            Event.type == "CHECKPOINT_TIMESTAMPED",
            Leaf.leaf_index < below,
        )
        .group_by(Event.subject_id)
        .having(func.count() >= tokens)
    )
    return {int(size): index for size, index in rows}


def newest_timed(session: Session, *, published: int, tokens: int) -> int | None:
    """Return the newest checkpoint with at least so many tokens that events below `published` record."""
    found = session.scalar(_timed(published, tokens).order_by(_SIZE.desc()).limit(1))
    return None if found is None else int(found)


def first_timed_above(session: Session, index: int, *, published: int, tokens: int) -> int | None:
    """Return the oldest such checkpoint that covers leaf `index`."""
    found = session.scalar(_timed(published, tokens).where(index < _SIZE).order_by(_SIZE).limit(1))
    return None if found is None else int(found)


def last_timed_before(session: Session, index: int, *, tokens: int) -> int | None:
    """Return the newest checkpoint whose tokens were recorded before leaf `index`: it bounds it from below."""
    found = session.scalar(_timed(index, tokens).order_by(_SIZE.desc()).limit(1))
    return None if found is None else int(found)


def anchored_sizes(session: Session, *, published: int) -> Sequence[int]:
    """Return the sizes of the checkpoints whose anchors are recorded by published events, ascending."""
    rows = session.scalars(
        select(_SIZE)
        .join(Leaf, Leaf.event_id == Event.id)
        .where(Event.type == "CHECKPOINT_ANCHORED", Leaf.leaf_index < published)
        .distinct()
        .order_by(_SIZE)
    )
    return [int(size) for size in rows]


def anchored_by_kind(session: Session, *, published: int) -> dict[str, list[int]]:
    """Return the sizes of the same checkpoints by the kind of their anchors, ascending."""
    rows = session.execute(
        select(_SIZE, Event.raw)
        .join(Leaf, Leaf.event_id == Event.id)
        .where(Event.type == "CHECKPOINT_ANCHORED", Leaf.leaf_index < published)
        .order_by(_SIZE)
    )
    sizes: dict[str, list[int]] = {}
    for size, raw in rows:
        kind = str(parse_event(raw).fields["anchor_kind"])
        if int(size) not in sizes.setdefault(kind, []):
            sizes[kind].append(int(size))
    return sizes


def anchor_is_on_its_way(session: Session, index: int, *, published: int) -> bool:
    """Whether an anchor that covers leaf `index` is recorded, by an event that isn't published yet."""
    waiting = select(
        exists().where(
            Event.type == "CHECKPOINT_ANCHORED",
            index < _SIZE,
            ~exists().where(Leaf.event_id == Event.id, Leaf.leaf_index < published),
        )
    )
    return bool(session.scalar(waiting))


def notes_of(session: Session, sizes: Sequence[int]) -> dict[int, bytes]:
    """Return the signed notes of these checkpoints by size."""
    rows = session.execute(select(Checkpoint.size, Checkpoint.note).where(Checkpoint.size.in_(list(sizes))))
    return {size: note for size, note in rows}


def _timed(published: int, tokens: int) -> Select[int]:
    return (
        select(_SIZE)
        .join(Leaf, Leaf.event_id == Event.id)
        .where(Event.type == "CHECKPOINT_TIMESTAMPED", Leaf.leaf_index < published)
        .group_by(Event.subject_id)
        .having(func.count() >= tokens)
    )
