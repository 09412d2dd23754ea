"""What carried CRLs and OCSP responses say about a path. RFC 5280 §5 and §6.3, RFC 6960.

Evidence is the prover's: it counts when the issuer on the (already trusted) path signed it, or a responder
that this issuer appointed. Evidence about other certificates is passed over; malformed evidence raises
FormatError.

Stricter than RFC 3161 §4.1: a revocation counts whatever its reason, from the earlier of the revocation date
and the invalidity date; only proof that the token existed before then helps. An OCSP `unknown` shows nothing.
Deliberately not checked: whether an appointed OCSP responder was revoked itself.
Not supported, hence no evidence: indirect CRLs, delta CRLs, CRLs for some reasons only, evidence from a CA
under another name or key than the path's.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from anchors.base import Indeterminate
from anchors.errors import FormatError
from anchors.rfc3161.algorithms import (
    DIGEST_SIZES,
    AlgorithmIdentifier,
    UnknownAlgorithm,
    digest,
    read_algorithm,
    verify_signature,
)
from anchors.rfc3161.certificate import (
    X509_ERRORS,
    Certificate,
    extension_of,
    is_signed_by,
    load_certificate,
    read_bit_string,
    without_warnings,
)
from anchors.rfc3161.der import OCTET_STRING, SEQUENCE, Reader, context_constructed, parse_whole
from anchors.values import value

# CRLs of time-stamping authorities have 0.5 to 50 kB; a general CA's may have megabytes.
MAX_EVIDENCE_BYTES = 4 * 1024 * 1024
MAX_EVIDENCE = 32
OCSP_BASIC = "1.3.6.1.5.5.7.48.1.1"


@value
class RevocationFinding:
    """What the evidence says about a path.

    revoked_at: the earliest revocation shown, of `subject`; None if none. checked: every certificate of the
    path but the root is covered by evidence that was current at the moment, or made later.
    """

    revoked_at: datetime | None
    subject: str | None
    checked: bool

    def by(self, gen_time: datetime) -> Indeterminate | None:
        """What a token of this time is worth, if a certificate was revoked by then; else None."""
        if self.revoked_at is None or self.revoked_at > gen_time:
            return None
        return Indeterminate(
            sub_indication="REVOKED_NO_POE",
            reason=f"{self.subject!r} was revoked at {self.revoked_at}, gen_time is {gen_time}",
        )


@value
class Status:
    """What one piece of evidence says about one certificate, by its issuer's word."""

    revoked_at: datetime | None
    this_update: datetime
    next_update: datetime | None

    def covers(self, moment: datetime, certificate: Certificate) -> bool:
        """Later evidence covers too, unless it is so late that an expired entry may have been dropped."""
        if self.this_update > certificate.not_after:
            return False
        return self.this_update >= moment or (self.next_update is not None and moment <= self.next_update)


def judge_revocation(
    path: tuple[Certificate, ...], *, evidence: Sequence[bytes], moment: datetime
) -> RevocationFinding:
    """Judge every certificate of a trusted path but its root. Raises FormatError."""
    if len(evidence) > MAX_EVIDENCE:
        raise FormatError("revocation", f"at most {MAX_EVIDENCE} pieces of evidence", len(evidence))
    earliest: tuple[datetime, str] | None = None
    covered = 0
    for certificate, issuer in pairwise(path):
        statuses = [
            status for der in evidence if (status := read_status(der, certificate, issuer)) is not None
        ]
        for status in statuses:
            if status.revoked_at is not None and (earliest is None or status.revoked_at < earliest[0]):
                earliest = (status.revoked_at, certificate.subject_text)
        covered += any(status.covers(moment, certificate) for status in statuses)
    return RevocationFinding(
        revoked_at=earliest[0] if earliest else None,
        subject=earliest[1] if earliest else None,
        checked=covered == len(path) - 1 and covered > 0,
    )


def read_status(der: bytes, certificate: Certificate, issuer: Certificate) -> Status | None:
    """What a CRL or an OCSP response says about a certificate; None if nothing that counts. Raises FormatError.

    issuer: the certificate's, on a path that is trusted.
    """
    if len(der) > MAX_EVIDENCE_BYTES:
        raise FormatError("revocation", f"at most {MAX_EVIDENCE_BYTES} bytes", len(der))
    inside = parse_whole(der, SEQUENCE, "revocation")
    # An OCSPResponse begins with an ENUMERATED status, a CertificateList with a SEQUENCE.
    if inside.next_is(SEQUENCE):
        return _crl_status(_load_crl(der), certificate, issuer)
    try:
        with without_warnings():
            return _ocsp_status(der, inside, certificate, issuer)
    except X509_ERRORS as error:
        raise FormatError("OCSP", "an OCSP response (RFC 6960 §4.2)", str(error)) from error


@value
class _Crl:
    parsed: x509.CertificateRevocationList
    tbs: bytes
    issuer: bytes
    algorithm: AlgorithmIdentifier
    signature: bytes


@lru_cache(maxsize=32)
def _load_crl(der: bytes) -> _Crl:
    outer = parse_whole(der, SEQUENCE, "CRL")
    tbs = outer.element(SEQUENCE, "tbsCertList")
    algorithm = read_algorithm(outer, "signatureAlgorithm")
    signature = read_bit_string(outer, "signatureValue")
    outer.end()
    inside = Reader(tbs.contents, "CRL.tbsCertList")
    if not inside.next_is(SEQUENCE):
        inside.integer("version")
    if read_algorithm(inside, "signature") != algorithm:
        raise FormatError("CRL.signatureAlgorithm", "the one inside (RFC 5280 §5.1.1.2)", "another")
    issuer = inside.element(SEQUENCE, "issuer").encoded
    try:
        with without_warnings():
            parsed = x509.load_der_x509_crl(der)
            _ = parsed.extensions, parsed.last_update_utc, parsed.next_update_utc
    except X509_ERRORS as error:
        raise FormatError("CRL", "a certificate revocation list (RFC 5280 §5)", str(error)) from error
    return _Crl(parsed=parsed, tbs=tbs.encoded, issuer=issuer, algorithm=algorithm, signature=signature)


def _crl_status(crl: _Crl, certificate: Certificate, issuer: Certificate) -> Status | None:
    key_usage = extension_of(issuer, x509.KeyUsage)
    if crl.issuer != certificate.issuer or (key_usage is not None and not key_usage.value.crl_sign):
        return None
    if not _in_scope(crl.parsed, certificate) or not _signed(issuer, crl.algorithm, crl.signature, crl.tbs):
        return None
    revoked_at = None
    try:
        entry = crl.parsed.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None:
            revoked_at = _entry_time(entry)
    except X509_ERRORS as error:
        raise FormatError("CRL.revokedCertificates", "entries (RFC 5280 §5.3)", str(error)) from error
    return Status(
        revoked_at=revoked_at,
        this_update=crl.parsed.last_update_utc,
        next_update=crl.parsed.next_update_utc,
    )


def _in_scope(crl: x509.CertificateRevocationList, certificate: Certificate) -> bool:
    """Whether the CRL would list this certificate. RFC 5280 §6.3.3 (b), without indirect and delta CRLs."""
    for extension in crl.extensions:
        point = extension.value
        if isinstance(point, x509.IssuingDistributionPoint):
            basic = extension_of(certificate, x509.BasicConstraints)
            is_authority = basic is not None and basic.value.ca
            if point.indirect_crl or point.only_contains_attribute_certs or point.only_some_reasons:
                return False
            if point.only_contains_user_certs and is_authority:
                return False
            if point.only_contains_ca_certs and not is_authority:
                return False
            if point.relative_name is not None or not _point_named(point, certificate):
                return False
        elif extension.critical:
            return False
    return True


def _point_named(point: x509.IssuingDistributionPoint, certificate: Certificate) -> bool:
    if point.full_name is None:
        return True
    points = extension_of(certificate, x509.CRLDistributionPoints)
    named = [name for one in (points.value if points else ()) for name in one.full_name or ()]
    return any(name in named for name in point.full_name)


def _entry_time(entry: x509.RevokedCertificate) -> datetime:
    try:
        invalid = entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc
    except x509.ExtensionNotFound:
        return entry.revocation_date_utc
    return min(invalid, entry.revocation_date_utc)


def _ocsp_status(der: bytes, inside: Reader, certificate: Certificate, issuer: Certificate) -> Status | None:
    response = ocsp.load_der_ocsp_response(der)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return None
    algorithm, appointed = _ocsp_signature(inside)
    if any(extension.critical for extension in response.extensions):
        return None
    responders = [issuer]
    for one in map(load_certificate, appointed):
        if _is_appointed(one, issuer, response.produced_at_utc):
            responders.append(one)
    signature, tbs = response.signature, response.tbs_response_bytes
    if not any(_signed(responder, algorithm, signature, tbs) for responder in responders):
        return None
    for single in response.responses:
        if _is_about(single, certificate, issuer):
            if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
                return None
            return Status(
                revoked_at=single.revocation_time_utc,
                this_update=single.this_update_utc,
                next_update=single.next_update_utc,
            )
    return None


def _is_appointed(responder: Certificate, issuer: Certificate, produced_at: datetime) -> bool:
    """Whether the issuer made this certificate for answering in its name. RFC 6960 §4.2.2.2."""
    usage = extension_of(responder, x509.ExtendedKeyUsage)
    return (
        responder.issuer == issuer.subject
        and usage is not None
        and ExtendedKeyUsageOID.OCSP_SIGNING in usage.value
        and responder.not_before <= produced_at <= responder.not_after
        and is_signed_by(responder, issuer)
    )


def _ocsp_signature(inside: Reader) -> tuple[AlgorithmIdentifier, list[bytes]]:
    """The signature algorithm of a BasicOCSPResponse and the certificates beside it. RFC 6960 §4.2.1."""
    inside.any("responseStatus")
    explicit = inside.inside(context_constructed(0), "responseBytes")
    inside.end()
    response_bytes = explicit.sequence("responseBytes")
    if (kind := response_bytes.oid("responseType")) != OCSP_BASIC:
        raise FormatError("OCSP.responseType", OCSP_BASIC, kind)
    basic = parse_whole(response_bytes.element(OCTET_STRING, "response").contents, SEQUENCE, "OCSP")
    basic.element(SEQUENCE, "tbsResponseData")
    algorithm = read_algorithm(basic, "signatureAlgorithm")
    read_bit_string(basic, "signature")
    certificates: list[bytes] = []
    if wrapped := basic.optional_inside(context_constructed(0), "certs"):
        listed = wrapped.sequence("certs")
        while listed.more and len(certificates) < MAX_EVIDENCE:
            certificates.append(listed.element(SEQUENCE, "certificate").encoded)
    return algorithm, certificates


def _is_about(single: ocsp.OCSPSingleResponse, certificate: Certificate, issuer: Certificate) -> bool:
    name = single.hash_algorithm.name
    return (
        name in DIGEST_SIZES
        and single.serial_number == certificate.serial_number
        and single.issuer_name_hash == digest(name, certificate.issuer)
        and single.issuer_key_hash == digest(name, issuer.key_octets)
    )


def _signed(signer: Certificate, algorithm: AlgorithmIdentifier, signature: bytes, signed: bytes) -> bool:
    if signer.public_key is None:
        return False
    try:
        return verify_signature(signer.public_key, algorithm, signature=signature, signed=signed)
    except UnknownAlgorithm:
        return False
