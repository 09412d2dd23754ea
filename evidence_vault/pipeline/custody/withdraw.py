"""Withdraw: whoever attested takes it back, with a reason that stays beside what he said.

    (1) the form of the statement
    (2) the signature, if there is one                                                    `statements`
    (3) it names this attestation of this item: event, seq and statement
    (4) it is the attester's: the account that handed the attestation in, and then unsigned or signed by the same
        key or name; or any account, with a signature by the very key of the attestation, for a notary whose
        statement somebody else brought must be able to take it back
    (5) nobody has withdrawn it before

Nothing is deleted: both statements travel, and the verifier never passes what was withdrawn. Durable after return,
and what crashes mean: as in `attest`.
"""

from sqlalchemy.orm import Session

from anchors.rfc3161.certificate import Certificate, same_name
from evidence_vault.core.attestation import Withdrawal, parse_statement
from evidence_vault.core.canonical import as_integer, as_text
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.errors import AccessRefused, Conflict, FormatError, VerificationError
from evidence_vault.pipeline.custody.attest import (
    ATTESTED,
    WITHDRAWN,
    RecordedStatement,
    actor_of,
    keep_statement,
    require_same,
    signer_of,
)
from evidence_vault.pipeline.custody.statements import Signed, Submission, judge_submission
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Event
from evidence_vault.store.queries import attestations, events


def record_withdrawal(
    vault: Vault, item_id: str, attested_seq: int, *, attester: EventActor, submission: Submission
) -> RecordedStatement:
    """Record a withdrawal. Raises FormatError, VerificationError, AccessRefused, Conflict, ReadOnly."""
    statement = parse_statement(submission.statement, place="statement")  # (1)
    if not isinstance(statement, Withdrawal):
        raise FormatError("statement", "a withdrawal", "an attestation")
    with vault.database.read() as session:
        signed = judge_submission(vault, session, submission, at=vault.clock())  # (2)
    with vault.database.write() as session:
        events.lock_subject_head(session, Subject(kind="item", id=item_id))
        event = attestations.event_at(session, item_id, attested_seq)
        if event is None or event.type != ATTESTED:
            raise AccessRefused("withdraw", f"{item_id}/{attested_seq}")
        _require_named(vault, event, statement)  # (3)
        _require_attester(session, event, signed, attester)  # (4)
        earlier = withdrawals(session, item_id).get(attested_seq)
        if earlier is not None:  # (5)
            raise Conflict("attestation", f"event {earlier.seq} has withdrawn it already")
        return keep_statement(
            vault,
            session,
            item_id,
            WITHDRAWN,
            attester=attester,
            submission=submission,
            signed=signed,
            fields={"attested_seq": attested_seq},
        )


def withdrawals(session: Session, item_id: str) -> dict[int, Event]:
    """Return the event that withdrew each attestation of the item, by the seq of the attestation."""
    found: dict[int, Event] = {}
    for event in attestations.events_of_types(session, item_id, [WITHDRAWN]):
        found.setdefault(as_integer(parse_event(event.raw).fields["attested_seq"]), event)
    return found


def _require_named(vault: Vault, event: Event, statement: Withdrawal) -> None:
    """(3)."""
    statement_sha256 = as_text(parse_event(event.raw).fields["statement_sha256"])
    for place, expected, found in (
        ("origin", vault.settings.origin, statement.origin),
        ("item", event.subject_id, statement.item),
        ("attested.seq", event.seq, statement.attested_seq),
        ("attested.event_sha256", event.sha256.hex(), statement.attested_sha256.hex()),
        ("attested.statement_sha256", statement_sha256, statement.statement_sha256.hex()),
    ):
        require_same(place, expected, found)
    if not statement.reason.strip():
        raise VerificationError("statement reason", "why", "nothing")


def _require_attester(session: Session, event: Event, signed: Signed, attester: EventActor) -> None:
    """(4)."""
    before, now = signer_of(session, event), signed.signer
    if before is not None and now is not None and before.key_octets == now.key_octets:
        return
    if actor_of(event) != attester.id:
        raise VerificationError(
            "withdrawal", "the account that handed the attestation in, or its signer's key", "another"
        )
    if before is not None and now is not None and not _same_person(before, now):
        raise VerificationError("withdrawal signer", before.subject_text, now.subject_text)


def _same_person(one: Certificate, other: Certificate) -> bool:
    """The same subject under the same issuer: a renewed certificate."""
    return same_name(one.subject, other.subject) and same_name(one.issuer, other.issuer)
