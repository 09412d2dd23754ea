"""A time-stamping authority for development: real tokens that nobody outside this machine should believe.

It signs with a key that lies in a file, at whatever time it is told, so it proves nothing; its subject, its
policy and the trust class of its root say DEVELOPMENT, and reports that rest on it say so too. Everything
else is as in production: RFC 3161 with ESSCertIDv2 (RFC 5816), accuracy, nonce, rejections, HTTP in front
of it.

The root's private key is thrown away after it issued the one TSA certificate. The TSA's key, its certificate
and the root are one file, written atomically, mode 0600: a crash leaves all of it or nothing.
"""

import hashlib
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from anchors.errors import ConfigError, FormatError
from anchors.rfc3161.algorithms import DIGEST_SIZES, HASH_OIDS
from anchors.rfc3161.certificate import encode_chain, load_certificate, parse_chain
from anchors.rfc3161.cms import SIGNED_DATA
from anchors.rfc3161.der import (
    BIT_STRING,
    OCTET_STRING,
    SEQUENCE,
    SET,
    UTF8_STRING,
    context_constructed,
    encode_generalized_time,
    encode_integer,
    encode_oid,
    tlv,
)
from anchors.rfc3161.ess import SIGNING_CERTIFICATE_V2
from anchors.rfc3161.message import CONTENT_TYPE, MESSAGE_DIGEST
from anchors.rfc3161.token import TST_INFO, Request, parse_request

FILE_NAME = "development-tsa.pem"
# An OID below 2.25 is a UUID's number: nobody has to register it (X.667).
POLICY = "2.25.335450441021734101604890732061893792770"
VALID_FOR = timedelta(days=365 * 30)
# What one machine's clock without supervision may be off by.
ACCURACY_S = 1

_REFUSED = {"sha1", "sha224", "sha3-224"}
_SHA256 = tlv(SEQUENCE, encode_oid("2.16.840.1.101.3.4.2.1"))
_ECDSA_SHA256 = tlv(SEQUENCE, encode_oid("1.2.840.10045.4.3.2"))
_IMPRINT_ALGORITHMS = {name: tlv(SEQUENCE, encode_oid(oid), b"\x05\x00") for oid, name in HASH_OIDS.items()}
_GRANTED = tlv(SEQUENCE, encode_integer(0))
# Bits of PKIFailureInfo, RFC 3161 §2.4.2.
BAD_ALGORITHM, BAD_DATA_FORMAT, UNACCEPTED_POLICY, UNACCEPTED_EXTENSION = 0, 5, 15, 16


class DevelopmentTsa:
    """Answers requests. `create` makes a new authority in a folder, `load` takes one up again."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: bytes, root: bytes) -> None:
        self._key = key
        self._certificate = certificate
        self.root_pem = encode_chain((root,)).decode()
        self.policy = POLICY
        tsa = load_certificate(certificate)
        issuer = tlv(SEQUENCE, tlv(context_constructed(4), tsa.issuer))
        issuer_serial = tlv(SEQUENCE, issuer, encode_integer(tsa.serial_number))
        cert_hash = tlv(OCTET_STRING, hashlib.sha256(certificate).digest())
        cert_id = tlv(SEQUENCE, cert_hash, issuer_serial)
        self._sid = tlv(SEQUENCE, tsa.issuer, encode_integer(tsa.serial_number))
        self._signing_certificate = _attribute(SIGNING_CERTIFICATE_V2, tlv(SEQUENCE, tlv(SEQUENCE, cert_id)))

    @classmethod
    def create(cls, folder: Path, now: datetime) -> "DevelopmentTsa":
        """Make a root and a TSA certificate, valid from `now`, and keep them in `folder`.

        Durable after return. A crash before leaves nothing that `load` would find. Raises ConfigError if the
        folder has an authority already.
        """
        path = folder / FILE_NAME
        if path.exists():
            raise ConfigError(str(path), "there is a development authority already; load it")
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root_name = _name("DEVELOPMENT root (not evidence)")
        root = _certificate(root_name, root_name, root_key, root_key, now, is_root=True)
        certificate = _certificate(
            _name("DEVELOPMENT TSA (not evidence)"), root_name, key, root_key, now, is_root=False
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _write(path, private + encode_chain((certificate, root)))
        return cls(key, certificate, root)

    @classmethod
    def load(cls, folder: Path) -> "DevelopmentTsa":
        """Take up the authority of `folder`. Raises ConfigError if there is none, or not a readable one."""
        path = folder / FILE_NAME
        try:
            text = path.read_bytes()
            begin = text.index(b"-----BEGIN CERTIFICATE-----")
            key = serialization.load_pem_private_key(text[:begin], password=None)
            certificate, root = parse_chain(text[begin:])
        except (OSError, ValueError, FormatError) as error:
            raise ConfigError(str(path), f"no development authority: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigError(str(path), "no development authority: its key is not on P-256")
        return cls(key, certificate, root)

    def respond(self, request_der: bytes, now: datetime) -> bytes:
        """A TimeStampResp for any bytes: granted with gen_time `now`, or a rejection that says why."""
        try:
            request = parse_request(request_der)
        except FormatError as error:
            return encode_rejection(BAD_DATA_FORMAT, str(error))
        name = request.imprint_algorithm
        if name not in DIGEST_SIZES or name in _REFUSED:
            return encode_rejection(BAD_ALGORITHM, f"imprint algorithm {name} is not accepted")
        if len(request.imprint) != DIGEST_SIZES[name]:
            return encode_rejection(BAD_DATA_FORMAT, f"a {name} imprint has {DIGEST_SIZES[name]} bytes")
        if request.policy not in (None, POLICY):
            return encode_rejection(UNACCEPTED_POLICY, f"the only policy here is {POLICY}")
        if request.extensions:
            return encode_rejection(UNACCEPTED_EXTENSION, "no extension is supported")
        return tlv(SEQUENCE, _GRANTED, self._token(_tst_info(request, now), request.wants_certificate))

    def _token(self, tst_info: bytes, with_certificate: bool) -> bytes:
        message_digest = tlv(OCTET_STRING, hashlib.sha256(tst_info).digest())
        # DER order of a SET OF: by encoding (X.690 §11.6).
        attributes = sorted(
            (
                _CONTENT_TYPE_ATTRIBUTE,
                _attribute(MESSAGE_DIGEST, message_digest),
                self._signing_certificate,
            )
        )
        signature = self._key.sign(tlv(SET, *attributes), ec.ECDSA(hashes.SHA256()))
        signer = tlv(
            SEQUENCE,
            encode_integer(1),
            self._sid,
            _SHA256,
            tlv(context_constructed(0), *attributes),
            _ECDSA_SHA256,
            tlv(OCTET_STRING, signature),
        )
        signed_data = tlv(
            SEQUENCE,
            encode_integer(3),
            tlv(SET, _SHA256),
            tlv(SEQUENCE, encode_oid(TST_INFO), tlv(context_constructed(0), tlv(OCTET_STRING, tst_info))),
            tlv(context_constructed(0), self._certificate) if with_certificate else b"",
            tlv(SET, signer),
        )
        return tlv(SEQUENCE, encode_oid(SIGNED_DATA), tlv(context_constructed(0), signed_data))


def _tst_info(request: Request, now: datetime) -> bytes:
    imprint = tlv(
        SEQUENCE, _IMPRINT_ALGORITHMS[request.imprint_algorithm], tlv(OCTET_STRING, request.imprint)
    )
    return tlv(
        SEQUENCE,
        encode_integer(1),
        encode_oid(POLICY),
        imprint,
        # Unique without a counter to keep: 127 random bits, never zero.
        encode_integer(secrets.randbits(127) | 1),
        encode_generalized_time(now),
        tlv(SEQUENCE, encode_integer(ACCURACY_S)),
        b"" if request.nonce is None else encode_integer(request.nonce),
    )


def _attribute(oid: str, value: bytes) -> bytes:
    return tlv(SEQUENCE, encode_oid(oid), tlv(SET, value))


_CONTENT_TYPE_ATTRIBUTE = _attribute(CONTENT_TYPE, encode_oid(TST_INFO))


def encode_rejection(bit: int, text: str) -> bytes:
    """A TimeStampResp with status rejection, one text, and one bit of PKIFailureInfo."""
    octets = bytes((7 - bit % 8,)) + bytes(bit // 8) + bytes((0x80 >> bit % 8,))
    free_text = tlv(SEQUENCE, tlv(UTF8_STRING, text.encode()))
    return tlv(SEQUENCE, tlv(SEQUENCE, encode_integer(2), free_text, tlv(BIT_STRING, octets)))


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Evidence Vault DEVELOPMENT"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    *,
    is_root: bool,
) -> bytes:
    public_key, issuer_public_key = key.public_key(), issuer_key.public_key()
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
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public_key), critical=False)
    )
    if not is_root:
        # RFC 3161 §2.3: critical, and nothing else.
        only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(only, critical=True)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _write(path: Path, content: bytes) -> None:
    """Write a private file: whole or not at all, flushed with its directory."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
