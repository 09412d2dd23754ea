"""What outsiders do with a log, as processes over HTTP: follow it, be killed, go on, witness it, judge by it."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_vault.cli.remote import Remote
from evidence_vault.core.tlog_witness import origin_name
from tests.service.driving import EVIDENCE_VAULT, command, free_port, served, wait_for
from tests.witness.processes import (
    WitnessProcess,
    assert_signed,
    await_cosigned,
    get,
    running,
    with_witnesses,
)

pytestmark = [pytest.mark.socket, pytest.mark.slow]

KILLS = 20


@contextlib.contextmanager
def depositing(url: str, token: str) -> Iterator[list[str]]:
    """Deposit one thing after another until the block ends; the ids of the items so far."""
    stop = threading.Event()
    items: list[str] = []
    remote = Remote(url=url, token=token)

    def deposit_on() -> None:
        while not stop.wait(0.05):
            answer = remote.post("/v1/items", b"%d" % len(items), headers={"Content-Type": "text/plain"})
            items.append(str(answer.json()["id"]))

    thread = threading.Thread(target=deposit_on, daemon=True)
    thread.start()
    try:
        yield items
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def killed_follower(log: str, mirror: Path, *, after_s: float) -> str:
    """Follow for a while, `kill -9` at that moment; return what it had printed."""
    out = mirror.with_suffix(".out")
    with out.open("wb") as file:
        words = ["log", "follow", log, "--dir", str(mirror), "--every", "0.1"]
        process = subprocess.Popen([EVIDENCE_VAULT, *words], stdout=file, stderr=file)
        time.sleep(after_s)
        assert process.poll() is None, out.read_text()  # it follows until it is stopped
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    return out.read_text()


def complete_size(printed: str) -> int:
    found = re.search(r"complete as of size (\d+), root [0-9a-f]{64}", printed)
    assert found, printed
    return int(found[1])


class Outside:
    """A development vault with two witnesses, and the folder of somebody who only knows its address."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, port = folder / "vault", free_port()
        self.url, self.log = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/v1/log"
        self.mirror = folder / "mirror"
        command("init", str(self.home), "--port", str(port))
        token = folder / "my.token"
        command("token", "create", "--home", str(self.home), "--name", "Depositor", "--save", str(token))
        self.token = token.read_text().strip()
        monkeypatch.setenv("EVIDENCE_VAULT_URL", self.url)
        monkeypatch.setenv("EVIDENCE_VAULT_TOKEN", self.token)
        policy = command("trust", "export", "--home", str(self.home))
        self.vkey = next(line.split('"')[1] for line in policy.splitlines() if line.startswith("vkey"))
        self.witnesses = [WitnessProcess(folder / name, self.vkey) for name in ("court", "notary")]
        self.witness_vkeys: list[str] = []

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The vault and its witnesses, until the block ends."""
        with running(self.witnesses[0]) as first, running(self.witnesses[1]) as second:
            self.witness_vkeys = [first, second]
            named = {"court": (first, self.witnesses[0]), "notary": (second, self.witnesses[1])}
            settings = self.home / "vault.toml"
            settings.write_text(with_witnesses(settings.read_text(), named))
            with served(self.home, self.url):
                yield

    def follow(self) -> int:
        """Follow once; the size up to which the mirror is complete then."""
        return complete_size(command("log", "follow", self.log, "--dir", str(self.mirror), "--once"))

    def nobody_behind(self) -> bool:
        states = json.loads(get(self.url, "/readyz")[1])["witnesses"]
        return {state["name"] for state in states if not state["behind"]} == {"court", "notary"}


def test_outsiders_follow_witness_and_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EVIDENCE_VAULT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EVIDENCE_VAULT_RETRY_MOST_S", "0.5")
    monkeypatch.setenv("EVIDENCE_VAULT_RETRY_FIRST_S", "0.1")
    monkeypatch.chdir(tmp_path)
    outside = Outside(tmp_path, monkeypatch)
    with outside.running():
        (tmp_path / "evidence.txt").write_text("what was seen")
        out = command("deposit", "evidence.txt", "--receipts", "receipts")
        item = next(line.split()[1] for line in out.splitlines() if line.strip().startswith("item"))
        wait_for(lambda: get(outside.url, "/v1/log/checkpoint")[0] == 200, "a checkpoint")
        follow_through_kills(outside)
        check_promise_of(item, outside)
        verify_with_mirrors(item, outside)
        # Both witnesses have signed what everyone sees, and say so.
        wait_for(outside.nobody_behind, "both witnesses")
        assert_signed(await_cosigned(outside.url), outside.vkey, *outside.witness_vkeys)
        name = origin_name(outside.vkey.partition("+")[0])
        for witness, vkey in zip(outside.witnesses, outside.witness_vkeys, strict=True):
            assert_signed(get(witness.url, f"/{name}/checkpoint")[1], outside.vkey, vkey)
        # All of it agrees, while the vault runs.
        said = command("log", "fsck", "--home", str(outside.home))
        assert re.search(r"all of it agrees; read in [\d.]+ s", said), said


def follow_through_kills(outside: Outside) -> None:
    """A follower that is killed again and again, while deposits go on: it only ever grows, and accuses nobody."""
    chance, began = random.Random(20), time.monotonic()
    seen = outside.follow()
    span = time.monotonic() - began  # a look from start to end, as fast as this machine is now
    with depositing(outside.url, outside.token) as items:
        for _ in range(KILLS):
            printed = killed_follower(outside.log, outside.mirror, after_s=chance.uniform(0.3, 1.5) * span)
            sizes = [int(size) for size in re.findall(r"complete as of size (\d+)", printed)]
            assert "CONTRADICTS" not in printed, printed
            assert sizes == sorted(sizes), printed
            assert not sizes or sizes[0] >= seen, printed
            seen = max([seen, *sizes])
    assert len(items) > KILLS
    assert seen <= outside.follow()
    assert not (outside.mirror / "evidence").exists()


def check_promise_of(item: str, outside: Outside) -> None:
    """What the vault promised, looked for in the log itself and in the mirror."""
    command("trust", "export", "--home", str(outside.home), "--known-blocks", "-o", "trust.toml")
    (receipt,) = Path("receipts").glob(f"*{item}*")
    for place in (outside.log, str(outside.mirror)):
        said = command("receipt", "check", str(receipt), "--trust", "trust.toml", "--log", place)
        assert "signature good" in said
        assert re.search(r"KEPT: the event is leaf \d+, in the log's checkpoint of size \d+", said)


def verify_with_mirrors(item: str, outside: Outside) -> None:
    """A bundle under three mirrors: too short for it, complete, and of a time when more had happened."""
    remote = Remote(url=outside.url, token=outside.token)
    wait_for(lambda: bool(remote.get(f"/v1/items/{item}").json()["state"] == "final"), "a final block")
    outside.follow()
    shutil.copytree(outside.mirror, "before")
    export = remote.post(f"/v1/items/{item}/exports").json()["id"]
    wait_for(lambda: remote.get(f"/v1/exports/{export}").json()["state"] == "VERIFIED", "the bundle")
    size = outside.follow()
    shutil.copytree(outside.mirror, "complete")
    with Path("bundle.zip").open("wb") as file:
        remote.download(f"/v1/exports/{export}/bundle", file, progress=lambda _: None)
    command("trust", "export", "--home", str(outside.home), "--known-blocks", "-o", "trust.toml")
    verify = ["verify", "bundle.zip", "--trust", "trust.toml", "--lang", "en", "--log"]
    assert "The mirror ends before the bundle's checkpoint" in command(*verify, "before", expected=3)
    assert f"Complete as of size {size}" in command(*verify, "complete", expected=5)

    def went_on() -> bool:
        outside.follow()
        said = command(*verify, str(outside.mirror), expected=5)
        return "The record went on at index" in said

    wait_for(went_on, "the leaf of the handing out")
