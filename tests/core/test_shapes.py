"""Shapes and the JSON Schemas made from them: an outside validator agrees."""

from typing import Any

import jsonschema
import pytest

from evidence_vault.core.shapes import Boolean, Integer, ListOf, MapOf, Nullable, OneOf, Record, Shape, Text
from evidence_vault.errors import FormatError

THING = Record(
    {
        "name": Text(r"[a-z]+", 5),
        "count": Integer(0, 9),
        "flag": Boolean(),
        "kind": OneOf(("a", "b")),
        "note": Nullable(Text(max_chars=3)),
        "tags": ListOf(Text(r"[a-z]", 1), max_items=3, sorted_unique=True),
        "map": MapOf(r"[a-z]+", Integer(), max_items=2),
    }
)
GOOD: dict[str, Any] = {
    "name": "abc",
    "count": 3,
    "flag": True,
    "kind": "a",
    "note": None,
    "tags": ["a", "b"],
    "map": {"x": 1},
}


def accepted(shape: Shape, value: Any) -> bool:
    try:
        shape.check(value, "it")
    except FormatError:
        return False
    return True


def test_record_accepts_what_fits() -> None:
    assert accepted(THING, GOOD)
    jsonschema.validate(GOOD, THING.schema())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": "abc1"}, "it.name"),
        ({"name": "abcdef"}, "it.name"),
        ({"count": 10}, "it.count"),
        ({"count": True}, "it.count"),
        ({"count": "3"}, "it.count"),
        ({"flag": 1}, "it.flag"),
        ({"kind": "c"}, "it.kind"),
        ({"kind": True}, "it.kind"),
        ({"note": "abcd"}, "it.note"),
        ({"tags": ["a", "a"]}, "it.tags[1]"),
        ({"tags": ["a", "b", "c", "d"]}, "it.tags"),
        ({"map": {"X": 1}}, "it.map"),
        ({"map": {"x": 1, "y": 2, "z": 3}}, "it.map"),
        ({"more": 1}, "it"),
    ],
)
def test_record_and_its_schema_refuse_alike(change: dict[str, Any], place: str) -> None:
    value = GOOD | change
    with pytest.raises(FormatError) as caught:
        THING.check(value, "it")
    assert caught.value.place == place
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, THING.schema())


def test_record_refuses_a_missing_field_by_name() -> None:
    value = {name: member for name, member in GOOD.items() if name != "flag"}
    with pytest.raises(FormatError, match="the field flag"):
        THING.check(value, "it")


def test_text_refuses_a_newline_at_the_end() -> None:
    # In ECMA 262, which JSON Schema names, `$` is the end; Python's jsonschema lets a last newline pass.
    assert not accepted(THING, GOOD | {"name": "abc\n"})


def test_sorted_list_refuses_disorder_which_json_schema_cannot_say() -> None:
    assert not accepted(THING, GOOD | {"tags": ["b", "a"]})
