"""Cases: open, list, see, name parties, add one's own items, consent, read the history."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from anchors.values import replace
from evidence_vault.access.case_decisions import decide_on_case
from evidence_vault.access.decisions import require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.case_schemas import (
    CaseAsked,
    CaseItemView,
    CaseList,
    CaseSummary,
    CaseView,
    ConsentAsked,
    ItemAsked,
    PartyAsked,
    PartyView,
)
from evidence_vault.api.description import may_answer
from evidence_vault.api.items import MAX_PAGE, show_events
from evidence_vault.api.once import OnceHere
from evidence_vault.api.schemas import EventList
from evidence_vault.core.disclosures import parse_disclosure
from evidence_vault.core.events import Subject
from evidence_vault.core.names import CASE_ID, encode_time
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases import cases as stage
from evidence_vault.pipeline.cases.entering import counting_refusals, draft_reading
from evidence_vault.pipeline.cases.sight import Sight, events_by_id
from evidence_vault.pipeline.cases.visible import sight_of_case
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.custody.custody_report import sight_in_case
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Case, CaseItem, CaseParty, Order
from evidence_vault.store.queries import cases, events

_Row = TypeVar("_Row", Case, CaseParty, CaseItem, Order)
"""What follows from an event of a case."""

router = APIRouter(tags=["cases"])


@router.post("/cases", status_code=201)
def open_case(asked: CaseAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> CaseView:
    """Open a case. Who opens one as its forum is on its bench; a mediation is opened by its forum alone."""
    wish = stage.CaseWish(
        forum=asked.forum,
        jurisdiction=asked.jurisdiction,
        confidentiality=asked.confidentiality,
        mediation_only=asked.mediation_only,
        number=asked.number,
        forum_name=asked.forum_name,
        title=asked.title,
        parties=tuple(_party(one) for one in asked.parties),
    )
    with counting_refusals(vault, caller):
        case_id = once(asked, lambda vault: stage.open_case(vault, caller, wish))
    return show_case(case_id, vault, caller)


@router.get("/cases")
def list_cases(
    vault: VaultHere,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    after: Annotated[str | None, Query(pattern=f"^{CASE_ID.pattern}$")] = None,
) -> CaseList:
    """List the cases that one opened, is a party to, or has a grant in."""
    require_scope("see-metadata", caller)
    with vault.database.read() as session:
        rows = cases.cases_of(session, caller.actor_id, limit=limit + 1, after=after)
        page = [row for row in rows[:limit] if _is_seen(vault, session, caller, row.id)]
        return CaseList(
            cases=[CaseSummary(**_summary(row)) for row in page],
            next=rows[limit - 1].id if len(rows) > limit else None,
        )


@router.get("/cases/{case_id}")
def show_case(case_id: str, vault: VaultHere, caller: Caller) -> CaseView:
    """Show a case: its forum, parties, list of evidence and orders.

    Who is let in to some items alone, sees of the list those, of the orders his own, and nothing of the parties.
    """
    with counting_refusals(vault, caller), vault.database.read() as session:
        seen = stage.see_case(vault, session, caller, "see", case_id)
        return _view(session, seen.case, sight_in(vault, session, caller, seen))


@router.post("/cases/{case_id}/parties", status_code=201, openapi_extra=may_answer("conflict"))
def name_party(case_id: str, asked: PartyAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> CaseView:
    """Name one more party, or give one that has none its account."""
    with counting_refusals(vault, caller):
        once(
            asked,
            lambda vault: stage.name_party(vault, caller, case_id, _party(asked), party=asked.party),
        )
    return show_case(case_id, vault, caller)


@router.post("/cases/{case_id}/items", status_code=201, openapi_extra=may_answer("conflict"))
def add_item(
    case_id: str, asked: ItemAsked, vault: VaultHere, caller: Caller, once: OnceHere
) -> CaseItemView:
    """Put one's own item into a case. The bench of the case sees it from then on."""
    with counting_refusals(vault, caller):
        number = once(
            asked,
            lambda vault: stage.add_item(
                vault,
                caller,
                case_id,
                asked.item,
                copies=asked.copies,
                source=asked.source,
                proves=asked.proves,
            ),
        )
    return CaseItemView(
        number=number, item=asked.item, copies=asked.copies, source=asked.source, proves=asked.proves
    )


@router.post(
    "/cases/{case_id}/consents",
    status_code=204,
    response_class=Response,
    openapi_extra=may_answer("conflict"),
)
def consent(case_id: str, asked: ConsentAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> None:
    """Let items of a mediation be used in another case. They leave it when every party has."""
    with counting_refusals(vault, caller):
        once(
            asked,
            lambda vault: stage.consent(
                vault, caller, case_id, for_case=asked.for_case, item_ids=tuple(asked.items)
            ),
        )


@router.get("/cases/{case_id}/events")
def list_events(
    case_id: str,
    vault: VaultHere,
    caller: Caller,
    from_seq: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> EventList:
    """Show the case's history. Reading it is an event of the case, unless one opened it.

    Whoever was let in to some of its items sees what concerns these, and of other events that they are there; no
    personal values here, `custody` shows those of his items.
    """
    subject = Subject(kind="case", id=case_id)
    with counting_refusals(vault, caller), vault.database.write() as session:
        sight = sight_in_case(vault, session, caller, case_id)
        permission = sight.permissions[subject]
        if permission.basis != "owner":
            append_and_follow(vault, session, draft_reading(caller, subject, permission))
    if subject not in sight.whole:
        sight = replace(sight, permissions={**sight.permissions, subject: replace(permission, redacted=True)})
    with vault.database.read() as session:
        return show_events(session, vault.settings, sight, subject, from_seq=from_seq, limit=limit)


def sight_in(vault: Vault, session: Session, caller: Requester, seen: stage.Seen) -> Sight:
    """Return what somebody sees of the case that he was let in to."""
    return sight_of_case(vault, session, caller, Subject(kind="case", id=seen.case.id), seen.permission)


def evidence_lines(session: Session, sight: Sight, case_id: str) -> list[CaseItemView]:
    """Return the lines of the list of evidence that he may see: all, or those of the items he was let in to."""
    return [
        CaseItemView(
            number=line.number,
            item=line.item_id,
            copies=line.copies,
            source=told.get("source"),
            proves=told.get("proves"),
        )
        for line, told in _shown(session, sight, cases.items_of(session, case_id))
    ]


def clear_values(session: Session, event_id: int) -> Mapping[str, str]:
    """Return the personal values of an event that are not erased."""
    found = events.disclosures_of(session, [event_id]).get(event_id, {})
    return {name: parse_disclosure(text).value for name, text in found.items()}


def _party(asked: PartyAsked) -> stage.PartyWish:
    return stage.PartyWish(side=asked.side, name=asked.name, person_id=asked.person)


def _is_seen(vault: Vault, session: Session, caller: Requester, case_id: str) -> bool:
    """Whether he may see it now: a grant may have ended since."""
    _, facts = cases.facts_of_case(session, caller.actor_id, case_id)
    try:
        decide_on_case("see", caller, facts, asked_id=case_id, now=vault.clock())
    except AccessRefused:
        return False
    return True


def _summary(row: Case) -> dict[str, Any]:
    return {
        "id": row.id,
        "forum": row.forum,
        "jurisdiction": row.jurisdiction,
        "mediation_only": row.mediation_only,
        "opened_at": encode_time(row.opened_at),
    }


def _view(session: Session, row: Case, sight: Sight) -> CaseView:
    [(_, own)] = _shown(session, sight, [row])
    return CaseView(
        **_summary(row),
        confidentiality=row.confidentiality,
        opened_by=row.opened_by,
        number=own.get("number"),
        forum_name=own.get("forum_name"),
        title=own.get("title"),
        parties=[
            PartyView(
                party=one.party,
                side=one.side,
                name=told.get("name"),
                person=one.person_id,
            )
            for one, told in _shown(session, sight, cases.parties_of(session, row.id))
        ],
        items=evidence_lines(session, sight, row.id),
        orders=[order.id for order, _ in _shown(session, sight, cases.orders_of(session, row.id))],
    )


def _shown(session: Session, sight: Sight, rows: Sequence[_Row]) -> list[tuple[_Row, Mapping[str, str]]]:
    """Return those rows whose events the reader may see, each with the personal values that he may see."""
    about = events_by_id(session, [row.event_id for row in rows])
    clear = events.disclosures_of(session, about)
    return [
        (row, sight.clear(about[row.event_id], clear.get(row.event_id, {})))
        for row in rows
        if sight.opens(about[row.event_id])
    ]
