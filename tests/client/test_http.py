"""The guarded client before servers that are slow, large, lying, redirecting or not permitted."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from anchors.base import HttpClient, HttpReply
from evidence_vault.client import http
from evidence_vault.client.http import GuardedClient
from evidence_vault.errors import UnavailableError
from tests.client.servers import Server, dripping, own_certificate, pouring, replying, serving, silent

pytestmark = pytest.mark.socket

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: 5\r\n\r\nhello"


def post(server: Server, *, timeout_s: float = 2, max_bytes: int = 1000, body: bytes = b"ask") -> HttpReply:
    client: HttpClient = GuardedClient(permitted={server.endpoint})
    return client.post(
        server.url,
        body,
        content_type="application/timestamp-query",
        headers={"X-Own": "yes"},
        max_bytes=max_bytes,
        timeout_s=timeout_s,
    )


def test_post_plain_reply_returned_whole() -> None:
    with serving(replying(OK)) as server:
        reply = post(server)
    assert reply == HttpReply(status=200, content_type="application/timestamp-reply", body=b"hello")
    head = server.requests[0].decode()
    assert head.startswith(f"POST /tsr HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n")
    assert "Content-Type: application/timestamp-query\r\n" in head
    assert "Content-Length: 3\r\n" in head
    assert "X-Own: yes\r\n" in head


def test_get_query_kept() -> None:
    with serving(replying(OK)) as server:
        client = GuardedClient(permitted={server.endpoint})
        reply = client.get(f"{server.url}?a=1", headers={}, max_bytes=5, timeout_s=2)
    assert reply.body == b"hello"
    assert server.requests[0].startswith(b"GET /tsr?a=1 HTTP/1.1\r\n")


def test_post_chunked_reply_within_cap_returned() -> None:
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with serving(replying(reply)) as server:
        assert post(server).body == b"abcde"


def test_post_error_status_is_the_callers_to_judge() -> None:
    with serving(replying(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")) as server:
        assert post(server).status == 404


@pytest.mark.parametrize("reply", [OK, b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200], ids=["body", "head"])
def test_post_dripping_server_ends_on_time(reply: bytes) -> None:
    began = time.monotonic()
    with (
        serving(dripping(reply)) as server,
        pytest.raises(UnavailableError, match=r"no complete reply within 0\.5 s"),
    ):
        post(server, timeout_s=0.5)
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("read", [True, False], ids=["reads the request", "reads nothing"])
def test_post_silent_server_ends_on_time(read: bool) -> None:
    began = time.monotonic()
    with serving(silent, read=read) as server, pytest.raises(UnavailableError, match="no complete reply"):
        post(server, timeout_s=0.3, body=bytes(32 * 1024 * 1024))
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
    ],
    ids=["huge", "unstated", "one over"],
)
def test_post_endless_reply_refused_at_the_cap(head: bytes) -> None:
    with serving(pouring(head)) as server, pytest.raises(UnavailableError, match="more than 1000 bytes"):
        post(server)


def test_post_endless_header_refused() -> None:
    with (
        serving(pouring(b"HTTP/1.1 200 OK\r\nX: ")) as server,
        pytest.raises(UnavailableError, match="did not speak HTTP"),
    ):
        post(server)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_post_redirect_not_followed(status: int) -> None:
    with serving(replying(OK)) as other:
        reply = f"HTTP/1.1 {status} Go\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n"
        with serving(replying(reply.encode())) as server, pytest.raises(UnavailableError, match="redirect"):
            post(server)
        assert other.requests == []


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("asked", "kept"), [("7", 7.0), ("Tue", None), ("9" * 400, 86_400.0)])
def test_post_busy_server_passes_on_retry_after(status: int, asked: str, kept: float | None) -> None:
    reply = f"HTTP/1.1 {status} Busy\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n"
    with serving(replying(reply.encode())) as server, pytest.raises(UnavailableError) as caught:
        post(server)
    assert caught.value.retry_after_s == kept


def test_post_compressed_reply_refused() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
    with serving(replying(reply)) as server, pytest.raises(UnavailableError, match="compressed"):
        post(server)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["closed", "other protocol", "cut short", "negative length", "bad chunk"],
)
def test_post_broken_reply_unavailable(reply: bytes) -> None:
    with serving(replying(reply)) as server, pytest.raises(UnavailableError) as caught:
        post(server)
    assert caught.value.service == server.endpoint


def test_post_nothing_listens_unavailable() -> None:
    with serving(replying(OK)) as server:
        pass
    with pytest.raises(UnavailableError, match="refused"):
        post(server)


def test_post_loopback_not_named_refused_without_a_connection() -> None:
    with serving(replying(OK)) as server:
        client = GuardedClient(permitted={"127.0.0.1:1"})
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "0"):
            with pytest.raises(UnavailableError, match="not a public address"):
                client.get(f"http://{host}:{server.port}/", headers={}, max_bytes=1, timeout_s=2)
        assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/",
        "http://",
        "http:///path",
        "//example.com/",
        "http://user:secret@example.com/",
        "http://example.com/\r\nX: 1",
        "http://example.com:99999/",
        "http://[::1/",
        "http://exämple.com/",
        "http://example.com/" + "a" * 2000,
    ],
)
def test_get_url_of_another_kind_refused(url: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        GuardedClient().get(url, headers={}, max_bytes=1, timeout_s=1)
    assert "secret" not in str(caught.value)


def test_post_error_names_no_path() -> None:
    with serving(replying(b"")) as server, pytest.raises(UnavailableError) as caught:
        post(server)
    assert "tsr" not in str(caught.value)


@pytest.fixture
def own_tls(tmp_path: Path) -> Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]]:
    """A server's context for a name, and a client's that trusts its certificate."""

    return lambda name: own_certificate(tmp_path, name)


def test_get_tls_trusted_certificate_for_the_name_accepted(
    own_tls: Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]],
) -> None:
    theirs, ours = own_tls("DNS:localhost")
    with serving(replying(OK), tls=theirs) as server:
        client = GuardedClient(permitted={f"localhost:{server.port}"}, tls=ours)
        reply = client.get(f"https://localhost:{server.port}/", headers={}, max_bytes=5, timeout_s=2)
    assert reply.body == b"hello"


def test_get_tls_certificate_for_another_name_refused(
    own_tls: Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]],
) -> None:
    theirs, ours = own_tls("DNS:other.example")
    with serving(replying(OK), tls=theirs) as server:
        client = GuardedClient(permitted={f"localhost:{server.port}"}, tls=ours)
        with pytest.raises(UnavailableError, match="certificate verify failed"):
            client.get(f"https://localhost:{server.port}/", headers={}, max_bytes=5, timeout_s=2)
    assert server.requests == []


def test_get_system_roots_are_read_once_for_all_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[ssl.SSLContext] = []
    create = ssl.create_default_context

    def remembered() -> ssl.SSLContext:
        made.append(create())
        return made[-1]

    monkeypatch.setattr(ssl, "create_default_context", remembered)
    http._usual_tls.cache_clear()
    with serving(replying(OK)) as server:
        clients = [GuardedClient(permitted={f"127.0.0.1:{server.port}"}) for _ in range(2)]
        assert made == []
        for client in clients:
            client.get(f"http://127.0.0.1:{server.port}/", headers={}, max_bytes=5, timeout_s=2)
    assert len(made) == 1
    assert (made[0].verify_mode, made[0].check_hostname) == (ssl.CERT_REQUIRED, True)
    assert made[0].cert_store_stats()["x509_ca"] == create().cert_store_stats()["x509_ca"]


def test_get_tls_untrusted_certificate_refused(
    own_tls: Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]],
) -> None:
    theirs, _ = own_tls("DNS:localhost")
    with serving(replying(OK), tls=theirs) as server:
        client = GuardedClient(permitted={f"localhost:{server.port}"})
        with pytest.raises(UnavailableError, match="certificate verify failed"):
            client.get(f"https://localhost:{server.port}/", headers={}, max_bytes=5, timeout_s=2)
