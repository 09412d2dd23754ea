"""Shapes of JSON values: what a document of ours may look like, said once.

A shape checks a parsed value and can print itself as JSON Schema (draft 2020-12), so the schemas in
`docs/spec/schemas` are made from the same lines that the verifier runs. Records are closed: a field that
the shape doesn't name is refused, and so is a missing one.
"""

import re
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import NoReturn, Protocol

from anchors.values import value
from evidence_vault.core.canonical import MAX_INTEGER, Json
from evidence_vault.errors import FormatError


class Shape(Protocol):
    """What a value must look like. `check` raises FormatError naming the place; `schema` is JSON Schema."""

    def check(self, value: Json, place: str) -> None:
        """Raise FormatError if `value`, found at `place`, doesn't fit."""
        ...

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema that accepts the same values."""
        ...


_compiled = cache(re.compile)


@value(kw_only=False)
class Text:
    """A string that matches `pattern` as a whole and has at most `max_chars` characters (code points)."""

    pattern: str = r"[\s\S]*"
    max_chars: int = 1024
    what: str = "text"

    def check(self, value: Json, place: str) -> None:
        """Raise FormatError if `value` is no such string."""
        if (
            not isinstance(value, str)
            or len(value) > self.max_chars
            or not _compiled(self.pattern).fullmatch(value)
        ):
            _refuse(place, self.what, value)

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$", "maxLength": self.max_chars}


@value(kw_only=False)
class Integer:
    """A whole number between `least` and `most`, both inclusive."""

    least: int = 0
    most: int = MAX_INTEGER

    def check(self, value: Json, place: str) -> None:
        """Raise FormatError if `value` is no such number."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            _refuse(place, f"an integer from {self.least} to {self.most}", value)

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@value(kw_only=False)
class Boolean:
    """True or false."""

    def check(self, value: Json, place: str) -> None:
        """Raise FormatError if `value` is neither."""
        if not isinstance(value, bool):
            _refuse(place, "true or false", value)

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema."""
        return {"type": "boolean"}


@value(kw_only=False)
class OneOf:
    """Exactly one of these values."""

    values: tuple[str | int | None, ...]

    def check(self, value: Json, place: str) -> None:
        """Raise FormatError if `value` is none of them."""
        if isinstance(value, bool | list | dict) or value not in self.values:
            _refuse(place, "one of " + ", ".join(map(str, self.values)), value)

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema."""
        return {"enum": list(self.values)}


@value(kw_only=False)
class Nullable:
    """Null, or the inner shape."""

    inner: Shape

    def check(self, value: Json, place: str) -> None:
        """Raise FormatError if `value` is neither."""
        if value is not None:
            self.inner.check(value, place)

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema."""
        return {"anyOf": [{"type": "null"}, self.inner.schema()]}


@value(kw_only=False)
class ListOf:
    """An array of the inner shape; `sorted_unique` demands ascending strings, each once."""

    inner: Shape
    max_items: int
    sorted_unique: bool = False

    def check(self, value: Json, place: str) -> None:
        """Raise FormatError if `value` is no such array."""
        if not isinstance(value, list) or len(value) > self.max_items:
            _refuse(place, f"an array of at most {self.max_items}", value)
        for i, member in enumerate(value):
            self.inner.check(member, f"{place}[{i}]")
        if self.sorted_unique:
            for i, (a, b) in enumerate(pairwise(value)):
                if str(a) >= str(b):
                    _refuse(f"{place}[{i + 1}]", "ascending order, each once", b)

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema (which can say unique, but not sorted)."""
        unique: dict[str, Json] = {"uniqueItems": True} if self.sorted_unique else {}
        return {"type": "array", "items": self.inner.schema(), "maxItems": self.max_items, **unique}


@value(kw_only=False)
class MapOf:
    """An object whose keys match `key` as a whole and whose values all have the inner shape."""

    key: str
    inner: Shape
    max_items: int
    min_items: int = 0

    def check(self, value: Json, place: str) -> None:
        """Raise FormatError if `value` is no such object."""
        if not isinstance(value, dict) or not self.min_items <= len(value) <= self.max_items:
            _refuse(place, f"an object of {self.min_items} to {self.max_items} members", value)
        for name, member in value.items():
            if not re.fullmatch(self.key, name):
                _refuse(place, f"keys that match {self.key}", name)
            self.inner.check(member, f"{place}.{name}")

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema."""
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{self.key})$"},
            "additionalProperties": self.inner.schema(),
            "minProperties": self.min_items,
            "maxProperties": self.max_items,
        }


@value(kw_only=False)
class Record:
    """An object with exactly these fields."""

    fields: Mapping[str, Shape]

    def check(self, value: Json, place: str) -> None:
        """Raise FormatError for a missing, unknown or ill-shaped field."""
        if not isinstance(value, dict):
            _refuse(place, "an object", value)
        if value.keys() != self.fields.keys():
            for name in self.fields.keys() - value.keys():
                _refuse(place, f"the field {name}", "none")
            for name in value.keys() - self.fields.keys():
                _refuse(place, "no other field", name)
        for name, shape in self.fields.items():
            shape.check(value[name], f"{place}.{name}")

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema."""
        return {
            "type": "object",
            "properties": {name: shape.schema() for name, shape in sorted(self.fields.items())},
            "required": list[Json](sorted(self.fields)),
            "additionalProperties": False,
        }


@value(kw_only=False)
class OfKind:
    """A record whose field `kind` says which of these it is."""

    records: Mapping[str, Record]

    def check(self, value: Json, place: str) -> None:
        """Raise FormatError if `value` is of no such kind, or not as that kind is."""
        kind = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in self.records:
            _refuse(f"{place}.kind", "one of " + ", ".join(self.records), kind)
        self.records[kind].check(value, place)

    def schema(self) -> dict[str, Json]:
        """Return the JSON Schema."""
        return {"anyOf": [record.schema() for record in self.records.values()]}


def _refuse(place: str, expected: str, found: Json) -> NoReturn:
    raise FormatError(place, expected, found)
