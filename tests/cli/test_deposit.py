"""`deposit` as people use it: broken off anywhere, and given again."""

import contextlib
import hashlib
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.service.test_serve import Machine, machine

__all__ = ["machine"]
pytestmark = [pytest.mark.socket, pytest.mark.slow]


@pytest.fixture
def quiet(machine: Machine) -> Machine:
    """A vault, and a place of its own for what unfinished runs remember."""
    machine.environment["XDG_STATE_HOME"] = str(machine.folder / "state")
    return machine


def items(machine: Machine) -> list[str]:
    """The digests of all items."""
    with contextlib.closing(sqlite3.connect(machine.folder / "vault" / "vault.db")) as database:
        return sorted(digest for (digest,) in database.execute("SELECT lower(hex(sha256)) FROM items"))


def begin(machine: Machine, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "evidence_vault.cli.main", "deposit", *words]
    return subprocess.Popen(command, cwd=machine.folder, env=machine.environment, stdout=subprocess.PIPE)


def make_folder(folder: Path, count: int) -> list[str]:
    digests = []
    for number in range(count):
        path = folder / f"{number % 7}" / f"文件 {number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = b"the same" if number % 10 == 0 else b"%d" % number
        path.write_bytes(content)
        digests.append(hashlib.sha256(content).hexdigest())
    (folder / "link").symlink_to(folder / "0")
    (folder / "broken").symlink_to("nowhere")
    return sorted(digests)


def test_folder_broken_off_goes_on_without_duplicates(quiet: Machine) -> None:
    digests = make_folder(quiet.folder / "case", 400)
    client = begin(quiet, "case")
    receipts = quiet.folder / "case.receipts"
    quiet.until(lambda: len(list(receipts.rglob("*.json"))) > 40)
    client.kill()
    client.wait()
    assert client.stdout is not None
    client.stdout.close()
    client = begin(quiet, "case")
    time.sleep(0.7)
    quiet.stop(signal.SIGKILL)
    quiet.start()
    out, _ = client.communicate(timeout=120)
    assert client.returncode == 0, out.decode()
    assert b"400 files: " in out
    assert b"0 failed, 0 not tried; 2 passed over" in out
    assert items(quiet) == digests
    assert len(list(receipts.rglob("*.json"))) >= 400
    assert not list((quiet.folder / "state").rglob("*.jsonl"))


def test_large_file_goes_on_after_client_and_vault_were_killed(quiet: Machine) -> None:
    content = random.Random(4).randbytes(150 << 20)
    (quiet.folder / "film.mkv").write_bytes(content)
    incoming = quiet.folder / "vault" / "incoming"
    client = begin(quiet, "film.mkv", "--receipts", "receipts")
    quiet.until(lambda: any(path.stat().st_size > 40 << 20 for path in incoming.glob("up_*")))
    client.kill()
    client.wait()
    assert client.stdout is not None
    client.stdout.close()
    (upload,) = incoming.glob("up_*")
    client = begin(quiet, "film.mkv", "--receipts", "receipts")
    quiet.until(lambda: upload.exists() and upload.stat().st_size > 80 << 20)
    quiet.stop(signal.SIGKILL)
    quiet.start()
    out, _ = client.communicate(timeout=120)
    assert client.returncode == 0, out.decode()
    assert items(quiet) == [hashlib.sha256(content).hexdigest()]
    assert list(incoming.glob("up_*")) == []


def test_vault_that_is_away_ends_the_run_and_nothing_is_forgotten(quiet: Machine) -> None:
    digests = make_folder(quiet.folder / "case", 30)
    quiet.stop(signal.SIGKILL)
    quiet.run("deposit", "case", "--patience", "0.5", expect=69)
    quiet.start()
    quiet.run("deposit", "case")
    assert items(quiet) == digests
    quiet.run("deposit", "case", "--receipts", "case/receipts", expect=64)
