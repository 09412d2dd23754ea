import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from anchors.errors import FormatError
from anchors.ethereum.rlp import MAX_DEPTH, as_uint, decode, encode_uint

_ITEMS = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=6), max_leaves=20)


def _depth(item: object) -> int:
    return 1 + max(map(_depth, item), default=0) if isinstance(item, list) else 0


@given(_ITEMS)
def test_decode_of_what_the_rlp_library_encoded_gives_it_back(item: object) -> None:
    encoded = bytes(rlp.encode(item))
    if _depth(item) <= MAX_DEPTH:
        assert decode(encoded, "x") == item
    else:
        with pytest.raises(FormatError, match="deep"):
            decode(encoded, "x")


@given(st.binary(max_size=200))
def test_decode_of_any_bytes_is_canonical_or_refused(data: bytes) -> None:
    try:
        item = decode(data, "x")
    except FormatError:
        return
    assert bytes(rlp.encode(item)) == data


@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        ("", "nothing"),
        ("8100", "a single byte with a prefix"),
        ("817f", "a single byte with a prefix"),
        ("b800", "long form of an empty string"),
        ("b837" + "00" * 55, "long form where the short one fits"),
        ("b90038" + "00" * 56, "length with a leading zero"),
        ("b9", "length cut off"),
        ("b838" + "00" * 55, "payload one byte short"),
        ("83aabb", "payload cut off"),
        ("c3aabb", "list cut off"),
        ("c28300", "an item that reaches out of its list"),
        ("0000", "a second item"),
        ("c000", "bytes after the list"),
        ("bfffffffffffffffff", "a length of 2**64 - 1"),
        ("ffffffffffffffffff", "a list of 2**64 - 1 bytes"),
        ("c1" * 9 + "c0", "wrong lengths"),
    ],
)
def test_decode_refuses(data: str, flaw: str) -> None:
    with pytest.raises(FormatError, match=r"^here at byte"):
        decode(bytes.fromhex(data), "here")


def test_decode_of_ten_thousand_nested_lists_is_refused_without_recursion() -> None:
    nested = b""
    for _ in range(10_000):
        nested = bytes(rlp.codec.length_prefix(len(nested), 0xC0)) + nested
    with pytest.raises(FormatError, match="8 deep"):
        decode(nested, "bomb")


@given(st.integers(0, 2**64 - 1))
def test_encode_uint_agrees_with_the_rlp_library(number: int) -> None:
    assert encode_uint(number) == rlp.encode(number)
    assert as_uint(decode(encode_uint(number), "n"), "n", 8) == number


@pytest.mark.parametrize("raw", [b"\x00", b"\x00\x01", b"\x01" * 9])
def test_as_uint_refuses_leading_zero_and_excess_length(raw: bytes) -> None:
    with pytest.raises(FormatError):
        as_uint(raw, "n", 8)
