"""One X.509 certificate, read once, with the parts that a time-stamping path depends on. RFC 5280 §4.

pyca/cryptography parses it; the bytes that are signed, and the algorithm identifier inside and outside of
them, are read by our own cursor. Reading one certificate is cached, because a vault's tokens name the same
few.
"""

import base64
import binascii
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import TypeVar, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import Extension, ExtensionType

from anchors.errors import FormatError
from anchors.rfc3161.algorithms import (
    AlgorithmIdentifier,
    PublicKey,
    UnknownAlgorithm,
    read_algorithm,
    verify_signature,
)
from anchors.rfc3161.der import BIT_STRING, SEQUENCE, SET, Reader, context_constructed, parse_whole
from anchors.values import value

TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"

# Certificates of authorities have 1 to 3 kB.
MAX_CERTIFICATE_BYTES = 32 * 1024
MAX_CHAIN = 32
ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)

# What pyca/cryptography raises for bytes that are not what they should be.
X509_ERRORS = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_WARNINGS = threading.RLock()

PEM_BEGIN, PEM_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@value
class Certificate:
    """An X.509 certificate. Equal when its bytes are.

    der: as given. tbs: the signed part. issuer, subject: Names, DER, as sent; *_text: for people, RFC 4514.
    serial_number: any integer. not_before, not_after: both inclusive (RFC 5280 §4.1.2.5). x509: the parsed
    form. extensions: by kind. public_key: None for a kind of key that we don't know. key_octets: the BIT
    STRING of the key, as OCSP hashes it.
    """

    der: bytes
    tbs: bytes
    issuer: bytes
    subject: bytes
    issuer_text: str
    subject_text: str
    serial_number: int
    not_before: datetime
    not_after: datetime
    x509: x509.Certificate
    extensions: Mapping[type[ExtensionType], Extension[ExtensionType]]
    public_key: PublicKey | None
    key_octets: bytes
    signature_algorithm: AlgorithmIdentifier
    signature: bytes

    def __hash__(self) -> int:
        return hash(self.der)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    @property
    def key_identifier(self) -> bytes | None:
        """The subject key identifier, if the certificate has one. RFC 5280 §4.2.1.2."""
        extension = extension_of(self, x509.SubjectKeyIdentifier)
        return None if extension is None else extension.value.digest

    def has_alternative_name(self, general_name: bytes) -> bool:
        """Whether a GeneralName (DER) is one of the subject's alternative names. RFC 5280 §4.2.1.6."""
        extension = extension_of(self, x509.SubjectAlternativeName)
        if extension is None:
            return False
        names = parse_whole(extension.value.public_bytes(), SEQUENCE, "subjectAltName")
        while names.more:
            if names.any("generalName").encoded == general_name:
                return True
        return False


@lru_cache(maxsize=256)
def load_certificate(der: bytes) -> Certificate:
    """Read one certificate. Raises FormatError, also for extensions that don't parse."""
    place = "certificate"
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise FormatError(place, f"at most {MAX_CERTIFICATE_BYTES} bytes", len(der))
    outer = parse_whole(der, SEQUENCE, place)
    tbs = outer.element(SEQUENCE, "tbsCertificate")
    signature_algorithm = read_algorithm(outer, "signatureAlgorithm")
    signature = read_bit_string(outer, "signatureValue")
    outer.end()
    inside = Reader(tbs.contents, f"{place}.tbsCertificate")
    inside.optional(context_constructed(0), "version")
    serial_number = inside.integer("serialNumber")
    if read_algorithm(inside, "signature") != signature_algorithm:
        raise FormatError(f"{place}.signatureAlgorithm", "the one inside (RFC 5280 §4.1.1.2)", "another")
    issuer = inside.element(SEQUENCE, "issuer").encoded
    inside.element(SEQUENCE, "validity")
    subject = inside.element(SEQUENCE, "subject").encoded
    key_info = inside.sequence("subjectPublicKeyInfo")
    read_algorithm(key_info, "algorithm")
    key_octets = read_bit_string(key_info, "subjectPublicKey")
    key_info.end()
    try:
        with without_warnings():
            parsed = x509.load_der_x509_certificate(der)
            # Names and extensions are parsed on first use: use them here, where a failure has a name.
            issuer_text, subject_text = parsed.issuer.rfc4514_string(), parsed.subject.rfc4514_string()
            extensions = {type(extension.value): extension for extension in parsed.extensions}
        not_before, not_after = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except X509_ERRORS as error:
        raise FormatError(place, "an X.509 certificate (RFC 5280 §4.1)", str(error)) from error
    return Certificate(
        der=der,
        tbs=tbs.encoded,
        issuer=issuer,
        subject=subject,
        issuer_text=issuer_text,
        subject_text=subject_text,
        serial_number=serial_number,
        not_before=not_before,
        not_after=not_after,
        x509=parsed,
        extensions=extensions,
        public_key=_public_key(parsed),
        key_octets=key_octets,
        signature_algorithm=signature_algorithm,
        signature=signature,
    )


@lru_cache(maxsize=1024)
def is_signed_by(child: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer's key made the child's signature. An algorithm we don't know made nothing."""
    if issuer.public_key is None:
        return False
    try:
        return verify_signature(
            issuer.public_key, child.signature_algorithm, signature=child.signature, signed=child.tbs
        )
    except (UnknownAlgorithm, FormatError):
        return False


def extension_of(one: Certificate, kind: type[ExtensionT]) -> x509.Extension[ExtensionT] | None:
    """The certificate's extension of this kind, if it has one."""
    return cast("x509.Extension[ExtensionT] | None", one.extensions.get(kind))


def same_name(one: bytes, other: bytes) -> bool:
    """Whether two Names (DER) are the same: kinds of string, case and runs of blanks don't matter.

    RFC 5280 §7.1, except for Unicode preparation, which no authority's name needs. Raises FormatError.
    """
    return one == other or _canonical_name(one) == _canonical_name(other)


@lru_cache(maxsize=512)
def _canonical_name(name: bytes) -> list[frozenset[tuple[str, bytes]]]:
    reader = parse_whole(name, SEQUENCE, "Name")
    found: list[frozenset[tuple[str, bytes]]] = []
    while reader.more:
        rdn = reader.inside(SET, "rdn")
        parts: set[tuple[str, bytes]] = set()
        while rdn.more:
            attribute = rdn.sequence("attribute")
            oid, value = attribute.oid("type"), attribute.any("value").contents
            attribute.end()
            parts.add((oid, b" ".join(value.lower().split())))
        found.append(frozenset(parts))
    return found


@contextmanager
def without_warnings() -> Iterator[None]:
    """Read old and odd certificates in silence: what pyca/cryptography warns of changes no verdict.

    Serial numbers of zero, for one, exist in old roots (RFC 5280 §4.1.2.2). The filters are the process's, so
    only one thread at a time may change them.
    """
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_bit_string(reader: Reader, name: str) -> bytes:
    """Take a BIT STRING of whole bytes, as signatures and keys are."""
    contents = reader.element(BIT_STRING, name).contents
    if contents[:1] != b"\x00":
        raise FormatError(f"{reader.place}.{name}", "a bit string of whole bytes", contents[:1].hex())
    return contents[1:]


def parse_chain(pem: bytes) -> tuple[bytes, ...]:
    """The DER certificates of a PEM file, in its order. RFC 7468 §5, strict form. Raises FormatError."""
    if len(pem) > 2 * MAX_CHAIN * MAX_CERTIFICATE_BYTES:
        raise FormatError("chain.pem", f"at most {MAX_CHAIN} certificates", f"{len(pem)} bytes")
    found: list[bytes] = []
    lines: list[str] | None = None
    for number, raw in enumerate(pem.splitlines(), start=1):
        line = raw.decode("ascii", "replace").rstrip()
        if line == PEM_BEGIN and lines is None:
            lines = []
        elif line == PEM_END and lines is not None:
            found.append(_decode_base64("".join(lines), number))
            lines = None
            if len(found) > MAX_CHAIN:
                raise FormatError("chain.pem", f"at most {MAX_CHAIN} certificates", "more")
        elif lines is not None:
            lines.append(line)
        elif line:
            raise FormatError(f"chain.pem line {number}", PEM_BEGIN, line)
    if lines is not None:
        raise FormatError("chain.pem", PEM_END, "the end")
    return tuple(found)


def encode_chain(certificates: tuple[bytes, ...]) -> bytes:
    """A PEM file of DER certificates: 64 columns, LF."""
    blocks: list[str] = []
    for der in certificates:
        text = base64.b64encode(der).decode()
        blocks += [PEM_BEGIN, *(text[n : n + 64] for n in range(0, len(text), 64)), PEM_END]
    return ("\n".join(blocks) + "\n").encode() if blocks else b""


def _decode_base64(text: str, number: int) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise FormatError(f"chain.pem line {number}", "base64", str(error)) from error


def _public_key(parsed: x509.Certificate) -> PublicKey | None:
    try:
        return PublicKey(algorithm_oid=parsed.public_key_algorithm_oid.dotted_string, key=parsed.public_key())
    except (UnsupportedAlgorithm, ValueError):
        return None
