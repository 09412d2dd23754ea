import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_vault.core.textfields import encode_base64, parse_base64, parse_decimal
from evidence_vault.errors import FormatError


@given(st.integers(0, (1 << 63) - 1))
def test_parse_decimal_reads_what_str_writes(value: int) -> None:
    assert parse_decimal("size", str(value)) == value


@pytest.mark.parametrize(
    "text",
    ["", "01", "00", "+1", "-1", " 1", "1 ", "1\n", "1_0", "0x1", "1e3", "٣", "²", str(1 << 63), "9" * 19],
)
def test_parse_decimal_refuses_every_other_spelling(text: str) -> None:
    with pytest.raises(FormatError, match="size: expected a decimal"):
        parse_decimal("size", text)


@given(st.binary(max_size=70))
def test_parse_base64_reads_what_encode_writes(value: bytes) -> None:
    assert parse_base64("key", encode_base64(value)) == value


@pytest.mark.parametrize(
    "text", ["AA", "AA=", "AB==", "AAB=", "AA== ", "AA==\n", "A A=", "AA==AA==", "-_==", "A", "=", "ÀA=="]
)
def test_parse_base64_refuses_every_other_spelling(text: str) -> None:
    with pytest.raises(FormatError, match="key: expected"):
        parse_base64("key", text)


def test_parse_base64_refuses_another_length() -> None:
    with pytest.raises(FormatError, match="expected 32 bytes, found '31 bytes'"):
        parse_base64("root", encode_base64(bytes(31)), length=32)
