"""Signatures for people: other people's tools accept ours for every kind of key, and we accept theirs."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import pkcs12

from anchors.base import Indeterminate
from anchors.rfc3161.certificate import Certificate, load_certificate
from anchors.rfc3161.cms import parse_detached_message
from evidence_vault.errors import ConfigError, EvidenceError
from evidence_vault.signer.documents import SIGNING_TIME, DocumentSigner, Scheme, scheme_for, sign_detached
from evidence_vault.signer.key_files import (
    FileSigner,
    PassphraseNeeded,
    load_pem_signer,
    load_pkcs12_signer,
)
from evidence_vault.verify.cms import SignedBy, verify_detached_cms
from tests.conftest import absent
from tests.verify.notary import KINDS, NOW, Holder, issue, make_key, openssl_accepts, openssl_sign

Door = Callable[[bytes | None], FileSigner]
STATEMENT = 'evidence-vault/attestation/v1\n{"remark":"公证"}'.encode()
ROOT = issue("Notaries' Root", authority=True)
MIDDLE = issue("Notaries' Authority", issuer=ROOT, authority=True)

JUDGE = """
import sun.security.pkcs.*;
import java.nio.file.*;
public class Judge {
  public static void main(String[] files) throws Exception {
    PKCS7 message = new PKCS7(Files.readAllBytes(Path.of(files[0])));
    SignerInfo[] good = message.verify(Files.readAllBytes(Path.of(files[1])));
    System.out.println(good == null ? "bad" : good[0].getCertificate(message).getSubjectX500Principal());
  }
}
"""
"""The JDK's own CMS reader: OpenSSL 3.0 signs no CMS with Ed25519 and verifies none."""


def signer_of(kind: str, folder: Path, *, issuer: Holder = ROOT) -> FileSigner:
    certificate, key = issue("A Notary", issuer=issuer, key=make_key(kind)).save(folder, "own")
    return load_pem_signer(key, certificate, passphrase=None, pss=kind == "pss")


def judge(signature: bytes, *, content: bytes = STATEMENT, chain: tuple[bytes, ...] = ()) -> object:
    return verify_detached_cms(
        signature=signature, content=content, chain=chain, revocation=(), roots=(ROOT.der,), at=NOW
    )


def java_says(signature: bytes, content: bytes, folder: Path) -> str:
    if shutil.which("java") is None:
        absent("no Java")
    for name, data in (("Judge.java", JUDGE.encode()), ("s.p7s", signature), ("s.txt", content)):
        (folder / name).write_bytes(data)
    command = ["java", "--add-exports", "java.base/sun.security.pkcs=ALL-UNNAMED", "Judge.java"]
    done = subprocess.run(
        [*command, "s.p7s", "s.txt"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.strip()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ed25519"])
def test_sign_detached_openssl_accepts_and_refuses_another_text(kind: str, tmp_path: Path) -> None:
    signature = sign_detached(STATEMENT, signer_of(kind, tmp_path), at=NOW)
    assert isinstance(judge(signature), SignedBy)
    assert openssl_accepts(signature, STATEMENT, root=ROOT, at=NOW, folder=tmp_path)
    assert not openssl_accepts(signature, STATEMENT + b"x", root=ROOT, at=NOW, folder=tmp_path)


def test_sign_detached_with_ed25519_java_accepts_and_refuses_another_text(tmp_path: Path) -> None:
    signature = sign_detached(STATEMENT, signer_of("ed25519", tmp_path), at=NOW)
    assert isinstance(judge(signature), SignedBy)
    assert java_says(signature, STATEMENT, tmp_path) == "CN=A Notary"
    assert java_says(signature, STATEMENT + b"x", tmp_path) == "bad"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("rsa", ()),
        ("pss", ("-keyopt", "rsa_padding_mode:pss")),
        ("pss", ("-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:32", "-md", "sha512")),
        ("p256", ()),
        ("p384", ("-md", "sha384")),
        ("p521", ("-md", "sha512")),
        ("p521", ()),
    ],
)
def test_verify_accepts_what_openssl_signs(kind: str, options: tuple[str, ...], tmp_path: Path) -> None:
    notary = issue("A Notary", issuer=ROOT, key=make_key(kind))
    signature = openssl_sign(STATEMENT, notary, tmp_path, "-cades", *options)
    assert isinstance(judge(signature), SignedBy)


@pytest.mark.parametrize("kind", KINDS)
def test_sign_detached_no_flipped_bit_passes(kind: str, tmp_path: Path) -> None:
    good = sign_detached(STATEMENT, signer_of(kind, tmp_path), at=NOW)
    start = len(good) - 700 if kind in ("rsa", "pss") else len(good) - 500
    for bit in range(8 * start, 8 * len(good), 7):  # attributes, algorithms and the signature itself
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            verdict = judge(bytes(flipped))
        except EvidenceError:
            continue
        assert isinstance(verdict, Indeterminate), bit


def test_sign_detached_states_the_time_in_whole_seconds(tmp_path: Path) -> None:
    signer = signer_of("p256", tmp_path)
    for year, expected in ((2026, b"\x17\x0d261122160000Z"), (2050, b"\x18\x0f20501122160000Z")):
        at = datetime(year, 11, 22, 16, 0, 0, 999_000, tzinfo=UTC)
        message = parse_detached_message(sign_detached(STATEMENT, signer, at=at), "p7s", content=STATEMENT)
        assert message.signers[0].attributes[SIGNING_TIME] == (expected,)


def test_sign_detached_by_who_keeps_the_key_elsewhere(tmp_path: Path) -> None:
    """A card or a key service is a certificate, a scheme and one call."""
    inside, asked = signer_of("p384", tmp_path), list[bytes]()

    class Card:
        certificate: Certificate = inside.certificate
        chain: tuple[bytes, ...] = inside.chain
        scheme: Scheme = scheme_for(inside.certificate)

        def sign(self, message: bytes) -> bytes:
            asked.append(message)
            return inside.sign(message)

    card: DocumentSigner = Card()
    assert isinstance(judge(sign_detached(STATEMENT, card, at=NOW)), SignedBy)
    assert len(asked) == 1
    assert STATEMENT not in asked[0]


def test_pem_signer_finds_its_certificate_and_orders_the_chain(tmp_path: Path) -> None:
    notary = issue("A Notary", issuer=MIDDLE)
    _, key = notary.save(tmp_path, "own")
    bag = tmp_path / "bag.pem"
    others = (ROOT, issue("Somebody else"), MIDDLE, notary)
    bag.write_bytes(b"".join(one.certificate.public_bytes(serialization.Encoding.PEM) for one in others))
    signer = load_pem_signer(key, bag, passphrase=None, pss=False)
    assert signer.chain == (notary.der, MIDDLE.der, ROOT.der)
    assert isinstance(judge(sign_detached(STATEMENT, signer, at=NOW), chain=signer.chain), SignedBy)


def test_signers_with_a_passphrase_ask_for_it_and_refuse_another(tmp_path: Path) -> None:
    notary = issue("A Notary", issuer=ROOT)
    certificate, key = notary.save(tmp_path, "own")
    lock = serialization.BestAvailableEncryption(b"right")
    key.write_bytes(
        notary.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    )
    p12 = tmp_path / "own.p12"
    assert isinstance(notary.key, ec.EllipticCurvePrivateKey)
    p12.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"own", notary.key, notary.certificate, [ROOT.certificate], lock
        )
    )
    doors: tuple[Door, ...] = (
        lambda passphrase: load_pem_signer(key, certificate, passphrase=passphrase, pss=False),
        lambda passphrase: load_pkcs12_signer(p12, passphrase=passphrase, pss=False),
    )
    for load in doors:
        with pytest.raises(PassphraseNeeded):
            load(None)
        with pytest.raises(ConfigError, match="another passphrase"):
            load(b"wrong")
        assert isinstance(judge(sign_detached(STATEMENT, load(b"right"), at=NOW)), SignedBy)
    assert load_pkcs12_signer(p12, passphrase=b"right", pss=False).chain == (notary.der, ROOT.der)
    assert "right" not in repr(load_pkcs12_signer(p12, passphrase=b"right", pss=False))


def test_signers_refuse_what_cannot_sign(tmp_path: Path) -> None:
    certificate, key = issue("A Notary").save(tmp_path, "own")
    stranger, _ = issue("A Stranger").save(tmp_path, "other")
    with pytest.raises(ConfigError, match="none of the certificates belongs to the key"):
        load_pem_signer(key, stranger, passphrase=None, pss=False)
    with pytest.raises(ConfigError, match="PSS"):
        load_pem_signer(key, certificate, passphrase=None, pss=True)
    with pytest.raises(ConfigError, match="no PEM private key"):
        load_pem_signer(certificate, certificate, passphrase=None, pss=False)
    with pytest.raises(ConfigError, match="no certificates"):
        load_pem_signer(key, key, passphrase=None, pss=False)
    odd = ed448.Ed448PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key.write_bytes(odd)
    with pytest.raises(ConfigError, match="a key of RSA"):
        load_pem_signer(key, certificate, passphrase=None, pss=False)


def test_scheme_for_a_curve_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="not secp256k1"):
        scheme_for(load_certificate(issue("K", key=ec.generate_private_key(ec.SECP256K1())).der))


def test_openssl_refuses_ours_after_the_certificate_ended(tmp_path: Path) -> None:
    """The same line that a bundle's README gives: -attime decides."""
    notary = issue("A Notary", issuer=ROOT, not_after=NOW + timedelta(hours=1))
    certificate, key = notary.save(tmp_path, "own")
    signer = load_pem_signer(key, certificate, passphrase=None, pss=False)
    signature = sign_detached(STATEMENT, signer, at=NOW)
    assert openssl_accepts(signature, STATEMENT, root=ROOT, at=NOW, folder=tmp_path)
    later = NOW + timedelta(hours=2)
    assert not openssl_accepts(signature, STATEMENT, root=ROOT, at=later, folder=tmp_path)


def test_scheme_for_rsa_is_pkcs1_unless_pss_is_asked_for() -> None:
    plain = load_certificate(issue("R", key=make_key("rsa")).der)
    assert scheme_for(plain).padding == "pkcs1"
    assert scheme_for(plain, pss=True).padding == "pss"
