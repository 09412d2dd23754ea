"""Several processes that answer for one vault, because one Python interpreter uses one core.

    serve ── a socket for each ── fork ──┬── helpers: answer
                                         └── itself: answers, and does all the work in the background

They are forked before there is any thread or connection, so what was loaded lies in memory once. Each listens on a
socket of its own at the same address, and the system spreads connections over them (SO_REUSEPORT, Linux).

They end together. Helpers read a pipe that is open as long as the first process is there, however it goes. If one
of them is told to end, all do. If one ends by itself all do, too, and whoever keeps the vault running starts it
again, as after any crash.
"""

import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from evidence_vault.errors import ConfigError
from evidence_vault.exits import INTERNAL
from evidence_vault.settings import USUAL_PROCESSES, Settings

LOG = logging.getLogger("evidence_vault.service")

CAN_SHARE = sys.platform == "linux"
"""Elsewhere SO_REUSEPORT, if there is one, doesn't spread connections."""


def processes_of(settings: Settings) -> int:
    """Return how many processes are to answer; a development vault's chain lives in one."""
    if settings.log_class == "development" or not CAN_SHARE:
        return 1
    return settings.processes or min(USUAL_PROCESSES, len(os.sched_getaffinity(0)))


def open_sockets(host: str, port: int, *, processes: int) -> list[list[socket.socket]]:
    """Return for each process its sockets, one at each address of the host. They listen: who comes waits there.

    port: 0 for any that is free. Raises ConfigError if it can't be had, or somebody listens there already.
    The first socket is bound and listens as if there were no others, and is shared only then: the system lets one
    alone do that. So no second vault at the same address gets half of the requests, even if both begin at once.
    """
    found: list[list[socket.socket]] = [[] for _ in range(processes)]
    with contextlib.ExitStack() as undo:
        try:
            for family, address in _addresses(host, port):
                at, named, *rest = address
                for own in found:
                    one = undo.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
                    _listen(one, (at, named or port, *rest), shared=own is not found[0])
                    if processes > 1:
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                    port = one.getsockname()[1]
                    own.append(one)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError("listen_port", f"{host}:{port}: {reason}") from None
        undo.pop_all()
    return found


def _addresses(host: str, port: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Yield the addresses of a host, but none of a kind that this machine doesn't speak, where it has another."""
    listed = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    kinds = dict.fromkeys((family, address) for family, _, _, _, address in listed)
    yield from [one for one in kinds if _speaks(one[0])] or kinds


def _speaks(family: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError as error:
        return error.errno != errno.EAFNOSUPPORT
    return True


# All say TCP: only of such a socket does asyncio know that it need not gather small pieces. Each answer is two, and
# the second would wait 40 ms for the client's word that the first has come.
def _listen(one: socket.socket, address: tuple[Any, ...], *, shared: bool) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if one.family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind(address)
    one.listen()


class Crew:
    """The helpers of this process. Fork them all before anything here has a thread or a connection."""

    def __init__(self) -> None:
        self._helpers: list[_Helper] = []
        self._is_ending = False
        self.has_failed = False
        """Whether a helper ended that nobody had told to."""

    def fork(self, work: Callable[[], int]) -> None:
        """Add a helper that does this and ends with the exit code it returns; what it raises, nobody hears."""
        reading, writing = os.pipe()
        child = os.fork()
        if child:
            os.close(reading)
            self._helpers.append(_Helper(child, writing))
            return
        code = INTERNAL
        try:
            for end in (writing, *(other.pipe for other in self._helpers)):
                os.close(end)
            code = _help(reading, work)
        finally:
            os._exit(code)  # what the stack below us would still do is the first process's

    def watch(self) -> None:
        """End too if one of them does, by SIGTERM. From now on this process may have threads."""
        for helper in self._helpers:
            helper.watching = threading.Thread(
                target=self._watch, args=(helper,), name=f"helper-{helper.pid}", daemon=True
            )
            helper.watching.start()

    def _watch(self, helper: "_Helper") -> None:
        _, status = os.waitpid(helper.pid, 0)
        if self._is_ending:
            return
        if status:  # else it was told to end in order, perhaps as all of us by one signal that it heard first
            self.has_failed = True
            LOG.critical("a helping process ended", extra={"error": _how(status)})
        os.kill(os.getpid(), signal.SIGTERM)

    def tell_to_end(self) -> None:
        """Tell the helpers to end in order. From a signal handler, too."""
        self._is_ending = True
        for helper in self._helpers:
            helper.tell(signal.SIGTERM)

    def end(self, within_s: float) -> None:
        """Let the helpers end in order, and kill who takes longer."""
        self.tell_to_end()
        until = time.monotonic() + within_s
        for helper in self._helpers:
            if helper.watching is not None:
                helper.watching.join(max(0.0, until - time.monotonic()))
                helper.tell(signal.SIGKILL)
                helper.watching.join()
            os.close(helper.pipe)


class _Helper:
    """A helper as the first process knows it. pipe: what it reads from; watching: who waits for its end."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid, self.pipe = pid, pipe
        self.watching: threading.Thread | None = None

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if self.watching is not None and self.watching.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _help(pipe: int, work: Callable[[], int]) -> int:
    """Work, until the pipe is closed with the first process: then this one goes at once, as it went."""

    def end_with_it() -> None:
        os.read(pipe, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end_with_it, name="first-process", daemon=True).start()
    return work()


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
