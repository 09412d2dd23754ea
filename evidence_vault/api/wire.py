"""The way from the socket to the request: llhttp reads heads and framing, a body is handed on as it came.

uvicorn's protocol around llhttp trusts a proxy with five things that here are seen to:

    limits    a head, trailers, or anything else that is held back for its end is bounded
    Host      exactly one in HTTP/1.1 (RFC 9112 §3.2)
    Upgrade   not with a body, which the parser would pass over: a deposit would be of nothing
    codings   chunked alone: what another has made of the content is not the content (RFC 9112 §6.1)
    trailers  never become header fields: what was decided by the head stays decided (RFC 9110 §6.5.1)

llhttp refuses by itself what two readers may read differently: Content-Length beside Transfer-Encoding or twice, a
space before a colon, a bare LF, folded lines (the tests say so). Every refusal is a 400, and the connection ends.
"""

import ctypes

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Of address and fields of one request, its trailers included. A file name of 1 kB takes 3 kB; the rest is room
for proxies' fields."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
HEAP_BLOCK_BYTES = 32 << 20
"""Blocks up to this size come from the heap."""


class StrictProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits."""

    _seen = 0
    """Bytes of head and trailers that the parser has told of, of this request."""
    _silent = 0
    """Bytes since it last told anything: what it may be holding back."""
    _has_head = False

    def data_received(self, data: bytes) -> None:
        """Take what the socket gave."""
        self._silent += len(data)
        super().data_received(data)
        if self._silent - len(data) > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("Too long a head.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._seen, self._silent, self._has_head = 0, 0, False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the address came."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field came, of the head or behind the body."""
        self._count(len(name) + len(value) + 4)
        if not self._has_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole. What is raised here, the parser takes for a bad request."""
        self._has_head, self._silent = True, 0
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() != "1.0"):
            raise ValueError("one Host")
        codings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]):
            raise ValueError("no transfer coding but chunked")
        if self.parser.should_upgrade() and (codings or self._has_length()):
            raise ValueError("no Upgrade with a body")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body came: it goes to the request without being copied, if that has room for it."""
        self._silent = 0
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body = body if not cycle.body else cycle.body + body  # type: ignore[assignment]  # it takes bytes
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def _has_length(self) -> bool:
        return any(name == b"content-length" and value != b"0" for name, value in self.headers)

    def _count(self, length: int) -> None:
        self._silent = 0
        self._seen += length
        if self._seen > MAX_HEAD_BYTES:
            raise ValueError("too long a head")


def keep_read_buffers() -> None:
    """Let the C library keep freed blocks of up to 32 MiB instead of giving each back to the system.

    asyncio reads 256 KiB at a time into new memory; mapping and clearing it anew each time takes as long as
    hashing what is in it. Does nothing where the library (musl, macOS) has no such switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, HEAP_BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, 2 * HEAP_BLOCK_BYTES)
