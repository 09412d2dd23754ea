"""A vault that dies while it is asked is a vault that doesn't answer: the client may try again, and says so."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from evidence_vault.cli.remote import Remote
from evidence_vault.errors import UnavailableError

CUT_SHORT = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def remote_of(listener: socket.socket) -> Remote:
    return Remote(url=f"http://127.0.0.1:{listener.getsockname()[1]}", token="-")


def reset(connection: socket.socket) -> None:
    """Close with RST, as the kernel does for a process that was killed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("repeatable", [True, False])
def test_reset_while_connecting_is_no_answer(repeatable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> socket.socket:
        raise ConnectionResetError("reset by peer")

    monkeypatch.setattr(socket, "create_connection", refuse)
    remote = Remote(url="http://127.0.0.1:1", token="-")
    with pytest.raises(UnavailableError, match="doesn't answer: reset by peer"):
        remote.repeatable("/v1/items", b"x", headers={}) if repeatable else remote.post("/v1/items", b"x")


@pytest.mark.socket
def test_reset_within_an_answer_is_no_answer(listener: socket.socket) -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(CUT_SHORT)
        begun.wait(10)
        reset(connection)

    begun = threading.Event()
    server = threading.Thread(target=answer)
    server.start()
    remote = remote_of(listener)
    begun.set()
    with pytest.raises(UnavailableError, match="broke off"):
        remote.get("/v1/items")
    server.join()


@pytest.mark.socket
def test_request_without_an_answer_is_asked_again_under_the_same_key(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evidence_vault.cli.remote.ASK_AGAIN_S", 0.01)
    came: list[bytes] = []

    def answer() -> None:
        for reply in (CUT_SHORT, b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"):
            connection, _ = listener.accept()
            came.append(connection.recv(65536))
            connection.sendall(reply)
            connection.close()

    server = threading.Thread(target=answer)
    server.start()
    assert remote_of(listener).post_once("/v1/cases", {"forum": "court"}).status == 201
    server.join()
    keys = {line for one in came for line in one.split(b"\r\n") if line.startswith(b"Idempotency-Key: ")}
    assert (len(came), len(keys)) == (2, 1)
