"""Small certificate hierarchies, made on the spot, with one flaw at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from anchors.rfc3161.certificate import Certificate, load_certificate
from tests.anchors.rfc3161.conftest import NOW

TIME_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A certificate and its private key."""

    key: ec.EllipticCurvePrivateKey
    x509: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.x509.public_bytes(serialization.Encoding.DER)

    @property
    def certificate(self) -> Certificate:
        return load_certificate(self.der)


def name_of(common_name: str, organization: str = "Example") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def key_usage(*, signs: bool = False, issues: bool = False, crl: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=crl,
        encipher_only=False,
        decipher_only=False,
    )


def issue(
    name: str | x509.Name,
    issuer: Holder | None = None,
    *,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    not_before: datetime = NOW - YEAR,
    not_after: datetime = NOW + YEAR,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Holder:
    """A certificate with exactly these extensions (each with its criticality); self-signed without issuer."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = name_of(name) if isinstance(name, str) else name
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.x509.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return Holder(key=key, x509=builder.sign(issuer.key if issuer else key, hashes.SHA256()))


def authority(
    name: str,
    issuer: Holder | None = None,
    *,
    path_length: int | None = None,
    usage: x509.KeyUsage | None = None,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
    not_before: datetime = NOW - YEAR,
    not_after: datetime = NOW + YEAR,
) -> Holder:
    """A certificate that may issue others."""
    basics: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        (usage or key_usage(issues=True, crl=True), True),
    ]
    return issue(name, issuer, extensions=[*basics, *extra], not_before=not_before, not_after=not_after)


def signer(
    issuer: Holder,
    name: str | x509.Name = "Signer",
    *,
    usage: Sequence[x509.ObjectIdentifier] = (TIME_STAMPING,),
    critical: bool = True,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
    not_before: datetime = NOW - YEAR,
    not_after: datetime = NOW + YEAR,
) -> Holder:
    """A time-stamping certificate."""
    purpose: list[tuple[x509.ExtensionType, bool]] = (
        [(x509.ExtendedKeyUsage(usage), critical)] if usage else []
    )
    return issue(name, issuer, extensions=[*purpose, *extra], not_before=not_before, not_after=not_after)
