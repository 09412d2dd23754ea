"""The bench in its short form: every part still runs, and says what `make bench` promises to say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import PARTS
from bench.rows import Row, encode_rows, table

PROJECT = Path(__file__).parents[2]
KEYS = ["name", "value", "unit", "reference", "reference_value", "ratio"]


@pytest.mark.socket
@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_bench_part_in_its_short_form_writes_rows(part: str, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"

    done = subprocess.run(
        [sys.executable, "-m", "bench", "--short", "--only", part, "--out", str(out)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text("utf-8"))
    assert rows
    for row in rows:
        assert list(row) == KEYS
        assert row["value"] > 0
        assert row["ratio"] == pytest.approx(row["value"] / row["reference_value"], rel=1e-2)
        assert row["name"] in done.stdout


def test_rows_are_encoded_and_shown_with_their_ratio() -> None:
    rows = [Row(name="verify_cold", value=0.25, unit="s", reference="peer", reference_value=0.5)]

    assert json.loads(encode_rows(rows)) == [
        {
            "name": "verify_cold",
            "value": 0.25,
            "unit": "s",
            "reference": "peer",
            "reference_value": 0.5,
            "ratio": 0.5,
        }
    ]
    assert table(rows).splitlines()[1].split() == ["verify_cold", "0.25", "s", "peer", "0.5", "0.5"]
