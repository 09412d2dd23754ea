from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchors.errors import FormatError
from anchors.rfc3161.der import (
    GENERALIZED_TIME,
    INTEGER,
    Reader,
    encode_generalized_time,
    encode_integer,
    encode_oid,
    parse_whole,
    tlv,
)


def reader(encoded: bytes) -> Reader:
    return Reader(encoded, "t")


@given(st.integers(-(2**300), 2**300))
def test_integer_reads_what_encode_wrote(value: int) -> None:
    assert reader(encode_integer(value)).integer("n") == value


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**128), max_size=3))
def test_oid_reads_what_encode_wrote(first: int, second: int, rest: list[int]) -> None:
    dotted = ".".join(map(str, [first, second, *rest]))
    assert reader(encode_oid(dotted)).oid("o") == dotted


@given(st.datetimes(min_value=datetime(1950, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants it
def test_generalized_time_reads_what_encode_wrote(moment: datetime) -> None:
    assert reader(encode_generalized_time(moment)).generalized_time("t") == moment


@given(st.integers(0, 255), st.binary(max_size=70_000))
def test_any_reads_what_tlv_wrote(tag: int, contents: bytes) -> None:
    if tag & 0x1F == 0x1F:
        return
    encoded = tlv(tag, contents)
    assert reader(encoded).any("v") == (tag, contents, encoded)


@pytest.mark.parametrize(
    ("encoded", "take"),
    [
        ("02020001", lambda r: r.integer("n")),  # not the shortest
        ("0202ff80", lambda r: r.integer("n")),
        ("0200", lambda r: r.integer("n")),  # no octets
        ("028101ff", lambda r: r.integer("n")),  # long form for a short length
        ("02820001ff", lambda r: r.integer("n")),
        ("3080020101" + "0000", lambda r: r.sequence("s")),  # indefinite length
        ("0206", lambda r: r.integer("n")),  # cut
        ("02", lambda r: r.integer("n")),
        ("", lambda r: r.integer("n")),
        ("1f0100", lambda r: r.any("v")),  # high tag number
        ("0600", lambda r: r.oid("o")),
        ("06028001", lambda r: r.oid("o")),  # an arc with a leading zero group
        ("060188", lambda r: r.oid("o")),  # an arc without an end
        ("010101", lambda r: r.boolean_default_false("b")),
        ("0100", lambda r: r.boolean_default_false("b")),
    ],
)
def test_reader_refuses_encodings_that_are_not_der(encoded: str, take: Callable[[Reader], object]) -> None:
    with pytest.raises(FormatError) as caught:
        take(reader(bytes.fromhex(encoded)))
    assert caught.value.place.startswith("t.")


@pytest.mark.parametrize(
    "text",
    [
        "20261122120000",
        "20261122120000+0000",
        "202611221200Z",
        "20261122120000.Z",
        "20261122120000,5Z",
        "20261332120000Z",
        "20261122120060Z",
        "20261122 20000Z",
        "2026112212000٣Z",
        "20261122120000." + "1" * 33 + "Z",
    ],
)
def test_generalized_time_refuses_other_forms(text: str) -> None:
    with pytest.raises(FormatError):
        reader(tlv(GENERALIZED_TIME, text.encode())).generalized_time("t")


def test_generalized_time_cuts_off_below_a_microsecond() -> None:
    time = reader(tlv(GENERALIZED_TIME, b"20261122120000.1234567Z")).generalized_time("t")
    assert time == datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def test_parse_whole_refuses_what_follows() -> None:
    with pytest.raises(FormatError, match="nothing more"):
        parse_whole(tlv(0x30) + b"\x00", 0x30, "t")
    with pytest.raises(FormatError, match="nothing more"):
        parse_whole(tlv(0x30, encode_integer(1)), 0x30, "t").end()


@pytest.mark.parametrize(
    "dotted", ["3.1", "1.40", "1.01", "1", "1.2.-3", "a.b", "1.2.03", "1.2 ", "", "1..2"]
)
def test_encode_oid_refuses_what_is_none(dotted: str) -> None:
    with pytest.raises(FormatError):
        encode_oid(dotted)


def test_integer_bounds_its_size() -> None:
    with pytest.raises(FormatError):
        reader(tlv(INTEGER, b"\x01" * 129)).integer("n")
