"""Which certificate signed, by the signer's own signed word. RFC 5035 §3 to §5, RFC 2634 §5.4, RFC 5816 §2.2.

    SigningCertificateV2 ::= SEQUENCE { certs SEQUENCE OF ESSCertIDv2, policies … OPTIONAL }
    ESSCertIDv2 ::= SEQUENCE { hashAlgorithm … DEFAULT sha256, certHash OCTET STRING, issuerSerial OPTIONAL }

This stops the substitution of another certificate with the same key. The first entry is the signer; further
ones limit which certificates may stand on its path.

Version 1 hashes with SHA-1 by definition. Where issuer and serial number are named too (here, or by the sid
of the SignerInfo, as in FreeTSA's tokens), the hash is not relied on: a substitute would have to be a
certificate of the same trusted issuer with the same number, and a second preimage; collisions don't help.

Deliberately not checked: `policies` (RFC 5035 §5.3), which limit nothing that we accept.
"""

from anchors.errors import FormatError
from anchors.rfc3161.algorithms import UnknownAlgorithm, digest, hash_name, read_algorithm
from anchors.rfc3161.certificate import Certificate, same_name
from anchors.rfc3161.der import SEQUENCE, Reader, context_constructed, parse_whole
from anchors.values import value

SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"

# One to four are usual: the signer and its issuers.
MAX_CERTIFICATE_IDS = 16


@value
class CertificateId:
    """An ESSCertID or ESSCertIDv2. issuer: a Name, DER, with its serial number; both None if left out."""

    version: int
    hash_name: str
    cert_hash: bytes
    issuer: bytes | None
    serial_number: int | None

    def names(self, certificate: Certificate) -> bool:
        """Whether this entry names the certificate: by hash and, where given, by issuer and serial number."""
        if digest(self.hash_name, certificate.der) != self.cert_hash:
            return False
        if self.issuer is None:
            return True
        same_number = self.serial_number == certificate.serial_number
        return same_number and same_name(self.issuer, certificate.issuer)

    def relies_on(self, *, sid_names_issuer: bool) -> str | None:
        """The hash whose strength identifies the certificate; None where names and numbers do (version 1)."""
        identified = self.version == 1 and (sid_names_issuer or self.issuer is not None)
        return None if identified else self.hash_name


def parse_signing_certificate(value: bytes, *, version: int) -> tuple[CertificateId, ...]:
    """The certificate ids of the signed attribute, version 1 or 2. Raises FormatError, UnknownAlgorithm."""
    place = "SigningCertificate" if version == 1 else "SigningCertificateV2"
    reader = parse_whole(value, SEQUENCE, place)
    certs = reader.sequence("certs")
    if reader.more:
        reader.element(SEQUENCE, "policies")
    reader.end()
    found: list[CertificateId] = []
    while certs.more:
        if len(found) == MAX_CERTIFICATE_IDS:
            raise FormatError(place, f"at most {MAX_CERTIFICATE_IDS} certificate ids", "more")
        found.append(_certificate_id(certs.sequence("certID"), version))
    return tuple(found)


def _certificate_id(reader: Reader, version: int) -> CertificateId:
    name: str | None = "sha1" if version == 1 else "sha256"
    if version == 2 and reader.next_is(SEQUENCE):
        algorithm = read_algorithm(reader, "hashAlgorithm")
        if (name := hash_name(algorithm)) is None:
            raise UnknownAlgorithm(f"certificate hash {algorithm.oid}")
    assert name is not None
    cert_hash = reader.octets("certHash")
    issuer = serial_number = None
    if issuer_serial := reader.optional_inside(SEQUENCE, "issuerSerial"):
        general_names = issuer_serial.sequence("issuer")
        # Exactly one directoryName, [4] EXPLICIT (RFC 5035 §5.1).
        directory = general_names.inside(context_constructed(4), "directoryName")
        general_names.end()
        issuer = directory.element(SEQUENCE, "name").encoded
        directory.end()
        serial_number = issuer_serial.integer("serialNumber")
        issuer_serial.end()
    reader.end()
    return CertificateId(
        version=version, hash_name=name, cert_hash=cert_hash, issuer=issuer, serial_number=serial_number
    )
