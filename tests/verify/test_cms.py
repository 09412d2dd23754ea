"""Detached signatures over statements: ours judged by openssl, openssl's by us, and each way to be wrong."""

from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from anchors.base import Indeterminate
from anchors.rfc3161.ess import SIGNING_CERTIFICATE_V2
from anchors.rfc3161.message import CONTENT_TYPE, MESSAGE_DIGEST
from evidence_vault.errors import EvidenceError, FormatError, VerificationError
from evidence_vault.verify.cms import SignedBy, verify_detached_cms
from tests.verify.notary import (
    NOW,
    YEAR,
    Holder,
    empty_crl,
    issue,
    make_key,
    openssl_accepts,
    openssl_sign,
    revoke,
    sign,
)

STATEMENT = 'evidence-vault/attestation/v1\n{"remark":"公证"}'.encode()
ROOT = issue("Notaries' Root", authority=True)
MIDDLE = issue("Notaries' Authority", issuer=ROOT, authority=True)
NOTARY = issue("A Notary", issuer=MIDDLE)
STRANGERS_ROOT = issue("Another Root", authority=True)


def judge(
    signature: bytes,
    *,
    content: bytes = STATEMENT,
    roots: tuple[Holder, ...] = (ROOT,),
    chain: tuple[Holder, ...] = (MIDDLE,),
    revocation: tuple[bytes, ...] = (),
    at: datetime = NOW,
    refused: dict[str, date] | None = None,
) -> SignedBy | Indeterminate:
    return verify_detached_cms(
        signature=signature,
        content=content,
        chain=tuple(one.der for one in chain),
        revocation=revocation,
        roots=tuple(one.der for one in roots),
        at=at,
        refused_algorithms=refused,
    )


def sub_indication(verdict: SignedBy | Indeterminate) -> str:
    assert isinstance(verdict, Indeterminate), verdict
    return verdict.sub_indication


def test_verify_detached_cms_good_signature_names_the_signer() -> None:
    verdict = judge(sign(STATEMENT, NOTARY))
    assert isinstance(verdict, SignedBy)
    assert verdict.subject == "CN=A Notary"
    assert verdict.issuer == "CN=Notaries' Authority"
    assert verdict.path == (NOTARY.der, MIDDLE.der, ROOT.der)
    assert verdict.algorithms_used == ("secp256r1", "sha256")
    assert not verdict.revocation_checked


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_verify_detached_cms_accepts_what_openssl_signed(kind: str, tmp_path: Path) -> None:
    notary = issue("A Notary", issuer=ROOT, key=make_key(kind))
    signature = openssl_sign(STATEMENT, notary, tmp_path, "-cades")
    verdict = judge(signature, chain=())
    assert isinstance(verdict, SignedBy)
    assert verdict.subject == "CN=A Notary"


def test_verify_detached_cms_accepts_pss_and_key_identifier_by_openssl(tmp_path: Path) -> None:
    notary = issue("A Notary", issuer=ROOT, key=make_key("rsa"))
    options = ("-cades", "-keyid", "-nocerts", "-keyopt", "rsa_padding_mode:pss")
    signature = openssl_sign(STATEMENT, notary, tmp_path, *options)
    assert sub_indication(judge(signature, chain=())) == "NO_SIGNING_CERTIFICATE_FOUND"
    assert isinstance(judge(signature, chain=(notary,)), SignedBy)


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_openssl_accepts_what_the_tests_sign(kind: str, tmp_path: Path) -> None:
    notary = issue("A Notary", issuer=ROOT, key=make_key(kind))
    signature = sign(STATEMENT, notary)
    assert openssl_accepts(signature, STATEMENT, root=ROOT, at=NOW, folder=tmp_path)
    assert not openssl_accepts(signature, STATEMENT + b" ", root=ROOT, at=NOW, folder=tmp_path)
    assert isinstance(judge(signature, chain=()), SignedBy)


def test_verify_detached_cms_without_signing_certificate_is_wrong(tmp_path: Path) -> None:
    signature = openssl_sign(STATEMENT, issue("A Notary", issuer=ROOT), tmp_path)
    with pytest.raises(VerificationError, match="signing-certificate: expected the signed attribute"):
        judge(signature, chain=())


def test_verify_detached_cms_without_signed_attributes_is_wrong(tmp_path: Path) -> None:
    signature = openssl_sign(STATEMENT, issue("A Notary", issuer=ROOT), tmp_path, "-noattr")
    with pytest.raises(VerificationError, match="signedAttrs"):
        judge(signature, chain=())


@pytest.mark.parametrize(
    ("attribute", "check"),
    [
        (CONTENT_TYPE, "§11.1 contentType"),
        (MESSAGE_DIGEST, "§11.2 messageDigest"),
        (SIGNING_CERTIFICATE_V2, "signing-certificate"),
    ],
)
def test_verify_detached_cms_rejects_a_missing_attribute(attribute: str, check: str) -> None:
    with pytest.raises(VerificationError, match=check):
        judge(sign(STATEMENT, NOTARY, leave_out=(attribute,)))


def test_verify_detached_cms_rejects_another_statement() -> None:
    with pytest.raises(VerificationError, match="messageDigest"):
        judge(sign(STATEMENT, NOTARY), content=STATEMENT.replace(b"v1", b"v2"))


def test_verify_detached_cms_rejects_attributes_that_were_not_signed() -> None:
    """The digest is made to fit another statement, so only the signature over the attributes can tell."""
    moved = sign(STATEMENT, NOTARY).replace(sha256(STATEMENT).digest(), sha256(b"another").digest())
    with pytest.raises(VerificationError, match=r"§5\.6 signature"):
        judge(moved, content=b"another")


def test_verify_detached_cms_rejects_a_signature_by_another_key() -> None:
    """The certificate is the notary's, the key a stranger's."""
    stranger = Holder(key=make_key(), certificate=NOTARY.certificate)
    with pytest.raises(VerificationError, match=r"§5\.6 signature"):
        judge(sign(STATEMENT, stranger))


def test_verify_detached_cms_rejects_a_certificate_that_the_signer_did_not_name() -> None:
    """Another certificate with the same key, issuer and number would name somebody else."""
    with pytest.raises(VerificationError, match="ESSCertID"):
        judge(sign(STATEMENT, NOTARY, named=(MIDDLE,)))


def test_verify_detached_cms_that_names_its_path_has_no_other() -> None:
    """Further certificate ids say which authorities the signer accepts above."""
    assert isinstance(judge(sign(STATEMENT, NOTARY, named=(NOTARY, MIDDLE))), SignedBy)
    verdict = judge(sign(STATEMENT, NOTARY, named=(NOTARY, ROOT)))
    assert sub_indication(verdict) == "CHAIN_CONSTRAINTS_FAILURE"


def test_verify_detached_cms_rejects_another_content_type() -> None:
    with pytest.raises(VerificationError, match="contentType"):
        judge(sign(STATEMENT, NOTARY, content_type="1.2.840.113549.1.9.16.1.4"))


def test_verify_detached_cms_rejects_a_content_inside() -> None:
    with pytest.raises(FormatError, match="eContent: expected none"):
        judge(sign(STATEMENT, NOTARY, encapsulated=True))


def test_verify_detached_cms_rejects_a_content_inside_by_openssl(tmp_path: Path) -> None:
    signature = openssl_sign(STATEMENT, NOTARY, tmp_path, "-cades", "-nodetach")
    with pytest.raises(FormatError, match="eContent"):
        judge(signature)


def test_verify_detached_cms_rejects_two_signers_by_openssl(tmp_path: Path) -> None:
    certificate, key = issue("Another Notary", issuer=ROOT).save(tmp_path, "second")
    options = ("-cades", "-signer", str(certificate), "-inkey", str(key))
    signature = openssl_sign(STATEMENT, NOTARY, tmp_path, *options)
    with pytest.raises(VerificationError, match="signerInfos: expected one signer, found 2"):
        judge(signature)


@pytest.mark.parametrize("count", [0, 2])
def test_verify_detached_cms_rejects_any_number_of_signers_but_one(count: int) -> None:
    with pytest.raises(VerificationError, match="signerInfos"):
        judge(sign(STATEMENT, NOTARY, signers=count))


@pytest.mark.parametrize("signature", [b"", b"\x30\x00", b"\x30\x80\x00\x00", b"\x30" * (256 * 1024 + 1)])
def test_verify_detached_cms_rejects_what_is_no_signature(signature: bytes) -> None:
    with pytest.raises(FormatError):
        judge(signature)


def test_verify_detached_cms_rejects_trailing_bytes() -> None:
    with pytest.raises(FormatError, match="nothing more"):
        judge(sign(STATEMENT, NOTARY) + b"\x00")


@pytest.mark.parametrize("at", [NOW - YEAR - timedelta(seconds=1), NOW + YEAR + timedelta(seconds=1)])
def test_verify_detached_cms_outside_validity_is_undecided(at: datetime) -> None:
    verdict = judge(sign(STATEMENT, NOTARY), at=at)
    assert sub_indication(verdict) == "OUT_OF_BOUNDS_NO_POE"


def test_verify_detached_cms_under_an_unknown_root_is_undecided() -> None:
    signature = sign(STATEMENT, NOTARY, certificates=(NOTARY, MIDDLE, ROOT))
    for roots in ((), (STRANGERS_ROOT,)):
        verdict = judge(signature, roots=roots, chain=(MIDDLE, ROOT))
        assert sub_indication(verdict) == "NO_CERTIFICATE_CHAIN_FOUND"


def test_verify_detached_cms_by_an_impostor_of_the_authority_is_undecided() -> None:
    """An authority of the same name, with its own key."""
    impostor = issue("Notaries' Root", authority=True)
    notary = issue("A Notary", issuer=impostor)
    assert sub_indication(judge(sign(STATEMENT, notary), chain=(impostor,))) == "NO_CERTIFICATE_CHAIN_FOUND"


def test_verify_detached_cms_by_whoever_a_notary_issued_is_undecided() -> None:
    """A notary is no authority: a certificate under a notary's own says nothing."""
    pupil = issue("A Pupil", issuer=NOTARY)
    assert (
        sub_indication(judge(sign(STATEMENT, pupil), chain=(NOTARY, MIDDLE))) == "CHAIN_CONSTRAINTS_FAILURE"
    )


@pytest.mark.parametrize(
    "holder",
    [
        issue("Encipherer", issuer=ROOT, signs=False),
        issue("Server", issuer=ROOT, purposes=("1.3.6.1.5.5.7.3.1",)),
        issue("Time-stamper", issuer=ROOT, purposes=("1.3.6.1.5.5.7.3.8",)),
        issue(
            "Under Time-stampers",
            issuer=issue("Notaries' Root", key=ROOT.key, authority=True, purposes=("1.3.6.1.5.5.7.3.8",)),
        ),
    ],
    ids=lambda holder: str(holder.certificate.subject.rfc4514_string()),
)
def test_verify_detached_cms_with_a_certificate_for_something_else_is_undecided(holder: Holder) -> None:
    roots = (ROOT,)
    if holder.certificate.subject.rfc4514_string() == "CN=Under Time-stampers":
        roots = (issue("Notaries' Root", key=ROOT.key, authority=True, purposes=("1.3.6.1.5.5.7.3.8",)),)
    assert (
        sub_indication(judge(sign(STATEMENT, holder), roots=roots, chain=())) == "CHAIN_CONSTRAINTS_FAILURE"
    )


@pytest.mark.parametrize("purpose", ["1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "2.5.29.37.0"])
def test_verify_detached_cms_accepts_purposes_for_people(purpose: str) -> None:
    """E-mail protection, document signing (RFC 9336), any."""
    notary = issue("A Notary", issuer=ROOT, purposes=(purpose,))
    assert isinstance(judge(sign(STATEMENT, notary), chain=()), SignedBy)


def test_verify_detached_cms_revoked_by_then_is_undecided() -> None:
    signature = sign(STATEMENT, NOTARY)
    crl = revoke(MIDDLE, NOTARY, when=NOW, published=NOW + timedelta(days=1))
    assert sub_indication(judge(signature, revocation=(crl,))) == "REVOKED_NO_POE"
    before = judge(signature, revocation=(crl,), at=NOW - timedelta(seconds=1))
    assert isinstance(before, SignedBy)


def test_verify_detached_cms_with_whole_revocation_evidence_says_so() -> None:
    crls = (empty_crl(MIDDLE, published=NOW), empty_crl(ROOT, published=NOW))
    verdict = judge(sign(STATEMENT, NOTARY), revocation=crls)
    assert isinstance(verdict, SignedBy)
    assert verdict.revocation_checked


@pytest.mark.parametrize("name", ["sha256", "secp256r1"])
def test_verify_detached_cms_with_a_refused_algorithm_is_undecided(name: str) -> None:
    signature = sign(STATEMENT, NOTARY)
    assert sub_indication(judge(signature, refused={name: NOW.date()})) == "CRYPTO_CONSTRAINTS_FAILURE"
    assert isinstance(judge(signature, refused={name: (NOW + timedelta(days=1)).date()}), SignedBy)


def test_verify_detached_cms_rejects_a_version_that_its_signer_has_not() -> None:
    """1 for a signer by issuer and number; 3 would be one by key identifier (RFC 5652 §5.1)."""
    version_1, version_3 = b"\x02\x01\x01\x31", b"\x02\x01\x03\x31"
    with pytest.raises(FormatError, match="version"):
        judge(sign(STATEMENT, NOTARY).replace(version_1, version_3, 1))


def test_verify_detached_cms_rejects_every_bit_flip() -> None:
    """No bit of a signature without certificates is free: none passes, none raises anything else."""
    good = sign(STATEMENT, NOTARY, certificates=())
    passed: list[int] = []
    for bit in range(8 * len(good)):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            verdict = judge(bytes(flipped), chain=(NOTARY, MIDDLE))
        except EvidenceError:
            continue
        if not isinstance(verdict, Indeterminate):
            passed.append(bit)
    assert isinstance(judge(good, chain=(NOTARY, MIDDLE)), SignedBy)
    assert not passed
