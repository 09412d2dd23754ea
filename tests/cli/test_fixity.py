"""`fixity` and `incident`: what the operator reads, has read, and tells."""

from pathlib import Path

import pytest

from evidence_vault.cli.main import main
from evidence_vault.pipeline.custody.sweep import sweep_round
from evidence_vault.pipeline.vault import system_clock
from tests.pipeline.vaults import deposit, new_vault


def test_fixity_shows_the_sweep_and_reads_a_content_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = new_vault(tmp_path, clock=system_clock, max_packed_bytes=0)
    item = deposit(vault).item_id
    home = ["--home", str(tmp_path)]
    assert main(["fixity", "show", *home]) == 0
    assert capsys.readouterr().out == "no sweep yet\nnot sound: 0\n"
    assert main(["fixity", "check", item, *home]) == 0
    assert capsys.readouterr().out == f"{item}  sound\n"
    vault.blobs.path_of(item).unlink()
    assert main(["fixity", "check", item, *home]) == 2
    assert capsys.readouterr().out == f"{item}  missing\n"
    assert main(["fixity", "sweep", *home]) == 0
    sweep_round(vault, wait=lambda _s: False)
    capsys.readouterr()
    assert main(["fixity", "show", *home]) == 0
    said = capsys.readouterr().out
    assert said.startswith("sweep 1 goes on since ")
    assert said.endswith(f": 1 contents read, 1 of them failed\nnot sound: 1\n  {item}  missing\n")
    assert main(["fixity", "check", "nonsense", *home]) == 64
    assert main(["incident", "list", *home]) == 0
    assert "  fixity  " in capsys.readouterr().out


def test_incident_is_told_and_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new_vault(tmp_path, clock=system_clock)
    home = ["--home", str(tmp_path)]
    began, ended = "2026-11-20T08:00:00.000Z", "2026-11-20T11:30:00.000Z"
    assert (
        main(["incident", "note", "--kind", "hosting", "--from", began, "A\x1b[31m line\nmore", *home]) == 64
    )
    assert main(["incident", "note", "--kind", "hosting", "--from", began, "Moved.\nTwice.", *home]) == 0
    name, kind, *_ = capsys.readouterr().out.split()
    assert kind == "hosting"
    assert main(["incident", "end", name, "--at", ended, *home]) == 0
    assert capsys.readouterr().out == f"{name}  hosting  {began} to {ended}  Moved.\\nTwice.\n"
    assert main(["incident", "end", name, "--at", ended, *home]) == 64
    assert main(["incident", "note", "--kind", "outage", "--from", began, "x", *home]) == 64
    assert main(["incident", "note", "--kind", "x", "--from", "yesterday", "x", *home]) == 64
