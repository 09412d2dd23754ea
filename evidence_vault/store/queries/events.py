"""Events: append under the lock of their subject's head, read back, with disclosures and proof parts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core import events as core
from evidence_vault.store.columns import table
from evidence_vault.store.models import Disclosure, Event, PendingEvent, ProofPart, SubjectHead
from evidence_vault.store.rows import Rows


@value
class Head:
    """A subject's newest event: its seq and digest, and the slot of the one to come."""

    seq: int
    event_sha256: bytes
    next_slot: bytes


@value
class Composed:
    """An event that is not yet inserted, with its slot and its encoded disclosures by name."""

    event: core.Event
    slot: bytes
    disclosures: Mapping[str, str]

    @property
    def head(self) -> Head:
        """What its subject's head is once this is inserted."""
        event = self.event
        return Head(seq=event.seq, event_sha256=event.sha256, next_slot=core.next_slot(event.nonce))


def lock_subject_head(session: Session, subject: core.Subject) -> Head | None:
    """Return the subject's head, locked until the end of the transaction; none before its first event."""
    return lock_subject_heads(session, [subject]).get(subject)


def lock_subject_heads(session: Session, subjects: Iterable[core.Subject]) -> dict[core.Subject, Head]:
    """Return the heads of those that have events, all locked until the end of the transaction.

    Always in the same order, so that two who lock several never wait for each other.
    """
    ids: dict[str, list[str]] = {}
    for subject in subjects:
        ids.setdefault(subject.kind, []).append(subject.id)
    found: dict[core.Subject, Head] = {}
    row = SubjectHead
    for kind in sorted(ids):
        heads = session.execute(
            select(row.subject_id, row.seq, row.event_sha256, row.next_slot)
            .where(row.subject_kind == kind, row.subject_id.in_(ids[kind]))
            .order_by(row.subject_id)
            .with_for_update()
        )
        for subject_id, seq, event_sha256, next_slot in heads:
            head = Head(seq=seq, event_sha256=event_sha256, next_slot=next_slot)
            found[core.Subject(kind=kind, id=subject_id)] = head
    return found


_EVENT = Rows(
    Event,
    *("sha256", "subject_kind", "subject_id", "seq", "type", "slot", "raw", "at"),
    returning=("id", "sha256"),
)
_PENDING = Rows(PendingEvent, "event_id")
_HEAD = Rows(SubjectHead, "subject_kind", "subject_id", "seq", "event_sha256", "next_slot")
_DISCLOSURE = Rows(Disclosure, "event_id", "name", "disclosure")
_PART = Rows(ProofPart, "event_id", "name", "body")
_MOVED_HEAD = (
    update(table(SubjectHead))
    .where(SubjectHead.subject_kind == bindparam("of_kind"), SubjectHead.subject_id == bindparam("of_id"))
    .values(seq=bindparam("to_seq"), event_sha256=bindparam("to_sha256"), next_slot=bindparam("to_next_slot"))
)


def insert_events(session: Session, new: Sequence[Composed]) -> list[int]:
    """Append the events, queue them for the log, move their subjects' heads; return their ids.

    Events of one subject come in the order of their seq. The caller holds the locks of the heads; the unique
    (subject, seq) and slot refuse a second history even if it did not.
    """
    connection = session.connection()
    rows = [_event(one) for one in new]
    by_sha256 = {bytes(sha256): event_id for event_id, sha256 in _EVENT.insert(connection, rows)}
    ids = [by_sha256[one.event.sha256] for one in new]
    _PENDING.insert(connection, [(event_id,) for event_id in ids])
    last = {one.event.subject: one for one in new}
    begun = {one.event.subject for one in new if one.event.seq == 0}
    _HEAD.insert(connection, [_head(one) for subject, one in last.items() if subject in begun])
    moved = [
        dict(zip(("of_kind", "of_id", "to_seq", "to_sha256", "to_next_slot"), _head(one), strict=True))
        for subject, one in last.items()
        if subject not in begun
    ]
    if moved:
        connection.execute(_MOVED_HEAD, moved)
    told = zip(ids, new, strict=True)
    _DISCLOSURE.insert(
        connection, [(i, name, text) for i, one in told for name, text in one.disclosures.items()]
    )
    return ids


def _event(one: Composed) -> tuple[object, ...]:
    event, subject = one.event, one.event.subject
    return event.sha256, subject.kind, subject.id, event.seq, event.type, one.slot, event.raw, event.at


def _head(one: Composed) -> tuple[object, ...]:
    subject, head = one.event.subject, one.head
    return subject.kind, subject.id, head.seq, head.event_sha256, head.next_slot


def events_of(
    session: Session, subject: core.Subject, *, from_seq: int = 0, limit: int | None = None
) -> Sequence[Event]:
    """Return the subject's events from `from_seq`, in order of seq; so many at most, all by default."""
    return session.scalars(
        select(Event)
        .where(Event.subject_kind == subject.kind, Event.subject_id == subject.id, Event.seq >= from_seq)
        .order_by(Event.seq)
        .limit(limit)
    ).all()


def newest_of_type(
    session: Session, subject: core.Subject, event_type: str, *, since: datetime
) -> Sequence[Event]:
    """Return the subject's events of this type that the vault dates after `since`, the newest first."""
    return session.scalars(
        select(Event)
        .where(
            Event.subject_kind == subject.kind,
            Event.subject_id == subject.id,
            Event.type == event_type,
            Event.at > since,
        )
        .order_by(Event.seq.desc())
    ).all()


def get_event(session: Session, event_id: int) -> Event:
    """Return the event with this row id."""
    return session.get_one(Event, event_id)


def get_events(session: Session, event_ids: Collection[int]) -> Sequence[Event]:
    """Return the events with these row ids, in no order."""
    return session.scalars(select(Event).where(Event.id.in_(list(event_ids)))).all()


def find_event(session: Session, sha256: bytes) -> Event | None:
    """Return the event with this digest."""
    return session.scalar(select(Event).where(Event.sha256 == sha256))


def disclosures_of(session: Session, event_ids: Iterable[int]) -> Mapping[int, Mapping[str, str]]:
    """Return the encoded disclosures that were not erased, by event and name."""
    found: dict[int, dict[str, str]] = {}
    rows = session.scalars(select(Disclosure).where(Disclosure.event_id.in_(list(event_ids))))
    for row in rows:
        found.setdefault(row.event_id, {})[row.name] = row.disclosure
    return found


def erase_disclosures(session: Session, event_id: int) -> None:
    """Delete the clear values of an event; it keeps their digests."""
    session.execute(delete(Disclosure).where(Disclosure.event_id == event_id))


def add_proof_parts(session: Session, proofs: Mapping[int, Mapping[str, bytes]]) -> None:
    """Keep the files of proofs under the events that record them. proofs: files by name, by event."""
    rows = [(event_id, n, body) for event_id, parts in proofs.items() for n, body in parts.items()]
    _PART.insert(session.connection(), rows)


def proof_parts_of(session: Session, event_id: int) -> Mapping[str, bytes]:
    """Return the files of the proof that this event records; empty for an event that records none."""
    rows = session.scalars(select(ProofPart).where(ProofPart.event_id == event_id).order_by(ProofPart.name))
    return {row.name: row.body for row in rows}


def proof_parts_of_all(session: Session, event_ids: Iterable[int]) -> Mapping[int, Mapping[str, bytes]]:
    """Return the files of the proofs that these events record, by event and name."""
    found: dict[int, dict[str, bytes]] = {}
    for row in session.scalars(select(ProofPart).where(ProofPart.event_id.in_(list(event_ids)))):
        found.setdefault(row.event_id, {})[row.name] = row.body
    return found


def count_pending(session: Session) -> int:
    """Return how many events the log doesn't hold yet."""
    return session.scalar(select(func.count()).select_from(PendingEvent)) or 0
