"""A load client for HTTP/1.1 that costs little itself: one process, kept-alive connections, one request each.

    found = measure(host="127.0.0.1", port=8460, request=make_request, clients=64, seconds=5)
    found.per_s, found.p99_ms

A closed loop: each client sends its next request when the last was answered, so the rate is what so many
patient clients get. `request(n)` returns the n-th request as bytes, headers and body, so that the work of
making it can be done beforehand. Answers must carry Content-Length.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping

from anchors.values import value

WARM_UP_S = 1.0
"""Not counted: connections open, caches fill, code is imported."""


Request = Callable[[int], bytes]
"""Returns the n-th request."""


@value
class Measured:
    """What came of a load. latencies_ms: ascending, of those answered in the counted time with 2xx."""

    clients: int
    seconds: float
    latencies_ms: tuple[float, ...]
    statuses: Mapping[int, int]

    @property
    def per_s(self) -> float:
        """Answers per second."""
        return len(self.latencies_ms) / self.seconds

    @property
    def p50_ms(self) -> float:
        """The median latency."""
        return self._quantile(0.5)

    @property
    def p99_ms(self) -> float:
        """The latency that one in a hundred exceeds."""
        return self._quantile(0.99)

    def _quantile(self, q: float) -> float:
        found = self.latencies_ms
        return found[min(len(found) - 1, int(q * len(found)))] if found else float("nan")

    def __str__(self) -> str:
        return (
            f"c{self.clients}: {self.per_s:,.0f}/s, p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms, "
            f"answers {dict(self.statuses)}"
        )


def post(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a POST request as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def measure(
    *, port: int, request: Request, clients: int, seconds: float, host: str = "127.0.0.1"
) -> Measured:
    """Return what so many clients got in so many seconds. Raises OSError if nobody listens."""
    return asyncio.run(_measure(host, port, request, clients, seconds))


async def _measure(host: str, port: int, request: Request, clients: int, seconds: float) -> Measured:
    loop = asyncio.get_running_loop()
    begin = time.perf_counter() + WARM_UP_S
    load = _Load(request=request, begin=begin, end=begin + seconds)
    made = [await loop.create_connection(lambda: _Client(load), host, port) for _ in range(clients)]
    await asyncio.gather(*(client.done for _, client in made))
    return Measured(
        clients=clients,
        seconds=seconds,
        latencies_ms=tuple(sorted(load.latencies_ms)),
        statuses=dict(sorted(load.statuses.items())),
    )


class _Load:
    """What all clients share."""

    def __init__(self, *, request: Callable[[int], bytes], begin: float, end: float) -> None:
        self.request, self.begin, self.end = request, begin, end
        self.sent = 0
        self.latencies_ms: list[float] = []
        self.statuses: Counter[int] = Counter()


class _Client(asyncio.Protocol):
    """One client: a protocol instead of streams, for half the cost."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._received = bytearray()
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        now = time.perf_counter()
        status = int(head[9:12])
        if self._load.begin <= now <= self._load.end:
            self._load.statuses[status] += 1
            if 200 <= status < 300:
                self._load.latencies_ms.append((now - self._sent_at) * 1000)
        self._received.clear()
        if now > self._load.end:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            if exc is not None or time.perf_counter() < self._load.end:
                self.done.set_exception(exc or ConnectionError("closed before the end"))
            else:
                self.done.set_result(None)

    def _send(self) -> None:
        number = self._load.sent
        self._load.sent += 1
        request = self._load.request(number)
        self._sent_at = time.perf_counter()
        self._transport.write(request)
