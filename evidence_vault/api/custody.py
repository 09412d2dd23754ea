"""The judge's view: the history of an item or of a case, with what proves each event; as JSON or as a table."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.items import MAX_PAGE, event_object
from evidence_vault.api.tables import AS_TABLE, Format, asks_for_table, table_answer
from evidence_vault.api.timeline_schemas import CustodyEventView, CustodyView, GapView, PersonView
from evidence_vault.core.event_types.table import EVENT_TYPES
from evidence_vault.core.names import encode_time
from evidence_vault.errors import FormatError
from evidence_vault.pipeline.custody.custody_report import (
    Custody,
    Line,
    Place,
    Wanted,
    read_case_custody,
    read_item_custody,
)

router = APIRouter(tags=["custody"])

COLUMNS = (
    *("kind", "subject", "seq", "type", "at", "state", "not_before", "not_after", "leaf_index", "sha256"),
    *("result", "actor", "role", "auth", "on_behalf_of", "basis", "grant", "case", "order", "disclosures"),
)
_PLACE = r"^[0-9]{1,15}-[0-9]{1,15}$"
_ID = r"^(it|cs)_[0-9a-z]{26}$"


def _wanted(
    types: Annotated[
        list[str] | None, Query(max_length=20, description="Only events of these types.")
    ] = None,
    from_at: Annotated[
        AwareDatetime | None, Query(alias="from", description="From this time of the vault's on.")
    ] = None,
    until_at: Annotated[
        AwareDatetime | None, Query(alias="until", description="Up to this time, inclusive.")
    ] = None,
    actor: Annotated[
        str | None, Query(pattern=r"^ac_[0-9a-z]{26}$", description="Done by this actor, or on his behalf.")
    ] = None,
    subject: Annotated[
        str | None, Query(pattern=_ID, description="About this item, or the case itself.")
    ] = None,
) -> Wanted:
    if unknown := sorted(set(types or ()) - set(EVENT_TYPES)):
        raise FormatError("types", "types of events, as in the specification", ", ".join(unknown)[:200])
    return Wanted(types=tuple(types or ()), from_at=from_at, until_at=until_at, actor=actor, subject=subject)


Asked = Annotated[Wanted, Depends(_wanted)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
From = Annotated[str | None, Query(pattern=_PLACE, description="`next` of the page before.")]


@router.get("/items/{item_id}/custody", response_model=CustodyView, responses=AS_TABLE)
def show_item_custody(
    item_id: str,
    *,
    request: Request,
    vault: VaultHere,
    caller: Caller,
    wanted: Asked,
    limit: Limit = MAX_PAGE,
    place: From = None,
    format: Format = None,
) -> Any:
    """Show an item's history: each event with its proof and its bounds of time, gaps, persons, orders.

    Reading it is an event, unless one answers for the item.
    """
    found = read_item_custody(vault, caller, item_id, wanted, place=_place(place), limit=limit)
    return _answer(request, vault.settings.origin, found, asked=format)


@router.get("/cases/{case_id}/custody", response_model=CustodyView, responses=AS_TABLE)
def show_case_custody(
    case_id: str,
    *,
    request: Request,
    vault: VaultHere,
    caller: Caller,
    wanted: Asked,
    limit: Limit = MAX_PAGE,
    place: From = None,
    format: Format = None,
) -> Any:
    """Show the history of a case and of those of its items whose histories one may read, in one order.

    Reading it is an event of the case, unless one opened it, and of each item of somebody else's on the page.
    """
    found = read_case_custody(vault, caller, case_id, wanted, place=_place(place), limit=limit)
    return _answer(request, vault.settings.origin, found, asked=format)


def _place(text: str | None) -> Place:
    if text is None:
        return Place()
    after, _, up_to = text.partition("-")
    return Place(after=int(after), up_to=int(up_to))


def _answer(request: Request, origin: str, found: Custody, *, asked: str | None) -> CustodyView | Response:
    view = custody_view(origin, found, report=request.url.path.removesuffix("custody") + "report")
    if not asks_for_table(request, asked):
        return view
    following = None
    if view.next is not None:
        kept = [(name, text) for name, text in request.query_params.multi_items() if name != "place"]
        following = f"{request.url.path}?{urlencode([*kept, ('place', view.next)])}"
    name = re.sub(r"[^a-z0-9_]", "", request.url.path.split("/")[-2])
    return table_answer(f"{name}.custody", COLUMNS, map(_row, view.events), following=following)


def custody_view(origin: str, found: Custody, *, report: str) -> CustodyView:
    """Return a page as it is answered. report: the address of the verifier's."""
    place = found.following
    return CustodyView(
        origin=origin,
        log_size=found.log_size,
        items=list(found.items),
        withheld=found.withheld,
        gaps=[
            GapView(
                kind=gap.kind,
                item=gap.item,
                began_at=encode_time(gap.began_at),
                ended_at=None if gap.ended_at is None else encode_time(gap.ended_at),
                cause=gap.cause,
            )
            for gap in found.gaps
        ],
        events=[_event_view(line) for line in found.lines],
        next=None if place is None else f"{place.after}-{place.up_to}",
        report=report,
    )


def _event_view(line: Line) -> CustodyEventView:
    event, logged = line.event, line.logged
    fields: dict[str, Any] = {} if event is None else dict(event.fields)
    why, actor = fields.get("why", {}), fields.get("actor")
    reached: list[Any] = list(line.reached)
    return CustodyEventView(
        kind=line.subject.kind,
        subject=line.subject.id,
        seq=line.seq,
        sha256=line.sha256.hex(),
        type=None if event is None else event.type,
        at=None if event is None else encode_time(event.at),
        leaf_index=line.leaf_index,
        state=reached[-1] if reached else "pending",
        reached=reached,
        not_before=None if logged.not_before is None else encode_time(logged.not_before),
        not_after=None if logged.not_after is None else encode_time(logged.not_after),
        result=fields.get("result"),
        actor=None
        if actor is None
        else PersonView(**{name: actor[name] for name in PersonView.model_fields}),
        basis=why.get("basis"),
        grant=why.get("grant") or fields.get("grant"),
        case=why.get("case") or fields.get("case"),
        order=line.order or fields.get("order"),
        event=None if event is None else event_object(event),
        disclosures=dict(line.disclosures),
        undisclosed=line.undisclosed,
    )


def _row(view: CustodyEventView) -> Mapping[str, object]:
    row = view.model_dump(exclude={"actor", "disclosures"})
    told = "; ".join(f"{name}: {text}" for name, text in sorted(view.disclosures.items()))
    if view.actor is None:
        return row
    actor = view.actor.model_dump()
    return {**row, **actor, "actor": actor["id"], "disclosures": told}
