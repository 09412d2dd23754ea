"""`key rotate`: says which key takes over, goes on when run again, and refuses a vault that disagrees."""

from pathlib import Path

import pytest

from evidence_vault.cli.main import main
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.workers.runner import advance_log
from tests.pipeline.vaults import new_vault, reopened


def test_rotate_says_both_keys_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vault = new_vault(tmp_path)
    advance_log(vault)
    old = encode_vkey(vault.log_signer.verifier_key)
    words = ["key", "rotate", "log", "--home", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr().out
    new = encode_vkey(vault.log_signer.verifier_keys[1])
    assert f"KEY_ROTATED is recorded.\nold {old}\nnew {new}\n" in said
    assert main(words) == 0
    assert "was begun before" in capsys.readouterr().out
    advance_log(reopened(vault))
    assert main(["trust", "export", "--home", str(tmp_path)]) == 0
    policy = capsys.readouterr().out
    assert policy.index(old) < policy.index("last_size = 3") < policy.index(new)
    assert "from_size = 3" in policy
    assert main(["key", "rotate", "receipt", "--home", str(tmp_path)]) == 0
    assert "Restart the vault" in capsys.readouterr().out


def test_rotate_in_a_vault_that_is_read_only_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = new_vault(tmp_path)
    advance_log(vault)
    (tmp_path / "keys" / "log.guard").unlink()
    assert main(["key", "rotate", "log", "--home", str(tmp_path)]) == 69
    assert "guard" in capsys.readouterr().err
    assert not (tmp_path / "keys" / "log.next.key").exists()
