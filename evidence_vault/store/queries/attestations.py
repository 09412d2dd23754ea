"""Attestations as the events and proof parts of an item have them: no table of their own, so none can disagree."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evidence_vault.store.case_models import CaseItem
from evidence_vault.store.models import Event, ProofPart

STATEMENT = "statement.txt"
SIGNATURE = "signature.p7s"
CHAIN = "chain.pem"
"""Files of an attestation, as a bundle names them."""


def events_of_types(
    session: Session, item_id: str, types: Collection[str], *, from_seq: int = 0, limit: int | None = None
) -> Sequence[Event]:
    """Return the item's events of these types, in order of seq."""
    statement = (
        select(Event)
        .where(
            Event.subject_kind == "item",
            Event.subject_id == item_id,
            Event.seq >= from_seq,
            Event.type.in_(list(types)),
        )
        .order_by(Event.seq)
    )
    return session.scalars(statement if limit is None else statement.limit(limit)).all()


def newest_of_types(session: Session, item_id: str, types: Collection[str]) -> Event | None:
    """Return the item's newest event of these types."""
    return session.scalar(
        select(Event)
        .where(Event.subject_kind == "item", Event.subject_id == item_id, Event.type.in_(list(types)))
        .order_by(Event.seq.desc())
        .limit(1)
    )


def event_at(session: Session, item_id: str, seq: int) -> Event | None:
    """Return the item's event with this seq."""
    return session.scalar(
        select(Event).where(Event.subject_kind == "item", Event.subject_id == item_id, Event.seq == seq)
    )


def events_with_statement(session: Session, item_id: str, statement: bytes) -> Sequence[Event]:
    """Return the item's events that recorded this very statement."""
    return session.scalars(
        select(Event)
        .join(ProofPart, ProofPart.event_id == Event.id)
        .where(
            Event.subject_kind == "item",
            Event.subject_id == item_id,
            ProofPart.name == STATEMENT,
            ProofPart.body == statement,
        )
        .order_by(Event.seq)
    ).all()


def kept_so_far(session: Session, item_id: str) -> tuple[int, int]:
    """Return how many attestations the item has, and how many bytes they and their withdrawals have together."""
    of_item = (
        Event.subject_kind == "item",
        Event.subject_id == item_id,
        Event.type.in_(["ATTESTED", "ATTESTATION_WITHDRAWN"]),
    )
    count = session.scalar(
        select(func.count()).select_from(Event).where(*of_item[:2], Event.type == "ATTESTED")
    )
    held = session.scalar(
        select(func.sum(func.length(ProofPart.body)))
        .join(Event, ProofPart.event_id == Event.id)
        .where(*of_item)
    )
    return count or 0, int(held or 0)


def attested_in(session: Session, case_id: str) -> Sequence[bytes]:
    """Return the ATTESTED events of the items of a case."""
    return session.scalars(
        select(Event.raw)
        .join(CaseItem, CaseItem.item_id == Event.subject_id)
        .where(CaseItem.case_id == case_id, Event.subject_kind == "item", Event.type == "ATTESTED")
    ).all()
