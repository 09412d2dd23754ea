"""What a token must be, whoever made it: steps (2) to (9) of `verify`. RFC 3161 §2.4, RFC 5652, RFC 5816.

No trust is needed here: each function compares the token with itself, with the statement, with the request,
or with the certificate that its signer names. Failures are VerificationError with the rule and its section;
an algorithm that this verifier doesn't know raises UnknownAlgorithm, which `verify` turns into
Indeterminate.
"""

from collections.abc import Mapping, Sequence

from anchors.base import Indeterminate
from anchors.errors import VerificationError
from anchors.rfc3161.algorithms import (
    DIGEST_SIZES,
    AlgorithmIdentifier,
    UnknownAlgorithm,
    digest,
    hash_name,
    read_algorithm,
    signature_hash,
    verify_signature,
)
from anchors.rfc3161.certificate import Certificate, same_name
from anchors.rfc3161.cms import SignerInfo
from anchors.rfc3161.der import Reader, context_constructed, parse_whole
from anchors.rfc3161.ess import (
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    CertificateId,
    parse_signing_certificate,
)
from anchors.rfc3161.purpose import time_stamping_flaw
from anchors.rfc3161.token import TimeStampToken, parse_request

CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"

CertificateIds = tuple[tuple[CertificateId, ...], ...]


def one_signer(token: TimeStampToken) -> SignerInfo:
    """The signer, of which there must be exactly one: a second could speak for someone else."""
    if len(token.signers) != 1:
        raise VerificationError("RFC 3161 §2.4.2 signerInfos", "one signer", len(token.signers))
    return token.signers[0]


def check_attributes(
    signer: SignerInfo,
    *,
    content_type: str,
    content: bytes,
    digest_algorithms: Sequence[AlgorithmIdentifier],
) -> None:
    """The signed attributes bind the content: its type, and its digest. RFC 5652 §5.3, §11.

    Without them the signature would be over the content itself, and a signature over attributes could be
    passed off as one over content.
    """
    if signer.signed_attributes is None:
        raise VerificationError("RFC 5652 §5.3 signedAttrs", "signed attributes", "none")
    check = "RFC 5652 §11.1 contentType"
    stated_type = _value(signer, CONTENT_TYPE, check).oid("value")
    if stated_type != content_type:
        raise VerificationError(check, content_type, stated_type)
    name = hash_name(signer.digest_algorithm)
    if name is None:
        raise UnknownAlgorithm(f"digest algorithm {signer.digest_algorithm.oid}")
    if signer.digest_algorithm not in digest_algorithms:
        raise VerificationError("RFC 5652 §5.1 digestAlgorithms", f"a list with {name}", "one without")
    check = "RFC 5652 §11.2 messageDigest"
    stated, actual = _value(signer, MESSAGE_DIGEST, check).octets("value"), digest(name, content)
    if stated != actual:
        raise VerificationError(check, actual, stated)


def certificate_ids(signer: SignerInfo) -> CertificateIds:
    """The signed lists of certificate ids, of version 1, 2 or both, none empty. RFC 5816 §2.2."""
    check = "RFC 5816 §2.2 SigningCertificate"
    found: list[tuple[CertificateId, ...]] = []
    for oid, version in ((SIGNING_CERTIFICATE_V2, 2), (SIGNING_CERTIFICATE, 1)):
        if oid in signer.attributes:
            ids = parse_signing_certificate(_once(signer, oid, check), version=version)
            if not ids:
                raise VerificationError(check, "a certificate id", "an empty list")
            found.append(ids)
    if not found:
        raise VerificationError(check, "the attribute", "none")
    return tuple(found)


def check_imprint(token: TimeStampToken, digests: Mapping[str, bytes]) -> Indeterminate | None:
    """The imprint is the statement's digest; Indeterminate if we don't have that kind of digest of it."""
    name, imprint = token.imprint_algorithm, token.imprint
    if name not in DIGEST_SIZES:
        return Indeterminate(
            sub_indication="CRYPTO_CONSTRAINTS_FAILURE",
            reason=f"this verifier doesn't know the imprint algorithm {name}",
        )
    if len(imprint) != DIGEST_SIZES[name]:
        raise VerificationError("RFC 3161 §2.4.1 imprint length", DIGEST_SIZES[name], len(imprint))
    if name not in digests:
        return Indeterminate(
            sub_indication="SIGNED_DATA_NOT_FOUND",
            reason=f"the imprint is a {name} digest, and that digest of the statement is not at hand",
        )
    if imprint != digests[name]:
        raise VerificationError(f"RFC 3161 §2.4.2 {name} imprint", digests[name], imprint)
    return None


def check_request(token: TimeStampToken, request_der: bytes) -> None:
    """The token answers this request. RFC 3161 §2.4.1, §2.4.2."""
    request = parse_request(request_der)
    asked, given = ((one.imprint_algorithm, one.imprint.hex()) for one in (request, token))
    for check, expected, found in (
        ("RFC 3161 §2.4.2 messageImprint of the request", asked, given),
        ("RFC 3161 §2.4.2 nonce of the request", request.nonce, token.nonce),
        ("RFC 3161 §2.4.2 policy of the request", request.policy, token.policy),
    ):
        if expected is not None and expected != found:
            raise VerificationError(check, expected, found)
    if request.wants_certificate and not token.embedded_certificates:
        raise VerificationError("RFC 3161 §2.4.1 certReq", "the signer's certificate", "none")


def find_signer(
    signer: SignerInfo, ids: CertificateIds, candidates: Sequence[Certificate]
) -> Certificate | None:
    """The candidate that the signer's sid and all its certificate ids name; None if none has the sid.

    Only the sid and the signed ids decide: position in the bag, or a subject that looks right, never do.
    """
    named = [one for one in candidates if _has_sid(one, signer)]
    if not named:
        return None
    for one in named:
        if all(listed[0].names(one) for listed in ids):
            return one
    listed = next(listed for listed in ids if not listed[0].names(named[0]))
    found = digest(listed[0].hash_name, named[0].der)
    raise VerificationError("RFC 5035 §5.4 ESSCertID of the signer", listed[0].cert_hash, found)


def check_signature(signer: SignerInfo, certificate: Certificate) -> None:
    """The certificate's key signed the attributes as sent. RFC 5652 §5.4, §5.6; RFC 6211 where used."""
    digest_name = hash_name(signer.digest_algorithm)
    if (own := signature_hash(signer.signature_algorithm)) not in (None, digest_name):
        raise VerificationError("RFC 5652 §5.3 signatureAlgorithm", f"one with {digest_name}", own)
    if ALGORITHM_PROTECTION in signer.attributes:
        _check_protection(signer)
    if certificate.public_key is None:
        raise UnknownAlgorithm(f"the public key of {certificate.subject_text!r}")
    assert signer.signed_attributes is not None
    good = verify_signature(
        certificate.public_key,
        signer.signature_algorithm,
        signature=signer.signature,
        signed=signer.signed_attributes,
        digest_name=digest_name,
    )
    if not good:
        raise VerificationError("RFC 5652 §5.6 signature", f"one by {certificate.subject_text!r}", "another")


def unnamed_on_path(ids: CertificateIds, path: Sequence[Certificate]) -> Certificate | None:
    """A certificate between signer and root that the ids leave out, or None.

    More than one certificate id limits the path to certificates so named (RFC 5035 §5.4); the root is ours.
    """
    for listed in ids:
        for one in path[1:-1] if len(listed) > 1 else ():
            if not any(each.names(one) for each in listed):
                return one
    return None


def algorithms_used(signer: SignerInfo, ids: CertificateIds, path: Sequence[Certificate]) -> frozenset[str]:
    """What the signature relies on: the digest, the certificate ids, each signature and key of the path.

    A root's own signature, and the SHA-1 of certificate ids that names and numbers confirm, carry nothing.
    """
    names = {hash_name(signer.digest_algorithm)}
    names |= {listed[0].relies_on(sid_names_issuer=signer.issuer is not None) for listed in ids}
    names |= {signature_hash(one.signature_algorithm) for one in path[:-1]}
    names |= {one.public_key.name for one in path if one.public_key is not None}
    return frozenset(name for name in names if name is not None)


def check_purpose(token: TimeStampToken, signer: Certificate) -> None:
    """The certificate is for time-stamping alone, and belongs to the authority that TSTInfo names."""
    if (flaw := time_stamping_flaw(signer)) is not None:
        raise VerificationError("RFC 3161 §2.3 extended key usage", "critical, only timeStamping", flaw)
    if token.tsa is None:
        return
    name = Reader(token.tsa, "TSTInfo.tsa").any("generalName")
    named = name.tag == context_constructed(4) and same_name(name.contents, signer.subject)
    if not named and not signer.has_alternative_name(token.tsa):
        raise VerificationError("RFC 3161 §2.4.2 tsa", f"a name of {signer.subject_text!r}", "another")


def _has_sid(certificate: Certificate, signer: SignerInfo) -> bool:
    if signer.issuer is not None:
        # Nobody signed the sid, so it is compared byte by byte: one spelling, no second that verifies too.
        return (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number)
    return certificate.key_identifier == signer.subject_key_identifier


def _check_protection(signer: SignerInfo) -> None:
    """CMSAlgorithmProtection ::= SEQUENCE { digestAlgorithm, [1] signatureAlgorithm … }. RFC 6211 §2."""
    check = "RFC 6211 §2 algorithm protection"
    reader = parse_whole(_once(signer, ALGORITHM_PROTECTION, check), 0x30, "CMSAlgorithmProtection")
    found = (
        read_algorithm(reader, "digestAlgorithm"),
        read_algorithm(reader, "signatureAlgorithm", context_constructed(1)),
    )
    reader.end()
    if found != (signer.digest_algorithm, signer.signature_algorithm):
        raise VerificationError(check, signer.digest_algorithm.oid, found[0].oid)


def _once(signer: SignerInfo, oid: str, check: str) -> bytes:
    """The one value of a signed attribute (RFC 5652 §11: no second instance, no second value)."""
    values = signer.attributes.get(oid, ())
    if len(values) != 1:
        raise VerificationError(check, "the attribute, with one value", f"{len(values)} values")
    return values[0]


def _value(signer: SignerInfo, oid: str, check: str) -> Reader:
    return Reader(_once(signer, oid, check), check)
