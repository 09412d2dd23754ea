"""The other documents: what they name must exist."""

import re
from pathlib import Path

import pytest

from evidence_vault.core.event_types.table import EVENT_TYPES
from evidence_vault.verify.report import Status, Verdict
from tests.docs.pages import ROOT

ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})


def test_named_tests_exist() -> None:
    defined = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:    )?def (test_[a-z0-9_]+)\(", file.read_text("utf-8"), re.M)
    }
    for document in DOCUMENTS:
        named = set(re.findall(r"`(test_[a-z0-9_]+)`", document.read_text("utf-8")))
        assert not named - defined, f"{document.relative_to(ROOT)} names tests that don't exist"


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [path.name[:4] for path in ADRS] == [f"{number:04d}" for number in range(1, len(ADRS) + 1)]


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_decision_weighs_its_options(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith(f"# {path.name[:4]}: ")
    assert re.findall(r"^## (.*)", text, re.M)[0] == "Question"
    assert {"Options", "Decision", "Consequences"} <= set(re.findall(r"^## (.*)", text, re.M))
    assert text.count("ad, because") + text.count("Bad:") >= 2
    assert len(text.split()) < 700, "one page"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_event_types_and_verdicts_that_documents_name_exist(document: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.M | re.S)
    words = set(re.findall(r"\b[A-Z]{3,}_[A-Z_]{3,}\b", prose))
    known = {*EVENT_TYPES, *(str(one) for one in (*Status, *Verdict))}
    foreign = {word for word in words if not word.startswith("EVIDENCE_")} - known
    assert not foreign, document.name


def test_glossary_has_each_word_once() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    words = [word.strip() for row in re.findall(r"^\| ([^|]+) \|", text, re.M) for word in row.split(",")]
    words = [word for word in words if word not in ("word", "---")]
    assert len(words) > 80
    assert sorted(words) == sorted(set(words))
