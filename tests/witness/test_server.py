"""The witness's HTTP face: statuses and types as the protocol wants them, bodies capped and timed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.core.tlog_witness import MAX_REQUEST_BYTES, origin_name
from evidence_vault.errors import IntegrityError, StorageFull
from evidence_vault.witness import server
from evidence_vault.witness.server import witness_app
from tests.witness.logs import ORIGIN, MemoryLog, witness_of

LOG = MemoryLog([f"leaf {number}" for number in range(9)])

pytestmark = pytest.mark.socket


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with witness_of(tmp_path, LOG) as witness, TestClient(witness_app(witness)) as client:
        client.headers["X-Vkey"] = encode_vkey(witness.verifier_key)
        yield client


def test_answers_travel_with_their_status_and_type(client: TestClient) -> None:
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/vkey").text.strip() == client.headers["X-Vkey"]
    assert client.get(f"/{origin_name(ORIGIN)}/checkpoint").status_code == 404
    first = client.post("/add-checkpoint", content=LOG.request(0, 4))
    assert (first.status_code, first.content[:4]) == (200, "— w".encode()[:4])
    conflict = client.post("/add-checkpoint", content=LOG.request(0, 4))
    assert (conflict.status_code, conflict.content) == (409, b"4\n")
    assert conflict.headers["content-type"] == "text/x.tlog.size"
    assert client.get(f"/{origin_name(ORIGIN)}/checkpoint").content.startswith(ORIGIN.encode())
    assert client.get("/add-checkpoint").status_code == 405
    assert client.get("/../witness.key").status_code == 404


def test_long_bodies_are_refused_as_soon_as_they_are_long(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * MAX_REQUEST_BYTES

    assert client.post("/add-checkpoint", content=endless()).status_code == 413
    assert client.post("/add-checkpoint", content=b"x" * MAX_REQUEST_BYTES).status_code == 400


def test_body_that_does_not_come_is_not_waited_for(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "BODY_WITHIN_S", 0.0)
    assert client.post("/add-checkpoint", content=LOG.request(0, 4)).status_code == 408


@pytest.mark.parametrize(
    ("error", "status"), [(StorageFull("guard"), 503), (IntegrityError("guard", 1, 2), 500)]
)
def test_disk_that_fails_is_an_answer_and_no_line(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("evidence_vault.witness.guard.save_file", fail)
        answer = client.post("/add-checkpoint", content=LOG.request(0, 4))
    assert (answer.status_code, "—" in answer.text) == (status, False)
    assert client.post("/add-checkpoint", content=LOG.request(0, 4)).status_code == 200
