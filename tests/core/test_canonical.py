"""Canonical JSON: one value, one encoding; anything else is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_vault.core.canonical import MAX_DEPTH, Json, encode_canonical, parse_canonical
from evidence_vault.errors import FormatError

KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_parse_canonical_returns_what_was_encoded(value: Json) -> None:
    data = encode_canonical(value)
    assert parse_canonical(data, place="x", max_bytes=10**6) == value
    assert json.loads(data) == value


@given(VALUES, st.data())
def test_parse_canonical_refuses_any_inserted_space_outside_strings(value: Json, data: st.DataObject) -> None:
    encoded = encode_canonical(value)
    at = data.draw(st.integers(0, len(encoded)))
    changed = encoded[:at] + b" " + encoded[at:]
    try:
        parsed = parse_canonical(changed, place="x", max_bytes=10**6)
    except FormatError:
        return
    assert parsed != value  # the space fell inside a string, and is part of another value


def test_encode_canonical_follows_rfc_8785_for_escapes_and_order() -> None:
    # RFC 8785 §3.2.2.2: short escapes where JSON has them, \u00xx in lower case otherwise, no others.
    value: Json = {"b": '\u0000\b\t\n\f\r\u001f"\\/\u007f€', "a": 1}
    expected = '{"a":1,"b":"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\/\u007f€"}'
    assert encode_canonical(value) == expected.encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"b":1,"a":2}', "canonical"),
        (b'{"a":1,"a":1}', "canonical"),
        (b'{"a":1 }', "canonical"),
        (b'{"a":1}\n', "canonical"),
        (b'{"a":1.0}', "an integer"),
        (b'{"a":1e3}', "an integer"),
        (b'{"a":-0}', "canonical"),
        (b'{"a":NaN}', "an integer"),
        (b'{"a":9007199254740992}', "below 2^53"),
        (b'{"a":"\\u0061"}', "canonical"),
        (b'{"a":"\\ud800"}', "surrogates"),
        (b'{"a":"\xff"}', "canonical"),
        (b'\xef\xbb\xbf{"a":1}', "canonical"),
        ('{"é":1}'.encode(), "ASCII keys"),
        (b"", "canonical"),
        (b"[" * 100_000, "canonical"),
        (b"1" * 100_000, "canonical"),
    ],
)
def test_parse_canonical_refuses_and_says_why(data: bytes, expected: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_canonical(data, place="here", max_bytes=10**6)
    assert expected in caught.value.expected
    assert caught.value.place.startswith("here")


def test_parse_canonical_bounds_depth_and_length() -> None:
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_canonical(deep, place="x", max_bytes=100) is not None
    with pytest.raises(FormatError, match="nesting"):
        parse_canonical(b"[" + deep + b"]", place="x", max_bytes=100)
    with pytest.raises(FormatError, match="at most 3 bytes"):
        parse_canonical(b"null", place="x", max_bytes=3)
