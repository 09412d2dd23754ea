"""Around every request: an id, security headers, one line in the log; around every error: a problem document.

The id is the vault's own (a client can't choose what stands in the log) and comes back as `Request-Id`. The
line names method, address without its query, status, time taken, actor: never contents, file names or tokens.
"""

import logging
import secrets
import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evidence_vault.api.heads import Heads
from evidence_vault.api.linger import Body
from evidence_vault.api.problems import KINDS, kind_of, problem, problem_for
from evidence_vault.errors import EvidenceError

LOG = logging.getLogger("evidence_vault.api")

_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"cross-origin-resource-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}
"""Sent with every answer that doesn't say otherwise: nothing here is to be framed, sniffed or cached."""


class RequestContext:
    """Give each request its id, each answer its headers, and the log its line."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        began, status, body = time.monotonic(), 0, Body(scope, receive)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name for name, _ in message["headers"]}
                extra = [(name, value) for name, value in _HEADERS.items() if name not in own]
                if status >= 400 and await body.is_refused():
                    extra.append((b"connection", b"close"))
                message["headers"] = [
                    *message["headers"],
                    *extra,
                    *scope["state"].get("answer_headers", ()),
                    (b"request-id", request_id.encode("ascii")),
                ]
            await send(message)

        try:
            await (_tell_nowhere if "\0" in scope["path"] else self._app)(
                scope, body.receive, send_with_headers
            )
        except Exception as error:
            # Nothing above knows better. Half an answer can't be mended: the client sees it break off.
            LOG.exception("failed", extra={"request_id": request_id, "error": type(error).__name__})
            if status == 0:
                answer = problem("internal", detail=KINDS["internal"].advice, request_id=request_id)
                await answer(scope, receive, send_with_headers)
        finally:
            # A vault's requests to its own development chain are many and say nothing.
            LOG.log(
                logging.DEBUG if scope["path"].startswith("/dev/") else logging.INFO,
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": scope["path"][:200],
                    "status": status,
                    "actor": scope["state"].get("actor_id"),
                    "duration_ms": round((time.monotonic() - began) * 1000, 1),
                },
            )


async def _tell_nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing has a NUL in its address, and databases don't agree on what to do with one."""
    detail = KINDS["not-found"].advice
    answer = problem("not-found", detail=detail, request_id=scope["state"]["request_id"])
    await answer(scope, receive, send)


def request_id(request: Request) -> str:
    """Return the id of this request."""
    return str(request.scope["state"]["request_id"])


def install(app: FastAPI) -> None:
    """Give the app its context and its error answers."""
    app.add_middleware(Heads, router=app.router)
    app.add_middleware(RequestContext)
    for kind, tell in _TELLERS.items():
        app.add_exception_handler(kind, tell)


async def tell(request: Request, error: EvidenceError | ClientDisconnect) -> Response:
    """Return the answer that such an error has, for what is served past the router."""
    return await (_tell_nobody if isinstance(error, ClientDisconnect) else _tell_evidence_error)(
        request, error
    )


async def _tell_evidence_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, EvidenceError)
    name = kind_of(error)
    level = logging.ERROR if name in ("internal", "storage-full", "read-only") else logging.INFO
    # An internal error's text names rows and files of ours, never contents; other texts may quote the client.
    shown = str(error) if level == logging.ERROR else name
    LOG.log(level, "refused", extra={"request_id": request_id(request), "problem": name, "reason": shown})
    return problem_for(error, request_id(request))


async def _tell_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    names = {404: "not-found", 405: "method-not-allowed"}
    name = names.get(error.status_code, "http")
    detail = {
        "not-found": "The vault doesn't tell which of the two.",
        "method-not-allowed": f"{request.method} is not for this address.",
    }.get(name, str(error.detail))
    return problem(
        name,
        detail=detail,
        request_id=request_id(request),
        status=error.status_code,
        headers=error.headers,
    )


async def _tell_invalid_value(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return problem(
        "invalid",
        detail=f"{place}: {first['msg']}",
        request_id=request_id(request),
        place=place,
        expected=first["msg"],
    )


async def _tell_nobody(request: Request, error: Exception) -> Response:
    """Answer a client that is gone: it reads nothing, and nothing was kept."""
    del error
    LOG.info("client left midway", extra={"request_id": request_id(request)})
    return Response(status_code=499)


_TELLERS = {
    EvidenceError: _tell_evidence_error,
    HTTPException: _tell_http_exception,
    RequestValidationError: _tell_invalid_value,
    ClientDisconnect: _tell_nobody,
}
