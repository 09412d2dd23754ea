"""Outbound HTTP with a guard: what a hostile or broken server can do to us is bounded here.

http and https only, HTTP/1.1, no redirects, no proxy from the environment, no decompression; caps on the
size and the total time of an exchange; TLS verified against the system's roots; no private, loopback or
link-local address unless the operator named the endpoint. Whatever goes wrong is an UnavailableError whose
text names scheme, host and port only, because a URL's path often holds an access key.

Implements `anchors.base.HttpClient`. A client holds no connection between calls and may be shared by
threads. It never retries: whoever calls decides.
"""

import ssl
from collections.abc import Collection, Mapping
from functools import cache
from urllib.parse import SplitResult, urlsplit

import httpcore

from anchors.base import HttpReply
from evidence_vault.client.addresses import endpoint
from evidence_vault.client.streams import Deadline, GuardedBackend
from evidence_vault.errors import UnavailableError

MAX_URL_CHARS = 2000
"""Longer ones are no service's address."""

MAX_RETRY_AFTER_S = 86_400.0
"""A server may ask for a day's patience, no more."""

_BUSY = (429, 503)


class GuardedClient:
    """The vault's only HTTP client. permitted: private endpoints the operator named, as `host:port`."""

    def __init__(self, *, permitted: Collection[str] = (), tls: ssl.SSLContext | None = None) -> None:
        self._permitted = frozenset(permitted)
        self._tls = tls

    def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str,
        headers: Mapping[str, str],
        max_bytes: int,
        timeout_s: float,
    ) -> HttpReply:
        """POST `body`. timeout_s: for the whole exchange; max_bytes: of the reply's body, 0: it is not read.

        Raises UnavailableError for every failure, a redirect, 429 and 503 among them; other status codes
        are the caller's to judge.
        """
        return self._exchange(
            "POST",
            url,
            body,
            headers={**headers, "Content-Type": content_type},
            max_bytes=max_bytes,
            timeout_s=timeout_s,
        )

    def get(self, url: str, *, headers: Mapping[str, str], max_bytes: int, timeout_s: float) -> HttpReply:
        """GET `url`, under the same limits and errors as `post`."""
        return self._exchange("GET", url, b"", headers=headers, max_bytes=max_bytes, timeout_s=timeout_s)

    def _exchange(
        self,
        method: str,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        max_bytes: int,
        timeout_s: float,
    ) -> HttpReply:
        parts, service = _parse_url(url)
        deadline = Deadline(service, timeout_s)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent: dict[bytes | str, bytes | str] = {
            "Host": parts.netloc,
            "User-Agent": "evidence-vault",
            "Accept-Encoding": "identity",
            **({"Content-Length": str(len(body))} if method == "POST" else {}),
        }
        sent.update(headers.items())
        try:
            with (
                httpcore.ConnectionPool(
                    ssl_context=self._tls or _usual_tls(),
                    max_connections=1,
                    network_backend=GuardedBackend(deadline, self._permitted),
                ) as pool,
                pool.stream(
                    method,
                    httpcore.URL(
                        scheme=parts.scheme.encode(),
                        host=(parts.hostname or "").encode("ascii"),
                        port=parts.port,
                        target=target.encode("ascii"),
                    ),
                    headers=sent,
                    content=body,
                ) as response,
            ):
                return _read_reply(response, service, max_bytes)
        except (httpcore.ProtocolError, httpcore.NetworkError, httpcore.TimeoutException) as error:
            raise UnavailableError(service, f"did not speak HTTP/1.1 as it should: {error}") from None


@cache
def _usual_tls() -> ssl.SSLContext:
    """Return TLS by the system's roots: 0.8 MB, read when first somebody is asked, once for all clients."""
    return ssl.create_default_context()


def _read_reply(response: httpcore.Response, service: str, max_bytes: int) -> HttpReply:
    fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    if 300 <= response.status < 400:
        raise UnavailableError(service, f"answered {response.status}, a redirect, which is not followed")
    if response.status in _BUSY:
        raise UnavailableError(service, f"answered {response.status}", _retry_after(fields))
    if max_bytes == 0:
        return HttpReply(status=response.status, content_type=fields.get("content-type", ""), body=b"")
    if fields.get("content-encoding", "identity") != "identity":
        raise UnavailableError(service, "compressed its reply, which was not asked for")
    body = bytearray()
    for piece in response.iter_stream():
        body += piece
        if len(body) > max_bytes:
            raise UnavailableError(service, f"replied with more than {max_bytes} bytes")
    return HttpReply(status=response.status, content_type=fields.get("content-type", ""), body=bytes(body))


def _parse_url(url: str) -> tuple[SplitResult, str]:
    """Return the URL's parts and how errors name the service."""
    shown = "a URL"
    try:
        if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
            raise UnavailableError(shown, f"is not at most {MAX_URL_CHARS} printable ASCII characters")
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UnavailableError(shown, "can't be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UnavailableError(shown, "must begin with http:// or https:// and name a host")
    if parts.username is not None:
        raise UnavailableError(parts.hostname, "its URL holds a user name, which would be sent in clear")
    return parts, endpoint(parts.hostname, port or (443 if parts.scheme == "https" else 80))


def _retry_after(fields: Mapping[str, str]) -> float | None:
    """Return Retry-After in seconds (RFC 9110 §10.2.3); a date there is not worth reading a clock for."""
    text = fields.get("retry-after", "")
    return min(float(text), MAX_RETRY_AFTER_S) if text.isascii() and text.isdigit() else None
