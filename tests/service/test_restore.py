"""Yesterday's database put back, as an operator does it: an outage that says why, `recover`, and on it goes."""

import http.client
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.service.test_serve import Machine

pytestmark = [pytest.mark.socket, pytest.mark.slow]


def deposited(machine: Machine, name: str, text: str) -> str:
    (machine.folder / name).write_text(text)
    out = machine.run("deposit", name, "--receipts", "receipts")
    return next(line.split()[1] for line in out.splitlines() if line.strip().startswith("item"))


def logged(machine: Machine, item: str) -> None:
    machine.until(lambda: machine.state(item) != "received")
    machine.until(lambda: machine.remote().get(f"/v1/items/{item}").json()["stages"][2]["state"] == "done")


def test_restored_database_is_read_only_until_recover_and_then_goes_on(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run("init", "--port", str(machine.port))
    machine.run("token", "create", "--name", "Somebody", "--save", "token")
    machine.environment["EVIDENCE_VAULT_TOKEN"] = (tmp_path / "token").read_text().strip()
    database = tmp_path / "vault" / "vault.db"
    try:
        machine.start()
        before = deposited(machine, "before.txt", "before")
        logged(machine, before)
        assert machine.stop(signal.SIGTERM) == 0
        shutil.copy(database, tmp_path / "backup.db")

        machine.start()
        after = deposited(machine, "after.txt", "after the backup")
        logged(machine, after)
        follow = ("log", "follow", f"{machine.url}/v1/log", "--dir", "mirror", "--once")
        machine.run(*follow)
        assert machine.stop(signal.SIGTERM) == 0
        for path in database.parent.glob("vault.db*"):
            path.unlink()
        shutil.copy(tmp_path / "backup.db", database)
        blobs = sorted(str(path) for path in (tmp_path / "vault" / "packs").rglob("*"))

        refused = serve_read_only(machine)
        assert machine.state(before)  # reading goes on
        assert not refused["ready"]
        assert any("recover" in reason for reason in refused["reasons"])
        (tmp_path / "more.txt").write_text("more")
        machine.run("deposit", "more.txt", "--patience", "1", expect=69)
        machine.run("recover", expect=64)  # not while it is served
        machine.run(*follow)
        assert machine.stop(signal.SIGTERM) == 0
        assert sorted(str(path) for path in (tmp_path / "vault" / "packs").rglob("*")) == blobs

        assert "to re-adopt" in machine.run("recover", "--dry-run")
        assert "done:" in machine.run("recover")
        machine.run("log", "fsck")
        machine.start()
        later = deposited(machine, "later.txt", "later")
        for item in (before, after, later):
            logged(machine, item)
            (receipt,) = (tmp_path / "receipts").glob(f"*{item}*")
            assert machine.remote().get(f"/v1/items/{item}/receipt").body == receipt.read_bytes()
        assert "complete as of size" in machine.run(*follow)
    finally:
        if machine.server is not None:
            machine.stop(signal.SIGKILL)


def serve_read_only(machine: Machine) -> dict[str, Any]:
    """Start it; return what /readyz says, which is 503."""
    machine.is_ready, ready = lambda: True, machine.is_ready  # type: ignore[method-assign]
    machine.start()
    machine.is_ready = ready  # type: ignore[method-assign]
    machine.until(lambda: _readyz(machine) is not None)
    status, document = _readyz(machine) or (0, {})
    assert status == 503
    return document


def _readyz(machine: Machine) -> tuple[int, dict[str, Any]] | None:
    connection = http.client.HTTPConnection("127.0.0.1", machine.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError:
        return None
    finally:
        connection.close()
