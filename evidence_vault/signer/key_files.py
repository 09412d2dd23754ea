"""A person's own signing key, from a file that stays on the person's machine: PEM, or PKCS#12 (RFC 7292).

PEM: the key in one file, the certificates in another (or both in one), the signer's first or anywhere. PKCS#12: all
in one. The certificate is the one that belongs to the key; others are put behind it in the order of their issuing.
"""

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs12

from anchors.rfc3161.certificate import (
    Certificate,
    is_signed_by,
    load_certificate,
    same_name,
    without_warnings,
)
from anchors.values import value
from evidence_vault.errors import ConfigError
from evidence_vault.signer.documents import HashName, Scheme, scheme_for

MAX_FILE_BYTES = 1024 * 1024
"""A key with its chain has 2 to 20 kB."""

MAX_CHAIN = 8

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_HASHES: dict[HashName, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class PassphraseNeeded(ConfigError):  # noqa: N818 - a question, not a fault
    """The file is encrypted, and no passphrase was given."""


@value
class FileSigner:
    """`DocumentSigner` with a key in memory. Its text shows the name alone, never the key."""

    key: PrivateKey
    certificate: Certificate
    chain: tuple[bytes, ...]
    scheme: Scheme

    def __repr__(self) -> str:
        return f"FileSigner({self.certificate.subject_text!r})"

    def sign(self, message: bytes) -> bytes:
        """Return the raw signature."""
        chosen = _HASHES[self.scheme.hash_name]
        match self.key:
            case rsa.RSAPrivateKey() if self.scheme.padding == "pss":
                pss = padding.PSS(padding.MGF1(chosen), chosen.digest_size)
                return self.key.sign(message, pss, chosen)
            case rsa.RSAPrivateKey():
                return self.key.sign(message, padding.PKCS1v15(), chosen)
            case ec.EllipticCurvePrivateKey():
                return self.key.sign(message, ec.ECDSA(chosen))
            case _:
                return self.key.sign(message)


def load_pem_signer(key: Path, certificates: Path, *, passphrase: bytes | None, pss: bool) -> FileSigner:
    """Return the signer of a PEM key and its certificates. Raises ConfigError, PassphraseNeeded."""
    data = _read(key)
    try:
        with without_warnings():
            private = serialization.load_pem_private_key(data, password=passphrase)
    except TypeError as error:  # encrypted and no passphrase, or the other way round
        if passphrase is None:
            raise PassphraseNeeded(str(key), "the key is encrypted: its passphrase is needed") from None
        raise ConfigError(str(key), f"{error}") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(str(key), f"no PEM private key, or another passphrase: {error}") from None
    try:
        with without_warnings():
            found = x509.load_pem_x509_certificates(_read(certificates))
    except ValueError as error:
        raise ConfigError(str(certificates), f"no certificates, PEM: {error}") from None
    return _signer(private, found, str(certificates), pss=pss)


def load_pkcs12_signer(path: Path, *, passphrase: bytes | None, pss: bool) -> FileSigner:
    """Return the signer of a PKCS#12 file. Raises ConfigError, PassphraseNeeded."""
    data = _read(path)
    try:
        with without_warnings():
            private, own, others = pkcs12.load_key_and_certificates(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if passphrase is None:
            raise PassphraseNeeded(str(path), "the file is encrypted: its passphrase is needed") from None
        raise ConfigError(str(path), f"no PKCS#12 file, or another passphrase: {error}") from None
    return _signer(private, [*([own] if own else []), *others], str(path), pss=pss)


def order_chain(signer: Certificate, others: Sequence[Certificate]) -> tuple[bytes, ...]:
    """Return the signer's certificate and its issuers, each signed by the next, as far as `others` have them."""
    path = [signer]
    while len(path) < MAX_CHAIN and not same_name(path[-1].issuer, path[-1].subject):
        issuer = next(
            (
                one
                for one in others
                if one not in path and same_name(one.subject, path[-1].issuer) and is_signed_by(path[-1], one)
            ),
            None,
        )
        if issuer is None:
            break
        path.append(issuer)
    return tuple(one.der for one in path)


def _signer(private: object, found: Sequence[x509.Certificate], place: str, *, pss: bool) -> FileSigner:
    if not isinstance(private, PrivateKey):
        kind = "none" if private is None else type(private).__name__
        raise ConfigError(place, f"a key of RSA, P-256, P-384, P-521 or Ed25519, not {kind}")
    certificates = [load_certificate(one.public_bytes(Encoding.DER)) for one in found]
    public = _octets(private.public_key())
    own = next(
        (one for one in certificates if one.public_key is not None and _octets(one.public_key.key) == public),
        None,
    )
    if own is None:
        raise ConfigError(place, "none of the certificates belongs to the key")
    return FileSigner(
        key=private,
        certificate=own,
        chain=order_chain(own, certificates),
        scheme=scheme_for(own, pss=pss),
    )


def _octets(key: object) -> bytes:
    """Return the key's SubjectPublicKeyInfo without parameters that a certificate may add; empty for odd kinds."""
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(str(path), f"at most {MAX_FILE_BYTES} bytes")
    return data
