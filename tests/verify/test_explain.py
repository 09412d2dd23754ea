"""What a bundle would need to be trusted, as `trust explain` tells it."""

from pathlib import Path

import pytest

from evidence_vault.cli.main import main
from tests.verify.handmade import good_bundle


def test_explain_names_what_no_policy_trusts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(good_bundle().zip())
    assert main(["trust", "explain", str(path)]) == 0
    out = capsys.readouterr().out
    for kind in ("log", "tsa root", "contract"):
        assert f"LACKING  {kind}: " in out
    assert "known " not in out
