"""Long bodies go around the parser, unchanged; all else goes through it."""

import hashlib
import http.client
import random
import socket

import pytest

from evidence_vault.api.wire import LongBodyProtocol, keep_read_buffers
from evidence_vault.pipeline.vault import Vault
from tests.api.test_streaming import begin, port

__all__ = ["port"]
pytestmark = pytest.mark.socket

CONTENT = random.Random(9).randbytes(3_500_000)


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of what went around the parser."""
    lengths: list[int] = []
    real = LongBodyProtocol._passes

    def noting(self: LongBodyProtocol, data: bytes) -> bool:
        went = real(self, data)
        if went:
            lengths.append(len(data))
        return went

    monkeypatch.setattr(LongBodyProtocol, "_passes", noting)
    return lengths


def test_long_body_goes_around_the_parser_but_for_its_ends(
    vault: Vault, port: int, owner: dict[str, str], passed: list[int]
) -> None:
    keep_read_buffers()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(2):  # the second request on one connection finds the parser where it must be
        connection.request("POST", "/v1/items", body=CONTENT, headers=owner)
        response = connection.getresponse()
        assert response.status == 201
        assert hashlib.sha256(CONTENT).hexdigest().encode() in response.read()
    connection.close()
    assert len(CONTENT) < sum(passed) < 2 * len(CONTENT)


def test_chunked_body_goes_through_the_parser(port: int, owner: dict[str, str], passed: list[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    pieces = (CONTENT[at : at + 500_000] for at in range(0, len(CONTENT), 500_000))
    connection.request("POST", "/v1/items", body=pieces, headers=owner, encode_chunked=True)
    assert hashlib.sha256(CONTENT).hexdigest().encode() in connection.getresponse().read()
    connection.close()
    assert passed == []


def test_bytes_behind_a_body_are_the_next_request(port: int, owner: dict[str, str]) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in owner.items())
    connection = begin(port, owner, 1_000_000)
    connection.settimeout(10)
    tail = f"GET /v1/items HTTP/1.1\r\nHost: vault\r\n{head}Connection: close\r\n\r\n".encode()
    connection.sendall(bytes(1_000_000) + tail)
    answers = b""
    while piece := connection.recv(65536):
        answers += piece
    connection.close()
    assert answers.count(b"HTTP/1.1 201 ") == 1
    assert answers.count(b"HTTP/1.1 200 ") == 1


def test_body_cut_short_is_no_deposit(vault: Vault, port: int, owner: dict[str, str]) -> None:
    connection = begin(port, owner, 3_000_000)
    connection.sendall(bytes(2_999_999))
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(10)
    assert b" 201 " not in connection.recv(65536)
    connection.close()
    with vault.database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM items").scalar() == 0
