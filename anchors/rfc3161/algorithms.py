"""Which algorithms are understood, and one function that verifies a signature with any of them.

RFC 5754 (SHA-2 in CMS), RFC 8692 and NIST (SHA-3), RFC 4055 and 4056 (RSASSA-PSS), RFC 5758 (ECDSA), RFC
8410 and 8419 (Ed25519). Whether an algorithm is still good is policy, decided elsewhere: here SHA-1
verifies. Not understood, hence never passed: MD5, DSA, Ed448, SM2, composite and post-quantum signatures.

Deliberately not checked: parameters inside an id-RSASSA-PSS *key* (RFC 4055 §3.1), beyond that such a key
signs with PSS only.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from anchors.errors import FormatError
from anchors.rfc3161.der import (
    SEQUENCE,
    Reader,
    context_constructed,
    parse_whole,
)
from anchors.values import value

HASH_OIDS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.6": "sha512-256",
    "2.16.840.1.101.3.4.2.7": "sha3-224",
    "2.16.840.1.101.3.4.2.8": "sha3-256",
    "2.16.840.1.101.3.4.2.9": "sha3-384",
    "2.16.840.1.101.3.4.2.10": "sha3-512",
    "1.2.156.10197.1.401": "sm3",
}
_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
    "sha512-256": hashes.SHA512_256,
    "sha3-224": hashes.SHA3_224,
    "sha3-256": hashes.SHA3_256,
    "sha3-384": hashes.SHA3_384,
    "sha3-512": hashes.SHA3_512,
    "sm3": hashes.SM3,
}
DIGEST_SIZES = {name: hash_class().digest_size for name, hash_class in _HASHES.items()}

RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
RSASSA_PSS = "1.2.840.113549.1.1.10"
MGF1 = "1.2.840.113549.1.1.8"
ED25519 = "1.3.101.112"
# Shorter keys were broken in public (RSA-829 in 2020); policies refuse more, by date.
MIN_RSA_BITS = 1024
_RSA_WITH = {
    "1.2.840.113549.1.1.5": "sha1",
    "1.2.840.113549.1.1.14": "sha224",
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.113549.1.1.16": "sha512-256",
    "2.16.840.1.101.3.4.3.13": "sha3-224",
    "2.16.840.1.101.3.4.3.14": "sha3-256",
    "2.16.840.1.101.3.4.3.15": "sha3-384",
    "2.16.840.1.101.3.4.3.16": "sha3-512",
}
_ECDSA_WITH = {
    "1.2.840.10045.4.1": "sha1",
    "1.2.840.10045.4.3.1": "sha224",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
    "2.16.840.1.101.3.4.3.9": "sha3-224",
    "2.16.840.1.101.3.4.3.10": "sha3-256",
    "2.16.840.1.101.3.4.3.11": "sha3-384",
    "2.16.840.1.101.3.4.3.12": "sha3-512",
}


@value
class AlgorithmIdentifier:
    """OID and parameters as sent (None: absent). RFC 5280 §4.1.1.2."""

    oid: str
    parameters: bytes | None

    @property
    def has_no_parameters(self) -> bool:
        """Whether the parameters are absent or NULL; both occur for hashes and RSA (RFC 5754 §2)."""
        return self.parameters in (None, b"\x05\x00")


class UnknownAlgorithm(Exception):  # noqa: N818 - no fault of the signature: we can't judge it
    """An algorithm, or a combination of algorithms, that this verifier doesn't know."""


@value
class PublicKey:
    """A key and what its SubjectPublicKeyInfo says it is for. `algorithm_oid`: RFC 5280 §4.1.2.7."""

    algorithm_oid: str
    key: object

    @property
    def name(self) -> str:
        """Such as `rsa-2048`, `secp256r1`, `ed25519`."""
        if isinstance(self.key, rsa.RSAPublicKey):
            return f"rsa-{self.key.key_size}"
        if isinstance(self.key, ec.EllipticCurvePublicKey):
            return self.key.curve.name
        return "ed25519" if isinstance(self.key, ed25519.Ed25519PublicKey) else self.algorithm_oid


def read_algorithm(reader: Reader, name: str, tag: int = SEQUENCE) -> AlgorithmIdentifier:
    """Take an AlgorithmIdentifier from `reader` (or an IMPLICIT one under `tag`)."""
    inside = reader.inside(tag, name)
    oid = inside.oid("algorithm")
    parameters = inside.any("parameters").encoded if inside.more else None
    inside.end()
    return AlgorithmIdentifier(oid=oid, parameters=parameters)


def hash_name(algorithm: AlgorithmIdentifier) -> str | None:
    """The name of a digest algorithm; None for one we don't know, or with parameters none of them has."""
    return HASH_OIDS.get(algorithm.oid) if algorithm.has_no_parameters else None


def digest(name: str, data: bytes) -> bytes:
    """The digest of `data` under a name of HASH_OIDS."""
    state = hashes.Hash(_HASHES[name]())
    state.update(data)
    return state.finalize()


def signature_hash(algorithm: AlgorithmIdentifier) -> str | None:
    """The hash that a signature algorithm names itself; None where it leaves that to others (rsaEncryption).

    Ed25519 contains SHA-512. Raises UnknownAlgorithm, FormatError.
    """
    oid = algorithm.oid
    if oid == RSASSA_PSS:
        return _pss_parameters(algorithm)[0]
    if oid in _ECDSA_WITH and algorithm.parameters is None:
        return _ECDSA_WITH[oid]
    if oid in _RSA_WITH and algorithm.has_no_parameters:
        return _RSA_WITH[oid]
    if oid == RSA_ENCRYPTION and algorithm.has_no_parameters:
        return None
    if oid == ED25519 and algorithm.parameters is None:
        return "sha512"
    raise UnknownAlgorithm(f"signature algorithm {oid}")


def verify_signature(
    public_key: PublicKey,
    algorithm: AlgorithmIdentifier,
    *,
    signature: bytes,
    signed: bytes,
    digest_name: str | None = None,
) -> bool:
    """Whether `signature` over the bytes `signed` is the key's. Raises UnknownAlgorithm, FormatError.

    digest_name: the hash to use where the algorithm names none (a CMS SignerInfo with rsaEncryption).
    """
    name = signature_hash(algorithm) or digest_name
    if name is None:
        raise UnknownAlgorithm(f"{algorithm.oid} without a digest algorithm")
    chosen = _HASHES[name]()
    key, oid = public_key.key, algorithm.oid
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise UnknownAlgorithm(f"public key {public_key.name}: too short for anything")
    try:
        if isinstance(key, rsa.RSAPublicKey) and oid == RSASSA_PSS:
            _, mask_hash, salt_length = _pss_parameters(algorithm)
            pss = padding.PSS(padding.MGF1(_HASHES[mask_hash]()), salt_length)
            key.verify(signature, signed, pss, chosen)
        elif isinstance(key, rsa.RSAPublicKey) and public_key.algorithm_oid == RSA_ENCRYPTION:
            if oid != RSA_ENCRYPTION and oid not in _RSA_WITH:
                return False
            key.verify(signature, signed, padding.PKCS1v15(), chosen)
        elif isinstance(key, ec.EllipticCurvePublicKey) and oid in _ECDSA_WITH:
            key.verify(signature, signed, ec.ECDSA(chosen))
        elif isinstance(key, ed25519.Ed25519PublicKey) and oid == ED25519:
            key.verify(signature, signed)
        elif isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
            return False  # a key of one kind, a signature of another
        else:
            raise UnknownAlgorithm(f"public key algorithm {public_key.algorithm_oid}")
    except InvalidSignature:
        return False
    except (UnsupportedAlgorithm, ValueError) as error:
        # ValueError: a digest or salt too long for a tiny RSA key.
        raise UnknownAlgorithm(f"{oid} with {name} and {public_key.name}: {error}") from error
    return True


def _pss_parameters(algorithm: AlgorithmIdentifier) -> tuple[str, str, int]:
    """Hash, mask-generation hash, salt length in bytes. RFC 4055 §3.1; absent fields have SHA-1 defaults."""
    place = "RSASSA-PSS-params"
    if algorithm.parameters is None:
        raise FormatError(place, "parameters (RFC 4055 §3.1)", "none")
    reader = parse_whole(algorithm.parameters, SEQUENCE, place)
    names = ["sha1", "sha1"]
    salt_length = 20
    if hash_field := reader.optional_inside(context_constructed(0), "hashAlgorithm"):
        names[0] = _known_hash(hash_field, "hashAlgorithm")
    if mask_field := reader.optional_inside(context_constructed(1), "maskGenAlgorithm"):
        inside = mask_field.sequence("maskGenAlgorithm")
        mask_field.end()
        if (oid := inside.oid("algorithm")) != MGF1:
            raise UnknownAlgorithm(f"mask generation {oid}")
        names[1] = _known_hash(inside, "maskHash")
    if salt_field := reader.optional_inside(context_constructed(2), "saltLength"):
        salt_length = salt_field.integer("saltLength")
        salt_field.end()
    if trailer_field := reader.optional_inside(context_constructed(3), "trailerField"):
        if (trailer := trailer_field.integer("trailerField")) != 1:
            raise FormatError(f"{place}.trailerField", "1", trailer)
        trailer_field.end()
    reader.end()
    if not 0 <= salt_length <= 1024:
        raise FormatError(f"{place}.saltLength", "0 to 1024 bytes", salt_length)
    return names[0], names[1], salt_length


def _known_hash(field: Reader, name: str) -> str:
    algorithm = read_algorithm(field, name)
    field.end()
    if (known := hash_name(algorithm)) is None:
        raise UnknownAlgorithm(f"hash {algorithm.oid}")
    return known
