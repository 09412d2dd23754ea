"""The whole vault as a process: the main job by the command line, killed in the middle, and started again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evidence_vault.cli.remote import Remote
from evidence_vault.errors import UnavailableError

DATABASE_URL = "EVIDENCE_VAULT_DATABASE_URL"

pytestmark = [pytest.mark.socket, pytest.mark.slow]


class Machine:
    """A folder with a vault, and the commands that people type."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port = int(listening.getsockname()[1])
        self.folder = folder
        self.url = f"http://127.0.0.1:{self.port}"
        self.server: subprocess.Popen[bytes] | None = None
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("EVIDENCE_VAULT_")},
            "EVIDENCE_VAULT_HOME": str(folder / "vault"),
            "EVIDENCE_VAULT_URL": self.url,
        }
        if DATABASE_URL in os.environ:  # the marker `db` sets it
            self.environment[DATABASE_URL] = os.environ[DATABASE_URL]
            # There a killed worker's lease has to end by itself: its machine might be another.
            self.environment["EVIDENCE_VAULT_JOB_LEASE_S"] = "26"

    def run(self, *words: str, expect: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "evidence_vault.cli.main", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        log = (self.folder / "serve.log").open("ab")
        self.server = subprocess.Popen(
            [sys.executable, "-m", "evidence_vault.cli.main", "serve"],
            cwd=self.folder,
            env=self.environment,
            stdout=log,
            stderr=log,
        )
        log.close()
        self.until(self.is_ready, 60)

    def is_ready(self) -> bool:
        assert self.server is not None
        assert self.server.poll() is None, (self.folder / "serve.log").read_text()
        try:
            return Remote(url=self.url, token="-").get("/readyz").status == 200
        except UnavailableError:
            return False

    def stop(self, how: signal.Signals) -> int:
        assert self.server is not None
        self.server.send_signal(how)
        code = self.server.wait(40)
        self.server = None
        return code

    def remote(self) -> Remote:
        return Remote(url=self.url, token=(self.folder / "token").read_text().strip())

    def state(self, item: str) -> str:
        return str(self.remote().get(f"/v1/items/{item}").json()["state"])

    def until(self, condition: Callable[[], bool], within_s: float = 60) -> None:
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, (self.folder / "serve.log").read_text()[-3000:]
            time.sleep(0.1)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    made.run("init", "--port", str(made.port))
    made.run("token", "create", "--name", "Somebody", "--save", "token")
    made.environment["EVIDENCE_VAULT_TOKEN"] = (tmp_path / "token").read_text().strip()
    made.start()
    yield made
    if made.server is not None:
        made.stop(signal.SIGKILL)


def test_main_job_survives_being_killed_at_any_stage(machine: Machine) -> None:
    (machine.folder / "证据.txt").write_text("what was seen")
    kinds = []
    for pause_s in (0.0, 0.4, 1.5):
        out = machine.run("deposit", "证据.txt", "--note", "page 3", "--receipts", "receipts")
        item = next(line.split()[1] for line in out.splitlines() if line.strip().startswith("item"))
        kinds.append(item)
        time.sleep(pause_s)
        machine.stop(signal.SIGKILL)
        machine.start()
    machine.until(lambda: {machine.state(item) for item in kinds} == {"final"}, 90)

    machine.run("export", kinds[0], "-o", "bundle.zip")
    machine.run("trust", "export", "--known-blocks", "-o", "trust.toml")
    assert (
        "TOTAL" not in machine.run("verify", "bundle.zip", "--trust", "trust.toml", expect=5).splitlines()[0]
    )
    machine.run("verify", "bundle.zip", "--trust", "trust.toml", "--file", "证据.txt", expect=5)
    (receipt,) = (machine.folder / "receipts").glob(f"*{kinds[0]}*")
    assert "signature good" in machine.run("receipt", "show", str(receipt), "--trust", "trust.toml")

    (machine.folder / "empty.toml").write_text("version = 1\n")
    machine.run("verify", "bundle.zip", "--trust", "empty.toml", expect=3)
    fetched = ["headers", "fetch", "bundle.zip", "--rpc", f"{machine.url}/dev/chain", "--out", "headers.json"]
    assert " 0 final" not in machine.run(*fetched)
    machine.run("trust", "export", "-o", "bare.toml")
    machine.run("verify", "bundle.zip", "--trust", "bare.toml", expect=3)
    machine.run("verify", "bundle.zip", "--trust", "bare.toml", "--headers", "headers.json", expect=5)

    assert machine.stop(signal.SIGTERM) == 0
    for line in (machine.folder / "serve.log").read_text().splitlines():
        if line.startswith("{"):
            assert "证据" not in str(json.loads(line))
    assert "page 3" not in (machine.folder / "serve.log").read_text()


@pytest.mark.db("postgresql")
def test_main_job_on_postgresql(machine: Machine) -> None:
    assert not (machine.folder / "vault" / "vault.db").exists()
    (machine.folder / "a.txt").write_text("what was seen")
    out = machine.run("deposit", "a.txt")
    item = next(line.split()[1] for line in out.splitlines() if line.strip().startswith("item"))
    machine.stop(signal.SIGKILL)
    machine.start()
    machine.until(lambda: machine.state(item) == "final", 90)
    machine.run("export", item, "-o", "bundle.zip")
    machine.run("trust", "export", "--known-blocks", "-o", "trust.toml")
    machine.run("verify", "bundle.zip", "--trust", "trust.toml", "--file", "a.txt", expect=5)
    assert "at 0001" in machine.run("migrate")
    assert machine.stop(signal.SIGTERM) == 0
    assert "postgres@" not in (machine.folder / "serve.log").read_text()
    machine.environment[DATABASE_URL] += "&options=-csynchronous_commit%3Doff"
    machine.run("serve", expect=64)
