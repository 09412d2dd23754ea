"""The development chain on loopback, by the standard library alone: for tests, and to point a tool at it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from anchors.ethereum.devchain.chain import DevelopmentChain

MAX_REQUEST_BYTES = 1_048_576
"""A signed transaction of ours has 200 bytes; the rest is room for batches."""


@contextmanager
def serve_loopback(chain: DevelopmentChain, port: int = 0) -> Iterator[str]:
    """Answer JSON-RPC over HTTP on 127.0.0.1 while the context lasts; gives the address to ask."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MAX_REQUEST_BYTES:
                self.send_error(413)
                return
            body = chain.handle(self.rfile.read(int(length)))
            with suppress(ConnectionError):  # a client that left has no use for the answer
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
