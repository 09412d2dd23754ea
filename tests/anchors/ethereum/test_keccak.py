import pytest
from Crypto.Hash import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors.ethereum.keccak import keccak256, keccak256_each


def test_keccak256_of_nothing_is_the_published_digest() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@pytest.mark.parametrize("length", [1, 7, 8, 134, 135, 136, 137, 271, 272, 273, 1000])
def test_keccak256_around_block_boundaries_agrees_with_pycryptodome(length: int) -> None:
    data = bytes(range(256)) * 4
    assert keccak256(data[:length]) == keccak.new(digest_bits=256, data=data[:length]).digest()


@settings(max_examples=60)
@given(st.binary(max_size=700))
def test_keccak256_of_any_bytes_agrees_with_pycryptodome(data: bytes) -> None:
    assert keccak256(data) == keccak.new(digest_bits=256, data=data).digest()


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=700), max_size=9))
def test_keccak256_each_of_texts_of_any_lengths_agrees_with_pycryptodome(texts: list[bytes]) -> None:
    assert keccak256_each(texts) == [keccak.new(digest_bits=256, data=text).digest() for text in texts]


def test_keccak256_each_of_more_texts_than_fit_abreast_keeps_their_order() -> None:
    texts = [bytes([i % 251]) * (i % 300) for i in range(300)]

    assert keccak256_each(texts) == [keccak.new(digest_bits=256, data=text).digest() for text in texts]
