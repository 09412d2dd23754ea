"""Attest: a notary's or appraiser's signed statement about an item becomes a part of the item's history.

    draft ──► (the person reads, signs where the key is) ──► statement, signature, chain ──► ATTESTED

    (1) the form of the statement, and that it is of the kind that is handed in
    (2) the signature, if there is one, and whose it is                             `statements`
    (3) it belongs here: origin, item, digests; its head is an event of the item, not too long ago, and nothing
        was found wrong with the item since. Moved from anywhere else it is refused
    (4) a case that holds the item, where it names one
    (5) it is not here yet: the same statement by the same signer is a replay, withdrawn or not
    (6) a bundle can carry it
    (7) the event, with its files

What (2) to (6) refuse, the verifier would find FAILED or unreadable in every later bundle of the item.

Durable after return: event, files, and the wish for revocation evidence, in one transaction.
A crash before the commit means: nothing happened. After it: the same statement is refused as a replay, by name of
the event that recorded it.
"""

import hashlib
from datetime import timedelta

from sqlalchemy.orm import Session

from anchors.rfc3161.certificate import Certificate, load_certificate, parse_chain
from anchors.values import value
from evidence_vault.core.attestation import Attestation, parse_statement
from evidence_vault.core.canonical import Json, as_object, as_text
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.names import encode_time
from evidence_vault.errors import Conflict, FormatError, IntegrityError, TooMany, VerificationError
from evidence_vault.pipeline.custody.statements import Signed, Submission, judge_submission, parts_of
from evidence_vault.pipeline.record import Draft, EventActor, append_event
from evidence_vault.pipeline.times.revocation import want_evidence
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Event
from evidence_vault.store.queries import attestations, cases, events

ATTESTED, WITHDRAWN = "ATTESTED", "ATTESTATION_WITHDRAWN"


class AlreadyAttested(Conflict):
    """The same statement by the same signer is event `seq` of the item already."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        super().__init__("attestation", f"it is event {seq} of the item already")


@value
class RecordedStatement:
    """What was recorded: the event, and who signed."""

    seq: int
    event_sha256: bytes
    statement_sha256: bytes
    signed: Signed


def record_attestation(
    vault: Vault, item_id: str, *, attester: EventActor, submission: Submission
) -> RecordedStatement:
    """Record an attestation. Raises FormatError, VerificationError, AlreadyAttested, TooMany, ReadOnly.

    attester: who hands it in; that he may is decided by the caller.
    """
    statement = parse_statement(submission.statement, place="statement")  # (1)
    if not isinstance(statement, Attestation):
        raise FormatError("statement", "an attestation", "a withdrawal")
    with vault.database.read() as session:
        signed = judge_submission(vault, session, submission, at=vault.clock())  # (2)
    with vault.database.write() as session:
        events.lock_subject_head(session, Subject(kind="item", id=item_id))
        _require_in_place(vault, session, item_id, statement)  # (3)
        _require_case(session, item_id, statement)  # (4)
        _refuse_replay(session, item_id, submission, signed, attester)  # (5)
        _require_room(vault, session, item_id, parts_of(submission, signed))  # (6)
        return keep_statement(  # (7) a crash before this commit leaves nothing
            vault, session, item_id, ATTESTED, attester=attester, submission=submission, signed=signed
        )


def keep_statement(
    vault: Vault,
    session: Session,
    item_id: str,
    event_type: str,
    *,
    attester: EventActor,
    submission: Submission,
    signed: Signed,
    fields: dict[str, Json] | None = None,
) -> RecordedStatement:
    """Write the event with its files, and want evidence that nobody on a trusted path is revoked."""
    statement_sha256 = hashlib.sha256(submission.statement)
    signature = submission.signature
    recorded = append_event(
        vault,
        session,
        Draft(
            subject=Subject(kind="item", id=item_id),
            type=event_type,
            actor=attester,
            fields={
                **(fields or {}),
                "statement_sha256": statement_sha256.hexdigest(),
                "signature_sha256": None if signature is None else hashlib.sha256(signature).hexdigest(),
            },
        ),
    )
    events.add_proof_parts(session, {recorded.event_id: parts_of(submission, signed)})
    if signed.status == "trusted":
        # Judged one day at the time of the checkpoint above, so the evidence has to be of then.
        wait_s = vault.settings.checkpoint_interval_s + vault.settings.token_interval_s
        now = vault.clock()
        want_evidence(session, signed.chain_pem, now + timedelta(seconds=wait_s), now=now)
    return RecordedStatement(
        seq=recorded.event.seq,
        event_sha256=recorded.event.sha256,
        statement_sha256=statement_sha256.digest(),
        signed=signed,
    )


def require_same(place: str, expected: object, found: object) -> None:
    """Raise VerificationError for a statement about something else."""
    if expected != found:
        raise VerificationError(f"statement {place}", expected, found)


def first_digests(session: Session, item_id: str) -> dict[str, Json]:
    """Return the digests of the item's ITEM_RECEIVED."""
    first = attestations.event_at(session, item_id, 0)
    if first is None:
        raise IntegrityError(f"item {item_id}", "its event 0", "none")
    return as_object(parse_event(first.raw).fields["digests"])


def _require_in_place(vault: Vault, session: Session, item_id: str, statement: Attestation) -> None:
    """(3)."""
    require_same("origin", vault.settings.origin, statement.origin)
    require_same("item", item_id, statement.item)
    require_same("digests", first_digests(session, item_id), statement.digests)
    head = attestations.event_at(session, item_id, statement.head_seq)
    require_same("head.event_sha256", head.sha256.hex() if head else "an event", statement.head_sha256.hex())
    assert head is not None  # else the digests differ
    oldest = vault.clock() - timedelta(days=vault.settings.notary.statement_days)
    if head.at < oldest:
        raise VerificationError(
            "statement head", f"an event since {encode_time(oldest)}: look again", encode_time(head.at)
        )
    damage = attestations.newest_of_types(session, item_id, ["FIXITY_FAILED"])
    if damage is not None and damage.seq > head.seq:
        raise VerificationError(
            "statement head", f"event {damage.seq}, which found damage, or later", head.seq
        )


def _require_case(session: Session, item_id: str, statement: Attestation) -> None:
    """(4) A case that isn't there, and one that doesn't hold the item, are one answer."""
    if statement.case is not None and not cases.items_in(session, statement.case, [item_id]):
        raise VerificationError("statement case", "a case that holds the item, or null", statement.case)


def _refuse_replay(
    session: Session, item_id: str, submission: Submission, signed: Signed, attester: EventActor
) -> None:
    """(5) By the signer's key: the signature itself, and what it doesn't cover, anybody may write anew."""
    for event in attestations.events_with_statement(session, item_id, submission.statement):
        signer = signer_of(session, event)
        if signed.signer is None:
            same = signer is None and actor_of(event) == attester.id
        else:
            same = signer is not None and signer.key_octets == signed.signer.key_octets
        if same:
            raise AlreadyAttested(event.seq)


def signer_of(session: Session, event: Event) -> Certificate | None:
    """Return the certificate of who signed what this event records, or None if nobody did."""
    chain = events.proof_parts_of(session, event.id).get(attestations.CHAIN)
    return None if chain is None else load_certificate(parse_chain(chain)[0])


def actor_of(event: Event) -> str:
    """Return who handed in what this event records."""
    return as_text(as_object(parse_event(event.raw).fields["actor"])["id"])


def _require_room(vault: Vault, session: Session, item_id: str, parts: dict[str, bytes]) -> None:
    """(6)."""
    limits = vault.settings.notary
    count, held = attestations.kept_so_far(session, item_id)
    if count >= limits.max_per_item or held + sum(map(len, parts.values())) > limits.max_bytes_per_item:
        raise TooMany("attestations", f"the item has {count} with {held} bytes: a bundle carries no more")
