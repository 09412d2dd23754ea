"""Who saw what, when, under which order; notices; and the glass that an administrator breaks."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from evidence_vault.access.decisions import require_scope
from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.case_schemas import AccessList, AccessView, GlassAsked, NoticeList, NoticeView
from evidence_vault.api.grants import grant_view
from evidence_vault.api.items import MAX_PAGE, send_content
from evidence_vault.core.names import encode_time
from evidence_vault.pipeline.cases.accesses import Access, accesses_of_case, accesses_of_item
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.entering import counting_refusals, look
from evidence_vault.pipeline.people.break_glass import break_glass, decide_on_glass
from evidence_vault.store.queries import cases, grants

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
After = Annotated[int, Query(ge=0, le=2**53, description="`next` of the page before.")]

_BINARY_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}

router = APIRouter(tags=["access"])


@router.get("/items/{item_id}/access")
def show_item_access(
    item_id: str, vault: VaultHere, caller: Caller, limit: Limit = MAX_PAGE, after: After = 0
) -> AccessList:
    """Show who saw an item, when, why and under which order; to its owner, also who may.

    A part of its history: reading it is an event, unless one answers for the item.
    """
    entered = look(vault, caller, "read-custody", item_id)
    with vault.database.read() as session:
        found, following = accesses_of_item(session, item_id, after_id=after, limit=limit)
        listed = grants.grants_on_item(session, item_id) if entered.permission.basis == "owner" else []
        answer = access_list(found, following)
        return answer.model_copy(
            update={"grants": [grant_view(vault, session, row, only=item_id) for row in listed]}
        )


@router.get("/cases/{case_id}/access")
def show_case_access(
    case_id: str, vault: VaultHere, caller: Caller, limit: Limit = MAX_PAGE, after: After = 0
) -> AccessList:
    """Show who saw the items of a case, in this case; to its bench."""
    with counting_refusals(vault, caller), vault.database.read() as session:
        see_case(vault, session, caller, "order", case_id)
        return access_list(*accesses_of_case(session, case_id, after_id=after, limit=limit))


@router.get("/notices")
def list_notices(vault: VaultHere, caller: Caller, limit: Limit = 50, after: After = 0) -> NoticeList:
    """List what one is to know, oldest first: that somebody broke the glass over one's item, for one."""
    require_scope("see-metadata", caller)
    with vault.database.read() as session:
        rows = cases.notices_for(
            session, person=caller.actor_id, role=caller.role, after_id=after, limit=limit + 1
        )
        page = rows[:limit]
        return NoticeList(
            notices=[
                NoticeView(
                    id=notice.id,
                    kind=notice.kind,
                    subject=event.subject_id,
                    seq=event.seq,
                    at=encode_time(notice.at),
                )
                for notice, event in page
            ],
            next=page[-1][0].id if len(rows) > limit else None,
        )


@router.post("/items/{item_id}/break-glass", response_class=StreamingResponse, responses=_BINARY_FILE)
def break_the_glass(item_id: str, asked: GlassAsked, vault: VaultHere, caller: Caller) -> StreamingResponse:
    """Hand content to an administrator whom nobody let in: in need, with a reason, told to owner and auditors."""
    item = decide_on_glass(vault, caller, item_id)
    return send_content(vault, item, lambda: break_glass(vault, caller, item_id, reason=asked.reason))


def access_list(found: Sequence[Access], following: int | None) -> AccessList:
    """Return a page of accesses."""
    return AccessList(
        accesses=[
            AccessView(
                item=one.item_id,
                seq=one.seq,
                at=encode_time(one.at),
                type=one.type,
                what=one.what,
                result=one.result,
                actor=one.actor,
                role=one.role,
                on_behalf_of=one.on_behalf_of,
                basis=one.basis,
                grant=one.grant,
                case=one.case,
                order=one.order,
            )
            for one in found
        ],
        next=following,
    )
