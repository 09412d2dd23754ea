"""Every vector gives its expected verdict, with the check that catches it."""

from pathlib import Path

import pytest

from anchors.base import Indeterminate
from anchors.errors import FormatError, VerificationError
from anchors.rfc3161.verdict import VerifiedToken
from tests.anchors.rfc3161.vector_cases import Case, real_cases, synthetic_cases

# What catches each bad vector: the check or place of the error, or the sub-indication.
CAUGHT_BY = {
    "sigstore-staging-2025-bad-signature.tsr": "RFC 5652 §5.6 signature",
    "notary-TimeStampTokenWithInvalidSignature.tst": "RFC 5652 §5.6 signature",
    "notary-TimeStampTokenWithMismatchCertHash.tst": "RFC 5035 §5.4 ESSCertID of the signer",
    "notary-TimeStampTokenWithSHA1CertHash.tst": "RFC 5035 §5.4 ESSCertID of the signer",
    "notary-TimeStampTokenWithoutSigningCertificate.tst": "RFC 5816 §2.2 SigningCertificate",
    "notary-TimeStampTokenWithoutCertificate.tst": "NO_SIGNING_CERTIFICATE_FOUND",
    "notary-TimeStampTokenWithValidAndInvalidSignerInfos.tst": "RFC 3161 §2.4.2 signerInfos",
    "notary-TimeStampTokenWithTSTInfoVersion2.tst": "TSTInfo.version",
    "notary-TimeStampTokenWithInvalidTSTInfo.tst": "TSTInfo.genTime",
    "notary-TimeStampTokenWithInvalideContentType.tst": (
        "TimeStampToken.content.signedData.encapContentInfo.eContentType"
    ),
    "notary-SHA1TimeStampToken.tst": "RFC 5652 §11.2 messageDigest",
    "notary-TimeStampTokenWithSigningCertificateV2NoCert.tst": "RFC 5816 §2.2 SigningCertificate",
    # Not removed, in fact: the attribute set is there and empty.
    "notary-TimeStampTokenWithoutSignedAttributes.tst": "RFC 5652 §11.1 contentType",
    "notary-TimeStampTokenWithoutSigner.tst": "RFC 3161 §2.4.2 signerInfos",
    "notary-TimeStampTokenWithInvalidCertificates.tst": "certificate",
    "notary-TimeStampTokenWithoutSignedAttributeDigest.tst": "RFC 5652 §11.2 messageDigest",
    "digitorus-rejection.tsr": "RFC 3161 §2.4.2 status",
    "notary-rejection.tsr": "RFC 3161 §2.4.2 status",
    "15-signer-without-eku.tsr": "RFC 3161 §2.3 extended key usage",
    "16-eku-not-critical.tsr": "RFC 3161 §2.3 extended key usage",
    "17-eku-codesigning-only.tsr": "RFC 3161 §2.3 extended key usage",
    "18-eku-timestamping-codesigning-rfc-only-one.tsr": "RFC 3161 §2.3 extended key usage",
    "19-self-signed-unknown-tsa-cert.tsr": "NO_CERTIFICATE_CHAIN_FOUND",
    "20-tsa-from-untrusted-ca-chain-embedded.tsr": "NO_CERTIFICATE_CHAIN_FOUND",
    "21-impostor-cert-same-issuer-serial-subject-self-key.tsr": "NO_CERTIFICATE_CHAIN_FOUND",
    "22-wrong-nonce.tsr": "RFC 3161 §2.4.2 nonce of the request",
    "23-nonce-missing.tsr": "RFC 3161 §2.4.2 nonce of the request",
    "24-different-imprint.tsr": "RFC 3161 §2.4.2 sha256 imprint",
    "25-gentime-altered-after-signing.tsr": "RFC 5652 §11.2 messageDigest",
    "26-tsa-cert-expired-at-gentime.tsr": "OUT_OF_BOUNDS_NO_POE",
    "27-tsa-cert-not-yet-valid-at-gentime.tsr": "OUT_OF_BOUNDS_NO_POE",
    "28-gentime-in-the-future-10-y-cert-ends.tsr": "RFC 3161 §2.4.2 genTime",
    "29-gentime-1-day-in-the-future.tsr": "RFC 3161 §2.4.2 genTime",
    "30-status-rejection-valid-token-attached.tsr": "RFC 3161 §2.4.2 status",
    "31-status-rejection-no-token.tsr": "RFC 3161 §2.4.2 status",
    "32-status-waiting-no-token.tsr": "RFC 3161 §2.4.2 status",
    "33-trailing-garbage-after-response.tsr": "TimeStampResp",
    "34-wrong-policy.tsr": "RFC 3161 §2.4.2 policy of the request",
    "35-esscertid-attribute-missing.tsr": "RFC 5816 §2.2 SigningCertificate",
    "36-esscertidv2-hash-of-another-cert.tsr": "RFC 5035 §5.4 ESSCertID of the signer",
    "37-messagedigest-attr-missing.tsr": "RFC 5652 §11.2 messageDigest",
    "38-messagedigest-attr-wrong.tsr": "RFC 5652 §11.2 messageDigest",
    "39-contenttype-attr-missing.tsr": "RFC 5652 §11.1 contentType",
    "40-contenttype-attr-data.tsr": "RFC 5652 §11.1 contentType",
    "41-econtenttype-data.tsr": "TimeStampToken.content.signedData.encapContentInfo.eContentType",
    "42-no-signedattrs-direct-sig-over-tstinfo.tsr": "RFC 5652 §5.3 signedAttrs",
    "43-two-signerinfos-2nd-from-evil.tsr": "RFC 3161 §2.4.2 signerInfos",
    "44-evil-signer-genuine-tsa-cert-root-injected.tsr": "NO_CERTIFICATE_CHAIN_FOUND",
    "45-signature-bit-flipped.tsr": "RFC 5652 §5.6 signature",
    "46-sha-1-signature-digest.tsr": "CRYPTO_CONSTRAINTS_FAILURE",
    "47-sha-1-imprint.tsr": "CRYPTO_CONSTRAINTS_FAILURE",
    "48-imprint-oid-sm3-but-bytes-sha-256-doc.tsr": "RFC 3161 §2.4.2 sm3 imprint",
    "49-imprint-oid-sha3-256-but-bytes-sha-256-doc.tsr": "RFC 3161 §2.4.2 sha3-256 imprint",
    "50-imprint-oid-sha512-but-32-bytes.tsr": "RFC 3161 §2.4.1 imprint length",
}


def caught_by(case: Case) -> str:
    """The name of what refuses the case, or `verified`."""
    try:
        verdict = case.verify()
    except VerificationError as error:
        return error.check
    except FormatError as error:
        return error.place
    return verdict.sub_indication if isinstance(verdict, Indeterminate) else "verified"


def test_vectors_are_all_there(vectors: Path) -> None:
    assert (vectors / "rfc3161").is_dir()
    assert len(real_cases()) == 30
    assert len(synthetic_cases()) == 51


@pytest.mark.parametrize("case", [*real_cases(), *synthetic_cases()])
def test_verify_vector_gives_the_expected_verdict(case: Case) -> None:
    good = case.expected in ("valid", "valid-but")
    assert caught_by(case) == ("verified" if good else CAUGHT_BY[case.path.name])


@pytest.mark.parametrize("case", [case for case in real_cases() if case.values[0].expected == "valid"])
def test_verify_real_token_reports_what_the_index_says(case: Case) -> None:
    verdict = case.verify()
    assert isinstance(verdict, VerifiedToken)
    assert verdict.gen_time.isoformat() == case.entry["gen_time"]
    assert verdict.policy == case.entry["policy"]
    assert verdict.good_at(verdict.gen_time)
    assert not verdict.good_at(verdict.path_valid_until.replace(year=verdict.path_valid_until.year + 1))


def test_verify_names_the_signer_not_an_injected_certificate(vectors: Path) -> None:
    case = next(p.values[0] for p in real_cases() if p.id == "sigstore-local-injected-certs.tsr")
    verdict = case.verify()
    assert isinstance(verdict, VerifiedToken)
    assert "Test TSA Timestamping" in verdict.signer_subject
