"""A vault that is reached over HTTP: one connection for each request, bodies streamed, problems as errors.

The vault's address is `--url` or EVIDENCE_VAULT_URL; the token is in a file (`--token-file`) or in
EVIDENCE_VAULT_TOKEN, never on the command line, where other users of the machine could read it.
"""

import argparse
import http.client
import json
import os
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from anchors.values import value
from evidence_vault.errors import AccessRefused, ConfigError, Conflict, FormatError, UnavailableError

DEFAULT_URL = "http://127.0.0.1:8460"
TIMEOUT_S = 120.0
"""For one silence of the server: it flushes a large deposit before it answers."""

ASK_AGAIN_S = 1.0
"""Between a request that had no answer and the same again: long enough for a proxy or a database to come back."""

CHUNK_BYTES = 1 << 20
MAX_JSON_BYTES = 16 << 20
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

Progress = Callable[[int], None]


def add_remote_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how the vault is found."""
    parser.add_argument(
        "--url",
        default=os.environ.get("EVIDENCE_VAULT_URL", DEFAULT_URL),
        help=f"where the vault is (default: EVIDENCE_VAULT_URL, else {DEFAULT_URL})",
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="holds your token (default: EVIDENCE_VAULT_TOKEN)"
    )


def remote_from(args: argparse.Namespace) -> "Remote":
    """Return the vault that the arguments name. Raises ConfigError."""
    if args.token_file is not None:
        token = args.token_file.read_text("ascii").strip()
    else:
        token = os.environ.get("EVIDENCE_VAULT_TOKEN", "")
    if not token:
        raise ConfigError(
            "token", "none given: use --token-file or EVIDENCE_VAULT_TOKEN (`evidence-vault token create`)"
        )
    return Remote(url=args.url, token=token)


@value
class Answer:
    """A successful answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON. Raises UnavailableError if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise UnavailableError("vault", "it did not answer with JSON; is it a vault?") from None


class Remote:
    """One vault, with one token."""

    def __init__(self, *, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("--url", "must begin with http:// or https:// and name a host")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ConfigError("--url", "is plain http: your token and your evidence would travel in clear")
        self.url = url.rstrip("/")
        self._parts = parts
        self._token = token
        self._kept = threading.local()

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """GET a small document."""
        return self._small("GET", path, b"", headers or {})

    def readiness(self) -> Any:
        """Return what /readyz says, of a vault that takes nothing in too."""
        with self._connection() as connection:
            return _read_whole(self._send(connection, "GET", "/readyz", b"", {})).json()

    def post(
        self,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        patience_s: float = TIMEOUT_S,
    ) -> Answer:
        """POST a small document. patience_s: how long the answer may take."""
        return self._small("POST", path, body, headers or {}, patience_s=patience_s)

    def post_once(
        self, path: str, body: Any, *, headers: Mapping[str, str] | None = None, key: str | None = None
    ) -> Answer:
        """POST a small JSON document (None: no body), and again if no answer came; it is done once all the same.

        key: the idempotency key, where the caller may ask again later; else one that nobody had before.
        """
        sent = {**(headers or {}), "Idempotency-Key": key or secrets.token_urlsafe(24)}
        if body is not None:
            sent["Content-Type"] = "application/json"
        raw = b"" if body is None else json.dumps(body).encode("utf-8")
        try:
            return self.post(path, raw, headers=sent)
        except UnavailableError as error:
            time.sleep(min(error.retry_after_s or ASK_AGAIN_S, ASK_AGAIN_S))
            return self.post(path, raw, headers=sent)

    def head(self, path: str, *, headers: Mapping[str, str]) -> Answer | None:
        """HEAD; None if there is no such thing, or no more."""
        try:
            return self._small("HEAD", path, b"", headers)
        except (Refused, Conflict):
            return None

    def patch(self, path: str, body: bytes, *, headers: Mapping[str, str]) -> Answer:
        """PATCH with a piece of a body."""
        return self._small("PATCH", path, body, headers)

    def upload(
        self, path: str, file: BinaryIO, *, size: int, headers: Mapping[str, str], progress: Progress
    ) -> Answer:
        """POST a file's bytes as the body, as they are read."""
        with self._connection() as connection:
            response = self._send(
                connection,
                "POST",
                path,
                _pieces(file, progress),
                {**headers, "Content-Length": str(size)},
            )
            return _read_small(response)

    def download(self, path: str, file: BinaryIO, *, progress: Progress) -> Mapping[str, str]:
        """GET a large body into a file; return the header fields."""
        with self._connection() as connection:
            response = self._send(connection, "GET", path, None, {})
            if response.status != 200:
                _read_small(response)
            written = 0
            while chunk := _read(response, CHUNK_BYTES):
                file.write(chunk)
                written += len(chunk)
                progress(written)
            return {name.lower(): value for name, value in response.getheaders()}

    def _small(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        patience_s: float = TIMEOUT_S,
    ) -> Answer:
        with self._connection(patience_s) as connection:
            return _read_small(self._send(connection, method, path, body, headers))

    def repeatable(self, path: str, body: bytes, *, headers: Mapping[str, str]) -> Answer:
        """POST over this thread's own connection, which stays open; the request must be one that may come twice."""
        for reused in (True, False):
            connection = getattr(self._kept, "connection", None) if reused else None
            if reused and connection is None:
                continue
            connection = connection or self._connection()
            self._kept.connection = None
            try:
                answer = _read_small(self._send(connection, "POST", path, body, headers))
            except UnavailableError:
                connection.__exit__()
                if not reused:
                    raise
            else:
                if answer.headers.get("connection", "").lower() != "close":
                    self._kept.connection = connection
                return answer
        raise AssertionError("the second round returns or raises")

    def _send(
        self,
        connection: "_Connection",
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        sent = {"Authorization": f"Bearer {self._token}", **headers}
        try:
            connection.open()
            with suppress(BrokenPipeError, ConnectionResetError):
                # refused before the end of the body: the answer that says why is waiting
                connection.request(method, self._parts.path.rstrip("/") + path, body=body, headers=sent)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(self.url, f"the vault doesn't answer: {_why(error)}") from None

    def _connection(self, timeout_s: float = TIMEOUT_S) -> "_Connection":
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            tls = ssl.create_default_context()
            return _Connection(http.client.HTTPSConnection(host, port, timeout=timeout_s, context=tls))
        return _Connection(http.client.HTTPConnection(host, port, timeout=timeout_s))


class _Connection:
    """An HTTP connection that a `with` closes."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self.request = connection.request
        self.getresponse = connection.getresponse

    def open(self) -> None:
        """Connect, unless it is: a reset from here on is the server's answer to a request, before it none."""
        if self._connection.sock is None:
            self._connection.connect()

    def __enter__(self) -> "_Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def wait_until(done: Callable[[], bool], *, every_s: float, at_most_s: float, what: str) -> None:
    """Ask again and again. Raises UnavailableError when it takes too long."""
    end = time.monotonic() + at_most_s
    while not done():
        if time.monotonic() > end:
            raise UnavailableError(
                "vault", f"{what} is not done after {at_most_s:g} s; it goes on, ask later"
            )
        time.sleep(every_s)


def _pieces(file: BinaryIO, progress: Progress) -> Iterator[bytes]:
    sent = 0
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
        sent += len(chunk)
        progress(sent)


def _read_small(response: http.client.HTTPResponse) -> Answer:
    answer = _read_whole(response)
    if not 200 <= answer.status < 300:
        _raise_problem(answer)
    return answer


def _read_whole(response: http.client.HTTPResponse) -> Answer:
    body = _read(response, MAX_JSON_BYTES + 1)
    if len(body) > MAX_JSON_BYTES:
        raise UnavailableError("vault", "its answer is too long")
    if response.length:  # http.client gives what there is, and says nothing
        raise UnavailableError("vault", "its answer broke off")
    return Answer(
        status=response.status,
        headers={name.lower(): value for name, value in response.getheaders()},
        body=body,
    )


def _read(response: http.client.HTTPResponse, size: int) -> bytes:
    try:
        return response.read(size)
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError("vault", f"its answer broke off: {_why(error)}") from None


def _raise_problem(answer: Answer) -> None:
    """Turn a problem document into the error that it tells (RFC 9457)."""
    has_document = answer.body and "json" in answer.headers.get("content-type", "")
    document = answer.json() if has_document else {}
    detail = str(document.get("detail", f"it answered {answer.status}"))
    title = str(document.get("title", "The vault refused"))
    retry = answer.headers.get("retry-after", "")
    text = f"{title}: {detail}"
    match answer.status:
        case 401 | 403:
            raise Refused(text)
        case 404:
            raise Refused(title)
        case 400 | 411 | 413 | 415 | 416 | 422:
            raise UnfitError(str(document.get("place", "request")), text)
        case 409 | 410 if not retry.isdigit():  # else it is the same work, still under way
            raise Conflict("request", text)
        case _:
            raise UnavailableError("vault", text, float(retry) if retry.isdigit() else None)


class UnfitError(FormatError):
    """The vault can't take what was sent; its words are the text."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(place, text)
        self.args = (text,)


class Refused(AccessRefused):
    """The vault says no; its words are the text."""

    def __init__(self, text: str) -> None:
        super().__init__("ask", "vault")
        self.args = (text,)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
