"""A vault and two witnesses, each a process, over loopback: one follows the protocol, one reads the whole log."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.note_keys import parse_vkey
from evidence_vault.core.notes import Verified
from evidence_vault.core.tlog_witness import origin_name
from tests.service.driving import EVIDENCE_VAULT, answers, command, free_port, served, wait_for

pytestmark = [pytest.mark.socket, pytest.mark.slow]


def get(url: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


class WitnessProcess:
    """`evidence-vault witness` in a folder; it can be killed and started again."""

    def __init__(self, folder: Path, log: str) -> None:
        self.folder, self.log, self.port = folder, log, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start, and return the vkey that it prints."""
        out = self.folder.with_suffix(".out")
        with out.open("wb") as file:
            words = ["witness", str(self.folder), "--log", self.log, "--listen", f"127.0.0.1:{self.port}"]
            self.process = subprocess.Popen([EVIDENCE_VAULT, *words], stdout=file, stderr=file)
        wait_for(lambda: answers(self.url), "the witness to answer")
        found = re.search(r"^vkey (.+)$", out.read_text(), re.M)
        assert found, out.read_text()
        return found[1]

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(30)


@contextlib.contextmanager
def running(witness: WitnessProcess) -> Iterator[str]:
    vkey = witness.start()
    try:
        yield vkey
    finally:
        witness.kill(signal.SIGTERM)


def assert_signed(note: bytes, log_vkey: str, *witnesses: str) -> None:
    """The log signed, and at least one of the witnesses; nobody else, and nobody wrongly."""
    keys = [parse_vkey(key) for key in (log_vkey, *witnesses)]
    opened = open_checkpoint(note, origin=keys[0].name, trusted=keys)
    assert isinstance(opened.signed, Verified)
    assert len({signature.key for signature in opened.signed.signatures}) == len(opened.note.signatures) >= 2


def test_vault_and_witnesses_over_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EVIDENCE_VAULT_")]:
        monkeypatch.delenv(name)
    home, port = tmp_path / "vault", free_port()
    url = f"http://127.0.0.1:{port}"
    command("init", str(home), "--port", str(port))
    policy = command("trust", "export", "--home", str(home))
    log_vkey = next(line.split('"')[1] for line in policy.splitlines() if line.startswith("vkey"))
    protocol = WitnessProcess(tmp_path / "protocol", log_vkey)
    auditor = WitnessProcess(tmp_path / "auditor", f"{log_vkey}@{url}/v1/log")
    settings = (home / "vault.toml").read_text()
    with served(home, url):  # the auditor reads the log when it starts
        wait_for(lambda: get(url, "/v1/log/checkpoint")[0] == 200, "a checkpoint")
        with running(protocol) as vkey_1, running(auditor) as vkey_2:
            pass
    endpoints = [f"127.0.0.1:{witness.port}" for witness in (protocol, auditor)]
    settings = re.sub(
        r"private_endpoints = \[", f"private_endpoints = {json.dumps(endpoints)[:-1]}, ", settings, count=1
    )
    for name, vkey, witness in (("court", vkey_1, protocol), ("notary", vkey_2, auditor)):
        settings += f'\n[[witnesses]]\nname = "{name}"\nvkey = "{vkey}"\nurl = "{witness.url}"\n'
    (home / "vault.toml").write_text(settings)
    monkeypatch.setenv("EVIDENCE_VAULT_RETRY_MOST_S", "0.5")
    monkeypatch.setenv("EVIDENCE_VAULT_RETRY_FIRST_S", "0.1")
    token = tmp_path / "my.token"
    command("token", "create", "--home", str(home), "--name", "Depositor", "--save", str(token))
    access = {"EVIDENCE_VAULT_URL": url}

    def deposit(number: int) -> None:
        file = tmp_path / f"{number}.txt"
        file.write_text(f"evidence {number}")
        command("deposit", "--token-file", str(token), str(file), access=access)

    def states() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(get(url, "/readyz")[1])["witnesses"]
        return found

    def nobody_behind() -> bool:
        return not any(state["behind"] for state in states())

    with served(home, url):
        deposit(0)  # nobody is there: nobody waits
        assert {state["size"] for state in states()} == {None}
        with running(protocol) as again_1, running(auditor) as again_2:
            assert (again_1, again_2) == (vkey_1, vkey_2)
            wait_for(nobody_behind, "both witnesses")
            for number in range(1, 4):
                protocol.kill()  # kill -9, wherever it is
                deposit(number)
                protocol.start()
            wait_for(nobody_behind, "both witnesses, after kills")
            assert_signed(get(url, "/v1/log/checkpoint")[1], log_vkey, vkey_1, vkey_2)
            log_name = origin_name(log_vkey.partition("+")[0])
            assert_signed(get(auditor.url, f"/{log_name}/checkpoint")[1], log_vkey, vkey_2)
            assert get(protocol.url, "/vkey")[1].decode().strip() == vkey_1
            assert get(protocol.url, "/nothing")[0] == 404
            assert (tmp_path / "auditor" / "mirrors" / log_name / "checkpoint").is_file()
    text = command("trust", "export", "--home", str(home))
    assert text.count("[[witness]]") == 2
