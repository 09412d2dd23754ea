"""Opinions of technical investigators: sealed to the bench of a case, and unsealed by it."""

from fastapi import APIRouter

from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.case_schemas import ReasonAsked
from evidence_vault.api.description import may_answer
from evidence_vault.api.dispute_schemas import OpinionAsked, OpinionList, OpinionNumber, OpinionView, Told
from evidence_vault.api.once import OnceHere
from evidence_vault.core.names import encode_time
from evidence_vault.pipeline.cases import opinions as stage
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.entering import counting_refusals
from evidence_vault.store.queries import custody

router = APIRouter(tags=["opinions"])


@router.post("/cases/{case_id}/opinions", status_code=201, openapi_extra=may_answer("conflict"))
def seal(case_id: str, asked: OpinionAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> Told:
    """Seal an opinion that one deposited as the case's technical investigator: its bench alone sees it."""
    with counting_refusals(vault, caller):
        seq = once(
            asked,
            lambda vault: stage.seal_opinion(vault, caller, case_id, asked.item, about=tuple(asked.about)),
        )
    return Told(seq=seq)


@router.get("/cases/{case_id}/opinions")
def list_opinions(case_id: str, vault: VaultHere, caller: Caller) -> OpinionList:
    """List the opinions given in a case; for its bench. To anybody else there is no such list."""
    with counting_refusals(vault, caller), vault.database.read() as session:
        see_case(vault, session, caller, "opinions", case_id)
        rows = custody.opinions_in(session, case_id)
    return OpinionList(
        opinions=[
            OpinionView(
                item=row.item_id,
                author=row.author_id,
                sealed_at=encode_time(row.sealed_at),
                state="sealed" if row.unsealed_seq is None else "unsealed",
            )
            for row in rows
        ]
    )


@router.post(
    "/cases/{case_id}/opinions/{item_id}/unsealing", status_code=201, openapi_extra=may_answer("conflict")
)
def unseal(
    case_id: str, item_id: str, asked: ReasonAsked, vault: VaultHere, caller: Caller, *, once: OnceHere
) -> OpinionNumber:
    """Open an opinion to the parties of its case, as its judge or arbitrator: it is on the list of evidence."""
    with counting_refusals(vault, caller):
        number = once(
            asked, lambda vault: stage.unseal_opinion(vault, caller, case_id, item_id, reason=asked.reason)
        )
    return OpinionNumber(number=number)
