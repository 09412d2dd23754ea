"""What a journey's people saw, line by line, and what `docs/journeys.md` shows of it: the page must be true.

A block of the page named after a journey shows lines of what happened in it, in the same order; a line `…` stands
for lines that are left out.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.docs.pages import ROOT, blocks, kinds

PAGE = ROOT / "docs" / "journeys.md"
_VARYING = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r"\b\d+(?= events are in)|(?<=event )\d+|(?<=size )\d+|(?<=at index )\d+|(?<=As of: )\d+", "<number>"),
    (r"\d+ d \d+ h", "<age>"),
    (r"\+[0-9a-f]{8}\+\S+", "+<key>"),
    (r"run by \S+ on \S+", "run by <somebody>"),
    (r"urn:request:[0-9a-f]+", "urn:request:<hex>"),
)


class Transcript:
    """Everything that was asked and answered, as the page shows it."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def asked(self, who: str, method: str, path: str, body: Any) -> None:
        match body:
            case None:
                words = ""
            case bytes():
                words = f" ({len(body)} bytes)"
            case _:
                words = " " + json.dumps(body, ensure_ascii=False)
        self._lines.append(f"{who}: {method} {path}{words}")

    def answered(self, status: str, body: Any) -> None:
        self._lines.append(status)
        if body is not None:
            self.add(json.dumps(body, indent=2, ensure_ascii=False))

    def ran(self, who: str, words: list[str]) -> None:
        self._lines.append(f"{who}: $ evidence-vault {' '.join(words)}")

    def add(self, text: str) -> None:
        self._lines += text.splitlines()

    @property
    def text(self) -> str:
        return "\n".join(self._lines) + "\n"


def assert_page_is_true(journey: str, transcript: Transcript) -> None:
    """Every line that the page shows of this journey was seen, in this order."""
    shown = "".join(block.text for block in blocks(PAGE) if block.name == journey)
    assert shown, f"{PAGE.name} has no block named {journey}"
    left = iter(_comparable(transcript.text))
    for line in _comparable(shown):
        assert line == "…" or line in left, f"not said, or not in this place: {line}\n{transcript.text}"


def _comparable(text: str) -> Iterator[str]:
    for line in kinds(text):
        for pattern, kind in _VARYING:
            line = re.sub(pattern, kind, line)  # noqa: PLW2901 - one line, made comparable step by step
        yield line
