"""Real servers on loopback that misbehave in one way each."""

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

Behaviour = Callable[[socket.socket], None]


@dataclass
class Server:
    """A listening server: where it is, and the requests it has read up to the blank line."""

    port: int
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/tsr"

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextlib.contextmanager
def serving(behave: Behaviour, tls: ssl.SSLContext | None = None, read: bool = True) -> Iterator[Server]:
    """Serve every connection with `behave` after its request head, until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = Server(port=listening.getsockname()[1])

    def serve(connection: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            connection,
            tls.wrap_socket(connection, server_side=True) if tls else connection as wrapped,
        ):
            head = b""
            while read and b"\r\n\r\n" not in head:
                piece = wrapped.recv(65536)
                if not piece:
                    return
                head += piece
            server.requests.append(head)
            behave(wrapped)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(2)


def replying(reply: bytes) -> Behaviour:
    """Send `reply` and close."""
    return lambda connection: connection.sendall(reply)


def dripping(reply: bytes, pause_s: float = 0.05) -> Behaviour:
    """Send `reply` byte by byte, always in time for a time-out that counts per read."""

    def behave(connection: socket.socket) -> None:
        for byte in reply:
            connection.sendall(bytes([byte]))
            time.sleep(pause_s)

    return behave


def pouring(head: bytes) -> Behaviour:
    """Send `head`, then bytes without end."""

    def behave(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(bytes(65536))

    return behave


def silent(connection: socket.socket) -> None:
    """Say nothing and read nothing."""
    del connection
    time.sleep(3)


def own_certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for a name (`DNS:…`); return a server's context, and a client's that trusts it."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=own"
    files = ["-keyout", str(key), "-out", str(cert), "-addext", f"subjectAltName={name}"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))
