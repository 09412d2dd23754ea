"""`user` and `login`, as two administrators and a judge use them, over a vault that runs."""

import re
import stat
import subprocess
from pathlib import Path

import pytest

from evidence_vault.core.names import ACTOR_ID, PROPOSAL_ID
from tests.service.driving import EVIDENCE_VAULT, command, free_port, served

pytestmark = [pytest.mark.socket, pytest.mark.slow]
PASSWORD = "correct horse battery staple"


def entered(url: str, login: str, save: Path, *lines: str, more: tuple[str, ...] = ()) -> str:
    """Log in, with what is asked for on standard input; return the session's secret."""
    done = subprocess.run(
        [EVIDENCE_VAULT, "login", login, "--url", url, "--save", str(save), *more],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert stat.S_IMODE(save.stat().st_mode) == 0o600
    return save.read_text("ascii").strip()


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match.group(0)


def test_two_administrators_make_a_judge_at_the_command_line(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    url = f"http://127.0.0.1:{port}"
    command("init", str(home), "--port", str(port))
    first, second = (
        command("user", "first-admin", f"{name} Administrator", "--login", name.lower(), "--home", str(home))
        for name in ("First", "Second")
    )
    refused = subprocess.run(
        [EVIDENCE_VAULT, "user", "first-admin", "Third", "--login", "third", "--home", str(home)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert refused.returncode == 77
    with served(home, f"{url}/healthz"):
        code = r"ec_[\w-]{22}\.ec_[\w-]{22}"
        one, two = (
            {
                "EVIDENCE_VAULT_URL": url,
                "EVIDENCE_VAULT_TOKEN": entered(
                    url, name, tmp_path / name, found(code, said), PASSWORD, more=("--code",)
                ),
            }
            for name, said in (("first", first), ("second", second))
        )
        person = found(ACTOR_ID.pattern, command("user", "add", "Judge A", "--login", "judge", access=one))
        halves = []
        for wish in (("--reset",), ("--role", "JU")):
            said = command("user", "propose", person, *wish, "--reason", "appointment", access=one)
            proposal = found(PROPOSAL_ID.pattern, said)
            assert proposal in command("user", "proposals", access=two)
            alone = command("user", "confirm", proposal, access=one, expected=77)
            assert "half" not in alone
            confirmed = command("user", "confirm", proposal, access=two)
            halves += [found(r"ec_[\w-]{22}", text) for text in (said, confirmed) if "half" in text]
        entered(url, "judge", tmp_path / "judge", ".".join(halves), PASSWORD, more=("--code", "--role", "JU"))
        assert f"{person}  JU  Judge A" in command("user", "list", access=one)
        command("user", "disable", person, "--reason", "left", access=one)
        assert f"{person}  disabled  Judge A" in command("user", "list", access=two)
    assert PASSWORD not in (home / "serve.log").read_text("utf-8")
