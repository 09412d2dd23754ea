"""Reads the fenced blocks of a Markdown page, so that what a page shows can be held against the code.

```python            runs, with the page's named blocks as variables
```text checkpoint   is the variable `checkpoint`: the block's text, final LF included
```                  any other block is only for people
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```(?P<language>\w*)(?: (?P<name>[a-z_0-9]+))?\n(?P<text>.*?)^```$", re.M | re.S)
_ROW = re.compile(r"^\| `([^`]+)` \|", re.M)

KINDS = (
    # What differs from run to run: ids, times, digests, numbers, folders.
    (r"\b(ac|bd|cs|gr|it|pr)_[0-9a-z]{26}", r"\1_…"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z| UTC)", "<time>"),
    (r"\b[0-9a-f]{16,64}\b", "<hex>"),
    (r"development/[0-9a-f]{8}", "development/<hex>"),
    (r"/[^ ]*/(?=my-vault|page\.html)", "<folder>/"),
    (r"(?<=127\.0\.0\.1:)\d+", "<port>"),
    (r"\b\d+(?= bytes)|(?<=block )\d+|(?<=leaf )\d+|(?<=checkpoint )\d+", "<number>"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block. line: of its first line of text, from 1; name: None if it has none."""

    language: str
    name: str | None
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    source = page.read_text("utf-8")
    for found in _FENCE.finditer(source):
        yield Block(
            language=found["language"],
            name=found["name"],
            text=found["text"],
            line=source.count("\n", 0, found.start("text")) + 1,
        )


def run_page(page: Path) -> dict[str, Any]:
    """Run the page's Python blocks in one namespace; a traceback names the page and its line."""
    namespace: dict[str, Any] = {"__name__": page.stem}
    for block in blocks(page):
        if block.language == "python":
            code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
            exec(code, namespace)
        elif block.name:
            namespace[block.name] = block.text
    return namespace


def section(page: Path, heading: str) -> str:
    """The text from a heading (any level) to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", page.read_text("utf-8"), re.M | re.S)
    assert found, f"{page.name} has no section {heading!r}"
    return found[1]


def table_keys(text: str) -> list[str]:
    """The first cells of a table's rows, where they are `code`."""
    return _ROW.findall(text)


def kinds(text: str) -> list[str]:
    for pattern, kind in KINDS:
        text = re.sub(pattern, kind, text)
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def assert_shows(shown_output: str, real_output: str, command: str) -> None:
    """Every line shown is a line of the real output, in the same order; without `…` there are no others."""
    expected = kinds(shown_output)
    left = iter(kinds(real_output))
    wanted = [line for line in expected if line != "…"]
    for line in wanted:
        assert line in left, f"{command}: not said, or not in this place: {line}\n{real_output}"
    if "…" not in expected:
        assert kinds(real_output) == wanted, f"{command}: says more:\n{real_output}"
