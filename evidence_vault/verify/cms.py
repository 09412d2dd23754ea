"""A detached signature over a statement: who signed it, by a root that the policy trusts. RFC 5652, CAdES-B.

    signature.p7s = ContentInfo { SignedData { id-data, no eContent, certificates, one SignerInfo } }, DER

The form is the one that `openssl cms -sign -cades -binary -outform DER` writes; BER with indefinite lengths, as
some signing tools write it, is refused and has to be encoded again. Judged at one moment: the time by which the
signature provably existed, or else the time of the question.

Steps:
  (1) a SignedData over id-data, detached                                     RFC 5652 §5.1, §5.2
  (2) exactly one signer                                                      RFC 5652 §5.1
  (3) signed attributes with contentType and messageDigest, each once         RFC 5652 §5.3, §11
  (4) signing-certificate, of version 1 or 2, among them                      RFC 5035 §3, EN 319 122-1 §5.2.2
  (5) the signer's certificate is a candidate, by sid and by certificate id   RFC 5652 §5.3, RFC 5035 §5
  (6) its signature covers the signed attributes as sent                      RFC 5652 §5.4
  (7) a path to a trusted root, good at the moment; for documents             RFC 5280 §6, §4.2.1.3
  (8) no algorithm refused at the moment                                      trust policy
  (9) no certificate of the path revoked at the moment, by what is carried    RFC 5280 §6.3, RFC 6960

What is wrong raises VerificationError or FormatError; what can't be decided is Indeterminate. (1) to (6) need no
trust, so a stranger's signature over another statement is wrong, not undecided.

Trusted: the roots, and the days from which algorithms are refused. Certificates inside and beside the signature,
CRLs and OCSP replies are the prover's, and count only where a path to a root bears them. Deliberately not checked:
signingTime, which is the signer's claim; unsigned attributes, time-stamps on the signature among them; signature
policies and commitment types; that revocation evidence is carried at all (`SignedBy.revocation_checked` says);
that the person named is, or was, a notary, which is what naming a root in `notary.roots` means.
"""

from collections.abc import Mapping
from datetime import date, datetime

from cryptography import x509

from anchors.base import Indeterminate
from anchors.rfc3161.algorithms import UnknownAlgorithm
from anchors.rfc3161.certificate import TIME_STAMPING, Certificate, extension_of, load_certificate
from anchors.rfc3161.cms import DATA, SignedMessage, SignerInfo, parse_detached_message
from anchors.rfc3161.ess import SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2
from anchors.rfc3161.message import (
    CertificateIds,
    algorithms_used,
    certificate_ids,
    check_attributes,
    check_signature,
    find_signer,
    unnamed_on_path,
)
from anchors.rfc3161.path import NoPath, find_path
from anchors.rfc3161.purpose import Purpose, extended_key_usage
from anchors.rfc3161.revocation import MAX_EVIDENCE, judge_revocation
from anchors.rfc3161.verdict import refused_from
from anchors.values import value
from evidence_vault.core.names import encode_time
from evidence_vault.errors import FormatError, VerificationError

PLACE = "signature.p7s"
MAX_SIGNATURE_BYTES = 256 * 1024
"""Real ones have 2 to 12 kB; some carry chains and CRLs."""

MACHINES = frozenset(
    {
        "1.3.6.1.5.5.7.3.1",  # serverAuth
        "1.3.6.1.5.5.7.3.3",  # codeSigning
        TIME_STAMPING,
        "1.3.6.1.5.5.7.3.9",  # OCSPSigning
    }
)
"""Purposes for which no person signs. A certificate limited to them signs no statement (RFC 5280 §4.2.1.12)."""


@value
class SignedBy:
    """A signature that was good at `moment`.

    subject, issuer: of the signer's certificate, RFC 4514. path: DER, signer first, trusted root last.
    revocation_checked: evidence covers every certificate of the path but the root, at or after the moment.
    algorithms_used: digests, signatures and keys relied on.
    """

    subject: str
    issuer: str
    serial_number: int
    moment: datetime
    path: tuple[bytes, ...]
    revocation_checked: bool
    algorithms_used: tuple[str, ...]


@value
class OpenedSignature:
    """A signature by the key of `signer`, whom nobody has vouched for yet.

    candidates: all certificates inside and beside it. crls: inside it, DER, not read yet.
    """

    info: SignerInfo
    ids: CertificateIds
    signer: Certificate
    candidates: tuple[Certificate, ...]
    crls: tuple[bytes, ...]


def verify_detached_cms(
    *,
    signature: bytes,
    content: bytes,
    chain: tuple[bytes, ...],
    revocation: tuple[bytes, ...],
    roots: tuple[bytes, ...],
    at: datetime,
    refused_algorithms: Mapping[str, date] | None = None,
    more_revocation: tuple[bytes, ...] = (),
) -> SignedBy | Indeterminate:
    """Say who signed `content`, as far as the trusted `roots` (certificates, DER) can tell.

    signature: signature.p7s, DER. chain: certificates, DER, supplied beside it. revocation: CRLs and OCSP
    responses, DER. at: the moment the signature is judged at, aware. refused_algorithms: name (`sha1`,
    `rsa-1024`) → the day from which it is refused. more_revocation: evidence that came with other signatures, used
    as far as there is room. Raises FormatError, VerificationError.
    """
    opened = open_detached_cms(signature=signature, content=content, chain=chain)  # (1) to (6)
    if isinstance(opened, Indeterminate):
        return opened
    signer, ids = opened.signer, opened.ids
    path = _trusted_path(signer, ids, opened.candidates, roots, at)  # (7)
    if isinstance(path, Indeterminate):
        return path
    used = algorithms_used(opened.info, ids, path)
    if (weak := _refused(used, refused_algorithms or {}, at)) is not None:  # (8)
        return weak
    # (9) Revoked by then: a thief might have signed.
    own = (*revocation, *opened.crls)
    others = [der for der in more_revocation if der not in own][: max(0, MAX_EVIDENCE - len(own))]
    revoked = judge_revocation(path, evidence=(*own, *others), moment=at)
    if revoked.revoked_at is not None and revoked.revoked_at <= at:
        return Indeterminate(
            sub_indication="REVOKED_NO_POE",
            reason=f"{revoked.subject!r} was revoked at {encode_time(revoked.revoked_at)}; "
            f"the signature is shown to exist at {encode_time(at)}, not before",
        )
    return SignedBy(
        subject=signer.subject_text,
        issuer=signer.issuer_text,
        serial_number=signer.serial_number,
        moment=at,
        path=tuple(one.der for one in path),
        revocation_checked=revoked.checked,
        algorithms_used=tuple(sorted(used)),
    )


def open_detached_cms(
    *, signature: bytes, content: bytes, chain: tuple[bytes, ...]
) -> OpenedSignature | Indeterminate:
    """Steps (1) to (6): who signed `content`, whoever vouches for him. Raises as `verify_detached_cms` does."""
    # (1) the form
    if len(signature) > MAX_SIGNATURE_BYTES:
        raise FormatError(PLACE, f"at most {MAX_SIGNATURE_BYTES} bytes", len(signature))
    message = parse_detached_message(signature, PLACE, content=content)
    candidates = tuple(load_certificate(der) for der in dict.fromkeys((*message.certificates, *chain)))
    try:
        info = _one_signer(message)  # (2)
        check_attributes(  # (3)
            info, content_type=DATA, content=content, digest_algorithms=message.digest_algorithms
        )
        ids = _certificate_ids(info)  # (4)
        signer = find_signer(info, ids, candidates)  # (5)
        if signer is None:
            return Indeterminate(
                sub_indication="NO_SIGNING_CERTIFICATE_FOUND",
                reason="the signer's certificate is neither in the signature nor supplied",
            )
        check_signature(info, signer)  # (6)
    except UnknownAlgorithm as unknown:
        return Indeterminate(
            sub_indication="CRYPTO_CONSTRAINTS_FAILURE", reason=f"this verifier doesn't know {unknown}"
        )
    return OpenedSignature(info=info, ids=ids, signer=signer, candidates=candidates, crls=message.crls)


def _one_signer(message: SignedMessage) -> SignerInfo:
    """(2) A second signer could be taken for the first."""
    if len(message.signers) != 1:
        raise VerificationError("RFC 5652 §5.1 signerInfos", "one signer", len(message.signers))
    return message.signers[0]


def _certificate_ids(signer: SignerInfo) -> CertificateIds:
    """(4) Without it another certificate with the same key, of another name, could be put in place."""
    if not signer.attributes.keys() & {SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2}:
        raise VerificationError("EN 319 122-1 §5.2.2 signing-certificate", "the signed attribute", "none")
    return certificate_ids(signer)


def _trusted_path(
    signer: Certificate,
    ids: CertificateIds,
    candidates: tuple[Certificate, ...],
    roots: tuple[bytes, ...],
    at: datetime,
) -> tuple[Certificate, ...] | Indeterminate:
    """(7)."""
    trusted = [load_certificate(der) for der in roots]
    path = find_path(signer, candidates=candidates, roots=trusted, moment=at, purpose=DOCUMENTS)
    if isinstance(path, NoPath):
        return Indeterminate(sub_indication=path.sub_indication, reason=path.reason)
    if (one := unnamed_on_path(ids, path)) is not None:
        return Indeterminate(
            sub_indication="CHAIN_CONSTRAINTS_FAILURE",
            reason=f"the signer's certificate ids don't name {one.subject_text!r} on its path",
        )
    return path


def _refused(used: frozenset[str], refused: Mapping[str, date], at: datetime) -> Indeterminate | None:
    """(8) Weak by then: anyone might have made it."""
    for name in sorted(used):
        since = refused_from(name, refused)
        if since is not None and at >= since:
            return Indeterminate(
                sub_indication="CRYPTO_CONSTRAINTS_FAILURE",
                reason=f"{name} is refused from {encode_time(since)}; "
                f"the signature is shown to exist at {encode_time(at)}, not before",
            )
    return None


def _document_flaw(signer: Certificate) -> str | None:
    """Why this certificate can't sign a statement, or None. RFC 5280 §4.2.1.3, §4.2.1.12."""
    key_usage = extension_of(signer, x509.KeyUsage)
    if key_usage is not None and not (
        key_usage.value.digital_signature or key_usage.value.content_commitment
    ):
        return "a key usage without digitalSignature and nonRepudiation"
    purposes = extended_key_usage(signer)
    if purposes is not None and not _allows_documents(purposes):
        return f"the purposes {', '.join(sorted(purposes))}"
    return None


def _allows_documents(purposes: frozenset[str]) -> bool:
    """Authorities name many purposes for people's signatures, so only what is surely none is refused."""
    return bool(purposes - MACHINES)


DOCUMENTS = Purpose(name="a purpose for documents", signer_flaw=_document_flaw, issuer_may=_allows_documents)
