"""tus over real connections: two that write at once, one that falls silent, pieces that are cut off."""

import hashlib
import http.client
import random
import socket
import threading

import pytest

from evidence_vault.pipeline.vault import Vault
from tests.api.test_streaming import port, until

__all__ = ["port"]
pytestmark = pytest.mark.socket

CONTENT = random.Random(8).randbytes(3_000_000)
TUS = {"Tus-Resumable": "1.0.0"}


def ask(
    port: int, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body=body, headers={**TUS, **headers})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}


def create(port: int, owner: dict[str, str]) -> str:
    status, headers = ask(port, "POST", "/v1/uploads", {**owner, "Upload-Length": str(len(CONTENT))})
    assert status == 201
    return "/v1/uploads/" + headers["location"].rpartition("/")[2]


def offset(port: int, owner: dict[str, str], path: str) -> int:
    status, headers = ask(port, "HEAD", path, owner)
    assert status == 200
    return int(headers["upload-offset"])


def piece(owner: dict[str, str], at: int) -> dict[str, str]:
    return {**owner, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(at)}


def begin_piece(port: int, owner: dict[str, str], path: str, at: int, length: int) -> socket.socket:
    lines = [f"{name}: {value}" for name, value in {**TUS, **piece(owner, at)}.items()]
    head = "\r\n".join([f"PATCH {path} HTTP/1.1", "Host: vault", f"Content-Length: {length}", *lines, "", ""])
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.sendall(head.encode())
    return connection


def stored(vault: Vault) -> int:
    return sum(path.stat().st_size for path in (vault.settings.home / "incoming").iterdir())


def test_pieces_cut_off_in_the_middle_go_on_where_the_upload_stands(
    vault: Vault, port: int, owner: dict[str, str]
) -> None:
    path, stands = create(port, owner), [0]
    for sent in (1, 70_000, 1_500_000, 300_000):
        at = stands[-1]
        connection = begin_piece(port, owner, path, at, len(CONTENT) - at)
        connection.sendall(CONTENT[at : at + sent])
        if sent > 1 << 20:
            until(lambda: stored(vault) > 1_000_000)
        connection.close()
        # free again once its request has ended: an empty piece where it stands goes through
        until(lambda: ask(port, "PATCH", path, piece(owner, offset(port, owner, path)))[0] == 204)
        stands.append(offset(port, owner, path))
        assert at <= stands[-1] <= at + sent
    assert max(stands) >= 1 << 20
    status, headers = ask(port, "PATCH", path, piece(owner, stands[-1]), CONTENT[stands[-1] :])
    assert status == 204
    assert vault.blobs.digest(headers["evidence-item"]).sha256 == hashlib.sha256(CONTENT).digest()


def test_piece_cut_off_with_its_checksum_keeps_nothing(
    vault: Vault, port: int, owner: dict[str, str]
) -> None:
    path = create(port, owner)
    named = {**owner, "Upload-Checksum": "sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}
    connection = begin_piece(port, named, path, 0, len(CONTENT))
    connection.sendall(CONTENT[:2_000_000])
    until(lambda: stored(vault) > 1_000_000)
    connection.close()
    until(lambda: ask(port, "PATCH", path, piece(owner, 0), CONTENT)[0] == 204)


def test_two_pieces_at_the_same_moment_one_is_written(vault: Vault, port: int, owner: dict[str, str]) -> None:
    path = create(port, owner)
    others = bytes(len(CONTENT) // 2)
    first = begin_piece(port, owner, path, 0, len(CONTENT))
    first.sendall(CONTENT[:1_500_000])
    until(lambda: stored(vault) > 1_000_000)
    for method, body in (("PATCH", others), ("DELETE", b"")):
        status, headers = ask(port, method, path, piece(owner, 0), body)
        assert status == 423 or (status, "retry-after" in headers) == (409, True), method
    first.sendall(CONTENT[1_500_000:])
    first.settimeout(10)
    assert first.recv(65536).startswith(b"HTTP/1.1 204 ")
    first.close()
    until(lambda: offset(port, owner, path) == len(CONTENT))
    with vault.database.read() as session:
        rows = session.connection().exec_driver_sql("SELECT sha256 FROM items").all()
    assert [bytes(row[0]) for row in rows] == [hashlib.sha256(CONTENT).digest()]


def test_race_of_eight_equal_pieces_keeps_one(vault: Vault, port: int, owner: dict[str, str]) -> None:
    path, barrier, answers = create(port, owner), threading.Barrier(8), list[int]()

    def client() -> None:
        barrier.wait()
        answers.append(ask(port, "PATCH", path, piece(owner, 0), CONTENT[:1_000_000])[0])

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(204) == 1
    assert set(answers) <= {204, 409, 423}
    assert offset(port, owner, path) == 1_000_000


def test_silent_connection_lets_its_upload_go(vault: Vault, port: int, owner: dict[str, str]) -> None:
    settings = vault.settings
    object.__setattr__(settings, "__dict__", {**settings.__dict__, "upload_idle_s": 0.4})
    path = create(port, owner)
    silent = begin_piece(port, owner, path, 0, len(CONTENT))
    silent.settimeout(10)
    silent.sendall(CONTENT[:100_000])
    answer = silent.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer.lower()
    silent.close()
    assert offset(port, owner, path) == 100_000
    assert ask(port, "PATCH", path, piece(owner, 100_000), CONTENT[100_000:])[0] == 204
