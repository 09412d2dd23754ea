"""Authorities that lie, over real sockets, to the vault as its settings build it: nothing of it is recorded."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from anchors.rfc3161.devtsa import DevelopmentTsa
from anchors.rfc3161.token import parse_request
from anchors.values import replace
from evidence_vault.authority_settings import TimestampAuthority
from evidence_vault.core.events import Subject
from evidence_vault.core.states import JobState
from evidence_vault.service.compose import authority_submitter
from evidence_vault.store.queries import events, jobs
from evidence_vault.workers.exchanges import obtain_timestamps
from evidence_vault.workers.runner import advance_due
from tests.anchors.rfc3161.vector_cases import encode_request
from tests.client.servers import Server, serving
from tests.pipeline.vaults import deposit, new_vault

pytestmark = pytest.mark.socket

TIMEOUT_S = 1.0
Answer = Callable[[bytes], bytes]
"""What the server sends for a request, from the status line on."""


def reply(body: bytes, *, status: str = "200 OK", kind: str = "application/timestamp-reply") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.fixture
def tsa(tmp_path: Path) -> DevelopmentTsa:
    (tmp_path / "tsa").mkdir()
    return DevelopmentTsa.create(tmp_path / "tsa", datetime.now(UTC) - timedelta(days=1))


def outcome(
    home: Path, tsa: DevelopmentTsa, answer: Answer, *, pause_s: float = 0
) -> tuple[str, str, list[str]]:
    """Deposit, ask once: the job's state and error, and what the item's history says. pause_s: between bytes."""
    running: list[Server] = []

    def behave(connection: Any) -> None:
        head, _, body = running[0].requests[-1].partition(b"\r\n\r\n")
        [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while len(body) < int(length.split(b":")[1]):
            body += connection.recv(65536)
        said = answer(body)
        if not pause_s:
            connection.sendall(said)
        for byte in said if pause_s else b"":
            connection.sendall(bytes([byte]))
            time.sleep(pause_s)

    with serving(behave) as server:
        running.append(server)
        one = TimestampAuthority(
            name="tsa",
            group="g",
            url=server.url,
            roots_pem=tsa.root_pem,
            log_class="development",
            timeout_s=TIMEOUT_S,
        )
        vault = new_vault(
            home,
            clock=lambda: datetime.now(UTC),
            authorities=[one],
            private_endpoints=[server.endpoint],
            token_interval_s=1e6,
        )
        submitter = authority_submitter(vault.settings, one, clock=vault.clock)
        vault = replace(vault, submitters={"timestamp": {"tsa": submitter}})
        item = Subject(kind="item", id=deposit(vault).item_id)
        assert advance_due(vault, "timestamp", obtain_timestamps, owner="worker")
        assert len(server.requests) == 1  # no redirect is followed, nothing is asked again at once
    with vault.database.read() as session:
        [job] = [job for job in jobs.jobs_of(session, item) if job.kind == "timestamp"]
        return job.state, job.last_error or "", [row.type for row in events.events_of(session, item)]


def now() -> datetime:
    return datetime.now(UTC)


def asked_again(request: bytes, **changes: Any) -> bytes:
    """The request, with something else in it."""
    parsed = parse_request(request)
    asked = {"algorithm": "sha256", "imprint": parsed.imprint, "nonce": parsed.nonce, "policy": None}
    return encode_request(**{**asked, **changes}, certificate=True)


LIES: dict[str, tuple[Callable[[DevelopmentTsa, Path], Answer], str]] = {
    "another nonce": (lambda t, _: lambda q: reply(t.respond(asked_again(q, nonce=7), now())), "nonce"),
    "no nonce": (lambda t, _: lambda q: reply(t.respond(asked_again(q, nonce=None), now())), "nonce"),
    "another digest": (
        lambda t, _: lambda q: reply(t.respond(asked_again(q, imprint=bytes(32)), now())),
        "imprint",
    ),
    "an old time": (
        lambda t, _: lambda q: reply(t.respond(q, now() - timedelta(hours=2))),
        "behind our clock",
    ),
    "a time ahead": (
        lambda t, _: lambda q: reply(t.respond(q, now() + timedelta(hours=2))),
        "ahead of our clock",
    ),
    "an impostor": (
        lambda _, home: (
            lambda q: reply(DevelopmentTsa.create(home, now() - timedelta(days=1)).respond(q, now()))
        ),
        "NO_CERTIFICATE_CHAIN_FOUND",
    ),
    "trailing bytes": (lambda t, _: lambda q: reply(t.respond(q, now()) + b"\0"), "doesn't verify"),
    "a changed byte": (
        lambda t, _: lambda q: reply(t.respond(q, now())[:-1] + b"\0"),
        "doesn't verify",
    ),
    "cut off": (lambda t, _: lambda q: reply(t.respond(q, now()))[:-40], "HTTP/1.1"),
    "a redirect": (
        lambda *_: lambda q: b"HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "redirect",
    ),
    "too much": (lambda *_: lambda q: reply(bytes(70_000)), "more than 65536 bytes"),
    "another content type": (
        lambda t, _: lambda q: reply(t.respond(q, now()), kind="application/octet-stream"),
        "content type",
    ),
    "a web page": (lambda *_: lambda q: reply(b"<html>sign in</html>"), "doesn't verify"),
    "nothing": (lambda *_: lambda q: b"", "HTTP/1.1"),
}


@pytest.mark.parametrize(("make", "reason"), LIES.values(), ids=LIES.keys())
def test_lie_of_an_authority_is_told_and_never_recorded(
    tmp_path: Path, tsa: DevelopmentTsa, make: Callable[[DevelopmentTsa, Path], Answer], reason: str
) -> None:
    (tmp_path / "impostor").mkdir()
    (tmp_path / "vault").mkdir()
    state, error, history = outcome(tmp_path / "vault", tsa, make(tsa, tmp_path / "impostor"))
    assert state == JobState.READY  # another time it may tell the truth
    assert reason in error
    assert history == ["ITEM_RECEIVED"]


def test_dripping_authority_is_left_on_time(tmp_path: Path, tsa: DevelopmentTsa) -> None:
    (tmp_path / "vault").mkdir()
    began = time.monotonic()
    state, error, history = outcome(
        tmp_path / "vault", tsa, lambda q: reply(tsa.respond(q, now())), pause_s=0.05
    )
    assert time.monotonic() - began < 20  # all its bytes would take a minute
    assert (state, history) == (JobState.READY, ["ITEM_RECEIVED"])
    assert "within 1" in error or "time" in error


def test_honest_authority_of_this_page_is_recorded(tmp_path: Path, tsa: DevelopmentTsa) -> None:
    (tmp_path / "vault").mkdir()
    state, error, history = outcome(tmp_path / "vault", tsa, lambda q: reply(tsa.respond(q, now())))
    assert (state, error) == (JobState.DONE, "")
    assert history == ["ITEM_RECEIVED", "TIMESTAMP_OBTAINED"]
