"""Other people's verifiers on the same vectors, and why we differ where we do.

Each table names the vectors on which a tool and we disagree, with the reason. Everywhere else both must agree,
so that a change of either side shows up here.
"""

from datetime import datetime
from pathlib import Path

import pytest
import rfc3161_client
from cryptography import x509

from anchors.base import Indeterminate
from anchors.errors import FormatError, VerificationError
from anchors.rfc3161.certificate import Certificate, load_certificate, parse_chain
from anchors.rfc3161.der import SEQUENCE, encode_integer, tlv
from anchors.rfc3161.token import parse_request, parse_response, parse_token
from tests.anchors.rfc3161.judges import openssl_accepts
from tests.anchors.rfc3161.vector_cases import Case, real_cases, synthetic_cases

# openssl ts -verify (3.0) says the opposite of us, and why we are right.
OPENSSL_REFUSES = {
    "09-good-ed25519-signer.tsr": "its PKCS #7 code knows no EdDSA (RFC 8419)",
    "10-good-rsa-pss-signer.tsr": "its PKCS #7 code takes PSS for PKCS #1 v1.5 (RFC 4056)",
    "dtrust-2018-rsassa-pss.tst": "the same; its own `cms -verify` accepts this token",
}
OPENSSL_ACCEPTS = {
    "29-gentime-1-day-in-the-future.tsr": "compares gen_time with no clock",
    "33-trailing-garbage-after-response.tsr": "ignores bytes after the response, which nobody signed",
    "39-contenttype-attr-missing.tsr": "RFC 5652 §11.1: contentType must be among signed attributes",
    "40-contenttype-attr-data.tsr": "RFC 5652 §11.1: contentType must be that of the content",
    "46-sha-1-signature-digest.tsr": "has no policy against SHA-1 at its default security level",
    "47-sha-1-imprint.tsr": "has no policy against SHA-1 imprints",
}

# rfc3161-client (1.0) with the signer's certificate pinned.
CLIENT_REFUSES = {
    "09-good-ed25519-signer.tsr": "knows no EdDSA",
    "10-good-rsa-pss-signer.tsr": "knows no RSASSA-PSS",
    "14-good-grantedwithmods.tsr": "RFC 3161 §2.4.2: grantedWithMods carries a token too",
    "digicert-2018-unsorted-attrs.tsr": "wants signed attributes in DER order; RFC 5652 §5.4 signs what was sent",
    "freetsa-2025-rsa4096-sha256.tsr": "wants certificates in DER order, which nothing depends on",
    "globalsign-2021-sha256.tst": "the same",
    "dtrust-2018-rsassa-pss.tst": "knows no RSASSA-PSS",
}
CLIENT_ACCEPTS = {
    "19-self-signed-unknown-tsa-cert.tsr": "takes a pinned self-signed certificate for a root",
    "29-gentime-1-day-in-the-future.tsr": "compares gen_time with no clock",
    "35-esscertid-attribute-missing.tsr": "RFC 3161 §2.4.2: ESSCertID must be a signed attribute",
    "36-esscertidv2-hash-of-another-cert.tsr": "RFC 5035 §5.4: ESSCertID must be the signer's",
    "39-contenttype-attr-missing.tsr": "RFC 5652 §11.1: contentType must be among signed attributes",
    "40-contenttype-attr-data.tsr": "RFC 5652 §11.1: contentType must be that of the content",
    "42-no-signedattrs-direct-sig-over-tstinfo.tsr": "RFC 5652 §5.3: signed attributes are a must here",
    "46-sha-1-signature-digest.tsr": "has no policy against SHA-1",
    "47-sha-1-imprint.tsr": "has no policy against SHA-1",
    "48-imprint-oid-sm3-but-bytes-sha-256-doc.tsr": "compares digests without their algorithm",
    "49-imprint-oid-sha3-256-but-bytes-sha-256-doc.tsr": "compares digests without their algorithm",
    "50-imprint-oid-sha512-but-32-bytes.tsr": "compares digests without their algorithm",
}


def gen_time_of(case: Case) -> datetime:
    """The time to judge at, as openssl takes one: the token's own, or any for what has none."""
    try:
        raw = case.path.read_bytes()
        return parse_token(parse_response(raw).token or b"" if case.is_response else raw).gen_time
    except FormatError:
        return case.at


def we_accept(case: Case) -> bool:
    try:
        return not isinstance(case.verify(), Indeterminate)
    except (FormatError, VerificationError):
        return False


@pytest.mark.parametrize("case", [*real_cases(), *synthetic_cases()])
def test_openssl_agrees_but_for_documented_reasons(case: Case, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(case.data or b"")
    theirs = openssl_accepts(
        response=case.path.read_bytes(),
        root=case.root or tmp_path / "none.pem",
        at=gen_time_of(case),
        folder=tmp_path,
        request=case.request,
        data=data if case.data is not None else None,
        digest=None if case.data is not None else next(iter(case.digests().values()), bytes(32)),
        chain=case.chain_file(),
        is_token=not case.is_response,
    )
    name = case.path.name
    assert not (name in OPENSSL_REFUSES and theirs), "openssl learned: shorten the table"
    assert theirs == (we_accept(case) or name in OPENSSL_ACCEPTS) or name in OPENSSL_REFUSES


@pytest.mark.parametrize("case", [*real_cases(), *synthetic_cases()])
def test_rfc3161_client_agrees_but_for_documented_reasons(case: Case) -> None:
    theirs, name = client_accepts(case), case.path.name
    assert not (name in CLIENT_REFUSES and theirs), "rfc3161-client learned: shorten the table"
    assert theirs == (we_accept(case) or name in CLIENT_ACCEPTS) or name in CLIENT_REFUSES


def readable(der: bytes) -> Certificate | None:
    """The certificate, unless it is none: the tool reads what is in the token itself."""
    try:
        return load_certificate(der)
    except FormatError:
        return None


def client_accepts(case: Case) -> bool:
    """Whether rfc3161-client accepts it, told which certificate signs (without, it accepts any)."""
    if case.root is None:
        return False
    supplied = parse_chain(file.read_bytes()) if (file := case.chain_file()) else ()
    # It takes responses only: a bare token is put into one, granted.
    raw = case.path.read_bytes()
    response_der = raw if case.is_response else tlv(SEQUENCE, tlv(SEQUENCE, encode_integer(0)), raw)
    try:
        token = parse_response(response_der).token
        parsed = parse_token(token or b"")
    except FormatError:
        token, parsed = None, None
    candidates = dict.fromkeys([*(parsed.embedded_certificates if parsed else ()), *supplied])
    builder = rfc3161_client.VerifierBuilder()
    for root in parse_chain(case.root.read_bytes()):
        builder = builder.add_root_certificate(x509.load_der_x509_certificate(root))
    for certificate in filter(None, map(readable, candidates)):
        signer = parsed.signers[0] if parsed and parsed.signers else None
        if signer and (signer.issuer, signer.serial_number) == (
            certificate.issuer,
            certificate.serial_number,
        ):
            builder = builder.tsa_certificate(certificate.x509)
        elif certificate.issuer != certificate.subject:
            builder = builder.add_intermediate_certificate(certificate.x509)
    if case.request is not None:
        request = parse_request(case.request)
        if request.nonce is not None:
            builder = builder.nonce(request.nonce)
        if request.policy is not None:
            builder = builder.policy_id(x509.ObjectIdentifier(request.policy))
    asked = str(case.entry.get("imprint_alg", "sha256"))
    if case.request is not None:
        asked = parse_request(case.request).imprint_algorithm
    try:
        response = rfc3161_client.decode_timestamp_response(response_der)
        return builder.build().verify(response, case.digests().get(asked, bytes(32)))
    except (ValueError, rfc3161_client.VerificationError):
        return False
