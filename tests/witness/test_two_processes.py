"""A vault and two witnesses, each a process, over loopback: one follows the protocol, one reads the whole log."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evidence_vault.core.tlog_witness import origin_name
from tests.service.driving import command, free_port, served, wait_for
from tests.witness.processes import (
    WitnessProcess,
    assert_signed,
    await_cosigned,
    get,
    running,
    with_witnesses,
)

pytestmark = [pytest.mark.socket, pytest.mark.slow]


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
    settings = with_witnesses(settings, {"court": (vkey_1, protocol), "notary": (vkey_2, auditor)})
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
            assert_signed(await_cosigned(url), log_vkey, vkey_1, vkey_2)
            log_name = origin_name(log_vkey.partition("+")[0])
            assert_signed(get(auditor.url, f"/{log_name}/checkpoint")[1], log_vkey, vkey_2)
            assert get(protocol.url, "/vkey")[1].decode().strip() == vkey_1
            assert get(protocol.url, "/nothing")[0] == 404
            assert (tmp_path / "auditor" / "mirrors" / log_name / "checkpoint").is_file()
    text = command("trust", "export", "--home", str(home))
    assert text.count("[[witness]]") == 2
