"""The command line: exit codes, messages that name place and way out, and what is imported for what."""

import logging
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from evidence_vault.cli.main import COMMANDS, main
from evidence_vault.cli.remote import Remote
from evidence_vault.cli.samples import encode_png
from evidence_vault.cli.shown import shown
from evidence_vault.errors import ConfigError
from tests.pipeline.vaults import new_vault


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """What a command sends its log lines to ends with the test that ran it here."""
    logger = logging.getLogger("evidence_vault")
    before = (logger.handlers, logger.level, logger.propagate)
    yield
    logger.handlers, level, logger.propagate = before
    logger.setLevel(level)


def command(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "evidence_vault.cli.main", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "words",
    [
        ("nothing",),
        ("--nothing",),
        ("verify",),
        ("verify", "x.zip"),
        ("verify", "x.zip", "--trust", "none.toml"),
        ("verify", "x.zip", "--trust", "none.toml", "--lang", "fr"),
        ("receipt",),
        ("receipt", "show", "none.json"),
    ],
)
def test_call_that_cannot_be_used_ends_with_64(words: tuple[str, ...]) -> None:
    done = command(*words)
    assert done.returncode == 64
    assert done.stdout == ""
    assert done.stderr.startswith("evidence-vault")
    assert "Traceback" not in done.stderr


def test_overview_names_every_command() -> None:
    done = command()
    assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)
    assert command("--version").stdout.startswith("evidence-vault 0.")


def test_verify_loads_nothing_of_the_server() -> None:
    code = (
        "import sys; from evidence_vault.cli.main import main\n"
        "try: main(['verify', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'fastapi', 'starlette', 'sqlalchemy', 'web3', 'pydantic', 'httpcore', 'uvicorn', 'asyncio'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_vault_there_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "list", "--home", str(tmp_path)]) == 64
    assert "init" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "migrate", "trust export --home", "token list --home"])
def test_home_that_is_no_vault_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([*command.split(), str(tmp_path / "nope")]) == 64
    assert f"`evidence-vault init {tmp_path / 'nope'}`" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_serve_of_an_empty_folder_leaves_it_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(tmp_path)]) == 64
    assert "Traceback" not in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.db
def test_migrate_brings_the_schema_up_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vault = new_vault(tmp_path)
    assert main(["migrate", str(tmp_path)]) == 0
    assert "The schema is at 0001." in capsys.readouterr().out
    with vault.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for words in (["migrate", str(tmp_path)], ["token", "list", "--home", str(tmp_path)]):
        assert main(words) == 64
        assert "only a newer version knows" in capsys.readouterr().err
    vault.database.dispose()


def test_unknown_setting_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "vault.toml").write_text("max_uplod_bytes = 1\n")
    assert main(["token", "list", "--home", str(tmp_path)]) == 64
    assert "max_uplod_bytes" in capsys.readouterr().err


def test_token_life_from_create_to_revoke(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new_vault(tmp_path).database.dispose()
    home, saved = ["--home", str(tmp_path)], tmp_path / "my.token"
    assert (
        main(["token", "create", "--name", "Counsel A", "--scope", "read", "--save", str(saved), *home]) == 0
    )
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    token = saved.read_text().strip()
    token_id = capsys.readouterr().out.split()[1]
    assert main(["token", "list", *home]) == 0
    listed = capsys.readouterr().out
    assert token_id in listed
    assert token not in listed
    assert main(["token", "revoke", token_id, *home]) == 0
    assert main(["token", "revoke", token_id, *home]) == 64
    assert main(["token", "create", "--name", "B", "--save", str(saved), *home]) == 64  # never overwritten


@pytest.mark.parametrize("url", ["ftp://vault.example", "vault.example", "http://vault.example", "http://"])
def test_remote_address_that_is_unsafe_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="--url"):
        Remote(url=url, token="t")


def test_deposit_without_a_token_says_where_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVIDENCE_VAULT_TOKEN", raising=False)
    assert main(["deposit", str(tmp_path / "x")]) == 64
    assert "--token-file" in capsys.readouterr().err


@pytest.mark.socket
def test_deposit_to_a_vault_that_is_down_ends_with_69(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVIDENCE_VAULT_TOKEN", "t")
    (tmp_path / "x").write_text("x")
    command = ["deposit", str(tmp_path / "x"), "--url", "http://127.0.0.1:1", "--patience", "0"]
    assert main(command) == 69
    assert "doesn't answer" in capsys.readouterr().err


def test_shown_escapes_what_would_not_be_seen() -> None:
    assert shown("照片\u202egnp.\x1b[2J\u200b") == "照片\\u202egnp.\\x1b[2J\\u200b"


def test_png_is_one_that_its_own_checksums_hold() -> None:
    png = encode_png(8, 8)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png.endswith(b"IEND\xaeB`\x82")


def test_deposit_of_a_name_that_is_no_text_refused(tmp_path: Path) -> None:
    path = tmp_path / "seen\udcff.txt"  # what Python makes of the byte ff in a name
    path.write_bytes(b"x")
    (tmp_path / "token").write_text("ev_x")
    done = command(
        "deposit", str(path), "--url", "http://127.0.0.1:1", "--token-file", str(tmp_path / "token")
    )
    assert done.returncode == 64
    assert "file name: expected text in UTF-8" in done.stderr
    assert "Traceback" not in done.stderr
