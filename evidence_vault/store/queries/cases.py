"""Cases: parties, items, orders, consents; refusals that are counted, and notices."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from evidence_vault.access.facts import CaseFacts
from evidence_vault.access.matrix import BENCH
from evidence_vault.store.case_models import (
    Case,
    CaseItem,
    CaseParty,
    Consent,
    Grant,
    Notice,
    Order,
    Refusals,
)
from evidence_vault.store.columns import table
from evidence_vault.store.models import Event
from evidence_vault.store.people_models import Actor
from evidence_vault.store.queries.experts import experts_sides
from evidence_vault.store.queries.grants import grant_facts, items_granted_in


def insert_case(session: Session, row: Mapping[str, Any]) -> None:
    """Add a case."""
    session.execute(insert(table(Case)), dict(row))


def get_case(session: Session, case_id: str) -> Case | None:
    """Return the case. Who may see it is not decided here."""
    return session.get(Case, case_id, populate_existing=True)


def facts_of_case(session: Session, actor_id: str, case_id: str) -> tuple[Case | None, CaseFacts | None]:
    """Return the case and all that lies between it and the actor; the same statements if there is none."""
    case = session.scalar(select(Case).where(Case.id == case_id))
    own = session.scalars(
        select(CaseParty.party).where(CaseParty.case_id == case_id, CaseParty.person_id == actor_id)
    ).all()
    rows = session.scalars(select(Grant).where(Grant.grantee_id == actor_id, Grant.case_id == case_id)).all()
    sides, person = experts_sides(session, actor_id), session.get(Actor, actor_id)
    if case is None:
        return None, None
    return case, CaseFacts(
        case_id=case.id,
        opened_by=case.opened_by,
        opened_role=case.opened_role,
        confidentiality=case.confidentiality,
        mediation_only=case.mediation_only,
        parties=frozenset(own),
        grants=tuple(grant_facts(row, person, sides=sides) for row in rows),
    )


def cases_of(session: Session, actor_id: str, *, limit: int, after: str | None) -> Sequence[Case]:
    """Return the cases that the actor opened, is a party to or has a grant in, in id order."""
    party = select(CaseParty.case_id).where(CaseParty.person_id == actor_id)
    granted = select(Grant.case_id).where(Grant.grantee_id == actor_id, Grant.revoked_at.is_(None))
    statement = (
        select(Case)
        .where(or_(Case.opened_by == actor_id, Case.id.in_(party), Case.id.in_(granted)))
        .order_by(Case.id)
        .limit(limit)
    )
    return session.scalars(statement if after is None else statement.where(Case.id > after)).all()


def put_party(session: Session, row: Mapping[str, Any]) -> None:
    """Add a party, or put these values in the place of what was said of it before."""
    _put(session, CaseParty, {"case_id": row["case_id"], "party": row["party"]}, row)


def parties_of(session: Session, case_id: str) -> Sequence[CaseParty]:
    """Return the parties by number."""
    return session.scalars(
        select(CaseParty).where(CaseParty.case_id == case_id).order_by(CaseParty.party)
    ).all()


def is_party(session: Session, case: Case, person_id: str) -> bool:
    """Whether somebody is a party to the case, or opened it as one."""
    if (case.opened_by, case.opened_role) == (person_id, "RH"):
        return True
    return any(one.person_id == person_id for one in parties_of(session, case.id))


def sits_in(session: Session, case_id: str, person_id: str) -> bool:
    """Whether somebody sits on the bench of the case, by a grant that was not revoked."""
    found = select(Grant.id).where(
        Grant.case_id == case_id,
        Grant.grantee_id == person_id,
        Grant.whole_case,
        Grant.grantee_role.in_(BENCH),
        Grant.revoked_at.is_(None),
    )
    return session.scalar(found.limit(1)) is not None


def put_item(session: Session, row: Mapping[str, Any]) -> None:
    """Add an item to a case, or change its line in the list of evidence."""
    _put(session, CaseItem, {"case_id": row["case_id"], "item_id": row["item_id"]}, row)


def items_of(session: Session, case_id: str) -> Sequence[CaseItem]:
    """Return the case's items by number."""
    return session.scalars(
        select(CaseItem).where(CaseItem.case_id == case_id).order_by(CaseItem.number)
    ).all()


def items_about(session: Session, case_id: str) -> set[str]:
    """Return the items on the case's list of evidence, and those on the lists of grants given in it."""
    return {line.item_id for line in items_of(session, case_id)} | items_granted_in(session, case_id)


def items_in(session: Session, case_id: str, item_ids: Collection[str]) -> set[str]:
    """Return which of these items are in the case."""
    return set(
        session.scalars(
            select(CaseItem.item_id).where(CaseItem.case_id == case_id, CaseItem.item_id.in_(list(item_ids)))
        )
    )


def cases_of_items(session: Session, item_ids: Collection[str]) -> set[str]:
    """Return the cases that any of these items is in."""
    return set(session.scalars(select(CaseItem.case_id).where(CaseItem.item_id.in_(list(item_ids)))))


def cases_with(session: Session, item_id: str) -> Sequence[Case]:
    """Return the cases that the item is in, in id order."""
    return session.scalars(
        select(Case)
        .join(CaseItem, CaseItem.case_id == Case.id)
        .where(CaseItem.item_id == item_id)
        .order_by(Case.id)
    ).all()


def cases_holding(session: Session, item_ids: Collection[str]) -> set[str]:
    """Return the ids of the cases that any of these items is in."""
    return set(
        session.scalars(select(CaseItem.case_id).where(CaseItem.item_id.in_(sorted(item_ids))).distinct())
    )


def get_cases(session: Session, case_ids: Collection[str]) -> Sequence[Case]:
    """Return these cases in id order. Who may see them is not decided here."""
    return session.scalars(select(Case).where(Case.id.in_(sorted(case_ids))).order_by(Case.id)).all()


def add_consent(session: Session, row: Mapping[str, Any]) -> None:
    """Note a party's consent for one item and one other case; again is nothing new."""
    if session.get(Consent, (row["case_id"], row["party"], row["for_case"], row["item_id"])) is None:
        session.execute(insert(table(Consent)), dict(row))


def insert_order(session: Session, row: Mapping[str, Any]) -> None:
    """Add an order."""
    session.execute(insert(table(Order)), dict(row))


def get_order(session: Session, order_id: str) -> Order | None:
    """Return the order. Who may see it is not decided here."""
    return session.get(Order, order_id, populate_existing=True)


def orders_of(session: Session, case_id: str) -> Sequence[Order]:
    """Return the case's orders, oldest first."""
    return session.scalars(
        select(Order).where(Order.case_id == case_id).order_by(Order.registered_at, Order.id)
    ).all()


def set_returned(session: Session, order_id: str, event_id: int) -> None:
    """Note the newest return of an order."""
    session.execute(
        update(Order)
        .where(Order.id == order_id)
        .values(returned_event_id=event_id)
        .execution_options(synchronize_session=False)
    )


def events_of_types(
    session: Session,
    subjects: Collection[tuple[str, str]],
    types: Collection[str],
    *,
    after_id: int,
    limit: int,
) -> Sequence[Event]:
    """Return the events of these types about these subjects (kind, id), in the order of their rows."""
    kinds: dict[str, list[str]] = {}
    for kind, subject_id in subjects:
        kinds.setdefault(kind, []).append(subject_id)
    about = [(Event.subject_kind == kind) & Event.subject_id.in_(ids) for kind, ids in kinds.items()]
    if not about:
        return []
    return session.scalars(
        select(Event)
        .where(or_(*about), Event.type.in_(list(types)), Event.id > after_id)
        .order_by(Event.id)
        .limit(limit)
    ).all()


# Refusals and notices.


def count_refusal(session: Session, principal_id: str, hour: datetime) -> None:
    """Count one more refusal of the principal in this hour."""
    done = session.execute(
        update(Refusals)
        .where(Refusals.principal_id == principal_id, Refusals.hour == hour)
        .values(refusals=Refusals.refusals + 1)
        .returning(Refusals.refusals)
        .execution_options(synchronize_session=False)
    ).first()
    if done is None:
        session.execute(insert(table(Refusals)), {"principal_id": principal_id, "hour": hour, "refusals": 1})


def take_refusals(session: Session, *, before: datetime, limit: int) -> Sequence[tuple[str, datetime, int]]:
    """Take out the counts of hours that began before, oldest first."""
    rows = session.scalars(
        select(Refusals)
        .where(Refusals.hour < before)
        .order_by(Refusals.hour, Refusals.principal_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    taken = [(row.principal_id, row.hour, row.refusals) for row in rows]
    for row in rows:
        session.expunge(row)
    for principal_id, hour, _ in taken:
        session.execute(
            delete(Refusals)
            .where(Refusals.principal_id == principal_id, Refusals.hour == hour)
            .execution_options(synchronize_session=False)
        )
    return taken


def any_refusals(session: Session, *, before: datetime) -> bool:
    """Whether counts of hours that began before are waiting."""
    return session.scalar(select(func.count()).select_from(Refusals).where(Refusals.hour < before)) != 0


def add_notice(
    session: Session,
    *,
    kind: str,
    event_id: int,
    at: datetime,
    person: str | None = None,
    role: str | None = None,
) -> None:
    """Let a person, or all in a role, know of an event."""
    session.execute(
        insert(table(Notice)),
        {"person_id": person, "role": role, "kind": kind, "event_id": event_id, "at": at},
    )


def notices_for(
    session: Session, *, person: str, role: str, after_id: int, limit: int
) -> Sequence[tuple[Notice, Event]]:
    """Return the notices to this person or to his role, oldest first."""
    rows = session.execute(
        select(Notice, Event)
        .join(Event, Event.id == Notice.event_id)
        .where(or_(Notice.person_id == person, Notice.role == role), Notice.id > after_id)
        .order_by(Notice.id)
        .limit(limit)
    ).all()
    return [(row[0], row[1]) for row in rows]


def _put(session: Session, model: Any, key: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    done = session.execute(
        update(model)
        .where(*(getattr(model, name) == value for name, value in key.items()))
        .values({name: value for name, value in row.items() if name not in key})
        .returning(*(getattr(model, name) for name in key))
        .execution_options(synchronize_session=False)
    ).first()
    if done is None:
        session.execute(insert(table(model)), dict(row))
