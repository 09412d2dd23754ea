"""Examples for the API's description: composed from its schemas, and from one word for each name (`example_words`).

A member's own `examples`, beside its schema, come first; then the word for its name. What needs no word: an id, by
its pattern; a time, by the end of its name; one of an enumeration, the first; a list, of one; yes or no: no.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evidence_vault.api.example_exceptions import EXCEPTIONS
from evidence_vault.api.example_story import ITEM, LAWYER, SHA256, TIME, Words, computed_words
from evidence_vault.api.example_words import WORDS

Schema = Mapping[str, Any]
JSON = re.compile(r"application/(?:[a-z.-]+\+)?json")

NO_WORD = "…?"
"""In the place of a word that nobody wrote: a test finds it."""


def give_examples(document: dict[str, Any]) -> None:
    """Put an example beside every JSON body of a request or of a success that has none of its own."""
    teller = _Teller(document, {**WORDS, **EXCEPTIONS, **computed_words()})
    for methods in document["paths"].values():
        for operation in methods.values():
            bodies = [operation.get("requestBody", {})]
            bodies += [answer for status, answer in operation["responses"].items() if status[0] == "2"]
            for body in bodies:
                for media_type, content in body.get("content", {}).items():
                    if JSON.fullmatch(media_type) and not content.keys() & {"example", "examples"}:
                        content["example"] = teller.tell(content.get("schema", {}))


class _Teller:
    """Tells what a schema describes, in words."""

    def __init__(self, document: Mapping[str, Any], said: Words) -> None:
        self._schemas: Mapping[str, Schema] = document["components"]["schemas"]
        self._words = said

    def tell(self, schema: Schema, *, of: str = "", name: str = "") -> Any:
        """Return the example of a member called `name` of the schema `of`, or of a schema by itself."""
        if "examples" in schema:
            return schema["examples"][0]
        for word in (f"{of}.{name}", name or schema.get("title", "")):
            if word in self._words and _fits(self._words[word], schema):
                return self._words[word]
        match schema:
            case {"$ref": str(ref)}:
                key = ref.rpartition("/")[2]
                return self._tell_object(self._schemas[key], of=key.rpartition("__")[2])
            case {"anyOf": [first, *_]}:
                return self.tell(first, of=of, name=name)
            case {"properties": _}:
                return self._tell_object(schema, of=str(schema.get("title", "")))
            case {"enum": [first, *_]} | {"const": first}:
                return first
            case {"type": "array", "items": items}:
                return [self.tell(items, of=of, name=name)]
            case {"type": "boolean"}:
                return False
            case {"type": "integer" | "number"}:
                return schema.get("minimum", 1)
            case {"type": "object"}:
                return {}
            case _:
                return _text(schema, name)

    def _tell_object(self, schema: Schema, *, of: str) -> Any:
        if of in self._words:
            return self._words[of]
        required = schema.get("required", ())
        told = {name: self.tell(one, of=of, name=name) for name, one in schema.get("properties", {}).items()}
        return {name: one for name, one in told.items() if one is not None or name in required}


def _fits(word: Any, schema: Schema) -> bool:
    """Whether a word can stand here: names are shared by texts, numbers and lists."""
    options = schema.get("anyOf", [schema])
    kinds = {option.get("type", "object") for option in options}
    match word:
        case None:
            return "null" in kinds
        case bool():
            return "boolean" in kinds
        case int() | float():
            return bool(kinds & {"integer", "number"})
        case list():
            lists = [option["items"] for option in options if option.get("type") == "array"]
            return any(word == [] or "$ref" not in items for items in lists)
        case dict():
            return "object" in kinds
        case _:
            return _fits_text(word, options)


def _fits_text(word: str, options: Sequence[Schema]) -> bool:
    texts = [option for option in options if option.get("type") == "string"]
    return any(
        word in text.get("enum", (word,)) and re.search(text.get("pattern", ""), word) for text in texts
    )


def _text(schema: Schema, name: str) -> str:
    pattern = schema.get("pattern", "")
    if pattern.startswith("^it_"):
        return ITEM
    if pattern.startswith("^ac_"):
        return LAWYER
    if schema.get("format") == "date-time" or name.endswith("_at"):
        return TIME
    if name.endswith("_sha256"):
        return SHA256
    return NO_WORD
