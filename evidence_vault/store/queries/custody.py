"""Holds, transfers, objections and opinions, as they follow from events."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, insert, or_, select, union, update
from sqlalchemy.orm import Session, aliased

from evidence_vault.store.case_models import CaseItem, Notice
from evidence_vault.store.columns import Base, table
from evidence_vault.store.custody_models import Hold, Objection, Opinion, Transfer
from evidence_vault.store.models import Event, Item


def insert_row(session: Session, model: type[Base], row: Mapping[str, Any]) -> None:
    """Add a hold, a transfer, an objection or an opinion."""
    session.execute(insert(table(model)), dict(row))


def get_hold(session: Session, kind: str, subject_id: str, seq: int) -> Hold | None:
    """Return the hold that this event placed."""
    return session.get(Hold, (kind, subject_id, seq), populate_existing=True)


def release_hold(session: Session, kind: str, subject_id: str, seq: int, *, released_seq: int) -> None:
    """Note that a hold was released."""
    session.execute(
        update(Hold)
        .where(Hold.subject_kind == kind, Hold.subject_id == subject_id, Hold.seq == seq)
        .values(released_seq=released_seq)
        .execution_options(synchronize_session=False)
    )


def holds_of(session: Session, kind: str, subject_id: str) -> Sequence[Hold]:
    """Return all holds of a subject's own, oldest first."""
    return session.scalars(
        select(Hold).where(Hold.subject_kind == kind, Hold.subject_id == subject_id).order_by(Hold.seq)
    ).all()


def live_holds(session: Session, item_id: str, *, now: datetime) -> Sequence[Hold]:
    """Return what keeps the item's content from being erased: its own holds, and those of the cases it is in."""
    cases = union(
        select(CaseItem.case_id).where(CaseItem.item_id == item_id),
        select(Opinion.case_id).where(Opinion.item_id == item_id),
    )
    about = or_(
        and_(Hold.subject_kind == "item", Hold.subject_id == item_id),
        and_(Hold.subject_kind == "case", Hold.subject_id.in_(cases)),
    )
    return session.scalars(
        select(Hold)
        .where(about, Hold.released_seq.is_(None), or_(Hold.until.is_(None), Hold.until > now))
        .order_by(Hold.subject_kind, Hold.subject_id, Hold.seq)
    ).all()


def retentions_of(session: Session, owner_id: str) -> Sequence[Hold]:
    """Return the retention periods of an owner's items, the next to end first."""
    return session.scalars(
        select(Hold)
        .join(Item, Item.id == Hold.subject_id)
        .where(Hold.subject_kind == "item", Hold.source == "retention", Item.owner_id == owner_id)
        .order_by(Hold.until, Hold.subject_id)
    ).all()


def retention_ended(session: Session, item_id: str) -> datetime | None:
    """Return when the item's last retention ends or ended; None if it never had one."""
    return session.scalar(
        select(func.max(Hold.until)).where(
            Hold.subject_kind == "item", Hold.subject_id == item_id, Hold.source == "retention"
        )
    )


def ending_untold(session: Session, *, before: datetime, kind: str, limit: int) -> Sequence[tuple[str, int]]:
    """Return retentions that end before this time and that nothing outlasts: the owner, and the event.

    Only those of which their owner has no notice of this kind; the next to end first.
    """
    other = aliased(Hold)
    in_cases = select(CaseItem.case_id).where(CaseItem.item_id == Hold.subject_id).correlate(Hold)
    outlasts = (
        select(other.seq)
        .where(
            or_(
                and_(other.subject_kind == "item", other.subject_id == Hold.subject_id),
                and_(other.subject_kind == "case", other.subject_id.in_(in_cases)),
            ),
            other.released_seq.is_(None),
            or_(other.until.is_(None), other.until > Hold.until),
        )
        .correlate(Hold)
        .exists()
    )
    told = (
        select(Notice.id)
        .where(Notice.person_id == Item.owner_id, Notice.kind == kind, Notice.event_id == Event.id)
        .exists()
    )
    rows = session.execute(
        select(Item.owner_id, Event.id)
        .join(Hold, and_(Hold.subject_kind == "item", Hold.subject_id == Item.id))
        .join(
            Event,
            and_(
                Event.subject_kind == Hold.subject_kind,
                Event.subject_id == Hold.subject_id,
                Event.seq == Hold.seq,
            ),
        )
        .where(
            Hold.source == "retention", Hold.released_seq.is_(None), Hold.until <= before, ~outlasts, ~told
        )
        .order_by(Hold.until, Event.id)
        .limit(limit)
    )
    return [(owner_id, event_id) for owner_id, event_id in rows]


def get_transfer(session: Session, item_id: str, seq: int) -> Transfer | None:
    """Return the transfer that this event offered."""
    return session.get(Transfer, (item_id, seq), populate_existing=True)


def offered(session: Session, item_id: str) -> Sequence[Transfer]:
    """Return the offers of an item that nobody has decided, also those whose time is over."""
    return session.scalars(
        select(Transfer).where(Transfer.item_id == item_id, Transfer.state == "offered")
    ).all()


def transfers_of(session: Session, actor_id: str, *, limit: int) -> Sequence[tuple[Transfer, Item]]:
    """Return the newest transfers from or to this actor, with their items."""
    rows = session.execute(
        select(Transfer, Item)
        .join(Item, Item.id == Transfer.item_id)
        .where(or_(Transfer.giver_id == actor_id, Transfer.receiver_id == actor_id))
        .order_by(Transfer.offered_at.desc(), Transfer.item_id)
        .limit(limit)
    ).all()
    return [(row[0], row[1]) for row in rows]


def decide_transfer(session: Session, item_id: str, seq: int, *, state: str) -> None:
    """Note how an offer was decided."""
    session.execute(
        update(Transfer)
        .where(Transfer.item_id == item_id, Transfer.seq == seq)
        .values(state=state)
        .execution_options(synchronize_session=False)
    )


def set_owner(session: Session, item_id: str, owner_id: str) -> None:
    """Let somebody answer for an item from now on."""
    session.execute(
        update(Item)
        .where(Item.id == item_id)
        .values(owner_id=owner_id)
        .execution_options(synchronize_session=False)
    )


def get_objection(session: Session, item_id: str, seq: int) -> Objection | None:
    """Return the objection that this event recorded."""
    return session.get(Objection, (item_id, seq), populate_existing=True)


def objections_to(session: Session, item_id: str) -> Sequence[Objection]:
    """Return the objections to an item, oldest first."""
    return session.scalars(
        select(Objection).where(Objection.item_id == item_id).order_by(Objection.seq)
    ).all()


def decide_objection(session: Session, item_id: str, seq: int, *, state: str) -> None:
    """Note the newest answer to an objection."""
    session.execute(
        update(Objection)
        .where(Objection.item_id == item_id, Objection.seq == seq)
        .values(state=state)
        .execution_options(synchronize_session=False)
    )


def get_opinion(session: Session, item_id: str) -> Opinion | None:
    """Return what says that the item is an opinion, and to whom it is sealed."""
    return session.get(Opinion, item_id, populate_existing=True)


def opinions_in(session: Session, case_id: str) -> Sequence[Opinion]:
    """Return the opinions given in a case, oldest first."""
    return session.scalars(
        select(Opinion).where(Opinion.case_id == case_id).order_by(Opinion.sealed_at, Opinion.item_id)
    ).all()


def unseal_opinion(session: Session, item_id: str, *, unsealed_seq: int) -> None:
    """Note that an opinion was opened to the parties."""
    session.execute(
        update(Opinion)
        .where(Opinion.item_id == item_id)
        .values(unsealed_seq=unsealed_seq)
        .execution_options(synchronize_session=False)
    )
