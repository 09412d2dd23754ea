import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from anchors.rfc3161.algorithms import (
    RSA_ENCRYPTION,
    RSASSA_PSS,
    AlgorithmIdentifier,
    PublicKey,
    UnknownAlgorithm,
    verify_signature,
)

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHA256_WITH_RSA = AlgorithmIdentifier(oid="1.2.840.113549.1.1.11", parameters=b"\x05\x00")


def test_verify_signature_lets_a_pss_key_sign_with_pss_only() -> None:
    signature = KEY.sign(b"m", padding.PKCS1v15(), hashes.SHA256())
    for oid, good in ((RSA_ENCRYPTION, True), (RSASSA_PSS, False)):
        key = PublicKey(algorithm_oid=oid, key=KEY.public_key())
        assert verify_signature(key, SHA256_WITH_RSA, signature=signature, signed=b"m") is good
        assert not verify_signature(key, SHA256_WITH_RSA, signature=signature, signed=b"n")


@pytest.mark.parametrize(("bits", "too_short"), [(1023, True), (1024, False)])
def test_verify_signature_refuses_an_rsa_key_under_the_least_length(bits: int, too_short: bool) -> None:
    # No library makes so short a key any more, but anyone can write down a modulus. Nothing verifies under it;
    # what counts is which reason is given.
    short = rsa.RSAPublicNumbers(3, (1 << (bits - 1)) | 1).public_key()
    key = PublicKey(algorithm_oid=RSA_ENCRYPTION, key=short)

    if too_short:
        with pytest.raises(UnknownAlgorithm, match="too short"):
            verify_signature(key, SHA256_WITH_RSA, signature=bytes(128), signed=b"m")
    else:
        assert not verify_signature(key, SHA256_WITH_RSA, signature=bytes(128), signed=b"m")
