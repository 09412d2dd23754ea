"""What the server reads of a request, what it refuses, and where it stops reading."""

import hashlib
import http.client
import random
import socket

import pytest

from evidence_vault.api.fields import HASH_MEDIA_TYPE, encode_repr_digest
from evidence_vault.api.wire import MAX_HEAD_BYTES, keep_read_buffers
from evidence_vault.pipeline.vault import Vault
from tests.api.test_deposits import EMPTY_SHA256, assert_nothing_kept
from tests.api.test_streaming import begin, port

__all__ = ["port"]
pytestmark = pytest.mark.socket

CONTENT = random.Random(9).randbytes(3_500_000)
GET = b"GET /v1/health HTTP/1.1\r\nHost: vault\r\n"
POST = b"POST /v1/items HTTP/1.1\r\nHost: vault\r\n"


def exchange(port: int, *pieces: bytes) -> bytes:
    """Send, and return all that comes until the connection ends or nothing more comes."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.settimeout(2)
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while piece := connection.recv(65536):
                answer += piece
        except (TimeoutError, ConnectionError):
            pass
        return answer


def send_all(connection: socket.socket, pieces: list[bytes]) -> None:
    for piece in pieces:
        connection.sendall(piece)


def test_long_body_arrives_whole_and_the_connection_goes_on(port: int, owner: dict[str, str]) -> None:
    keep_read_buffers()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(2):
        connection.request("POST", "/v1/items", body=CONTENT, headers=owner)
        response = connection.getresponse()
        assert response.status == 201
        assert hashlib.sha256(CONTENT).hexdigest().encode() in response.read()
    connection.close()


def test_chunked_body_arrives_whole(port: int, owner: dict[str, str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    pieces = (CONTENT[at : at + 500_000] for at in range(0, len(CONTENT), 500_000))
    connection.request("POST", "/v1/items", body=pieces, headers=owner, encode_chunked=True)
    assert hashlib.sha256(CONTENT).hexdigest().encode() in connection.getresponse().read()
    connection.close()


CHUNKS = b"1\r\nx\r\n0\r\n\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"GET /v1/health HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param(GET + b"Host: other\r\n\r\n", id="two-hosts"),
        pytest.param(GET + b"A : b\r\n\r\n", id="space-before-colon"),
        pytest.param(GET + b"A: b\nC: d\r\n\r\n", id="bare-lf"),
        pytest.param(GET + b"A: b\r\n c\r\n\r\n", id="folded-line"),
        pytest.param(GET + b"A: b\x00c\r\n\r\n", id="nul"),
        pytest.param(POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", id="two-lengths"),
        pytest.param(POST + b"Content-Length: +1\r\n\r\na", id="signed-length"),
        pytest.param(POST + b"Content-Length: 18446744073709551617\r\n\r\na", id="length-beyond-64-bits"),
        pytest.param(
            POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="length-and-chunks"
        ),
        pytest.param(POST + b"Transfer-Encoding: gzip\r\n\r\nx", id="unknown-coding"),
        pytest.param(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS, id="two-codings"),
        pytest.param(
            POST + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS, id="upgrade-and-chunks"
        ),
        pytest.param(POST + UPGRADE + b"Content-Length: 1\r\n\r\nx", id="upgrade-and-length"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", id="no-chunk-size"),
        pytest.param(GET + b"A: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n", id="long-field"),
        pytest.param(GET + b"A: b\r\n" * (MAX_HEAD_BYTES // 6) + b"\r\n", id="many-fields"),
        pytest.param(b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: v\r\n\r\n", id="long-address"),
    ],
)
def test_request_that_could_be_read_in_two_ways_is_refused(port: int, request_bytes: bytes) -> None:
    answer = exchange(port, request_bytes)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("begin_with", "piece"),
    [
        pytest.param(GET + b"A: ", b"b" * 65536, id="field-without-end"),
        pytest.param(b"GET /", b"b" * 65536, id="address-without-end"),
        pytest.param(
            POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"b" * 65536, id="extension-without-end"
        ),
        pytest.param(
            POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: ", b"b" * 65536, id="trailer-without-end"
        ),
        pytest.param(b"", b"\r\n" * 32768, id="empty-lines-without-end"),
    ],
)
def test_what_never_ends_is_cut_off(port: int, begin_with: bytes, piece: bytes) -> None:
    pieces = [begin_with, *[piece] * 2000]  # 128 MiB: far more than any buffer between us holds
    with socket.create_connection(("127.0.0.1", port), 10) as connection, pytest.raises(ConnectionError):
        send_all(connection, pieces)


def test_trailer_is_no_header_field(port: int, owner: dict[str, str]) -> None:
    token = owner["Authorization"].encode()
    head = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answer = exchange(port, head, b"1\r\na\r\n0\r\nAuthorization: " + token + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")


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


@pytest.mark.parametrize("media_type", ["image/png", HASH_MEDIA_TYPE, "multipart/form-data; boundary=x"])
def test_deposit_that_announces_no_body_is_refused(
    port: int, vault: Vault, owner: dict[str, str], media_type: str
) -> None:
    """A sender that lost its body would hold a receipt for nothing."""
    head = POST + f"Authorization: {owner['Authorization']}\r\nContent-Type: {media_type}\r\n\r\n".encode()
    for end in (b"\r\n", b"Connection: close\r\n\r\n"):
        answer = exchange(port, head[:-2] + end)
        assert answer.startswith(b"HTTP/1.1 411 ")
        assert b"application/problem+json" in answer
        assert b"Content-Length: 0" in answer  # what to say instead
    assert_nothing_kept(vault)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 0\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
)
def test_deposit_that_announces_an_empty_body_is_of_the_empty_file(
    port: int, owner: dict[str, str], framing: bytes
) -> None:
    head = POST + f"Authorization: {owner['Authorization']}\r\n".encode()
    for digest, status in ((hashlib.sha256(b"").digest(), b"201"), (bytes(32), b"422")):
        said = f"Repr-Digest: {encode_repr_digest(digest)}\r\n".encode()
        answer = exchange(port, head + said + framing)
        assert answer.startswith(b"HTTP/1.1 " + status)
    assert EMPTY_SHA256.encode() in exchange(port, head + framing)
