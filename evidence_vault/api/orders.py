"""Investigation orders: register, see, return, revoke, and who saw what under them."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from evidence_vault.api.accesses import access_list
from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.case_schemas import (
    AccessList,
    LawyerAsked,
    OrderAsked,
    OrderView,
    ReasonAsked,
    ReturnAsked,
    ReturnView,
    RevealedView,
    RevelationAsked,
)
from evidence_vault.api.cases import clear_values
from evidence_vault.api.description import may_answer
from evidence_vault.api.items import MAX_PAGE
from evidence_vault.api.once import OnceHere
from evidence_vault.core.canonical import Json, as_integer, as_list, as_text
from evidence_vault.core.events import parse_event
from evidence_vault.core.names import encode_time
from evidence_vault.pipeline.cases import orders as stage
from evidence_vault.pipeline.cases.accesses import accesses_of_order
from evidence_vault.pipeline.cases.entering import counting_refusals
from evidence_vault.pipeline.people.revealing import reveal_under_order
from evidence_vault.store.case_models import Order
from evidence_vault.store.queries import events, grants, items

router = APIRouter(tags=["orders"])


@router.post("/orders", status_code=201, openapi_extra=may_answer("conflict", "not-found"))
def register(asked: OrderAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> OrderView:
    """Register an order of the court in its case; each of its lawyers gets a grant that names it."""
    wish = stage.OrderWish(
        case_id=asked.case,
        court=asked.court,
        lawyers=tuple(
            stage.LawyerWish(person_id=one.person, licence=one.licence, name=one.name)
            for one in asked.lawyers
        ),
        item_ids=tuple(dict.fromkeys(asked.items)),
        issued_at=asked.issued_at,
        expires_at=asked.expires_at,
        number=asked.number,
        officer=asked.officer,
        purpose=asked.purpose,
        respondent_id=asked.respondent,
        respondent_name=asked.respondent_name,
        document_sha256=asked.document_sha256,
        actions=stage.ACTIONS if asked.actions is None else tuple(dict.fromkeys(asked.actions)),
        view_limit=asked.view_limit,
        reveals=asked.reveals,
    )
    with counting_refusals(vault, caller):
        order_id = once(asked, lambda vault: stage.register_order(vault, caller, wish))
    return show_order(order_id, vault, caller)


@router.get("/orders/{order_id}")
def show_order(order_id: str, vault: VaultHere, caller: Caller) -> OrderView:
    """Show an order to its lawyers, its respondent and the bench of its case."""
    with counting_refusals(vault, caller), vault.database.read() as session:
        order = stage.open_order(vault, session, caller, order_id)
        return _view(session, order)


@router.post("/orders/{order_id}/return", status_code=201)
def tell_return(
    order_id: str, asked: ReturnAsked, vault: VaultHere, caller: Caller, once: OnceHere
) -> OrderView:
    """Tell the court what came of an order: asked, produced, refused, not found. Also after its end."""
    wish = stage.ReturnWish(
        asked=asked.asked,
        produced=tuple(asked.produced),
        refused=tuple(asked.refused),
        not_found=asked.not_found,
        note=asked.note,
    )
    with counting_refusals(vault, caller):
        once(asked, lambda vault: stage.return_order(vault, caller, order_id, wish))
    return show_order(order_id, vault, caller)


@router.post("/orders/{order_id}/revocation", status_code=204, response_class=Response)
def revoke(order_id: str, asked: ReasonAsked, vault: VaultHere, caller: Caller) -> None:
    """End an order before its time, with its grants."""
    with counting_refusals(vault, caller):
        stage.revoke_order(vault, caller, order_id, reason=asked.reason)


@router.post("/orders/{order_id}/revelations", status_code=201, openapi_extra=may_answer("conflict"))
def reveal(order_id: str, asked: RevelationAsked, vault: VaultHere, caller: Caller) -> RevealedView:
    """Tell judge or arbitrator who stands behind the pseudonym of an item's deposit, where the order asks it.

    An event of the item each time, before it is told; it keeps a salted digest of the answer.
    """
    with counting_refusals(vault, caller):
        found = reveal_under_order(vault, caller, order_id, asked.item)
    return RevealedView(
        pseudonym=found.pseudonym_id,
        person=found.person_id,
        name=found.name,
        seq=found.seq,
        disclosures=found.disclosures,
    )


@router.get("/orders/{order_id}/access")
def list_accesses(
    order_id: str,
    vault: VaultHere,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> AccessList:
    """Show who saw what under an order, and when: its respondent sees what was disclosed of his own."""
    with counting_refusals(vault, caller), vault.database.read() as session:
        order = stage.open_order(vault, session, caller, order_id)
        listed = stage.items_of_order(session, order_id)
        if caller.actor_id == order.respondent_id and caller.role == "RH":
            owned = [items.get_item(session, item_id) for item_id in listed]
            listed = [item.id for item in owned if item is not None and item.owner_id == caller.actor_id]
        found, following = accesses_of_order(session, order_id, listed, after_id=after, limit=limit)
        return access_list(found, following)


def _view(session: Session, row: Order) -> OrderView:
    event = parse_event(events.get_event(session, row.event_id).raw)
    told = clear_values(session, row.event_id)
    document = event.fields["document_sha256"]
    return OrderView(
        id=row.id,
        case=row.case_id,
        court=row.court,
        number=told.get("number"),
        officer=told.get("officer"),
        purpose=told.get("purpose"),
        lawyers=_lawyers(event.fields["lawyers"], told),
        respondent=row.respondent_id,
        respondent_name=told.get("respondent_name"),
        items=stage.items_of_order(session, row.id),
        issued_at=as_text(event.fields["issued_at"]),
        expires_at=encode_time(row.expires_at),
        registered_by=row.registered_by,
        registered_at=encode_time(row.registered_at),
        document_sha256=None if document is None else as_text(document),
        reveals=row.reveals,
        grants=[grant.id for grant in grants.grants_of_order(session, row.id)],
        returned=None if row.returned_event_id is None else _returned(session, row.returned_event_id),
    )


def _lawyers(ids: Json, told: Mapping[str, str]) -> list[LawyerAsked]:
    return [
        LawyerAsked(
            person=as_text(person), licence=told.get(f"licence_{n}", "erased"), name=told.get(f"lawyer_{n}")
        )
        for n, person in enumerate(as_list(ids), 1)
    ]


def _returned(session: Session, event_id: int) -> ReturnView:
    row = events.get_event(session, event_id)
    fields = parse_event(row.raw).fields
    return ReturnView(
        asked=as_integer(fields["asked"]),
        produced=[as_text(one) for one in as_list(fields["produced"])],
        refused=[as_text(one) for one in as_list(fields["refused"])],
        not_found=as_integer(fields["not_found"]),
        note=clear_values(session, event_id).get("note"),
        at=encode_time(row.at),
    )
