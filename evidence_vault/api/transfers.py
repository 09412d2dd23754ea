"""Transfers: offer one's item, see offers, accept after a look at the bytes, refuse or withdraw."""

from typing import Literal

from fastapi import APIRouter, Response

from evidence_vault.access.decisions import require_scope
from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.case_schemas import ReasonAsked
from evidence_vault.api.dispute_schemas import (
    AcceptanceAsked,
    Compared,
    Seq,
    Told,
    TransferAsked,
    TransferList,
    TransferView,
)
from evidence_vault.api.items import MAX_PAGE
from evidence_vault.api.once import OnceHere
from evidence_vault.core.names import encode_time
from evidence_vault.pipeline.cases.entering import counting_refusals
from evidence_vault.pipeline.custody import transfers as stage
from evidence_vault.store.custody_models import Transfer
from evidence_vault.store.queries import custody

router = APIRouter(tags=["transfers"])


@router.post("/items/{item_id}/transfers", status_code=201)
def offer(item_id: str, asked: TransferAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> Told:
    """Offer one's own item to somebody who is to answer for it from then on."""
    with counting_refusals(vault, caller):
        seq = once(
            asked,
            lambda vault: stage.offer(
                vault,
                caller,
                item_id,
                receiver_id=asked.receiver,
                expires_at=asked.expires_at,
                reason=asked.reason,
            ),
        )
    return Told(seq=seq)


@router.get("/transfers")
def list_transfers(vault: VaultHere, caller: Caller) -> TransferList:
    """List the newest offers from and to oneself: what is to be accepted, by its digest and size."""
    require_scope("see-metadata", caller)
    with vault.database.read() as session:
        rows = custody.transfers_of(session, caller.actor_id, limit=MAX_PAGE)
    now = vault.clock()

    def state(row: Transfer) -> Literal["offered", "accepted", "refused", "ended"]:
        if row.state == "offered":
            return "offered" if now < row.expires_at else "ended"
        return "accepted" if row.state == "accepted" else "refused"

    return TransferList(
        transfers=[
            TransferView(
                item=row.item_id,
                seq=row.seq,
                giver=row.giver_id,
                receiver=row.receiver_id,
                mode=item.mode,
                sha256=None if item.sha256 is None else item.sha256.hex(),
                size=item.size,
                offered_at=encode_time(row.offered_at),
                expires_at=encode_time(row.expires_at),
                state=state(row),
            )
            for row, item in rows
        ]
    )


@router.post("/items/{item_id}/transfers/{seq}/acceptance", status_code=201)
def accept(item_id: str, seq: Seq, asked: AcceptanceAsked, vault: VaultHere, caller: Caller) -> Compared:
    """Take an item over. The vault reads its bytes again, unless one sends the digest of one's own copy."""
    sha256 = None if asked.sha256 is None else bytes.fromhex(asked.sha256)
    with counting_refusals(vault, caller):
        compared = stage.accept(vault, caller, item_id, seq, sha256=sha256)
    return Compared.model_validate({"compared": compared})


@router.post("/items/{item_id}/transfers/{seq}/refusal", status_code=204, response_class=Response)
def refuse(item_id: str, seq: Seq, asked: ReasonAsked, vault: VaultHere, caller: Caller) -> None:
    """Refuse what was offered to one, or withdraw what one offered."""
    with counting_refusals(vault, caller):
        stage.refuse(vault, caller, item_id, seq, reason=asked.reason)
