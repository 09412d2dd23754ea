"""Items: list, state, history, proofs, receipt and content, for owners and for those who have a grant.

Handing out content is an event, committed before the first byte leaves. An owner who asks for a state or reads his
own history leaves no mark in it; anybody else does, each time.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from evidence_vault.access.decisions import require_scope
from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.description import may_answer
from evidence_vault.api.fields import encode_content_disposition, encode_repr_digest
from evidence_vault.api.heads import is_head
from evidence_vault.api.progress import describe_standing
from evidence_vault.api.proofs import list_proofs
from evidence_vault.api.ranges import Span, parse_range
from evidence_vault.api.schemas import (
    EventList,
    EventView,
    ItemList,
    ItemSummary,
    ItemView,
    ProofList,
    ReceiptView,
)
from evidence_vault.core.canonical import Json, as_object, parse_canonical
from evidence_vault.core.disclosures import parse_disclosure
from evidence_vault.core.events import MAX_EVENT_BYTES, Event, Subject, parse_event
from evidence_vault.core.names import ITEM_ID, encode_time
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases.entering import hand_out, look
from evidence_vault.pipeline.cases.sight import Sight, sight_of
from evidence_vault.pipeline.custody.retentions import warning_of
from evidence_vault.pipeline.times.bounds import Logged, logged_between
from evidence_vault.pipeline.vault import Vault
from evidence_vault.settings import Settings
from evidence_vault.store.models import Item
from evidence_vault.store.queries import events, items, log

MAX_PAGE = 200
"""Rows in one answer."""

_JSON_FILE: dict[int | str, dict[str, Any]] = {200: {"model": ReceiptView}}
_BINARY_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}},
    206: {"description": "The range that was asked for", "content": {"application/octet-stream": {}}},
}

router = APIRouter(tags=["items"])


@router.get("/items")
def list_own_items(
    vault: VaultHere,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    after: Annotated[str | None, Query(pattern=f"^{ITEM_ID.pattern}$")] = None,
) -> ItemList:
    """List one's own items, newest first."""
    require_scope("see-metadata", caller)
    with vault.database.read() as session:
        rows = items.list_items(session, owner_id=caller.actor_id, limit=limit + 1, after=after)
        page = rows[:limit]
        names = events.disclosures_of(session, [row.event_id for row in page])
        return ItemList(
            items=[
                ItemSummary(
                    id=row.id,
                    state=items.item_progress(session, row).state,
                    sha256=row.sha256.hex() if row.sha256 else None,
                    size=row.size,
                    file_name=_clear(names.get(row.event_id, {}), "file_name"),
                    received_at=encode_time(row.received_at),
                )
                for row in page
            ],
            next=page[-1].id if len(rows) > limit else None,
        )


@router.get("/items/{item_id}")
def show_item(item_id: str, vault: VaultHere, caller: Caller) -> ItemView:
    """Show an item, how far it has come, and what comes next."""
    item = look(vault, caller, "see-metadata", item_id).item
    with vault.database.read() as session:
        progress = items.item_progress(session, item)
        standing = describe_standing(session, vault.settings, item, progress)
        own = events.disclosures_of(session, [item.event_id]).get(item.event_id, {})
        return ItemView(
            id=item.id,
            state=progress.state,
            mode=item.mode,
            secret=item.secret,
            sha256=item.sha256.hex() if item.sha256 else None,
            size=item.size,
            file_name=_clear(own, "file_name"),
            media_type=_clear(own, "media_type"),
            note=_clear(own, "note"),
            received_at=encode_time(item.received_at),
            stages=list(standing.stages),
            next=standing.next,
            warning=warning_of(vault, session, item.id),
        )


@router.get("/items/{item_id}/events")
def list_events(
    item_id: str,
    vault: VaultHere,
    caller: Caller,
    from_seq: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> EventList:
    """Show the item's history, each event with the outside times between which it was logged.

    Personal values are shown as long as they are not erased, as in `custody`: an auditor sees none, who was let in
    none of other people's grants. Reading it is an event too, unless one answers for the item.
    """
    entered = look(vault, caller, "read-custody", item_id)
    subject = Subject(kind="item", id=entered.item.id)
    with vault.database.read() as session:
        sight = sight_of(vault, session, caller, {subject: entered.permission})
        return show_events(session, vault.settings, sight, subject, from_seq=from_seq, limit=limit)


@router.get("/items/{item_id}/proofs")
def show_proofs(item_id: str, vault: VaultHere, caller: Caller) -> ProofList:
    """Show what came back from outside so far, and where the item is in the log."""
    item = look(vault, caller, "see-metadata", item_id).item
    with vault.database.read() as session:
        return list_proofs(session, vault, item)


@router.get("/items/{item_id}/receipt", response_class=Response, responses=_JSON_FILE)
def get_receipt(item_id: str, vault: VaultHere, caller: Caller) -> Response:
    """Hand out the deposit receipt again, byte for byte."""
    item = look(vault, caller, "see-metadata", item_id).item
    return Response(
        item.receipt,
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{item.id}.receipt.json"'},
    )


@router.get(
    "/items/{item_id}/content",
    response_class=StreamingResponse,
    responses=_BINARY_FILE,
    openapi_extra=may_answer("range-not-satisfiable"),
)
def get_content(
    item_id: str,
    request: Request,
    vault: VaultHere,
    caller: Caller,
    *,
    byte_range: Annotated[str | None, Header(alias="Range")] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> Response:
    """Hand out the content, or a range of it. Each time is an event in the item's history, and a view of a grant.

    Always as a download of bytes, never under the media type that its depositor claimed. An appraiser's is a
    WORKING_COPY_MADE, anybody else's a DOWNLOADED.
    """
    item = look(vault, caller, "open-content", item_id).item
    if is_head(request):  # what it is, not what is in it
        look(vault, caller, "see-metadata", item_id)
        return content_head(vault, item)
    return send_content(
        vault, item, lambda: hand_out(vault, caller, item_id), byte_range=byte_range, if_range=if_range
    )


def send_content(
    vault: Vault,
    item: Item,
    record: Callable[[], object],
    *,
    byte_range: str | None = None,
    if_range: str | None = None,
) -> StreamingResponse:
    """Return the answer that sends the item's content. record: decides again and writes the event.

    A blob that can't be read, and a range that isn't there, are told before anything is recorded or sent.
    """
    whole = content_head(vault, item)
    assert item.size is not None  # it has a head
    span = parse_range(byte_range if if_range in (None, whole.headers["ETag"]) else None, size=item.size)
    pieces = _span(vault, item.id, span or Span(start=0, end=item.size, size=item.size))
    first = next(pieces, b"")
    record()
    headers = dict(whole.headers)
    if span is not None:
        headers |= {"Content-Range": span.content_range, "Content-Length": str(span.end - span.start)}
    return StreamingResponse(
        _chain(first, pieces),
        status_code=200 if span is None else 206,
        media_type="application/octet-stream",
        headers=headers,
    )


def content_head(vault: Vault, item: Item) -> Response:
    """Return the answer that says of the item's content what its head says. Raises AccessRefused if it has none."""
    if item.mode != "content" or item.size is None or item.sha256 is None:
        raise AccessRefused("open-content", item.id)
    with vault.database.read() as session:
        own = events.disclosures_of(session, [item.event_id]).get(item.event_id, {})
    return Response(
        media_type="application/octet-stream",
        headers={
            "Content-Length": str(item.size),
            "Content-Disposition": encode_content_disposition(_clear(own, "file_name")),
            "Accept-Ranges": "bytes",
            "ETag": f'"{item.sha256.hex()}"',
            "Repr-Digest": encode_repr_digest(item.sha256),
        },
    )


def show_events(
    session: Session, settings: Settings, sight: Sight, subject: Subject, *, from_seq: int, limit: int
) -> EventList:
    """Return a page of a subject's history, as its reader sees it."""
    rows = events.events_of(session, subject, from_seq=from_seq, limit=limit + 1)
    page = {row.id: parse_event(row.raw) for row in rows[:limit]}
    clear = events.disclosures_of(session, list(page))
    indexes = log.leaf_indexes(session, list(page))
    bounds = logged_between(session, settings, indexes.values())
    return EventList(
        events=[
            EventView(
                seq=event.seq,
                sha256=event.sha256.hex(),
                leaf_index=indexes.get(row_id),
                **_bounds(bounds.get(indexes.get(row_id, -1))),
                event=event_object(event) if sight.opens(event) else None,
                disclosures=dict(sight.clear(event, clear.get(row_id, {}))),
            )
            for row_id, event in page.items()
        ],
        next=rows[limit].seq if len(rows) > limit else None,
    )


def event_object(event: Event) -> dict[str, Json]:
    """Return the JSON of an event, as answers show it."""
    return as_object(parse_canonical(event.raw, place="event", max_bytes=MAX_EVENT_BYTES))


def _span(vault: Vault, item_id: str, span: Span) -> Iterator[bytes]:
    left = span.end - span.start
    for piece in vault.blobs.chunks(item_id, start=span.start):
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _clear(disclosures: Mapping[str, str], name: str) -> str | None:
    return parse_disclosure(disclosures[name]).value if name in disclosures else None


def _bounds(logged: Logged | None) -> dict[str, str]:
    """The sides on which an event is bounded."""
    sides = {} if logged is None else {"not_before": logged.not_before, "not_after": logged.not_after}
    return {name: encode_time(at) for name, at in sides.items() if at is not None}
