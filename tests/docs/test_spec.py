"""The specification's pages: their examples run, and their tables name what the code has, no more and no less."""

import re
from pathlib import Path

import pytest

from evidence_vault.core.event_types.form import ACCESS
from evidence_vault.core.event_types.table import EVENT_TYPES
from evidence_vault.core.events import COMMON
from evidence_vault.core.layout import MAX_ITEMS, Part
from evidence_vault.verify import trust_form
from evidence_vault.verify.finding_texts import FINDING
from evidence_vault.verify.report import EXIT_CODES, ROWS
from evidence_vault.verify.texts import UNMET
from tests.docs.pages import ROOT, blocks, run_page, section, table_keys

SPEC = ROOT / "docs" / "spec"
PAGES = sorted(SPEC.glob("*.md"))
MAP = SPEC / "README.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_of_a_page_hold(page: Path) -> None:
    asserted = any("assert " in block.text for block in blocks(page) if block.language == "python")
    assert asserted or page == MAP, f"{page.name} shows no worked example"
    run_page(page)


def test_map_names_every_page_once() -> None:
    listed = re.findall(r"\]\(([a-z-]+\.md)\)", section(MAP, "Pages"))
    assert sorted(listed) == [page.name for page in PAGES if page != MAP]


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for document in documents:
        for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)} links to {target}"


def test_common_fields_are_those_of_the_code() -> None:
    assert sorted(table_keys(section(SPEC / "events.md", "Common fields"))) == sorted(
        [*COMMON, "where", "why"]
    )


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_event_type_table_is_that_of_the_code(name: str) -> None:
    text = section(SPEC / "events.md", name)
    known = EVENT_TYPES[name]
    assert table_keys(text) == list(known.fields)
    assert f"Subject: {' or '.join(known.kinds)}." in text
    assert ("`why`: access" in text) == (known.why is ACCESS)
    told = re.search(r"Disclosures: ([^.|]*)", text)
    named = re.findall(r"`([a-z][a-z0-9_]*)`", told.group(1)) if told else []
    if name == "ORDER_REGISTERED":  # and one pair for each lawyer
        named = [one for one in named if one not in ("lawyers", "lawyer_1", "licence_1")]
    assert tuple(named) == known.discloses
    assert not {*known.discloses} & {*known.fields, *COMMON}


def test_event_types_have_no_further_section() -> None:
    shown = re.findall(r"^#+ ([A-Z][A-Z_]{2,39})$", (SPEC / "events.md").read_text("utf-8"), re.M)
    assert sorted(shown) == sorted(EVENT_TYPES)


@pytest.mark.parametrize("table", trust_form.REQUIRED)
def test_trust_policy_table_is_that_of_the_code(table: str) -> None:
    page = SPEC / "trust-policy.md"
    headings = {"policy": "The file", "require": "[require]", "log.anchor": "[[log.anchor]]"}
    keys = table_keys(section(page, headings.get(table, f"[[{table}]]")))
    assert sorted(keys) == sorted({*trust_form.REQUIRED[table], *trust_form.OPTIONAL[table]})


def test_findings_are_those_of_the_code() -> None:
    assert sorted(table_keys(section(SPEC / "verification.md", "Findings"))) == sorted(FINDING)


def test_unmet_requirements_are_those_of_the_code() -> None:
    shown = table_keys(section(SPEC / "verification.md", "Not met"))
    assert sorted(shown) == sorted(code for code in UNMET if not code.startswith("row-"))


def test_rows_and_exit_codes_are_those_of_the_code() -> None:
    page = SPEC / "verification.md"
    assert re.findall(r"^\| (\d+) \|", section(page, "The eleven rows"), re.M) == [str(n) for n in ROWS]
    shown = dict(re.findall(r"^\| (\d+) \| ([A-Z-]+) \|", section(page, "Exit codes"), re.M))
    assert {int(code): verdict for code, verdict in shown.items()} == {
        code: str(verdict) for verdict, code in EXIT_CODES.items()
    }


def test_layout_page_shows_every_kind_of_part() -> None:
    namespace = run_page(SPEC / "bundle.md")
    assert {path.part for path in namespace["meanings"]} == set(Part)
    assert f"at most {MAX_ITEMS} items" in (SPEC / "bundle.md").read_text("utf-8")


def test_map_names_every_schema() -> None:
    named = set(re.findall(r"`([a-z-]+)`", section(MAP, "Pages")))
    assert {path.stem for path in (SPEC / "schemas").glob("*.json")} <= named
