"""Objections and answers; that a court received an item, or was shown it."""

from fastapi import APIRouter, Response

from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.dispute_schemas import (
    AnswerAsked,
    AnswerView,
    ObjectionAsked,
    ObjectionList,
    ObjectionView,
    PresentationAsked,
    ReceiptAsked,
    Seq,
    Told,
)
from evidence_vault.api.once import OnceHere
from evidence_vault.core.names import encode_time
from evidence_vault.pipeline.cases.entering import counting_refusals, look, may_look
from evidence_vault.pipeline.custody import objections as stage

router = APIRouter(tags=["objections"])


@router.post("/items/{item_id}/objections", status_code=201)
def object_to(item_id: str, asked: ObjectionAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> Told:
    """Object to an item: as a party to a case it is in, as a lawyer under a grant, or for the bench's record."""
    wish = stage.ObjectionWish(
        ground=asked.ground, period=asked.period, case_id=asked.case, party=asked.party, text=asked.text
    )
    with counting_refusals(vault, caller):
        return Told(seq=once(asked, lambda vault: stage.object_to(vault, caller, item_id, wish)))


@router.get("/items/{item_id}/objections")
def list_objections(item_id: str, vault: VaultHere, caller: Caller) -> ObjectionList:
    """List the objections to an item with all that was answered, side by side.

    Their texts are shown to whom the item's history is, and that is a reading of it; to others, how each stands.
    """
    reads = may_look(vault, caller, "read-custody", item_id)
    look(vault, caller, "read-custody" if reads else "see-metadata", item_id)
    with vault.database.read() as session:
        return ObjectionList(
            objections=[
                ObjectionView(
                    seq=one.row.seq,
                    raised_by=one.row.raised_by,
                    case=one.row.case_id,
                    party=one.row.party,
                    ground=one.row.ground,
                    period=one.row.period,
                    raised_at=encode_time(one.row.raised_at),
                    state=one.row.state,
                    text=one.text if reads else None,
                    answers=[
                        AnswerView(
                            seq=reply.seq,
                            by=reply.by,
                            role=reply.role,
                            at=encode_time(reply.at),
                            outcome=reply.outcome,
                            text=reply.text if reads else None,
                        )
                        for reply in one.answers
                    ],
                )
                for one in stage.disputes_of(session, item_id)
            ]
        )


@router.post("/items/{item_id}/objections/{seq}/answers", status_code=204, response_class=Response)
def answer(
    item_id: str, seq: Seq, asked: AnswerAsked, vault: VaultHere, caller: Caller, *, once: OnceHere
) -> None:
    """Answer as owner, withdraw what one raised, or decide as the bench of its case."""
    with counting_refusals(vault, caller):
        once(
            asked,
            lambda vault: stage.answer(vault, caller, item_id, seq, outcome=asked.outcome, text=asked.text),
        )


@router.post("/items/{item_id}/court-receipts", status_code=201)
def note_receipt(item_id: str, asked: ReceiptAsked, vault: VaultHere, caller: Caller, once: OnceHere) -> Told:
    """Record that the forum of a case received an item, or a bundle of it; for the bench."""
    sha256 = None if asked.bundle_sha256 is None else bytes.fromhex(asked.bundle_sha256)
    with counting_refusals(vault, caller):
        seq = once(
            asked,
            lambda vault: stage.note_receipt(
                vault,
                caller,
                item_id,
                case_id=asked.case,
                received_at=asked.received_at,
                bundle=asked.bundle,
                bundle_sha256=sha256,
                number=asked.number,
                receiver=asked.receiver,
            ),
        )
    return Told(seq=seq)


@router.post("/items/{item_id}/presentations", status_code=201)
def note_presentation(
    item_id: str, asked: PresentationAsked, vault: VaultHere, caller: Caller, once: OnceHere
) -> Told:
    """Record that an item was shown at a hearing; for the bench."""
    with counting_refusals(vault, caller):
        seq = once(
            asked,
            lambda vault: stage.note_presentation(
                vault,
                caller,
                item_id,
                case_id=asked.case,
                presented_at=asked.presented_at,
                place=asked.place,
                note=asked.note,
            ),
        )
    return Told(seq=seq)
