"""Facts of many items and cases at a time, for one actor: the same as `grants` and `cases` gather of one.

Whoever asks for many has a list that he was not given by their ids (a feed, a case), so nothing is told by how long
it takes. Candidates are found first, by one statement each way that somebody can be let in; facts are gathered of
these alone.
"""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from anchors.values import replace
from evidence_vault.access.facts import CaseFacts, GrantFacts, ItemFacts
from evidence_vault.store.case_models import Case, CaseItem, CaseParty, Consent, Grant, GrantItem
from evidence_vault.store.custody_models import Opinion
from evidence_vault.store.models import Item
from evidence_vault.store.people_models import Actor
from evidence_vault.store.queries.experts import experts_sides
from evidence_vault.store.queries.grants import facts_of_own, grant_facts


def facts_of_items(
    session: Session, actor_id: str, item_ids: Collection[str], *, all_of_them: bool = False
) -> Mapping[str, ItemFacts]:
    """Return the facts of those items that the actor owns, has a grant on, or meets in a case.

    all_of_them: of the others too, for a role that needs no reason.
    """
    ids = sorted(set(item_ids))
    on_lists = _cases_of_items(session, ids)
    opinions = {one.item_id: one for one in session.scalars(select(Opinion).where(Opinion.item_id.in_(ids)))}
    in_cases = {
        item_id: on_lists.get(item_id, set())
        | ({opinions[item_id].case_id} if item_id in opinions else set())
        for item_id in (*on_lists, *opinions)
    }
    sides = experts_sides(session, actor_id)
    party = set(session.scalars(select(CaseParty.case_id).where(CaseParty.person_id == actor_id)))
    granted = _grants_on(session, actor_id, ids, in_cases)
    candidates = {item_id for item_id in ids if granted.get(item_id) or party & on_lists.get(item_id, set())}
    rows = session.scalars(select(Item).where(Item.id.in_(ids)))
    found = [row for row in rows if all_of_them or row.owner_id == actor_id or row.id in candidates]
    foreign = [row.id for row in found if row.owner_id != actor_id]
    compartments = _compartments(session, {case for one in foreign for case in in_cases.get(one, ())})
    opened = _opened_for(session, foreign, in_cases, compartments)
    return {
        row.id: own
        if row.owner_id == actor_id
        else replace(
            own,
            grants=tuple(granted.get(row.id, ())),
            compartments=frozenset(in_cases.get(row.id, set()) & set(compartments)),
            opened_for=opened.get(row.id, frozenset()),
            party_in=frozenset(party & on_lists.get(row.id, set())),
            experts=frozenset(role for case, role in sides if case in in_cases.get(row.id, ())),
        )
        for row in found
        for own in (facts_of_own(row, opinions.get(row.id)),)
    }


def facts_of_cases(session: Session, actor_id: str, case_ids: Collection[str]) -> Mapping[str, CaseFacts]:
    """Return the facts of those cases that the actor opened, is a party to, or has a grant in."""
    ids = sorted(set(case_ids))
    parties: dict[str, set[int]] = {}
    for case_id, number in session.execute(
        select(CaseParty.case_id, CaseParty.party).where(
            CaseParty.person_id == actor_id, CaseParty.case_id.in_(ids)
        )
    ):
        parties.setdefault(case_id, set()).add(number)
    person, sides = session.get(Actor, actor_id), experts_sides(session, actor_id)
    granted: dict[str, list[GrantFacts]] = {}
    rows = select(Grant).where(Grant.grantee_id == actor_id, Grant.case_id.in_(ids)).order_by(Grant.id)
    for grant in session.scalars(rows):
        granted.setdefault(str(grant.case_id), []).append(grant_facts(grant, person, sides=sides))
    mine = {*parties, *granted}
    found = session.scalars(
        select(Case).where(Case.id.in_(ids), or_(Case.opened_by == actor_id, Case.id.in_(mine)))
    )
    return {
        case.id: CaseFacts(
            case_id=case.id,
            opened_by=case.opened_by,
            opened_role=case.opened_role,
            confidentiality=case.confidentiality,
            mediation_only=case.mediation_only,
            parties=frozenset(parties.get(case.id, ())),
            grants=tuple(granted.get(case.id, ())),
        )
        for case in found
    }


def _cases_of_items(session: Session, item_ids: Collection[str]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for item_id, case_id in session.execute(
        select(CaseItem.item_id, CaseItem.case_id).where(CaseItem.item_id.in_(item_ids))
    ):
        found.setdefault(item_id, set()).add(case_id)
    return found


def _grants_on(
    session: Session, actor_id: str, item_ids: Collection[str], in_cases: Mapping[str, set[str]]
) -> Mapping[str, list[GrantFacts]]:
    """The actor's grants that list an item, and those about a case it is in as a whole."""
    person, sides = session.get(Actor, actor_id), experts_sides(session, actor_id)
    found: dict[str, list[GrantFacts]] = {}
    listed = (
        select(Grant, GrantItem.item_id, GrantItem.undertaking_event_id)
        .join(GrantItem, GrantItem.grant_id == Grant.id)
        .where(Grant.grantee_id == actor_id, GrantItem.item_id.in_(item_ids))
        .order_by(Grant.id)
    )
    seen: set[tuple[str, str]] = set()
    for grant, item_id, undertaking in session.execute(listed):
        seen.add((grant.id, item_id))
        facts = grant_facts(grant, person, undertaken=undertaking is not None, sides=sides)
        found.setdefault(item_id, []).append(facts)
    whole = session.scalars(select(Grant).where(Grant.grantee_id == actor_id, Grant.whole_case)).all()
    about = {grant.id: (grant.case_id, grant_facts(grant, person, sides=sides)) for grant in whole}
    for item_id, cases in in_cases.items():
        found.setdefault(item_id, []).extend(
            facts
            for grant_id, (case_id, facts) in about.items()
            if case_id in cases and (grant_id, item_id) not in seen
        )
    return found


def _compartments(session: Session, case_ids: Collection[str]) -> Mapping[str, set[int]]:
    """The parties of those cases that are mediations."""
    rows = session.execute(
        select(Case.id, CaseParty.party)
        .outerjoin(CaseParty, CaseParty.case_id == Case.id)
        .where(Case.mediation_only, Case.id.in_(sorted(case_ids)))
    )
    found: dict[str, set[int]] = {}
    for case_id, party in rows:
        found.setdefault(case_id, set()).add(
            party
        )  # None for a mediation without parties: nobody can consent
    return found


def _opened_for(
    session: Session,
    item_ids: Iterable[str],
    in_cases: Mapping[str, set[str]],
    compartments: Mapping[str, set[int]],
) -> Mapping[str, frozenset[str]]:
    """The cases for which all parties of all mediations that each item is in consented to its use."""
    kept = {item_id: in_cases.get(item_id, set()) & set(compartments) for item_id in item_ids}
    kept = {item_id: cases for item_id, cases in kept.items() if cases}
    rows = session.execute(
        select(Consent.item_id, Consent.for_case, Consent.case_id, Consent.party).where(
            Consent.item_id.in_(sorted(kept))
        )
    )
    agreed: dict[str, dict[str, set[tuple[str, int]]]] = {}
    for item_id, for_case, case_id, party in rows:
        agreed.setdefault(item_id, {}).setdefault(for_case, set()).add((case_id, party))
    return {
        item_id: frozenset(
            for_case
            for for_case, by in agreed.get(item_id, {}).items()
            if {(case_id, party) for case_id in cases for party in compartments[case_id]} <= by
        )
        for item_id, cases in kept.items()
    }
