"""Grants: give, list, see, confirm, revoke; and the undertaking that is signed before a trade secret opens."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from evidence_vault.access.decisions import require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.access.matrix import cell
from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.case_schemas import (
    GrantAsked,
    GrantedItem,
    GrantList,
    GrantView,
    ReasonAsked,
    UndertakingAsked,
    UndertakingView,
)
from evidence_vault.api.cases import clear_values
from evidence_vault.api.description import may_answer
from evidence_vault.api.items import MAX_PAGE
from evidence_vault.api.once import OnceHere
from evidence_vault.core.names import GRANT_ID, encode_time
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases import ending, undertakings
from evidence_vault.pipeline.cases import grants as stage
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.entering import counting_refusals
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Grant, GrantItem
from evidence_vault.store.queries import grants, items

router = APIRouter(tags=["grants"])


@router.post("/grants", status_code=201, openapi_extra=may_answer("conflict", "not-found"))
def give(asked: GrantAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> GrantView:
    """Let somebody see items, or act in a case. The list of items is frozen; their histories say so."""
    wish = stage.GrantWish(
        grantee_id=asked.grantee,
        role=asked.role,
        actions=tuple(dict.fromkeys(asked.actions)),
        item_ids=tuple(asked.items),
        case_id=asked.case,
        parent_id=asked.parent,
        purpose=asked.purpose,
        basis=asked.basis,
        not_before=asked.not_before,
        expires_at=asked.expires_at,
        view_limit=asked.view_limit,
        onward=asked.onward,
        jurisdiction=asked.jurisdiction,
    )
    with counting_refusals(vault, caller):
        grant_id = once(asked, lambda vault: stage.give(vault, caller, wish))
    return show_grant(grant_id, vault, caller)


@router.get("/grants")
def list_grants(
    vault: VaultHere,
    caller: Caller,
    side: Literal["received", "given"] = "received",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    after: Annotated[str | None, Query(pattern=f"^{GRANT_ID.pattern}$")] = None,
) -> GrantList:
    """List the grants that one received, with the items one may see; or those that one gave."""
    require_scope("see-metadata", caller)
    with vault.database.read() as session:
        mine = caller.actor_id
        rows = grants.list_grants(
            session,
            received_by=mine if side == "received" else None,
            given_by=mine if side == "given" else None,
            limit=limit + 1,
            after=after,
        )
        return GrantList(
            grants=[grant_view(vault, session, row) for row in rows[:limit]],
            next=rows[limit - 1].id if len(rows) > limit else None,
        )


@router.get("/grants/{grant_id}")
def show_grant(grant_id: str, vault: VaultHere, caller: Caller) -> GrantView:
    """Show a grant to whom it was given, by whom and for whom, and to the bench of its case."""
    with counting_refusals(vault, caller), vault.database.read() as session:
        return grant_view(vault, session, _open(vault, session, caller, grant_id))


@router.post("/grants/{grant_id}/revocation", status_code=204, response_class=Response)
def revoke(grant_id: str, asked: ReasonAsked, vault: VaultHere, caller: Caller) -> None:
    """End a grant now, and all that was derived from it. Again is nothing new."""
    with counting_refusals(vault, caller):
        ending.revoke(vault, caller, grant_id, reason=asked.reason)


@router.post(
    "/grants/{grant_id}/confirmation",
    status_code=204,
    response_class=Response,
    openapi_extra=may_answer("conflict"),
)
def confirm(grant_id: str, vault: VaultHere, caller: Caller, once: OnceHere) -> None:
    """Say again that its grantee is meant, after his role was given, his credentials reset or his login linked."""
    with counting_refusals(vault, caller):
        once(None, lambda vault: ending.confirm(vault, caller, grant_id))


@router.post(
    "/grants/{grant_id}/undertakings",
    status_code=204,
    response_class=Response,
    openapi_extra=may_answer("conflict"),
)
def sign_undertaking(grant_id: str, asked: UndertakingAsked, vault: VaultHere, caller: Caller) -> None:
    """Sign the undertaking for a trade secret among the grant's items."""
    with counting_refusals(vault, caller):
        undertakings.sign_undertaking(
            vault, caller, grant_id, asked.item, text_sha256=asked.text_sha256, name=asked.name
        )


@router.get("/undertaking")
def show_undertaking(vault: VaultHere, caller: Caller) -> UndertakingView:
    """Show the text that is signed before a trade secret opens."""
    del caller
    return UndertakingView(
        text=vault.settings.access.undertaking, sha256=undertakings.undertaking_sha256(vault)
    )


def grant_view(vault: Vault, session: Session, row: Grant, *, only: str | None = None) -> GrantView:
    """Return the grant as it stands now. only: the one item of which it is shown, to who owns no other."""
    now, told = vault.clock(), clear_values(session, row.event_id)
    state: Literal["not-yet", "live", "expired", "revoked"] = "live"
    if row.revoked_at is not None:
        state = "revoked"
    elif now < row.not_before:
        state = "not-yet"
    elif now >= row.expires_at:
        state = "expired"
    return GrantView(
        id=row.id,
        state=state,
        grantee=row.grantee_id,
        role=row.grantee_role,
        given_by=row.giver_id,
        on_behalf_of=row.holder_id,
        case=row.case_id,
        order=row.order_id,
        parent=row.parent_id,
        whole_case=row.whole_case,
        actions=sorted(row.actions.split()),
        items=[
            _item(session, row, line)
            for line in grants.items_of(session, row.id)
            if only in (None, line.item_id)
        ],
        purpose=told.get("purpose"),
        basis=told.get("basis"),
        not_before=encode_time(row.not_before),
        expires_at=encode_time(row.expires_at),
        view_limit=row.view_limit,
        views_used=row.views_used,
        onward=row.onward,
        jurisdiction=row.jurisdiction,
        given_at=encode_time(row.given_at),
    )


def _item(session: Session, row: Grant, line: GrantItem) -> GrantedItem:
    item = items.get_item(session, line.item_id)
    asked = item is not None and item.secret and "U" in cell("open-secret", row.grantee_role)
    signed = line.undertaking_event_id is not None
    return GrantedItem(item=line.item_id, undertaking="signed" if signed else ("needed" if asked else "none"))


def _open(vault: Vault, session: Session, caller: Requester, grant_id: str) -> Grant:
    require_scope("see-metadata", caller)
    row = grants.get_grant(session, grant_id)
    if row is not None and caller.actor_id in (row.grantee_id, row.giver_id, row.holder_id):
        return row
    try:
        see_case(vault, session, caller, "order", "" if row is None else row.case_id or "")
    except AccessRefused:
        raise AccessRefused("see-grant", grant_id) from None
    assert row is not None
    return row
