"""HEAD where GET works (RFC 9110 §9.3.2): the same answer, without its body.

A route that has a HEAD of its own keeps it. Any other is asked as GET, and what it sends of a body stays here: the
reader is let in, or refused, as if he had asked for the whole, and what GET records is recorded, for the answer
says nearly as much. Of content and of bundles nothing is handed out: the route sees that it `is_head`, sends no
bytes and records no download; of an item, anybody but its owner has then seen what it is (VIEWED).
"""

from fastapi import Request
from starlette.routing import Match, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MARK = "evidence_vault.is_head"

USED_UP = "/v1/oidc/callback"
"""What a GET of this uses up, whoever looks at links beforehand must not."""


def is_head(request: Request) -> bool:
    """Whether this GET was asked for its head alone."""
    return bool(request.scope.get(_MARK))


class Heads:
    """Asks for GET in the place of HEAD."""

    def __init__(self, app: ASGIApp, *, router: Router) -> None:
        self._app, self._router = app, router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or self._keeps(scope):
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
            elif not message.get("more_body", False):
                await send({"type": "http.response.body", "body": b""})

        await self._app({**scope, "method": "GET", _MARK: True}, receive, send_head)

    def _keeps(self, scope: Scope) -> bool:
        matches = (route.matches(scope)[0] for route in self._router.routes)
        return scope["path"] == USED_UP or any(match == Match.FULL for match in matches)
