"""Deposits through a real server: clients that stop midway, pour too much, or drip, and the others beside them."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn

from evidence_vault.api.app import create_app
from evidence_vault.api.wire import StrictProtocol
from evidence_vault.pipeline.vault import Vault
from tests.api.conftest import Bearer
from tests.api.test_deposits import assert_nothing_kept

pytestmark = pytest.mark.socket


@pytest.fixture
def port(vault: Vault) -> Iterator[int]:
    """A served vault."""
    with listening_port(vault) as found:
        yield found


@contextlib.contextmanager
def listening_port(vault: Vault) -> Iterator[int]:
    """Serve the vault's API, without its work in the background."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            create_app(vault), log_config=None, access_log=False, http=StrictProtocol, ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        yield int(listening.getsockname()[1])
        server.should_exit = True
        thread.join(10)


def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def begin(port: int, headers: dict[str, str], length: int | None) -> socket.socket:
    """Send the head of a deposit."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(["POST /v1/items HTTP/1.1", "Host: vault", framing, *lines, "", ""])
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.sendall(head.encode())
    return connection


def incoming(vault: Vault) -> int:
    return sum(path.stat().st_size for path in list((vault.settings.home / "incoming").iterdir()))


def keys_held(vault: Vault) -> int:
    with vault.database.read() as session:
        return int(
            session.connection().exec_driver_sql("SELECT count(*) FROM idempotency_keys").scalar() or 0
        )


@pytest.mark.parametrize("length", [3_000_000, None], ids=["announced", "chunked"])
def test_deposit_client_stops_midway_nothing_kept(
    vault: Vault, port: int, owner: dict[str, str], length: int | None
) -> None:
    connection = begin(port, {**owner, "Idempotency-Key": "k"}, length)
    piece = bytes(2_500_000)
    connection.sendall(piece if length else b"%x\r\n" % len(piece) + piece + b"\r\n")
    until(lambda: incoming(vault) > 1_000_000)
    connection.close()
    until(lambda: not list((vault.settings.home / "incoming").iterdir()))
    until(lambda: keys_held(vault) == 0)  # freed after the bytes are gone
    assert_nothing_kept(vault)


def test_deposit_shorter_than_announced_nothing_kept(vault: Vault, port: int, owner: dict[str, str]) -> None:
    connection = begin(port, owner, 100)
    connection.sendall(b"x" * 99)
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(10)
    with contextlib.suppress(OSError):
        assert b" 201 " not in connection.recv(65536)
    connection.close()
    assert_nothing_kept(vault)


def test_deposit_after_one_that_stopped_gets_the_key(vault: Vault, port: int, owner: dict[str, str]) -> None:
    content = bytes(200_000)  # more than is held in memory: it claims its key while it comes in
    connection = begin(port, {**owner, "Idempotency-Key": "k"}, len(content))
    connection.sendall(content[:100_000])
    until(lambda: bool(list((vault.settings.home / "incoming").iterdir())))
    connection.close()
    until(lambda: not list((vault.settings.home / "incoming").iterdir()))
    again = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    until(lambda: _post(again, {**owner, "Idempotency-Key": "k"}, content) == 201)
    again.close()


def _post(connection: http.client.HTTPConnection, headers: dict[str, str], body: bytes) -> int:
    connection.request("POST", "/v1/items", body=body, headers=headers)
    response = connection.getresponse()
    response.read()
    return response.status


def test_deposit_oversize_announced_refused_before_the_body(
    vault: Vault, port: int, owner: dict[str, str]
) -> None:
    connection = begin(port, {**owner, "Expect": "100-continue"}, vault.settings.max_upload_bytes + 1)
    connection.settimeout(10)
    answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    connection.close()
    assert_nothing_kept(vault)


def test_deposit_oversize_unannounced_refused_while_streaming(
    vault: Vault, port: int, owner: dict[str, str]
) -> None:
    connection = begin(port, owner, None)
    connection.settimeout(10)
    piece = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    sent = 0
    with contextlib.suppress(OSError):  # the server stops reading: more may not get through
        for _ in range(64):
            connection.sendall(piece)
            sent += 1
    assert sent < 64
    assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
    connection.close()
    until(lambda: not list((vault.settings.home / "incoming").iterdir()))
    assert_nothing_kept(vault)


def test_deposits_that_drip_hold_nobody_up(vault: Vault, port: int, bearer: Bearer) -> None:
    headers = bearer()
    dripping = [begin(port, headers, 1000) for _ in range(60)]
    for connection in dripping:
        connection.sendall(b"x")
    quick = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    began = time.monotonic()
    assert _post(quick, headers, b"quick") == 201
    assert time.monotonic() - began < 5
    for connection in dripping:
        connection.sendall(b"x" * 999)
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
        connection.close()
    quick.close()
    with vault.database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM items").scalar() == 61


def form_head(length: int) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return part + bytes(length - len(part))


@pytest.mark.parametrize(
    ("media_type", "sent"),
    [
        pytest.param("image/png", bytes(200_000), id="first piece"),
        pytest.param("image/png", bytes(1_500_000), id="second piece"),
        pytest.param("multipart/form-data; boundary=x", form_head(200_000), id="form"),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_deposit_that_comes_too_slowly_is_told_so_and_leaves_nothing(
    vault: Vault, port: int, owner: dict[str, str], media_type: str, sent: bytes
) -> None:
    with begin(port, {**owner, "Content-Type": media_type, "Idempotency-Key": "k"}, 3_000_000) as connection:
        connection.settimeout(10)
        connection.sendall(sent)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")
    for told in (b"application/problem+json", b"/v1/problems/too-slow", b"connection: close"):
        assert told in answer.lower()
    assert_nothing_kept(vault)
    assert not list((vault.settings.home / "incoming").iterdir())


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a second for each piece."""
    monkeypatch.setattr("evidence_vault.api.body.PIECE_WITHIN_S", 1.0)


@pytest.mark.usefixtures("hasty")
def test_deposit_that_drips_but_keeps_the_pace_is_taken(port: int, owner: dict[str, str]) -> None:
    """All of it takes longer than a piece may."""
    with begin(port, owner, 3 << 20) as connection:
        connection.settimeout(10)
        for _ in range(12):
            connection.sendall(bytes(1 << 18))
            time.sleep(0.1)
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")


def test_refused_body_within_the_limit_is_read_and_answered(port: int, owner: dict[str, str]) -> None:
    connection = begin(port, {**owner, "Repr-Digest": "md5=:AAAA:"}, 3_000_000)
    connection.settimeout(10)
    connection.sendall(bytes(3_000_000))
    answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" not in answer.lower()
    connection.close()


def test_refused_client_that_sends_nothing_more_is_let_go(port: int, owner: dict[str, str]) -> None:
    connection = begin(port, {**owner, "Repr-Digest": "md5=:AAAA:"}, 3_000_000)
    connection.settimeout(10)
    answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in answer.lower()
    while connection.recv(65536):
        pass
    connection.close()


@pytest.mark.parametrize(
    ("framing", "status"),
    [(f"Content-Length: {1 << 40}", b"413"), ("Transfer-Encoding: chunked", b"411")],
    ids=["too long", "unknown length"],
)
def test_verify_unbounded_body_refused_before_it_is_read(port: int, framing: str, status: bytes) -> None:
    head = f"POST /v1/verify HTTP/1.1\r\nHost: vault\r\nContent-Type: multipart/form-data; boundary=x\r\n{framing}"
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())  # and nothing more
        assert connection.recv(65536).startswith(b"HTTP/1.1 " + status)


def test_verify_that_drips_loses_its_place(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence_vault.api.verification.MAX_ARRIVAL_S", 0.2)
    head = "POST /v1/verify HTTP/1.1\r\nHost: vault\r\nContent-Type: multipart/form-data; boundary=x"
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"{head}\r\nContent-Length: 1000\r\n\r\n--x\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 503")


def test_header_that_is_too_long_refused(port: int) -> None:
    connection = begin(port, {"X": "a" * 200_000}, 1)
    connection.settimeout(10)
    with contextlib.suppress(OSError):
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    connection.close()
