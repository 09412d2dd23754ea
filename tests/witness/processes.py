"""Witnesses as processes, and what is read of them over loopback."""

import contextlib
import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.note_keys import parse_vkey
from evidence_vault.core.notes import Verified
from tests.service.driving import EVIDENCE_VAULT, answers, free_port, wait_for


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


def await_cosigned(url: str) -> bytes:
    """The log's checkpoint with more than the log's signature: a newer one is published before witnesses answer."""
    note = b""

    def cosigned() -> bool:
        nonlocal note
        note = get(url, "/v1/log/checkpoint")[1]
        return note.count("\n\N{EM DASH} ".encode()) >= 2

    wait_for(cosigned, "a checkpoint with a cosignature")
    return note


def assert_signed(note: bytes, log_vkey: str, *witnesses: str) -> None:
    """The log signed, and at least one of the witnesses; nobody else, and nobody wrongly."""
    keys = [parse_vkey(key) for key in (log_vkey, *witnesses)]
    opened = open_checkpoint(note, origin=keys[0].name, trusted=keys)
    assert isinstance(opened.signed, Verified)
    assert len({signature.key for signature in opened.signed.signatures}) == len(opened.note.signatures) >= 2


def with_witnesses(settings: str, witnesses: Mapping[str, tuple[str, WitnessProcess]]) -> str:
    """The vault.toml of a development vault that asks these witnesses: name, vkey, process."""
    endpoints = json.dumps([f"127.0.0.1:{witness.port}" for _, witness in witnesses.values()])[:-1]
    settings = re.sub(r"private_endpoints = \[", f"private_endpoints = {endpoints}, ", settings, count=1)
    for name, (vkey, witness) in witnesses.items():
        settings += f'\n[[witnesses]]\nname = "{name}"\nvkey = "{vkey}"\nurl = "{witness.url}"\n'
    return settings
