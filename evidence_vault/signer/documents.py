"""Sign a document for a person: a detached CMS SignedData with CAdES-B attributes. RFC 5652, EN 319 122-1.

    ContentInfo { SignedData { id-data, no eContent, certificates, one SignerInfo {
        signed: contentType, messageDigest, signingTime, signing-certificate-v2 } } }, DER

Whoever holds the key is a `DocumentSigner`: a file, a card, a key service. It gets the bytes to be signed and gives
back the raw signature, so that a private key never has to come here, least of all to a vault.

| key              | digest and signature                       |
|------------------|--------------------------------------------|
| RSA              | SHA-256, PKCS#1 v1.5 or RSASSA-PSS         | RFC 5754 §3.2, RFC 4056
| P-256, 384, 521  | ECDSA with SHA-256, 384, 512               | RFC 5754 §3.3
| Ed25519          | Ed25519; messageDigest by SHA-512          | RFC 8419 §3.1

signingTime is the signer's claim; no verdict rests on it. Deliberately not written: unsigned attributes, the
certificates above the signer's (they lie beside, in chain.pem), algorithm protection (RFC 6211).
"""

import hashlib
from datetime import UTC, datetime
from typing import Literal, Protocol

from anchors.rfc3161.algorithms import ED25519, MGF1, RSA_ENCRYPTION, RSASSA_PSS, digest
from anchors.rfc3161.certificate import Certificate
from anchors.rfc3161.cms import DATA, SIGNED_DATA
from anchors.rfc3161.der import (
    OCTET_STRING,
    SEQUENCE,
    SET,
    context_constructed,
    encode_generalized_time,
    encode_integer,
    encode_oid,
    tlv,
)
from anchors.rfc3161.ess import SIGNING_CERTIFICATE_V2
from anchors.rfc3161.message import CONTENT_TYPE, MESSAGE_DIGEST
from anchors.values import value
from evidence_vault.errors import ConfigError

SIGNING_TIME = "1.2.840.113549.1.9.5"
UTC_TIME = 0x17
HashName = Literal["sha256", "sha384", "sha512"]

_HASHES: dict[HashName, str] = {
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
_NULL = b"\x05\x00"
_BY_CURVE: dict[str, tuple[HashName, str]] = {
    "secp256r1": ("sha256", "1.2.840.10045.4.3.2"),
    "secp384r1": ("sha384", "1.2.840.10045.4.3.3"),
    "secp521r1": ("sha512", "1.2.840.10045.4.3.4"),
}


@value
class Scheme:
    """How a key signs. hash_name: of content and attributes. padding: RSA's, None for other keys.

    identifier: the signature algorithm, DER.
    """

    hash_name: HashName
    padding: Literal["pkcs1", "pss"] | None
    identifier: bytes


class DocumentSigner(Protocol):
    """Somebody who can sign with the key of `certificate`."""

    @property
    def certificate(self) -> Certificate:
        """The signer's own."""
        ...

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Certificates to carry, DER: the signer's first, then its issuers as far as they are known."""
        ...

    @property
    def scheme(self) -> Scheme:
        """How it signs."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the raw signature over `message` by the scheme; ECDSA's as a DER SEQUENCE."""
        ...


def scheme_for(certificate: Certificate, *, pss: bool = False) -> Scheme:
    """Return how the certificate's key signs. Raises ConfigError for a key that this module doesn't know."""
    key = certificate.public_key
    name = "an unknown kind" if key is None else key.name
    if key is not None and name.startswith("rsa-"):
        if pss or key.algorithm_oid == RSASSA_PSS:
            return Scheme(hash_name="sha256", padding="pss", identifier=_pss_identifier())
        return Scheme(
            hash_name="sha256", padding="pkcs1", identifier=tlv(SEQUENCE, encode_oid(RSA_ENCRYPTION), _NULL)
        )
    if pss:
        raise ConfigError("PSS", f"is a padding of RSA keys; this key is {name}")
    if name in _BY_CURVE:
        hash_name, oid = _BY_CURVE[name]
        return Scheme(hash_name=hash_name, padding=None, identifier=tlv(SEQUENCE, encode_oid(oid)))
    if name == "ed25519":
        return Scheme(hash_name="sha512", padding=None, identifier=tlv(SEQUENCE, encode_oid(ED25519)))
    raise ConfigError("key", f"RSA, P-256, P-384, P-521 or Ed25519, not {name}")


def sign_detached(content: bytes, signer: DocumentSigner, *, at: datetime) -> bytes:
    """Return signature.p7s over `content`. at: signingTime, aware."""
    scheme, certificate = signer.scheme, signer.certificate
    hash_identifier = tlv(SEQUENCE, encode_oid(_HASHES[scheme.hash_name]))
    issuer_serial = tlv(
        SEQUENCE,
        tlv(SEQUENCE, tlv(context_constructed(4), certificate.issuer)),
        encode_integer(certificate.serial_number),
    )
    cert_id = tlv(SEQUENCE, tlv(OCTET_STRING, hashlib.sha256(certificate.der).digest()), issuer_serial)
    attributes = sorted(  # DER order of a SET OF: by encoding (X.690 §11.6)
        (
            _attribute(CONTENT_TYPE, encode_oid(DATA)),
            _attribute(MESSAGE_DIGEST, tlv(OCTET_STRING, digest(scheme.hash_name, content))),
            _attribute(SIGNING_TIME, _time(at)),
            _attribute(SIGNING_CERTIFICATE_V2, tlv(SEQUENCE, tlv(SEQUENCE, cert_id))),
        )
    )
    # Signed under the tag of a SET OF, sent under [0] (RFC 5652 §5.4).
    signature = signer.sign(tlv(SET, *attributes))
    signer_info = tlv(
        SEQUENCE,
        encode_integer(1),
        tlv(SEQUENCE, certificate.issuer, encode_integer(certificate.serial_number)),
        hash_identifier,
        tlv(context_constructed(0), *attributes),
        scheme.identifier,
        tlv(OCTET_STRING, signature),
    )
    signed_data = tlv(
        SEQUENCE,
        encode_integer(1),
        tlv(SET, hash_identifier),
        tlv(SEQUENCE, encode_oid(DATA)),
        tlv(context_constructed(0), certificate.der),
        tlv(SET, signer_info),
    )
    return tlv(SEQUENCE, encode_oid(SIGNED_DATA), tlv(context_constructed(0), signed_data))


def _attribute(oid: str, attribute_value: bytes) -> bytes:
    return tlv(SEQUENCE, encode_oid(oid), tlv(SET, attribute_value))


def _time(at: datetime) -> bytes:
    """UTCTime up to 2049, GeneralizedTime from 2050 on, whole seconds (RFC 5652 §11.3)."""
    utc = at.astimezone(UTC).replace(microsecond=0)
    if 1950 <= utc.year < 2050:
        return tlv(UTC_TIME, f"{utc:%y%m%d%H%M%S}Z".encode())
    return encode_generalized_time(utc)


def _pss_identifier() -> bytes:
    """SHA-256 for hash and mask, a salt as long as the hash (RFC 4055 §3.1, RFC 4056 §3)."""
    sha256 = tlv(SEQUENCE, encode_oid(_HASHES["sha256"]), _NULL)
    parameters = tlv(
        SEQUENCE,
        tlv(context_constructed(0), sha256),
        tlv(context_constructed(1), tlv(SEQUENCE, encode_oid(MGF1), sha256)),
        tlv(context_constructed(2), encode_integer(32)),
    )
    return tlv(SEQUENCE, encode_oid(RSASSA_PSS), parameters)
