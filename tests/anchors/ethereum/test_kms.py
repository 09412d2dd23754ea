"""A key in a service: signatures of any form become transactions by its account, and nothing else does."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_account import Account
from eth_utils.address import to_checksum_address

from anchors.errors import ConfigError, UnavailableError
from anchors.ethereum.kms import _ORDER, KmsSigner
from anchors.ethereum.signer import KeySigner, Signer

FIELDS = {
    "type": 2,
    "chainId": 31337,
    "nonce": 3,
    "to": to_checksum_address(b"\x0a" * 20),
    "value": 0,
    "data": "0x1234",
    "gas": 35_000,
    "maxFeePerGas": 10**9,
    "maxPriorityFeePerGas": 10**8,
}


class Service:
    """A key service as its makers would write it: OpenSSL behind two methods."""

    def __init__(self, secret: int = 0x1234, *, large_s: bool = False) -> None:
        self._key = ec.derive_private_key(secret, ec.SECP256K1())
        self._large_s = large_s
        self.answer: bytes | None = None

    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign_digest(self, digest: bytes) -> bytes:
        if self.answer is not None:
            return self.answer
        r, s = decode_dss_signature(self._key.sign(digest, ec.ECDSA(Prehashed(SHA256()))))
        small = min(s, _ORDER - s)
        return encode_dss_signature(r, _ORDER - small if self._large_s else small)


@pytest.mark.parametrize("large_s", [False, True])
def test_kms_signer_signs_as_its_account(large_s: bool) -> None:
    signer: Signer = KmsSigner(Service(large_s=large_s))
    assert signer.address == KeySigner((0x1234).to_bytes(32, "big")).address
    for nonce in range(8):  # both values of the recovery bit
        raw = signer.sign_transaction({**FIELDS, "nonce": nonce})
        assert Account.recover_transaction(raw) == to_checksum_address(signer.address)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not DER",
        "not bytes",
        encode_dss_signature(1, 1),
        encode_dss_signature(_ORDER, 5),
        encode_dss_signature(0, 0),
        encode_dss_signature(5, 2**300),
    ],
)
def test_kms_signer_refuses_what_its_key_did_not_sign(answer: Any) -> None:
    service = Service()
    signer = KmsSigner(service)
    service.answer = answer
    with pytest.raises(UnavailableError, match="ethereum kms"):
        signer.sign_transaction(FIELDS)


def test_kms_signer_refuses_a_signature_by_another_key() -> None:
    service: Any = Service()
    signer = KmsSigner(service)
    service.sign_digest = Service(0x9999).sign_digest
    with pytest.raises(UnavailableError, match="not by the key"):
        signer.sign_transaction(FIELDS)


@pytest.mark.parametrize(
    "point", [b"", b"\x04" + b"\x01" * 63, b"\x04" + b"\x01" * 64], ids=["empty", "short", "off the curve"]
)
def test_kms_signer_refuses_what_is_no_point(point: bytes) -> None:
    service: Any = Service()
    service.public_key = lambda: point
    with pytest.raises(ConfigError, match="secp256k1"):
        KmsSigner(service)
