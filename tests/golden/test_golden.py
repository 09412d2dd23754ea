"""Golden bundles: one per format, verified for ever, at any later time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence_vault.verify.report import Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from tests.golden.make import FOLDER, golden


@pytest.mark.parametrize("year", [2026, 2040, 2059])
@pytest.mark.parametrize(
    "folder", sorted(p.parent for p in Path(__file__).parent.glob("*/bundle.zip")), ids=lambda f: f.name
)
def test_golden_bundle_is_total_passed(folder: Path, year: int) -> None:
    policy = parse_policy((folder / "trust.toml").read_bytes(), name="trust.toml")
    report = verify_path(folder / "bundle.zip", policy, at=datetime(year, 12, 31, tzinfo=UTC))
    assert report.verdict is Verdict.TOTAL_PASSED
    assert {item.record_time for item in report.items} == {datetime(2026, 11, 22, 16, 0, 10, tzinfo=UTC)}
    assert report.cut_time == datetime(2026, 11, 22, 16, 0, 25, tzinfo=UTC)


def test_golden_bundle_is_what_its_script_writes() -> None:
    zipped, policy = golden()
    assert (FOLDER / "trust.toml").read_text() == policy
    assert (FOLDER / "bundle.zip").read_bytes() == zipped
