"""A small authority and a notary under it, for tests; and a signer that can leave out or falsify each part."""

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

from anchors.rfc3161.certificate import load_certificate
from anchors.rfc3161.cms import DATA, SIGNED_DATA
from anchors.rfc3161.der import (
    OCTET_STRING,
    SEQUENCE,
    SET,
    context_constructed,
    encode_integer,
    encode_oid,
    tlv,
)
from anchors.rfc3161.ess import SIGNING_CERTIFICATE_V2
from anchors.rfc3161.message import CONTENT_TYPE, MESSAGE_DIGEST
from tests.conftest import absent

NOW = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
KINDS = ("rsa", "pss", "p256", "p384", "p521", "ed25519")

_SHA256 = tlv(SEQUENCE, encode_oid("2.16.840.1.101.3.4.2.1"))
_ECDSA = tlv(SEQUENCE, encode_oid("1.2.840.10045.4.3.2"))
_RSA = tlv(SEQUENCE, encode_oid("1.2.840.113549.1.1.11"), b"\x05\x00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A certificate with its key."""

    key: PrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def save(self, folder: Path, name: str) -> tuple[Path, Path]:
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, key


def make_key(kind: str = "ec") -> PrivateKey:
    if kind in ("rsa", "pss"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind in ("p384", "p521"):
        return ec.generate_private_key(ec.SECP384R1() if kind == "p384" else ec.SECP521R1())
    return ec.generate_private_key(ec.SECP256R1())


def issue(
    name: str,
    *,
    issuer: Holder | None = None,
    key: PrivateKey | None = None,
    authority: bool = False,
    signs: bool = True,
    purposes: tuple[str, ...] = (),
    not_before: datetime = NOW - YEAR,
    not_after: datetime = NOW + YEAR,
) -> Holder:
    """A certificate under `issuer`, or a root."""
    key = key or make_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = {
        "digital_signature": signs and not authority,
        "content_commitment": False,
        "key_encipherment": not signs,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": authority,
        "crl_sign": authority,
        "encipher_only": False,
        "decipher_only": False,
    }
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if purposes:
        oids = [x509.ObjectIdentifier(oid) for oid in purposes]
        builder = builder.add_extension(x509.ExtendedKeyUsage(oids), critical=False)
    return Holder(
        key=key,
        certificate=builder.sign(issuer.key if issuer else key, _hash_of(issuer.key if issuer else key)),
    )


def _hash_of(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def revoke(issuer: Holder, holder: Holder, *, when: datetime, published: datetime) -> bytes:
    """A CRL, DER, that lists the holder as revoked."""
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(holder.certificate.serial_number)
        .revocation_date(when)
        .build()
    )
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(published)
        .next_update(published + timedelta(days=7))
        .add_revoked_certificate(entry)
        .sign(issuer.key, _hash_of(issuer.key))
    )
    return crl.public_bytes(serialization.Encoding.DER)


def empty_crl(issuer: Holder, *, published: datetime) -> bytes:
    """A CRL, DER, that lists nobody."""
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(published)
        .next_update(published + timedelta(days=7))
        .sign(issuer.key, _hash_of(issuer.key))
    )
    return crl.public_bytes(serialization.Encoding.DER)


def sign(
    content: bytes,
    holder: Holder,
    *,
    leave_out: tuple[str, ...] = (),
    content_type: str = DATA,
    signed_content: bytes | None = None,
    named: tuple[Holder, ...] = (),
    encapsulated: bool = False,
    signers: int = 1,
    certificates: tuple[Holder, ...] | None = None,
) -> bytes:
    """signature.p7s over `content`, CAdES-B.

    leave_out: OIDs of signed attributes. signed_content: what messageDigest is of, if not the content.
    named: whose certificates the signing-certificate attribute names, if not the holder's alone.
    signers: how often the SignerInfo occurs.
    """
    digest = hashlib.sha256(content if signed_content is None else signed_content).digest()
    named_ids = [
        tlv(SEQUENCE, tlv(OCTET_STRING, hashlib.sha256(one.der).digest())) for one in named or (holder,)
    ]
    attributes = {
        CONTENT_TYPE: encode_oid(content_type),
        MESSAGE_DIGEST: tlv(OCTET_STRING, digest),
        SIGNING_CERTIFICATE_V2: tlv(SEQUENCE, tlv(SEQUENCE, *named_ids)),
    }
    encoded = sorted(
        tlv(SEQUENCE, encode_oid(oid), tlv(SET, value))
        for oid, value in attributes.items()
        if oid not in leave_out
    )
    signed = tlv(SET, *encoded) if encoded else content
    if isinstance(holder.key, rsa.RSAPrivateKey):
        algorithm, signature = _RSA, holder.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        assert isinstance(holder.key, ec.EllipticCurvePrivateKey)
        algorithm, signature = _ECDSA, holder.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    read = load_certificate(holder.der)
    signer_info = tlv(
        SEQUENCE,
        encode_integer(1),
        tlv(SEQUENCE, read.issuer, encode_integer(read.serial_number)),
        _SHA256,
        tlv(context_constructed(0), *encoded) if encoded else b"",
        algorithm,
        tlv(OCTET_STRING, signature),
    )
    inside = tlv(context_constructed(0), tlv(OCTET_STRING, content)) if encapsulated else b""
    bag = (holder,) if certificates is None else certificates
    signed_data = tlv(
        SEQUENCE,
        encode_integer(1),
        tlv(SET, _SHA256),
        tlv(SEQUENCE, encode_oid(DATA), inside),
        tlv(context_constructed(0), *(one.der for one in bag)) if bag else b"",
        tlv(SET, *[signer_info] * signers),
    )
    return tlv(SEQUENCE, encode_oid(SIGNED_DATA), tlv(context_constructed(0), signed_data))


def openssl_sign(content: bytes, holder: Holder, folder: Path, *options: str) -> bytes:
    """signature.p7s as `openssl cms -sign` makes it."""
    certificate, key = holder.save(folder, "signer")
    statement, signature = folder / "statement.txt", folder / "signature.p7s"
    statement.write_bytes(content)
    command = ["cms", "-sign", "-binary", "-outform", "DER", "-md", "sha256"]
    command += ["-in", str(statement), "-out", str(signature), "-signer", str(certificate)]
    _openssl([*command, "-inkey", str(key), *options], check=True)
    return signature.read_bytes()


def openssl_accepts(signature: bytes, content: bytes, *, root: Holder, at: datetime, folder: Path) -> bool:
    """Whether `openssl cms -verify` accepts a detached signature, its signing certificate attribute included."""
    statement, file = folder / "statement.txt", folder / "signature.p7s"
    statement.write_bytes(content)
    file.write_bytes(signature)
    certificate, _ = root.save(folder, "root")
    command = ["cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", str(file)]
    command += ["-content", str(statement), "-CAfile", str(certificate), "-purpose", "any"]
    command += ["-attime", str(int(at.timestamp())), "-out", str(folder / "out")]
    return _openssl(command, check=False) == 0


def _openssl(arguments: list[str], *, check: bool) -> int:
    if shutil.which("openssl") is None:
        absent("no openssl command")
    return subprocess.run(["openssl", *arguments], capture_output=True, check=check, timeout=30).returncode
