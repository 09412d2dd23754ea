"""Attestations: read the stored bytes again, draft, hand in, withdraw, list.

    POST …/fixity-checks       the vault reads the stored bytes again, in view           FIXITY_CHECKED
    GET  …/attestation-draft   what a statement has to name: origin, head, digests       VIEWED
    POST …/attestations        the signed statement                                      ATTESTED
    POST …/{seq}/withdrawal    and its withdrawal                                        ATTESTATION_WITHDRAWN

The private key never comes here: what is signed is made where the key is.
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy.orm import Session

from anchors.rfc3161.certificate import parse_chain
from evidence_vault.access.facts import Requester
from evidence_vault.access.matrix import cell
from evidence_vault.api.attestation_schemas import (
    AttestationList,
    AttestationView,
    DraftView,
    FixityView,
    HeadView,
    RecordedView,
    SignatureView,
    StatementSubmission,
    WithdrawnView,
)
from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.description import may_answer
from evidence_vault.api.items import MAX_PAGE
from evidence_vault.api.json_body import asked_as, body_of
from evidence_vault.api.once import OnceHere
from evidence_vault.api.problems import ProblemError
from evidence_vault.core.attestation import Withdrawal, parse_statement
from evidence_vault.core.canonical import as_object, as_text, parse_canonical
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.names import encode_time
from evidence_vault.errors import AccessRefused, FormatError, IntegrityError, VerificationError
from evidence_vault.pipeline.cases.entering import draft_access, event_actor, look
from evidence_vault.pipeline.custody import attest, fixity
from evidence_vault.pipeline.custody.attest import ATTESTED, record_attestation
from evidence_vault.pipeline.custody.statements import Signed, Submission, judge_kept
from evidence_vault.pipeline.custody.withdraw import record_withdrawal, withdrawals
from evidence_vault.pipeline.record import append_event
from evidence_vault.pipeline.vault import Vault
from evidence_vault.signer.pem import parse_signature
from evidence_vault.store.models import Event, Item
from evidence_vault.store.queries import attestations, events

router = APIRouter(tags=["attestations"])

MAX_BODY_BYTES = 512 * 1024
"""Statement, signature and chain at their largest, with base64 around them."""

_BODY = body_of(StatementSubmission, **may_answer("statement-refused"))
Sent = Annotated[StatementSubmission, Depends(asked_as(StatementSubmission, max_bytes=MAX_BODY_BYTES))]


@router.post(
    "/items/{item_id}/fixity-checks", status_code=201, openapi_extra=may_answer("locked", "too-soon")
)
def check_item(item_id: str, vault: VaultHere, caller: Caller) -> FixityView:
    """Read the stored bytes again and say whether they are what was deposited. An event of the item, each time."""
    item = _open(vault, caller, item_id)
    found = fixity.check_fixity(vault, item, actor=event_actor(caller))
    return FixityView(
        seq=found.seq,
        event_sha256=found.event_sha256.hex(),
        result="intact" if found.intact else "damaged",
        expected_sha256=found.expected_sha256.hex(),
        found_sha256=found.found_sha256.hex() if found.found_sha256 else None,
        at=encode_time(found.at),
    )


@router.get("/items/{item_id}/attestation-draft")
def draft_attestation(item_id: str, vault: VaultHere, caller: Caller) -> DraftView:
    """Show what a statement about the item as it stands has to name. That it was looked at is an event."""
    entered = look(vault, caller, "attest", item_id)
    item = entered.item
    with vault.database.write() as session:
        head = events.lock_subject_head(session, Subject(kind="item", id=item_id))
        newest = None if head is None else attestations.event_at(session, item_id, head.seq)
        if newest is None:
            raise IntegrityError(f"item {item_id}", "a head", "none")
        if attest.actor_of(newest) != caller.actor_id:  # else looking twice would fill the history
            draft = draft_access(caller, entered, "VIEWED", {"what": "metadata"})
            view = append_event(vault, session, draft).event
            seq, sha256 = view.seq, view.sha256
        else:
            seq, sha256 = newest.seq, newest.sha256
        checked = attestations.newest_of_types(session, item_id, [fixity.CHECKED, fixity.FAILED])
        return DraftView(
            origin=vault.settings.origin,
            item=item_id,
            head=HeadView(seq=seq, event_sha256=sha256.hex()),
            digests={name: as_text(one) for name, one in attest.first_digests(session, item_id).items()},
            mode=item.mode,
            size=item.size,
            checked=None if checked is None else _fixity_view(checked),
        )


@router.post("/items/{item_id}/attestations", status_code=201, openapi_extra=_BODY)
def hand_in(item_id: str, vault: VaultHere, caller: Caller, sent: Sent, once: OnceHere) -> RecordedView:
    """Hand in a statement that was signed elsewhere, or an unsigned one, which then says so for ever."""
    _open(vault, caller, item_id)
    with _refusals():
        recorded_seq = once(
            sent,
            lambda vault: (
                record_attestation(
                    vault, item_id, attester=event_actor(caller), submission=_submission(sent)
                ).seq
            ),
        )
    return _recorded(vault, item_id, recorded_seq)


@router.post("/items/{item_id}/attestations/{seq}/withdrawal", status_code=201, openapi_extra=_BODY)
def withdraw(
    item_id: str, seq: int, vault: VaultHere, caller: Caller, sent: Sent, *, once: OnceHere
) -> RecordedView:
    """Take one's own attestation back, with a reason. Both stay visible."""
    _open(vault, caller, item_id)
    if not 0 < seq < 2**53:
        raise AccessRefused("attest", item_id)
    with _refusals():
        recorded_seq = once(
            sent,
            lambda vault: (
                record_withdrawal(
                    vault, item_id, seq, attester=event_actor(caller), submission=_submission(sent)
                ).seq
            ),
        )
    return _recorded(vault, item_id, recorded_seq)


@router.get("/items/{item_id}/attestations")
def list_attestations(
    item_id: str,
    vault: VaultHere,
    caller: Caller,
    from_seq: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> AttestationList:
    """Show who attested what, and what was withdrawn; signatures as this vault's roots judge them."""
    _open_to_read(vault, caller, item_id)
    with vault.database.read() as session:
        rows = attestations.events_of_types(session, item_id, [ATTESTED], from_seq=from_seq, limit=limit + 1)
        taken_back = withdrawals(session, item_id)
        page = rows[:limit]
        return AttestationList(
            attestations=[_view(vault, session, row, taken_back.get(row.seq)) for row in page],
            next=rows[limit].seq if len(rows) > limit else None,
        )


def _open(vault: Vault, caller: Requester, item_id: str) -> Item:
    return look(vault, caller, "attest", item_id).item


def _open_to_read(vault: Vault, caller: Requester, item_id: str) -> None:
    """Who may see the item may see what was said of it; so may who may say it. A look at it, and so an event."""
    if "Y" not in cell("attest", caller.role):
        look(vault, caller, "see-metadata", item_id)
        return
    entered = look(vault, caller, "attest", item_id)
    with vault.database.write() as session:
        append_event(vault, session, draft_access(caller, entered, "VIEWED", {"what": "metadata"}))


@contextmanager
def _refusals() -> Iterator[None]:
    """A statement or signature that doesn't hold is told as such."""
    try:
        yield
    except VerificationError as error:
        raise ProblemError("statement-refused", str(error)) from None


def _submission(sent: StatementSubmission) -> Submission:
    try:
        statement = base64.b64decode(sent.statement, validate=True)
    except ValueError:
        raise FormatError("statement", "base64", sent.statement[:40]) from None
    return Submission(
        statement=statement,
        signature=None if sent.signature is None else parse_signature(sent.signature.encode("utf-8")),
        chain=parse_chain(sent.chain.encode("utf-8")) if sent.chain else (),
    )


def _recorded(vault: Vault, item_id: str, seq: int) -> RecordedView:
    with vault.database.read() as session:
        row = attestations.event_at(session, item_id, seq)
        assert row is not None  # it was recorded, now or before
        return RecordedView(
            seq=row.seq,
            event_sha256=row.sha256.hex(),
            statement_sha256=as_text(parse_event(row.raw).fields["statement_sha256"]),
            signature=_kept_signature(vault, session, row),
        )


def _view(vault: Vault, session: Session, row: Event, withdrawn: Event | None) -> AttestationView:
    parts = events.proof_parts_of(session, row.id)
    statement = parts[attestations.STATEMENT]
    actor = as_object(parse_event(row.raw).fields["actor"])
    body = statement.partition(b"\n")[2]
    return AttestationView(
        seq=row.seq,
        event_sha256=row.sha256.hex(),
        statement_sha256=hashlib.sha256(statement).hexdigest(),
        at=encode_time(row.at),
        actor=as_text(actor["id"]),
        role=as_text(actor["role"]),
        statement=as_object(parse_canonical(body, place="statement", max_bytes=len(body))),
        signature=_kept_signature(vault, session, row),
        withdrawn=None if withdrawn is None else _withdrawn(vault, session, withdrawn),
    )


def _withdrawn(vault: Vault, session: Session, row: Event) -> WithdrawnView:
    statement = parse_statement(events.proof_parts_of(session, row.id)[attestations.STATEMENT])
    assert isinstance(statement, Withdrawal)  # nothing else was recorded under this type
    return WithdrawnView(
        seq=row.seq,
        at=encode_time(row.at),
        reason=statement.reason,
        signature=_kept_signature(vault, session, row),
    )


def _kept_signature(vault: Vault, session: Session, row: Event) -> SignatureView:
    parts = events.proof_parts_of(session, row.id)
    chain = parse_chain(parts[attestations.CHAIN]) if attestations.CHAIN in parts else ()
    return _signature(judge_kept(vault, parts, chain, at=row.at))


def _signature(signed: Signed) -> SignatureView:
    if signed.signer is None:
        return SignatureView(status=signed.status)
    return SignatureView(
        status=signed.status,
        signer=signed.signer.subject_text,
        issuer=signed.signer.issuer_text,
        serial_number=f"{signed.signer.serial_number:x}",
        certificate_sha256=hashlib.sha256(signed.signer.der).hexdigest(),
        reason=signed.reason,
    )


def _fixity_view(row: Event) -> FixityView:
    fields = parse_event(row.raw).fields
    intact = row.type == fixity.CHECKED
    found = fields["sha256"] if intact else fields["found_sha256"]
    return FixityView(
        seq=row.seq,
        event_sha256=row.sha256.hex(),
        result="intact" if intact else "damaged",
        expected_sha256=as_text(fields["sha256" if intact else "expected_sha256"]),
        found_sha256=None if found is None else as_text(found),
        at=encode_time(row.at),
    )
