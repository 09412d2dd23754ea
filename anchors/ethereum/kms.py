"""A sender whose key never leaves a key service: the service signs digests, everything else is done here.

A service needs two doors (`DigestKey`). What it answers is checked before it is used: the key must have made the
signature, so a wrong or half-broken service can't cost ether or give a transaction of somebody else.
"""

from collections.abc import Mapping
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_keys.datatypes import PublicKey, Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError
from hexbytes import HexBytes

import anchors.ethereum.recursion  # noqa: F401 - what these libraries do to the process is undone
from anchors.errors import ConfigError, UnavailableError

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the group of secp256k1 (SEC 2 §2.4.1). Ethereum takes the smaller of s and _ORDER - s (EIP-2)."""


class DigestKey(Protocol):
    """A secp256k1 key in a service. Raises UnavailableError where the service doesn't answer."""

    def public_key(self) -> bytes:
        """The public point, compressed or not (SEC 1 §2.3.3)."""
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """An ECDSA signature over these 32 bytes as they are: DER, SEQUENCE of r and s, of any s."""
        ...


class KmsSigner:
    """`anchors.ethereum.signer.Signer` over a key service."""

    def __init__(self, key: DigestKey) -> None:
        """Asks for the public key once. ConfigError if it is none of secp256k1."""
        try:
            point = EllipticCurvePublicKey.from_encoded_point(SECP256K1(), key.public_key())
        except (ValueError, TypeError) as error:
            raise ConfigError("ethereum kms", f"gives no point of secp256k1: {error}") from error
        whole = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._key, self._public = key, PublicKey(whole[1:])
        self.address: bytes = self._public.to_canonical_address()

    def sign_transaction(self, fields: Mapping[str, object]) -> bytes:
        """See `Signer`. UnavailableError if the service's answer is no signature by its key."""
        transaction = TypedTransaction.from_dict(dict(fields))
        digest = bytes(transaction.hash())
        signature = self._recoverable(digest, self._key.sign_digest(digest))
        v, r, s = signature.vrs
        signed = TypedTransaction.from_dict({**fields, "v": v, "r": r, "s": s})
        return bytes(HexBytes(signed.encode()))

    def _recoverable(self, digest: bytes, der: bytes) -> Signature:
        """The signature as Ethereum wants it: small s, and the bit that tells the key from it."""
        try:
            r, s = decode_dss_signature(der)
        except (ValueError, TypeError) as error:
            raise UnavailableError("ethereum kms", "the answer is no DER signature") from error
        s = min(s, _ORDER - s)
        for v in (0, 1):
            try:
                signature = Signature(vrs=(v, r, s))
                if signature.recover_public_key_from_msg_hash(digest) == self._public:
                    return signature
            except (BadSignature, ValidationError, ValueError, TypeError):
                continue
        raise UnavailableError("ethereum kms", "the signature is not by the key that the service named")
