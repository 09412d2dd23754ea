"""What somebody hands in to be recorded: a statement, a signature over it or none, certificates; and who signed.

Judged now, at acceptance, so that no bundle of the item can ever fail for it. Steps:

    (1) the form: detached CMS with CAdES-B attributes, over the very bytes            verify.cms (1) to (6)
    (2) the signer's own certificate: valid now, for documents, no algorithm refused
    (3) what else is inside can be read: a list of revoked certificates that nobody can parse spoils a bundle
    (4) a path to a root in the settings; under another root the signature is recorded and said to be so
    (5) nobody on that path is revoked, as far as the evidence that the vault holds tells

Deliberately not checked: that the certificate is the signed-in person's. Events name the account, the certificate
names the signer, and a report shows both.
"""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from sqlalchemy.orm import Session

from anchors.base import Indeterminate
from anchors.rfc3161.certificate import Certificate, encode_chain
from anchors.rfc3161.revocation import read_status
from anchors.values import value
from evidence_vault.core.attestation import MAX_STATEMENT_BYTES
from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.pipeline.vault import Vault
from evidence_vault.signer.key_files import order_chain
from evidence_vault.store.queries import revocation
from evidence_vault.store.queries.attestations import CHAIN, SIGNATURE, STATEMENT
from evidence_vault.verify.cms import OpenedSignature, SignedBy, open_detached_cms, verify_detached_cms
from evidence_vault.verify.trust import REFUSED_BY_DEFAULT

MAX_SIGNATURE_BYTES = 64 * 1024
"""Of what is handed in; real ones have 2 to 12 kB, and a thousand must fit a bundle."""

MAX_CHAIN_BYTES = 32 * 1024
"""Certificates beside it, PEM: four to eight."""

MAX_CRLS = 8
"""Inside it: a list for each certificate of a path. A reader stops at 32 with those that a bundle adds."""

REFUSED: Mapping[str, date] = {**REFUSED_BY_DEFAULT, "rsa-1024": date(2014, 1, 1)}
"""For signatures made now. SHA-1 and RSA below 2048 bits have been out of use since (NIST SP 800-131A)."""

SignatureStatus = Literal["trusted", "unknown-root", "unsigned"]


@value
class Submission:
    """What came. signature: DER, or None; chain: certificates beside it, DER."""

    statement: bytes
    signature: bytes | None
    chain: tuple[bytes, ...] = ()


@value
class Signed:
    """Who signed, as far as the settings' roots tell. signer None: nobody did.

    chain: what a bundle carries, the signer's certificate first. reason: why a root is not known.
    """

    status: SignatureStatus
    signer: Certificate | None = None
    chain: tuple[bytes, ...] = ()
    reason: str | None = None

    @property
    def chain_pem(self) -> bytes:
        """chain.pem of the bundle."""
        return encode_chain(self.chain)


def judge_submission(vault: Vault, session: Session, submission: Submission, *, at: datetime) -> Signed:
    """Return who signed. Raises FormatError, VerificationError for what may not be recorded."""
    require_size(submission)
    if submission.signature is None:
        if submission.chain:
            raise FormatError("chain", "a signature that it belongs to", "none")
        return Signed(status="unsigned")
    opened = open_detached_cms(  # (1)
        signature=submission.signature, content=submission.statement, chain=submission.chain
    )
    if isinstance(opened, Indeterminate):
        raise _refusal(opened)
    own = _judge(submission, roots=(opened.signer.der,), evidence=(), at=at)  # (2)
    if isinstance(own, Indeterminate):
        raise _refusal(own)
    if len(opened.crls) > MAX_CRLS:  # (3)
        raise FormatError("signature.crls", f"at most {MAX_CRLS}", len(opened.crls))
    for crl in opened.crls:
        read_status(crl, opened.signer, opened.signer)
    return _vouched(submission, opened, vault.settings.notary.certificates(), _held(session, opened), at=at)


def require_size(submission: Submission) -> None:
    """Raise FormatError for more than a bundle should carry."""
    for place, data, at_most in (
        ("statement", submission.statement, MAX_STATEMENT_BYTES),
        ("signature", submission.signature or b"", MAX_SIGNATURE_BYTES),
        ("chain", encode_chain(submission.chain), MAX_CHAIN_BYTES),
    ):
        if len(data) > at_most:
            raise FormatError(place, f"at most {at_most} bytes", len(data))


def parts_of(submission: Submission, signed: Signed) -> dict[str, bytes]:
    """Return the files that a bundle carries, by name."""
    parts = {STATEMENT: submission.statement}
    if submission.signature is not None:
        parts |= {SIGNATURE: submission.signature, CHAIN: signed.chain_pem}
    return parts


def judge_kept(vault: Vault, parts: Mapping[str, bytes], chain: tuple[bytes, ...], *, at: datetime) -> Signed:
    """Return who signed what was recorded at `at`, by the roots that the settings have now."""
    if SIGNATURE not in parts:
        return Signed(status="unsigned")
    submission = Submission(statement=parts[STATEMENT], signature=parts[SIGNATURE], chain=chain)
    opened = open_detached_cms(signature=parts[SIGNATURE], content=parts[STATEMENT], chain=chain)
    if isinstance(opened, Indeterminate):
        raise _refusal(opened)
    try:
        return _vouched(submission, opened, vault.settings.notary.certificates(), (), at=at)
    except VerificationError as error:  # roots may have changed since
        return Signed(status="unknown-root", signer=opened.signer, chain=chain, reason=str(error))


def _vouched(
    submission: Submission,
    opened: OpenedSignature,
    roots: tuple[bytes, ...],
    evidence: tuple[bytes, ...],
    *,
    at: datetime,
) -> Signed:
    """(4) and (5)."""
    verdict = _judge(submission, roots=roots, evidence=evidence, at=at)
    if not isinstance(verdict, Indeterminate):
        return Signed(status="trusted", signer=opened.signer, chain=verdict.path)
    if verdict.sub_indication != "NO_CERTIFICATE_CHAIN_FOUND":
        raise _refusal(verdict)
    return Signed(
        status="unknown-root",
        signer=opened.signer,
        chain=order_chain(opened.signer, opened.candidates),
        reason=verdict.reason,
    )


def _judge(
    submission: Submission, *, roots: tuple[bytes, ...], evidence: tuple[bytes, ...], at: datetime
) -> SignedBy | Indeterminate:
    assert submission.signature is not None
    return verify_detached_cms(
        signature=submission.signature,
        content=submission.statement,
        chain=submission.chain,
        revocation=evidence,
        roots=roots,
        at=at,
        refused_algorithms=REFUSED,
    )


def _held(session: Session, opened: OpenedSignature) -> tuple[bytes, ...]:
    """What the vault has fetched about any of the certificates; only a path makes it count."""
    found = [
        revocation.newest_evidence(session, hashlib.sha256(one.der).digest()) for one in opened.candidates
    ]
    return tuple(one.body for one in found if one is not None)


def _refusal(why: Indeterminate) -> VerificationError:
    return VerificationError("signature", "one that holds now", f"{why.reason} ({why.sub_indication})")
