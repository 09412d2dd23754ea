"""Grants: written, locked, ended, and told as the facts that decisions are made of.

What is asked to judge an access is always asked in the same statements, whether or not there is such an item: an
answer that took one more would tell that there is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, insert, or_, select, union, update
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.access.facts import GrantFacts, ItemFacts
from evidence_vault.access.matrix import EXPERTS
from evidence_vault.store.case_models import Case, CaseItem, CaseParty, Consent, Grant, GrantItem
from evidence_vault.store.columns import table
from evidence_vault.store.custody_models import Opinion
from evidence_vault.store.models import Item
from evidence_vault.store.people_models import Actor
from evidence_vault.store.queries.experts import experts_roles, experts_sides


def insert_grant(session: Session, row: Mapping[str, Any]) -> None:
    """Add a grant."""
    session.execute(insert(table(Grant)), dict(row))


def get_grant(session: Session, grant_id: str) -> Grant | None:
    """Return the grant. Who may see it is not decided here."""
    return session.get(Grant, grant_id, populate_existing=True)


def grants_by_id(session: Session, grant_ids: Collection[str]) -> Mapping[str, Grant]:
    """Return these grants by id."""
    return {row.id: row for row in session.scalars(select(Grant).where(Grant.id.in_(sorted(grant_ids))))}


def lock_grants_of(session: Session, grantee_id: str) -> None:
    """Lock all grants of somebody, in id order, until the end of the transaction."""
    session.execute(
        select(Grant.id).where(Grant.grantee_id == grantee_id).order_by(Grant.id).with_for_update()
    )


def lock_grants(session: Session, grant_ids: Collection[str]) -> Sequence[Grant]:
    """Return these grants in id order, locked until the end of the transaction."""
    return session.scalars(
        select(Grant)
        .where(Grant.id.in_(list(grant_ids)))
        .order_by(Grant.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def derived_from(session: Session, grant_id: str) -> set[str]:
    """Return the ids of all grants that were derived from this one, however far."""
    found: set[str] = set()
    edge = {grant_id}
    while edge:
        edge = set(session.scalars(select(Grant.id).where(Grant.parent_id.in_(edge)))) - found
        found |= edge
    return found


def update_grant(session: Session, grant_id: str, **values: Any) -> None:
    """Set columns of a grant."""
    session.execute(
        update(Grant)
        .where(Grant.id == grant_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def count_views(session: Session, grant_id: str, views: int) -> None:
    """Note that content was opened so often under this grant, or may be under one derived from it."""
    session.execute(
        update(Grant)
        .where(Grant.id == grant_id)
        .values(views_used=Grant.views_used + views)
        .execution_options(synchronize_session=False)
    )


def add_grant_item(session: Session, grant_id: str, item_id: str) -> None:
    """Put an item on the grant's list."""
    session.execute(insert(table(GrantItem)), {"grant_id": grant_id, "item_id": item_id})


def get_grant_item(session: Session, grant_id: str, item_id: str) -> GrantItem | None:
    """Return the item's line on the grant's list."""
    return session.get(GrantItem, (grant_id, item_id), populate_existing=True)


def update_grant_item(session: Session, grant_id: str, item_id: str, **values: Any) -> None:
    """Set columns of an item's line on a grant's list."""
    session.execute(
        update(GrantItem)
        .where(GrantItem.grant_id == grant_id, GrantItem.item_id == item_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def note_refused(session: Session, grantee_id: str, item_id: str, *, at: datetime) -> None:
    """Note, with every grant of the grantee on the item, that a refusal was written into its history."""
    session.execute(
        update(GrantItem)
        .where(
            GrantItem.item_id == item_id,
            GrantItem.grant_id.in_(select(Grant.id).where(Grant.grantee_id == grantee_id)),
        )
        .values(refused_at=at)
        .execution_options(synchronize_session=False)
    )


def items_of(session: Session, grant_id: str) -> Sequence[GrantItem]:
    """Return the grant's list, in id order."""
    return session.scalars(
        select(GrantItem).where(GrantItem.grant_id == grant_id).order_by(GrantItem.item_id)
    ).all()


def items_granted_in(session: Session, case_id: str) -> set[str]:
    """Return the items on the lists of all grants that were given in the case."""
    lists = select(GrantItem.item_id).join(Grant, Grant.id == GrantItem.grant_id)
    return set(session.scalars(lists.where(Grant.case_id == case_id)))


def grants_of_order(session: Session, order_id: str) -> Sequence[Grant]:
    """Return the grants that follow from an order, in id order."""
    return session.scalars(select(Grant).where(Grant.order_id == order_id).order_by(Grant.id)).all()


def grants_on_item(session: Session, item_id: str) -> Sequence[Grant]:
    """Return every grant that ever listed the item, or was about a case it is in as a whole, oldest first."""
    listed = exists().where(GrantItem.grant_id == Grant.id, GrantItem.item_id == item_id)
    whole = Grant.case_id.in_(_cases_holding(item_id))
    return session.scalars(
        select(Grant).where(or_(listed, and_(Grant.whole_case, whole))).order_by(Grant.given_at, Grant.id)
    ).all()


def list_grants(
    session: Session,
    *,
    received_by: str | None = None,
    given_by: str | None = None,
    case_id: str | None = None,
    limit: int,
    after: str | None = None,
) -> Sequence[Grant]:
    """Return grants by grantee, giver (or on whose behalf) or case, in id order; `after`: the last id before."""
    statement = select(Grant).order_by(Grant.id).limit(limit)
    if received_by is not None:
        statement = statement.where(Grant.grantee_id == received_by)
    if given_by is not None:
        statement = statement.where(or_(Grant.giver_id == given_by, Grant.holder_id == given_by))
    if case_id is not None:
        statement = statement.where(Grant.case_id == case_id)
    if after is not None:
        statement = statement.where(Grant.id > after)
    return session.scalars(statement).all()


def due_to_end(session: Session, *, now: datetime, limit: int) -> Sequence[str]:
    """Return the ids of grants whose time is over and whose end no event has told yet."""
    return session.scalars(
        select(Grant.id)
        .where(Grant.closed_at.is_(None), Grant.expires_at <= now)
        .order_by(Grant.expires_at)
        .limit(limit)
    ).all()


# Facts.


def facts_of_item(
    session: Session, actor_id: str, item_id: str, *, locked: bool = False
) -> tuple[Item | None, ItemFacts | None]:
    """Return the item and all that lies between it and the actor; the same statements if there is none.

    locked: the actor's grants on it stay as they are until the transaction ends.
    """
    found = session.execute(
        select(Item, Opinion).outerjoin(Opinion, Opinion.item_id == Item.id).where(Item.id == item_id)
    ).one_or_none()
    item, opinion = (None, None) if found is None else (found[0], found[1])
    if item is not None and item.owner_id == actor_id:
        return item, facts_of_own(item, opinion)
    in_cases = _cases_holding(item_id)
    asked = (
        select(Grant, GrantItem.undertaking_event_id)
        .outerjoin(GrantItem, and_(GrantItem.grant_id == Grant.id, GrantItem.item_id == item_id))
        .where(
            Grant.grantee_id == actor_id,
            or_(GrantItem.item_id == item_id, and_(Grant.whole_case, Grant.case_id.in_(in_cases))),
        )
        .order_by(Grant.id)
        .execution_options(populate_existing=True)
    )
    listed = session.execute(asked.with_for_update(of=Grant) if locked else asked).all()
    sides = experts_sides(session, actor_id)
    compartments = set(session.scalars(select(Case.id).where(Case.mediation_only, Case.id.in_(in_cases))))
    on_list = select(CaseItem.case_id).where(CaseItem.item_id == item_id)
    party_in = session.scalars(
        select(CaseParty.case_id).where(CaseParty.person_id == actor_id, CaseParty.case_id.in_(on_list))
    ).all()
    was = experts_roles(session, actor_id, in_cases)
    opened = _opened_for(session, item_id, in_cases)
    person = session.get(Actor, actor_id)
    if item is None:
        return None, None
    return item, ItemFacts(
        item_id=item.id,
        owner_id=item.owner_id,
        secret=item.secret,
        has_content=item.mode == "content",
        grants=tuple(
            grant_facts(grant, person, undertaken=event_id is not None, sides=sides)
            for grant, event_id in listed
        ),
        compartments=frozenset(compartments),
        opened_for=opened,
        party_in=frozenset(party_in),
        opinion_in=None if opinion is None else opinion.case_id,
        unsealed=opinion is not None and opinion.unsealed_seq is not None,
        experts=frozenset(was),
    )


def facts_of_own(item: Item, opinion: Opinion | None) -> ItemFacts:
    """Return the facts of an item to whoever answers for it."""
    return ItemFacts(
        item_id=item.id,
        owner_id=item.owner_id,
        secret=item.secret,
        has_content=item.mode == "content",
        opinion_in=None if opinion is None else opinion.case_id,
        unsealed=opinion is not None and opinion.unsealed_seq is not None,
    )


def grant_facts(
    grant: Grant,
    grantee: Actor | None,
    *,
    undertaken: bool = False,
    sides: Iterable[tuple[str | None, str]] = (),
) -> GrantFacts:
    """Return the grant as decisions see it. sides: the cases in which its grantee is an expert, and as what."""
    other = EXPERTS.get(grant.grantee_role)
    return GrantFacts(
        id=grant.id,
        grantee_id=grant.grantee_id,
        grantee_role=grant.grantee_role,
        actions=frozenset(grant.actions.split()),
        not_before=grant.not_before,
        expires_at=grant.expires_at,
        confirmed_at=grant.confirmed_at,
        trusted_since=None if grantee is None else grantee.trusted_since,
        organisation_id=grant.organisation_id,
        holder_id=grant.holder_id,
        case_id=grant.case_id,
        order_id=grant.order_id,
        revoked=grant.revoked_at is not None,
        whole_case=grant.whole_case,
        onward=grant.onward,
        views_left=None if grant.view_limit is None else grant.view_limit - grant.views_used,
        undertaken=undertaken,
        other_side=grant.case_id is not None and other is not None and (grant.case_id, other) in set(sides),
        jurisdiction=grant.jurisdiction,
    )


def facts_of_grant(session: Session, grant: Grant) -> GrantFacts:
    """Return one grant as decisions see it."""
    sides = experts_sides(session, grant.grantee_id)
    return grant_facts(grant, session.get(Actor, grant.grantee_id), sides=sides)


@value
class Compartments:
    """The mediations that an item is in, and the other cases for which all their parties consented."""

    cases: frozenset[str]
    opened_for: frozenset[str]


def compartments_of(session: Session, item_id: str) -> Compartments:
    """Return what keeps the item from other forums."""
    in_cases = _cases_holding(item_id)
    found = session.scalars(select(Case.id).where(Case.mediation_only, Case.id.in_(in_cases))).all()
    return Compartments(cases=frozenset(found), opened_for=_opened_for(session, item_id, in_cases))


def seats(session: Session, actor_id: str, role: str) -> list[GrantFacts]:
    """Return the grants by which the actor sits on benches in this role."""
    rows = session.scalars(
        select(Grant).where(Grant.grantee_id == actor_id, Grant.grantee_role == role, Grant.whole_case)
    ).all()
    person = session.get(Actor, actor_id)
    return [grant_facts(row, person) for row in rows]


def _cases_holding(item_id: str) -> Any:
    """The cases on whose lists the item is, and the one to whose bench it is sealed, as a subquery."""
    return union(
        select(CaseItem.case_id).where(CaseItem.item_id == item_id),
        select(Opinion.case_id).where(Opinion.item_id == item_id),
    )


def mandates(session: Session, actor_id: str, holder_id: str) -> list[GrantFacts]:
    """Return the grants by which the actor acts for this holder."""
    rows = session.scalars(
        select(Grant).where(Grant.grantee_id == actor_id, Grant.holder_id == holder_id)
    ).all()
    person = session.get(Actor, actor_id)
    return [grant_facts(row, person) for row in rows]


def _opened_for(session: Session, item_id: str, in_cases: Any) -> frozenset[str]:
    """The cases for which all parties of all mediations that the item is in consented to its use."""
    parties = session.execute(
        select(Case.id, CaseParty.party)
        .outerjoin(CaseParty, CaseParty.case_id == Case.id)
        .where(Case.mediation_only, Case.id.in_(in_cases))
    ).all()
    given = session.execute(
        select(Consent.case_id, Consent.party, Consent.for_case).where(Consent.item_id == item_id)
    ).all()
    asked = {
        (case_id, party) for case_id, party in parties
    }  # a mediation that names no party is never opened
    agreed: dict[str, set[tuple[str, int]]] = {}
    for case_id, party, for_case in given:
        agreed.setdefault(for_case, set()).add((case_id, party))
    return frozenset(for_case for for_case, by in agreed.items() if asked and asked <= by)
