"""The command that takes a pseudonym keeps its token in a file that nobody else can read, and shows it nowhere."""

import json
from pathlib import Path

import pytest

from evidence_vault.cli.main import main
from evidence_vault.cli.remote import Answer, Remote

SECRET = "ev_" + "x" * 43


def test_pseudonym_is_saved_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[object] = []

    def post(_: Remote, path: str, body: bytes, **_more: object) -> Answer:
        sent.append((path, json.loads(body)))
        made = {"actor_id": "ac_0g2491650n2rbhg68t3ce1t7gz", "secret": SECRET}
        return Answer(status=201, headers={}, body=json.dumps(made).encode())

    monkeypatch.setattr(Remote, "post", post)
    monkeypatch.setenv("EVIDENCE_VAULT_TOKEN", "es_" + "y" * 43)
    file = tmp_path / "source"
    assert main(["pseudonym", "Source 7", "--days", "30", "--save", str(file)]) == 0
    assert sent == [("/v1/me/pseudonyms", {"name": "Source 7", "days": 30})]
    assert file.read_text() == SECRET + "\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert SECRET not in capsys.readouterr().out
