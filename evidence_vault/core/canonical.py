r"""Canonical JSON: one value, one encoding (RFC 8785), so that bytes can be hashed and signed.

Narrower than RFC 8785: object keys are ASCII, numbers are integers below 2^53 in magnitude, strings hold no
lone surrogates, nesting is at most `MAX_DEPTH` deep. Within these bounds the two agree byte for byte.

    {"b":[1,null],"a":"é\n"}    →    {"a":"é\n","b":[1,null]}

Invariant: `parse_canonical(data)` succeeds only if `encode_canonical` of its result is `data`.
"""

import json
from typing import NoReturn, TypeAlias

from evidence_vault.errors import FormatError

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

MAX_DEPTH = 16
"""Levels of nesting; the deepest format of ours uses five. Keeps recursion bounded on hostile input."""

_SIMPLE = (str, bool)
_LEAVES = frozenset((str, bool, type(None)))
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False)
"""Made once. What goes round in circles is too deep, and refused before."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 8785 §3.2.2.3)."""


def parse_canonical(data: bytes, *, place: str, max_bytes: int) -> Json:
    """Return the value that `data` encodes; `place` names it in errors.

    Raises FormatError if `data` is longer than `max_bytes`, not JSON, or not in canonical form.
    """
    if len(data) > max_bytes:
        raise FormatError(place, f"at most {max_bytes} bytes", len(data))
    try:
        value: Json = json.loads(data.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float)
        again = encode_canonical(value)
    except FormatError as error:
        raise FormatError(place, error.expected, error.found) from None
    except (ValueError, RecursionError) as error:
        raise FormatError(place, "canonical JSON (RFC 8785)", str(error)) from None
    if again != data:
        at = next((i for i, (a, b) in enumerate(zip(data, again, strict=False)) if a != b), len(again))
        raise FormatError(f"{place}, byte {at}", "canonical JSON (RFC 8785)", data[at : at + 20])
    return value


def encode_canonical(value: Json) -> bytes:
    """Return the canonical encoding of `value`. Raises FormatError for a value outside the bounds above."""
    _check_value(value, 1)
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError("JSON string", "no lone surrogates", str(error)) from None


def as_object(value: Json) -> dict[str, Json]:
    """Return `value`, which a shape has shown to be an object, as one."""
    if isinstance(value, dict):
        return value
    raise FormatError("JSON value", "an object", value)


def as_list(value: Json) -> list[Json]:
    """Return `value`, which a shape has shown to be an array, as one."""
    if isinstance(value, list):
        return value
    raise FormatError("JSON value", "an array", value)


def as_text(value: Json) -> str:
    """Return `value`, which a shape has shown to be a string, as one."""
    if isinstance(value, str):
        return value
    raise FormatError("JSON value", "a string", value)


def as_integer(value: Json) -> int:
    """Return `value`, which a shape has shown to be an integer, as one."""
    if isinstance(value, int):
        return value
    raise FormatError("JSON value", "an integer", value)


def _check_value(value: Json, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FormatError("JSON value", f"at most {MAX_DEPTH} levels of nesting")
    if value is None or isinstance(value, _SIMPLE):
        return
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise FormatError("JSON number", "an integer below 2^53 in magnitude", value)
    elif isinstance(value, list):
        for member in value:
            _check_value(member, depth + 1)
    elif isinstance(value, dict):
        for key, member in value.items():
            if not key.isascii():
                raise FormatError("JSON object", "ASCII keys", key)
            if type(member) not in _LEAVES or depth == MAX_DEPTH:  # a call for each would be dear
                _check_value(member, depth + 1)
    else:
        raise FormatError("JSON value", "null, boolean, integer, string, array or object", type(value))


def _no_float(text: str) -> NoReturn:
    raise FormatError("JSON number", "an integer", text)
