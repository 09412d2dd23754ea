"""Notaries for tests: an authority, people under it, and statements that they sign about items of a vault."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from anchors.rfc3161.certificate import encode_chain, load_certificate
from anchors.values import replace
from evidence_vault.core.attestation import Attestation, Withdrawal, encode_statement
from evidence_vault.core.canonical import as_object, as_text
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.names import encode_id
from evidence_vault.pipeline.custody.attest import RecordedStatement, record_attestation
from evidence_vault.pipeline.custody.statements import Submission
from evidence_vault.pipeline.custody.withdraw import record_withdrawal
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.signer.documents import scheme_for, sign_detached
from evidence_vault.signer.key_files import FileSigner
from evidence_vault.store.queries import actors, attestations, events
from tests.verify.notary import Holder, issue

ROOT = issue("Notaries' Root", authority=True)
MIDDLE = issue("Notaries' Authority", issuer=ROOT, authority=True)
NOTARY = issue("A Notary", issuer=MIDDLE)
APPRAISER = issue("An Appraiser", issuer=MIDDLE)
STRANGER = issue("A Notary", issuer=issue("Notaries' Root", authority=True))
"""The same names as a notary and his authority's, under other keys."""

ACTOR = EventActor(id=encode_id("ac", b"n" * 16), role="NO", auth="token")


def pem(*holders: Holder) -> str:
    return "".join(one.certificate.public_bytes(Encoding.PEM).decode() for one in holders)


KNOWN: Mapping[str, Any] = {"notary": {"roots": [pem(ROOT)], "rehash_interval_s": 0.001}}
"""Settings of a vault that knows the authority."""


def signer_for(holder: Holder, *, pss: bool = False) -> FileSigner:
    certificate = load_certificate(holder.der)
    chain = (holder.der,) if holder is not NOTARY and holder is not APPRAISER else (holder.der, MIDDLE.der)
    scheme = scheme_for(certificate, pss=pss)
    return FileSigner(key=holder.key, certificate=certificate, chain=chain, scheme=scheme)


def add_notary(vault: Vault, actor: EventActor = ACTOR) -> None:
    with vault.database.write() as session:
        actors.add_actor(session, actor_id=actor.id, name="A Notary", role=actor.role, at=vault.clock())


def true_statement(vault: Vault, item_id: str, **changes: Any) -> Attestation:
    """A true statement about the item as it stands."""
    with vault.database.write() as session:
        head = events.lock_subject_head(session, Subject(kind="item", id=item_id))
        first = attestations.event_at(session, item_id, 0)
        assert head is not None
        assert first is not None
        digests = as_object(parse_event(first.raw).fields["digests"])
        true = Attestation(
            origin=vault.settings.origin,
            item=item_id,
            case=None,
            head_seq=head.seq,
            head_sha256=head.event_sha256,
            digests={name: as_text(one) for name, one in digests.items()},
            examined=(("stored content", "hashed again by the vault, in my presence"),),
            not_examined=("where it came from",),
            result="matches",
            remark="",
        )
    return replace(true, **changes)


def signed(
    vault: Vault, statement: Attestation | Withdrawal, by: Holder | None = NOTARY, *, pss: bool = False
) -> Submission:
    text = encode_statement(statement)
    if by is None:
        return Submission(statement=text, signature=None)
    signer = signer_for(by, pss=pss)
    return Submission(
        statement=text, signature=sign_detached(text, signer, at=vault.clock()), chain=signer.chain
    )


def attest(
    vault: Vault,
    item_id: str,
    by: Holder | None = NOTARY,
    *,
    actor: EventActor = ACTOR,
    pss: bool = False,
    **changes: Any,
) -> RecordedStatement:
    submission = signed(vault, true_statement(vault, item_id, **changes), by, pss=pss)
    return record_attestation(vault, item_id, attester=actor, submission=submission)


def withdrawal_of(vault: Vault, item_id: str, attested: RecordedStatement, **changes: Any) -> Withdrawal:
    true = Withdrawal(
        origin=vault.settings.origin,
        item=item_id,
        attested_seq=attested.seq,
        attested_sha256=attested.event_sha256,
        statement_sha256=attested.statement_sha256,
        reason="The wrong file was shown.",
    )
    return replace(true, **changes)


def withdraw(
    vault: Vault,
    item_id: str,
    attested: RecordedStatement,
    by: Holder | None = NOTARY,
    *,
    actor: EventActor = ACTOR,
    **changes: Any,
) -> RecordedStatement:
    submission = signed(vault, withdrawal_of(vault, item_id, attested, **changes), by)
    return record_withdrawal(vault, item_id, attested.seq, attester=actor, submission=submission)


def body_of(submission: Submission) -> dict[str, str | None]:
    """What is posted."""
    return {
        "statement": base64.b64encode(submission.statement).decode(),
        "signature": None
        if submission.signature is None
        else base64.b64encode(submission.signature).decode(),
        "chain": encode_chain(submission.chain).decode() or None,
    }


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
