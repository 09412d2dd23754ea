"""Holds of items and cases, retentions, and what ends soon."""

from datetime import timedelta

from fastapi import APIRouter, Response

from evidence_vault.access.decisions import require_scope
from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.case_schemas import ReasonAsked
from evidence_vault.api.dispute_schemas import (
    HoldAsked,
    HoldList,
    HoldView,
    RetentionList,
    RetentionView,
    Seq,
    Told,
)
from evidence_vault.api.once import OnceHere
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_time
from evidence_vault.errors import FormatError
from evidence_vault.pipeline.cases.entering import counting_refusals, look
from evidence_vault.pipeline.custody import holds as stage
from evidence_vault.pipeline.custody.retentions import warning_of
from evidence_vault.store.custody_models import Hold
from evidence_vault.store.queries import custody

router = APIRouter(tags=["holds"])


@router.post("/items/{item_id}/holds", status_code=201)
def hold_item(item_id: str, asked: HoldAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> Told:
    """Keep an item's content from being erased."""
    with counting_refusals(vault, caller):
        seq = once(
            asked,
            lambda vault: stage.place_hold(
                vault,
                caller,
                Subject(kind="item", id=item_id),
                case_id=asked.case,
                retention=asked.retention,
                until=asked.until,
                reason=asked.reason,
                reference=asked.reference,
            ),
        )
    return Told(seq=seq)


@router.post("/cases/{case_id}/holds", status_code=201)
def hold_case(case_id: str, asked: HoldAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> Told:
    """Keep the content of all items of a case from being erased, those that come later too; for its bench."""
    if asked.case not in (None, case_id) or asked.retention:
        raise FormatError("case", "the case itself, and no retention", asked.case)
    with counting_refusals(vault, caller):
        seq = once(
            asked,
            lambda vault: stage.place_hold(
                vault,
                caller,
                Subject(kind="case", id=case_id),
                case_id=case_id,
                until=asked.until,
                reason=asked.reason,
                reference=asked.reference,
            ),
        )
    return Told(seq=seq)


@router.post("/items/{item_id}/holds/{seq}/release", status_code=204, response_class=Response)
def release_item(item_id: str, seq: Seq, asked: ReasonAsked, vault: VaultHere, caller: Caller) -> None:
    """Release a hold of one's own source."""
    with counting_refusals(vault, caller):
        stage.release_hold(vault, caller, Subject(kind="item", id=item_id), seq, reason=asked.reason)


@router.post("/cases/{case_id}/holds/{seq}/release", status_code=204, response_class=Response)
def release_case(case_id: str, seq: Seq, asked: ReasonAsked, vault: VaultHere, caller: Caller) -> None:
    """Release a hold of the case's bench."""
    with counting_refusals(vault, caller):
        stage.release_hold(vault, caller, Subject(kind="case", id=case_id), seq, reason=asked.reason)


@router.get("/items/{item_id}/holds")
def list_holds(item_id: str, vault: VaultHere, caller: Caller) -> HoldList:
    """Show what keeps an item's content; of a case's hold no more than that there is one."""
    look(vault, caller, "see-metadata", item_id)
    now = vault.clock()
    with vault.database.read() as session:
        live, warning = custody.live_holds(session, item_id, now=now), warning_of(vault, session, item_id)
        own = custody.holds_of(session, "item", item_id)
    listed = [*own, *(hold for hold in live if hold.subject_kind == "case")]
    return HoldList(holds=[_view(hold) for hold in listed], live=bool(live), warning=warning)


@router.get("/retentions")
def list_retentions(vault: VaultHere, caller: Caller) -> RetentionList:
    """List the retentions of one's own items, the next to end first."""
    require_scope("see-metadata", caller)
    now = vault.clock()
    soon = now + timedelta(days=vault.settings.retention.warn_days)
    with vault.database.read() as session:
        rows = custody.retentions_of(session, caller.actor_id)
    return RetentionList(
        retentions=[
            RetentionView(
                item=row.subject_id,
                seq=row.seq,
                until=encode_time(row.until),
                state="over" if row.until <= now else "ending" if row.until <= soon else "kept",
            )
            for row in rows
            if row.until is not None
        ]
    )


def _view(hold: Hold) -> HoldView:
    return HoldView(
        of="item" if hold.subject_kind == "item" else "case",
        seq=hold.seq,
        source=hold.source,
        placed_at=encode_time(hold.placed_at),
        until=None if hold.until is None else encode_time(hold.until),
        released_seq=hold.released_seq,
    )
