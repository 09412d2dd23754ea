"""What the right key signed and yet doesn't count, and odd forms that do."""

from datetime import timedelta

import pytest
from cryptography import x509

from anchors.base import Indeterminate
from anchors.errors import FormatError, VerificationError
from anchors.rfc3161.der import (
    BIT_STRING,
    OCTET_STRING,
    SEQUENCE,
    UTF8_STRING,
    context_constructed,
    encode_integer,
    encode_oid,
    tlv,
)
from anchors.rfc3161.message import ALGORITHM_PROTECTION, CONTENT_TYPE
from anchors.rfc3161.token import TST_INFO
from anchors.rfc3161.verdict import Rfc3161Trust, TsaTrust, VerifiedToken
from anchors.rfc3161.verify import verify_response
from tests.anchors.rfc3161.conftest import NOW, SHA256
from tests.anchors.rfc3161.forge import (
    ECDSA_SHA256,
    SHA256_ALGORITHM,
    attribute,
    certificate_id,
    forge,
    signing_certificate,
    tst_info,
)
from tests.anchors.rfc3161.pki import authority, signer

ROOT = authority("Root")
MIDDLE = authority("Middle", ROOT)
IDENTIFIER = x509.SubjectKeyIdentifier(b"\x07" * 20)
ALTERNATIVE = x509.SubjectAlternativeName([x509.DNSName("tsa.example.org")])
LEAF = signer(MIDDLE, extra=[(IDENTIFIER, False), (ALTERNATIVE, False)])
FALSE = b"\x01\x01\x00"


def judge(response: bytes) -> VerifiedToken | Indeterminate:
    trusted = Rfc3161Trust(
        authorities=(TsaTrust(name="Example", group="e", roots=(ROOT.der,)),), at=NOW, skew=timedelta(0)
    )
    return verify_response(
        response=response,
        request=None,
        chain=(MIDDLE.der,),
        digests={"sha256": SHA256},
        trusted=trusted,
    )


def refused(response: bytes) -> str:
    """The check that fails, or the sub-indication."""
    try:
        verdict = judge(response)
    except VerificationError as error:
        return error.check
    assert isinstance(verdict, Indeterminate), "it verified"
    return verdict.sub_indication


def good(response: bytes) -> VerifiedToken:
    verdict = judge(response)
    assert isinstance(verdict, VerifiedToken)
    return verdict


def tsa_name(general_name: bytes) -> bytes:
    return tlv(context_constructed(0), general_name)


def extension(*, critical: bool) -> bytes:
    flag = b"\x01\x01\xff" if critical else b""
    return tlv(
        context_constructed(1), tlv(SEQUENCE, encode_oid("1.2.3.4"), flag, tlv(OCTET_STRING, b"\x05\x00"))
    )


def test_the_plain_token_of_this_page_is_good() -> None:
    assert good(forge(LEAF, tst_info())).serial_number == 7


@pytest.mark.parametrize("time", [b"20261122115959.500Z", b"20261122115959.5Z"])
def test_trailing_zeros_and_an_encoded_false_are_understood(time: bytes) -> None:
    verdict = good(forge(LEAF, tst_info(gen_time=time, after_time=FALSE)))
    assert verdict.gen_time.microsecond == 500_000
    assert not verdict.accuracy_stated


@pytest.mark.parametrize(
    "accuracy",
    [
        tlv(SEQUENCE, encode_integer(-1)),
        tlv(SEQUENCE, encode_integer(86_401)),
        tlv(SEQUENCE, b"\x80\x02\x03\xe8"),
        tlv(SEQUENCE, b"\x81\x02\x03\xe8"),
        tlv(SEQUENCE, b"\x81\x01\x01", b"\x80\x01\x01"),
    ],
)
def test_an_accuracy_out_of_bounds_is_no_token(accuracy: bytes) -> None:
    with pytest.raises(FormatError):
        judge(forge(LEAF, tst_info(after_time=accuracy)))


def test_the_tsa_field_names_the_signer() -> None:
    subject, other = LEAF.certificate.subject, ROOT.certificate.subject
    dns = tlv(0x82, b"tsa.example.org")
    good(forge(LEAF, tst_info(after_time=tsa_name(tlv(context_constructed(4), subject)))))
    good(forge(LEAF, tst_info(after_time=tsa_name(tlv(context_constructed(4), subject.upper())))))
    good(forge(LEAF, tst_info(after_time=tsa_name(dns))))
    for name in (tlv(context_constructed(4), other), tlv(0x82, b"tsa.example.com")):
        assert refused(forge(LEAF, tst_info(after_time=tsa_name(name)))) == "RFC 3161 §2.4.2 tsa"


def test_a_critical_extension_is_not_passed_over() -> None:
    good(forge(LEAF, tst_info(after_time=extension(critical=False))))
    assert refused(forge(LEAF, tst_info(after_time=extension(critical=True)))) == "SIG_CONSTRAINTS_FAILURE"


def test_an_attribute_counts_only_once() -> None:
    again = attribute(CONTENT_TYPE, encode_oid(TST_INFO))
    assert refused(forge(LEAF, tst_info(), more=[again])) == "RFC 5652 §11.1 contentType"
    twice = signing_certificate(certificate_id(LEAF))
    assert refused(forge(LEAF, tst_info(), more=[twice])) == "RFC 5816 §2.2 SigningCertificate"


def test_algorithm_protection_names_the_algorithms_in_use() -> None:
    def protection(digest: bytes) -> bytes:
        return attribute(ALGORITHM_PROTECTION, tlv(SEQUENCE, digest, b"\xa1" + ECDSA_SHA256[1:]))

    sha512 = tlv(SEQUENCE, encode_oid("2.16.840.1.101.3.4.2.3"))
    good(forge(LEAF, tst_info(), more=[protection(SHA256_ALGORITHM)]))
    assert refused(forge(LEAF, tst_info(), more=[protection(sha512)])) == "RFC 6211 §2 algorithm protection"


def test_certificate_ids_name_signer_and_path() -> None:
    def ids(*each: bytes) -> bytes:
        return forge(LEAF, tst_info(), ids=each)

    issuer = LEAF.certificate.issuer
    good(ids(certificate_id(LEAF, issuer=issuer)))
    good(ids(certificate_id(LEAF, issuer=issuer.upper())))
    good(ids(certificate_id(LEAF), certificate_id(MIDDLE)))
    assert refused(ids(certificate_id(LEAF), certificate_id(ROOT))) == "CHAIN_CONSTRAINTS_FAILURE"
    check = "RFC 5035 §5.4 ESSCertID of the signer"
    assert refused(ids(certificate_id(LEAF, issuer=ROOT.certificate.subject))) == check
    assert refused(ids(certificate_id(LEAF, issuer=issuer, serial_number=5))) == check
    assert refused(ids(certificate_id(MIDDLE), certificate_id(LEAF))) == check
    assert refused(ids()) == "RFC 5816 §2.2 SigningCertificate"


def test_a_signer_may_be_named_by_key_identifier() -> None:
    good(forge(LEAF, tst_info(), key_identifier=IDENTIFIER.digest))
    assert refused(forge(LEAF, tst_info(), key_identifier=bytes(20))) == "NO_SIGNING_CERTIFICATE_FOUND"


def test_an_unknown_signature_algorithm_is_never_passed() -> None:
    unknown = tlv(SEQUENCE, encode_oid("1.2.156.10197.1.501"))
    assert refused(forge(LEAF, tst_info(), signature_algorithm=unknown)) == "CRYPTO_CONSTRAINTS_FAILURE"


def test_a_failure_beside_granted_is_no_grant() -> None:
    text = tlv(SEQUENCE, tlv(UTF8_STRING, b"sorry"))
    status = tlv(SEQUENCE, encode_integer(0), text, tlv(BIT_STRING, b"\x07\x80"))
    assert refused(forge(LEAF, tst_info(), status=status)) == "RFC 3161 §2.4.2 status"
    good(forge(LEAF, tst_info(), status=tlv(SEQUENCE, encode_integer(0), text)))
