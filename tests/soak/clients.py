"""Clients that never give up: each deposits one thing after another, and asks again until it has the receipt.

A connection that breaks tells a client nothing: the deposit may be there or not. It sends the same bytes with the
same idempotency key again, as people's tools do, and whatever receipt it is ever given must be the one and only.
"""

import hashlib
import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field

HASH_TYPE = "application/vnd.evidence-vault.hash+json"
PATIENCE_S = 120.0
"""A vault that doesn't take a deposit for so long, restarts included, is broken."""


@dataclass(frozen=True)
class Given:
    """A receipt as a client got it, and what the client knows of its deposit by itself."""

    item_id: str
    receipt: bytes
    sha256: str
    has_content: bool


@dataclass
class Crowd:
    """All clients, what they were given, and what they saw go wrong."""

    port: int
    token: str
    seed: int
    given: list[Given] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    checkpoints: set[bytes] = field(default_factory=set)
    broken: int = 0
    repeated: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, clients: int) -> None:
        """Let so many clients begin, and one that writes down every checkpoint it sees."""
        for number in range(clients):
            self._spawn(f"client-{number}", lambda number=number: _deposit_on(self, number))
        self._spawn("watcher", lambda: _watch(self))

    def stop(self) -> None:
        """Let each client finish what it is at: the server must be up."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(PATIENCE_S + 60)
            if thread.is_alive():
                self.wrong.append(f"{thread.name} did not end")

    def _spawn(self, name: str, run: object) -> None:
        assert callable(run)

        def guarded() -> None:
            try:
                run()
            except Exception as error:  # noqa: BLE001 - a thread's error is a finding, not a line on stderr
                self.wrong.append(f"{name}: {type(error).__name__}: {error}")

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self.threads.append(thread)
        thread.start()


def _deposit_on(crowd: Crowd, number: int) -> None:
    chance = random.Random(crowd.seed * 1000 + number)
    count = 0
    while not crowd.stopping.is_set():
        content = _content(chance)
        key = f"{number}-{count}"
        count += 1
        as_hash = chance.random() < 0.2
        first = _until_answered(crowd, content, key, as_hash=as_hash)
        crowd.given.append(first)
        if chance.random() < 0.05:  # a tool that lost its state asks once more
            if _until_answered(crowd, content, key, as_hash=as_hash) != first:
                crowd.wrong.append(f"key {key}: another receipt for the same request")
            crowd.repeated += 1


def _content(chance: random.Random) -> bytes:
    """Mostly small, some of a few segments; never twice the same."""
    size = chance.randrange(1, 6000) if chance.random() < 0.9 else chance.randrange(200_000, 3_000_000)
    return chance.randbytes(16) + bytes(size)


def _until_answered(crowd: Crowd, content: bytes, key: str, *, as_hash: bool) -> Given:
    until = time.monotonic() + PATIENCE_S
    sha256 = hashlib.sha256(content).hexdigest()
    body = json.dumps({"digests": {"sha256": sha256}, "size": len(content)}).encode() if as_hash else content
    headers = {
        "Authorization": f"Bearer {crowd.token}",
        "Content-Type": HASH_TYPE if as_hash else "application/octet-stream",
        "Idempotency-Key": key,
    }
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", crowd.port, timeout=30)
            try:
                connection.request("POST", "/v1/items", body, headers)
                answer = connection.getresponse()
                status, text = answer.status, answer.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            crowd.broken += 1
            status, text = 0, b""
        if status in (200, 201):
            document = json.loads(text)
            receipt = json.dumps(
                document["receipt"], ensure_ascii=False, sort_keys=True, separators=(",", ":")
            )
            return Given(
                item_id=document["id"],
                receipt=receipt.encode(),
                sha256=sha256,
                has_content=not as_hash,
            )
        # 409: the dead attempt still holds the key; 429, 503: later
        if status not in (0, 409, 429, 503):
            raise AssertionError(f"key {key}: answered {status}: {text[:300]!r}")
        if time.monotonic() > until:
            raise AssertionError(f"key {key}: no receipt after {PATIENCE_S} s; the last answer was {status}")
        time.sleep(0.2)


def _watch(crowd: Crowd) -> None:
    while not crowd.stopping.is_set():
        try:
            connection = http.client.HTTPConnection("127.0.0.1", crowd.port, timeout=5)
            try:
                connection.request("GET", "/v1/log/checkpoint")
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    crowd.checkpoints.add(text)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.1)
