"""Who vouches from outside: time-stamping authorities and a chain, made from seeds, with every date a parameter.

Signatures are deterministic (RFC 6979) and serial numbers are derived, so the same calls give the same bytes.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from anchors.ethereum.keccak import keccak256
from anchors.ethereum.proof import EthereumProof
from anchors.rfc3161.certificate import encode_chain
from anchors.rfc3161.der import BOOLEAN, OCTET_STRING, SEQUENCE, encode_integer, encode_oid, tlv
from anchors.rfc3161.devtsa import DevelopmentTsa
from tests.anchors.ethereum.made import Log, Made, make_receipt

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2060, 1, 1, tzinfo=UTC)
SHA256_OID = "2.16.840.1.101.3.4.2.1"


def derive(*parts: object, length: int = 32) -> bytes:
    """Bytes that depend on all parts and on nothing else."""
    return hashlib.shake_256("\n".join(map(str, parts)).encode()).digest(length)


@dataclass(frozen=True)
class Token:
    """What a bundle carries of one time-stamp."""

    request: bytes
    response: bytes
    chain: bytes
    revocation: tuple[tuple[str, bytes], ...] = ()

    def files(self, folder: str) -> dict[str, bytes]:
        parts = {"request.tsq": self.request, "response.tsr": self.response, "chain.pem": self.chain}
        parts |= {f"revocation/{name}": data for name, data in self.revocation}
        return {f"{folder}/{name}": data for name, data in parts.items()}


class Authority:
    """A time-stamping authority with its own root. `ahead`: how wrong its clock is."""

    def __init__(
        self,
        name: str,
        *,
        group: str | None = None,
        tsa_class: str = "production",
        not_before: datetime = LONG_AGO,
        not_after: datetime = FAR_OFF,
        ahead: timedelta = timedelta(0),
    ) -> None:
        self.name, self.group, self.tsa_class, self.ahead = name, group or f"{name} group", tsa_class, ahead
        self._root_key, self._key = _key(name, "root"), _key(name, "tsa")
        self.root = _certificate(f"{name} root", f"{name} root", self._root_key, self._root_key)
        self.certificate = _certificate(
            f"{name} TSA",
            f"{name} root",
            self._key,
            self._root_key,
            is_root=False,
            dates=(not_before, not_after),
        )
        signing = cast("ec.EllipticCurvePrivateKey", _DeterministicKey(self._key))
        self._tsa = DevelopmentTsa(signing, self.certificate, self.root)
        self._count = 0

    @property
    def root_pem(self) -> str:
        return encode_chain((self.root,)).decode()

    @property
    def policy(self) -> dict[str, Any]:
        """What a trust policy says of it."""
        return {"name": self.name, "group": self.group, "roots": [self.root_pem], "class": self.tsa_class}

    def stamp(self, sha256: bytes, at: datetime) -> Token:
        self._count += 1
        nonce = int.from_bytes(derive(self.name, self._count, "nonce", length=8)) | 1
        request = encode_request(sha256, nonce=nonce)
        serial = int.from_bytes(derive(self.name, self._count, sha256.hex(), length=15)) | 1
        with mock.patch("anchors.rfc3161.devtsa.secrets.randbits", return_value=serial):
            response = self._tsa.respond(request, at + self.ahead)
        return Token(request, response, encode_chain((self.certificate, self.root)))

    def revoke(self, at: datetime) -> bytes:
        """A CRL, DER, in which the TSA's certificate is revoked from `at`."""
        serial = x509.load_der_x509_certificate(self.certificate).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        builder = x509.CertificateRevocationListBuilder().issuer_name(_name(f"{self.name} root"))
        builder = builder.last_update(at).next_update(at + timedelta(days=7)).add_revoked_certificate(entry)
        crl = builder.sign(self._root_key, hashes.SHA256(), ecdsa_deterministic=True)
        return crl.public_bytes(serialization.Encoding.DER)


@dataclass
class Chain:
    """A chain on which one contract takes one sender's anchors. Every block it made is in `blocks`."""

    name: str = "Main Street"
    chain_id: int = 11155111
    chain_class: str = "test"
    contract: bytes = bytes.fromhex("c0" * 20)
    sender: bytes = bytes.fromhex("5e" * 20)
    ahead: timedelta = timedelta(0)
    blocks: list[tuple[int, bytes]] = field(default_factory=list)

    def anchor(self, size: int, root_hash: bytes, at: datetime, *, prev: bytes = bytes(32)) -> EthereumProof:
        log = Log(size=size, root=root_hash, prev=prev, address=self.contract, sender=self.sender)
        made = Made(
            receipts=(make_receipt(kind=0), make_receipt(kind=2), make_receipt(log)),
            number=7_000_000 + len(self.blocks),
            time_s=int((at + self.ahead).timestamp()),
            contract=self.contract,
            sender=self.sender,
            chain_id=self.chain_id,
        )
        self.blocks.append((made.number, keccak256(made.header)))
        return made.proof(2)

    @property
    def policy(self) -> dict[str, Any]:
        """What a trust policy says of it: every block is known."""
        known = [{"number": number, "hash": block_hash.hex()} for number, block_hash in self.blocks]
        return {
            "chain_id": self.chain_id,
            "name": self.name,
            "class": self.chain_class,
            "known_blocks": known,
        }

    @property
    def anchor_policy(self) -> dict[str, Any]:
        """What a trust policy says of the log's anchors on it."""
        return {"chain": self.chain_id, "contract": self.contract.hex(), "sender": self.sender.hex()}


def encode_prev(size: int, root_hash: bytes) -> bytes:
    """The slot that the contract keeps: size (8 bytes) ‖ root[:24]."""
    return size.to_bytes(8) + root_hash[:24]


def encode_request(sha256: bytes, *, nonce: int) -> bytes:
    """A TimeStampReq over a SHA-256 digest that asks for the certificate. RFC 3161 §2.4.1."""
    algorithm = tlv(SEQUENCE, encode_oid(SHA256_OID), b"\x05\x00")
    imprint = tlv(SEQUENCE, algorithm, tlv(OCTET_STRING, sha256))
    return tlv(SEQUENCE, encode_integer(1), imprint, encode_integer(nonce), tlv(BOOLEAN, b"\xff"))


class _DeterministicKey:
    """Signs as RFC 6979 has it, whatever it is asked for."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def sign(self, data: bytes, algorithm: ec.ECDSA) -> bytes:
        return self._key.sign(data, ec.ECDSA(algorithm.algorithm, deterministic_signing=True))


def _key(*parts: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(derive(*parts, length=31)), ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_root: bool = True,
    dates: tuple[datetime, datetime] = (LONG_AGO, FAR_OFF),
) -> bytes:
    usage = x509.KeyUsage(
        digital_signature=not is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_root,
        crl_sign=is_root,
        encipher_only=False,
        decipher_only=False,
    )
    public, issuer_public = key.public_key(), issuer_key.public_key()
    builder = (
        x509.CertificateBuilder(subject_name=_name(subject), issuer_name=_name(issuer), public_key=public)
        .serial_number(int.from_bytes(derive(subject, "serial", length=12)) | 1)
        .not_valid_before(dates[0])
        .not_valid_after(dates[1])
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
    )
    if not is_root:
        only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(only, critical=True)
    signed = builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(serialization.Encoding.DER)
