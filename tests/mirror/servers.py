"""A log's server on loopback that shows a log's files, and misbehaves at the paths that a test names."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from evidence_vault.client.http import GuardedClient
from evidence_vault.mirror.source import HttpSource

Trick = Callable[[BaseHTTPRequestHandler, bytes], None]
"""Answers a request, given what an honest server would send."""


@contextlib.contextmanager
def serving_files(
    files: dict[str, bytes], tricks: dict[str, Trick] | None = None, *, timeout_s: float = 20.0
) -> Iterator[HttpSource]:
    """Serve `files` until the block ends; a path with a trick is answered by it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            data = files.get(path)
            with contextlib.suppress(OSError):
                if trick := (tricks or {}).get(path):
                    trick(self, data or b"")
                else:
                    reply(self, data or b"", status=404 if data is None else 200)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    client = GuardedClient(permitted=[f"127.0.0.1:{server.server_port}"])
    try:
        yield HttpSource(url=f"http://127.0.0.1:{server.server_port}", client=client, timeout_s=timeout_s)
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def reply(to: BaseHTTPRequestHandler, data: bytes, *, status: int = 200, **fields: object) -> None:
    to.send_response(status)
    for name, field in {"Content_Length": len(data), **fields}.items():
        to.send_header(name.replace("_", "-"), str(field))
    to.end_headers()
    to.wfile.write(data)


def drip(to: BaseHTTPRequestHandler, data: bytes) -> None:
    to.send_response(200)
    to.send_header("Content-Length", str(len(data)))
    to.end_headers()
    for at in range(len(data)):
        to.wfile.write(data[at : at + 1])
        time.sleep(0.05)


def pour(to: BaseHTTPRequestHandler, _: bytes) -> None:
    to.send_response(200)
    to.end_headers()
    while True:
        to.wfile.write(bytes(65536))


def stall(_to: BaseHTTPRequestHandler, _: bytes) -> None:
    time.sleep(3)


def cut(to: BaseHTTPRequestHandler, data: bytes) -> None:
    reply(to, data[: len(data) // 2], Content_Length=len(data))


def redirect(to: BaseHTTPRequestHandler, _: bytes) -> None:
    reply(to, b"", status=302, Location="/elsewhere")


def compress(to: BaseHTTPRequestHandler, data: bytes) -> None:
    reply(to, data, Content_Encoding="gzip")


def fail(to: BaseHTTPRequestHandler, _: bytes) -> None:
    reply(to, b"oh", status=500)


def flip(to: BaseHTTPRequestHandler, data: bytes) -> None:
    reply(to, data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])


def shorten(to: BaseHTTPRequestHandler, data: bytes) -> None:
    reply(to, data[:-1])
