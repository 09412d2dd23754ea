"""Events: append under the lock of their subject's head, read back, with disclosures and proof parts."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from evidence_vault.core import events as core
from evidence_vault.store.columns import table
from evidence_vault.store.models import Disclosure, Event, PendingEvent, ProofPart, SubjectHead


def lock_subject_head(session: Session, subject: core.Subject) -> SubjectHead | None:
    """Return the subject's newest seq, digest and next slot, locked until the end of the transaction."""
    return session.scalar(
        select(SubjectHead)
        .where(SubjectHead.subject_kind == subject.kind, SubjectHead.subject_id == subject.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def insert_event(session: Session, event: core.Event, *, slot: bytes, disclosures: Mapping[str, str]) -> int:
    """Append the event, queue it for the log, move its subject's head; return its id.

    disclosures: encoded, by name. The caller holds the lock of the subject's head; the unique (subject,
    seq) and slot refuse a second history even if it did not.
    """
    event_id = session.execute(
        insert(table(Event)).returning(Event.id),
        {
            "sha256": event.sha256,
            "subject_kind": event.subject.kind,
            "subject_id": event.subject.id,
            "seq": event.seq,
            "type": event.type,
            "slot": slot,
            "raw": event.raw,
            "at": event.at,
        },
    ).scalar_one()
    session.execute(insert(table(PendingEvent)), {"event_id": event_id})
    head = {"seq": event.seq, "event_sha256": event.sha256, "next_slot": core.next_slot(event.nonce)}
    if event.seq == 0:
        session.execute(
            insert(table(SubjectHead)),
            {"subject_kind": event.subject.kind, "subject_id": event.subject.id, **head},
        )
    else:
        session.execute(
            update(SubjectHead)
            .where(SubjectHead.subject_kind == event.subject.kind, SubjectHead.subject_id == event.subject.id)
            .values(**head)
            .execution_options(synchronize_session=False)
        )
    if disclosures:
        session.execute(
            insert(table(Disclosure)),
            [{"event_id": event_id, "name": n, "disclosure": text} for n, text in disclosures.items()],
        )
    return event_id


def events_of(session: Session, subject: core.Subject, *, from_seq: int = 0) -> Sequence[Event]:
    """Return the subject's events from `from_seq`, in order of seq."""
    return session.scalars(
        select(Event)
        .where(Event.subject_kind == subject.kind, Event.subject_id == subject.id, Event.seq >= from_seq)
        .order_by(Event.seq)
    ).all()


def get_event(session: Session, event_id: int) -> Event:
    """Return the event with this row id."""
    return session.get_one(Event, event_id)


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


def add_proof_parts(session: Session, event_id: int, parts: Mapping[str, bytes]) -> None:
    """Keep the files of a proof under the event that records it."""
    session.execute(
        insert(table(ProofPart)),
        [{"event_id": event_id, "name": n, "body": body} for n, body in parts.items()],
    )


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
