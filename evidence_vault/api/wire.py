"""The way of a long body from the socket to its request: around the HTTP parser, not through it.

h11 reads heads, framing and the ends of bodies, strictly. But a body of known length has no framing inside, and
h11 and uvicorn copy every byte of it four times, on the one thread that serves everybody: 2 s for each GiB where
the hash takes 0.7 s. So a piece that surely lies inside such a body, its last byte not included, goes to the
request as it came, and h11 only learns that it has passed.

That asks h11 for two things it doesn't promise: where it keeps the count, and the bytes it hasn't read yet. Where
they are not found, all goes through h11, which is slower and as right (a test sees that they are found).
"""

import ctypes
from typing import Any

import h11
from h11._readers import ContentLengthReader
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.h11_impl import H11Protocol

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
HEAP_BLOCK_BYTES = 32 << 20
"""Blocks up to this size come from the heap."""


class LongBodyProtocol(H11Protocol):
    """HTTP/1.1 as h11 reads it, with a short way for the inside of long bodies."""

    def data_received(self, data: bytes) -> None:
        """Take what the socket gave."""
        if not self._passes(data):
            super().data_received(data)

    def _passes(self, data: bytes) -> bool:
        """Hand `data` to the request if it lies inside a body of known length; whether it did."""
        connection: Any = self.conn
        reader, unread = getattr(connection, "_reader", None), getattr(connection, "_receive_buffer", b"?")
        if not isinstance(reader, ContentLengthReader) or len(data) >= reader._remaining or unread:
            return False
        reader._remaining -= len(data)
        if self.conn.our_state is not h11.DONE:  # else it was answered already, and nobody reads this
            request: Any = self.cycle
            request.body = request.body + data if request.body else data
            if len(request.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            request.message_event.set()
        return True


def keep_read_buffers() -> None:
    """Let the C library keep freed blocks of up to 32 MiB instead of giving each back to the system.

    asyncio reads 256 KiB at a time into new memory; mapping and clearing it anew each time takes as long as
    hashing what is in it. Does nothing where the library (musl, macOS) has no such switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, HEAP_BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, 2 * HEAP_BLOCK_BYTES)
