"""Connections with one deadline for everything: resolving, connecting, TLS, each byte in and out.

Time-outs per read are no limit: a server that sends one byte a second holds such a client for ever. Here
every operation gets only the time that is left, so the whole exchange ends on time.
"""

import socket
import ssl
import time
from collections.abc import Collection, Iterable
from typing import Any, NoReturn

import httpcore

from evidence_vault.client.addresses import endpoint, resolve_permitted
from evidence_vault.errors import UnavailableError


class Deadline:
    """A moment on the monotonic clock; `left` raises UnavailableError once it has passed."""

    def __init__(self, service: str, timeout_s: float) -> None:
        self.service = service
        self.timeout_s = timeout_s
        self._at = time.monotonic() + timeout_s

    def left(self) -> float:
        """Return the seconds that are left, more than 0."""
        left = self._at - time.monotonic()
        if left <= 0:
            self.passed()
        return left

    def passed(self) -> NoReturn:
        """Raise: time is up."""
        raise UnavailableError(self.service, f"no complete reply within {self.timeout_s:g} s")


class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections for one exchange: permitted addresses only, all within one deadline."""

    def __init__(self, deadline: Deadline, permitted: Collection[str]) -> None:
        self._deadline = deadline
        self._permitted = permitted

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is the only limit
        local_address: str | None = None,  # noqa: ARG002 - never asked for
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - never asked for
    ) -> httpcore.NetworkStream:
        """Connect to the first permitted address of `host` that answers."""
        addresses = resolve_permitted(host, port, permitted=self._permitted, timeout_s=self._deadline.left())
        failed = []
        for address in addresses:
            try:
                connected = socket.create_connection((address, port), self._deadline.left())
            except OSError as error:
                failed.append(f"{address}: {error.strerror or error}")
            else:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(connected, self._deadline)
        self._deadline.left()
        raise UnavailableError(endpoint(host, port), "; ".join(failed))

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002 - refused
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - refused
    ) -> NoReturn:
        """Refuse: nothing outside is reached through a file."""
        raise UnavailableError(path, "not reached over TCP")


class _Stream(httpcore.NetworkStream):
    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        self._socket.settimeout(self._deadline.left())
        try:
            return self._socket.recv(max_bytes)
        except OSError as error:
            self._fail(error)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        rest = memoryview(buffer)
        while rest:
            self._socket.settimeout(self._deadline.left())
            try:
                rest = rest[self._socket.send(rest) :]
            except OSError as error:
                self._fail(error)

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        self._socket.settimeout(self._deadline.left())
        try:
            wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except (OSError, ValueError) as error:
            self.close()
            self._fail(error)
        return _Stream(wrapped, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        return None

    def _fail(self, error: Exception) -> NoReturn:
        if isinstance(error, TimeoutError):
            self._deadline.passed()
        raise UnavailableError(self._deadline.service, f"connection failed: {error}") from None
