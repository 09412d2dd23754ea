"""Refuse a body in the middle, politely: read a little more of it, answer, close the connection.

A server that closes at once may destroy its own answer, for the sender's system drops it with the connection
(RFC 9112 §9.6); one that reads to the end lets a sender pour for ever. So what is refused is read on for a
moment, up to a limit, and then the connection ends.
"""

import asyncio
import contextlib

from starlette.types import Message, Receive, Scope

LINGER_BYTES = 8 << 20
"""What is still read and thrown away: what a sender may have on its way."""

LINGER_S = 1.0
"""How long; whoever sends that slowly has read the answer by then."""


class Body:
    """A request's body on its way in, and whether there is more of it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        fields = {name.lower() for name, value in scope["headers"] if value not in (b"", b"0")}
        self._receive = receive
        self._is_left = bool(fields & {b"content-length", b"transfer-encoding"})
        self._is_asked_for = b"expect" not in fields  # else nothing comes before we read

    async def receive(self) -> Message:
        """Return the next message of the server (ASGI)."""
        self._is_asked_for = True
        message = await self._receive()
        self._is_left = message["type"] == "http.request" and bool(message.get("more_body"))
        return message

    async def is_refused(self) -> bool:
        """Read on for a moment; whether even then something is left, so that the connection must end."""
        if self._is_asked_for:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await self._read_on()
        return self._is_left

    async def _read_on(self) -> None:
        read = 0
        while self._is_left and read < LINGER_BYTES:
            read += len((await self.receive()).get("body", b""))
