from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from anchors.errors import FormatError
from anchors.rfc3161.revocation import RevocationFinding, judge_revocation
from tests.anchors.rfc3161.conftest import NOW as MOMENT
from tests.anchors.rfc3161.pki import YEAR, Holder, authority, issue, key_usage, signer

# Revocation is dated to the second.
NOW = MOMENT.replace(microsecond=0)
DAY = timedelta(days=1)
ROOT = authority("Root")
MIDDLE = authority("Middle", ROOT)
LEAF = signer(MIDDLE)


def crl(
    issuer: Holder,
    revoked: Holder | None = None,
    *,
    revoked_at: datetime = NOW + DAY,
    this_update: datetime = NOW + 2 * DAY,
    next_update: datetime | None = None,
    invalid_since: datetime | None = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    key: Holder | None = None,
) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.x509.subject)
        .last_update(this_update)
        .next_update(next_update or this_update + 7 * DAY)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    if revoked is not None:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(revoked.x509.serial_number)
            .revocation_date(revoked_at)
        )
        if invalid_since is not None:
            entry = entry.add_extension(x509.InvalidityDate(invalid_since), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    signed = builder.sign((key or issuer).key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def ocsp_response(
    certificate: Holder,
    issuer: Holder,
    *,
    responder: Holder | None = None,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    this_update: datetime = NOW + DAY,
    revoked_at: datetime | None = None,
) -> bytes:
    answering = responder or issuer
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=certificate.x509,
            issuer=issuer.x509,
            algorithm=hashes.SHA1(),
            cert_status=status,
            this_update=this_update,
            next_update=this_update + 7 * DAY,
            revocation_time=revoked_at,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, answering.x509)
    )
    if responder is not None:
        builder = builder.certificates([responder.x509])
    return builder.sign(answering.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def judge(*evidence: bytes, path: tuple[Holder, ...] = (LEAF, MIDDLE, ROOT)) -> RevocationFinding:
    return judge_revocation(tuple(one.certificate for one in path), evidence=evidence, moment=NOW)


def test_judge_without_evidence_has_checked_nothing() -> None:
    assert judge() == RevocationFinding(revoked_at=None, subject=None, checked=False)
    assert not judge(path=(LEAF,)).checked


def test_judge_is_complete_when_every_certificate_but_the_root_is_covered() -> None:
    assert not judge(crl(MIDDLE)).checked
    assert judge(crl(MIDDLE), crl(ROOT)).checked
    assert judge(ocsp_response(LEAF, MIDDLE), crl(ROOT)).checked


@pytest.mark.parametrize("which", [LEAF, MIDDLE], ids=["signer", "issuer"])
def test_judge_finds_a_revocation_anywhere_on_the_path(which: Holder) -> None:
    issuer = MIDDLE if which is LEAF else ROOT
    finding = judge(crl(issuer, which))
    assert finding.revoked_at == NOW + DAY
    assert finding.subject == which.certificate.subject_text
    revoked = ocsp_response(which, issuer, status=ocsp.OCSPCertStatus.REVOKED, revoked_at=NOW + DAY)
    assert judge(revoked).revoked_at == NOW + DAY


def test_judge_takes_the_earliest_date_and_the_invalidity_date() -> None:
    late, early = crl(MIDDLE, LEAF), crl(MIDDLE, LEAF, revoked_at=NOW + DAY / 2)
    assert judge(late, early).revoked_at == NOW + DAY / 2
    assert judge(crl(MIDDLE, LEAF, invalid_since=NOW - DAY)).revoked_at == NOW - DAY


def test_judge_passes_over_evidence_that_is_not_the_issuers() -> None:
    other = authority("Middle")
    forged = crl(MIDDLE, LEAF, key=other)
    assert judge(forged) == judge()
    assert judge(crl(other, LEAF)) == judge()
    assert judge(ocsp_response(LEAF, MIDDLE, responder=other)) == judge()


def test_judge_wants_crl_sign_where_usage_is_limited() -> None:
    middle = authority("Middle", ROOT, usage=key_usage(issues=True))
    leaf = signer(middle)
    assert judge(crl(middle, leaf), path=(leaf, middle, ROOT)).revoked_at is None


@pytest.mark.parametrize(
    ("this_update", "next_update", "covers"),
    [
        (NOW - DAY, NOW + DAY, True),
        (NOW - 2 * DAY, NOW - DAY, False),
        (NOW + DAY, NOW + 2 * DAY, True),
        # After expiry an authority may have dropped the entry.
        (NOW + 2 * YEAR, NOW + 3 * YEAR, False),
    ],
)
def test_judge_counts_evidence_that_was_current_or_later(
    this_update: datetime, next_update: datetime, covers: bool
) -> None:
    evidence = crl(MIDDLE, this_update=this_update, next_update=next_update)
    assert judge(evidence, crl(ROOT)).checked is covers


def point(**scope: object) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    nothing: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return ((x509.IssuingDistributionPoint(**{**nothing, **scope}), True),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        ({"only_contains_user_certs": True}, True),
        ({"only_contains_ca_certs": True}, False),
        ({"indirect_crl": True}, False),
        ({"only_some_reasons": frozenset({x509.ReasonFlags.key_compromise})}, False),
        ({"full_name": [x509.UniformResourceIdentifier("http://a.example/c")]}, False),
    ],
)
def test_judge_keeps_to_the_scope_of_a_crl(scope: dict[str, object], covers: bool) -> None:
    assert judge(crl(MIDDLE, extensions=point(**scope)), crl(ROOT)).checked is covers


def test_judge_matches_the_distribution_point_of_the_certificate() -> None:
    name = [x509.UniformResourceIdentifier("http://a.example/c")]
    points = x509.CRLDistributionPoints([x509.DistributionPoint(name, None, None, None)])
    leaf = signer(MIDDLE, extra=[(points, False)])
    evidence = crl(MIDDLE, extensions=point(full_name=name))
    assert judge(evidence, crl(ROOT), path=(leaf, MIDDLE, ROOT)).checked


def test_judge_refuses_a_delta_crl_as_evidence() -> None:
    delta = ((x509.DeltaCRLIndicator(1), True),)
    assert not judge(crl(MIDDLE, extensions=delta), crl(ROOT)).checked


def appointed(issuer: Holder, *, usage: bool = True, until: datetime = NOW + YEAR) -> Holder:
    purposes = [ExtendedKeyUsageOID.OCSP_SIGNING if usage else ExtendedKeyUsageOID.TIME_STAMPING]
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.ExtendedKeyUsage(purposes), False)]
    # OCSP's producedAt is the machine's own clock, hence a wide window.
    return issue("Responder", issuer, extensions=extensions, not_before=NOW - 30 * YEAR, not_after=until)


def test_judge_believes_a_responder_that_the_issuer_appointed() -> None:
    good = appointed(MIDDLE, until=NOW + 30 * YEAR)
    assert judge(ocsp_response(LEAF, MIDDLE, responder=good), crl(ROOT)).checked
    for bad in (
        appointed(MIDDLE, usage=False, until=NOW + 30 * YEAR),
        appointed(ROOT, until=NOW + 30 * YEAR),
        appointed(MIDDLE, until=NOW - 20 * YEAR),
    ):
        assert not judge(ocsp_response(LEAF, MIDDLE, responder=bad), crl(ROOT)).checked


def test_judge_learns_nothing_from_unknown_or_unsuccessful() -> None:
    unknown = ocsp_response(LEAF, MIDDLE, status=ocsp.OCSPCertStatus.UNKNOWN)
    busy = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    assert judge(unknown) == judge()
    assert judge(busy.public_bytes(serialization.Encoding.DER)) == judge()


@pytest.mark.parametrize("evidence", [b"", b"crl", b"\x30\x00", b"\x30\x03\x0a\x01\x00", bytes(4_200_000)])
def test_judge_refuses_malformed_evidence(evidence: bytes) -> None:
    with pytest.raises(FormatError):
        judge(evidence)


def test_judge_refuses_too_much_evidence() -> None:
    with pytest.raises(FormatError, match="at most 32"):
        judge(*[crl(MIDDLE)] * 33)
