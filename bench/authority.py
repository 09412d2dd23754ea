"""A time-stamping authority on this machine, in a process of its own, as real ones are: `served_authority(folder)`.

In a thread of the bench's own process it would share one interpreter with the vault that it serves, and every token
would pay for both sides.
"""

import contextlib
import http.server
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from anchors.rfc3161.devtsa import DevelopmentTsa
from evidence_vault.pipeline.vault import system_clock


@contextlib.contextmanager
def served_authority(folder: Path) -> Iterator[str]:
    """Serve the authority that lies in `folder`; yield its URL."""
    words = (sys.executable, "-m", "bench.authority", str(folder))
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/tsr"
        finally:
            process.terminate()


def main() -> None:
    """Print the port, then answer until the process is ended."""
    tsa = DevelopmentTsa.load(Path(sys.argv[1]))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = tsa.respond(self.rfile.read(int(self.headers["Content-Length"])), system_clock())
            head = (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n"
            )
            self.wfile.write(head % len(answer) + answer)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: it is measured."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
