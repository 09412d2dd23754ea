"""Several processes that answer for one vault, because one Python interpreter uses one core.

    serve ── a socket for each ── fork ──┬── helpers: answer
                                         └── itself: answers, and does all the work in the background

They are forked before there is any thread or connection, so what was loaded lies in memory once. Each listens on a
socket of its own at the same address, and the system spreads connections over them (SO_REUSEPORT, Linux).

They end together. Helpers read a pipe that is open as long as the first process is there, however it goes; and if
one of them ends by itself all do, and whoever keeps the vault running starts it again, as after any crash.
"""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

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
    """Return for each process its sockets, one at each address of the host; none listens yet.

    port: 0 for any that is free. Raises ConfigError if it can't be had, or somebody listens there already: without
    that look a second vault at the same address would get half of the requests of the first.
    """
    found: list[list[socket.socket]] = []
    with contextlib.ExitStack() as undo:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, _, _, _, address in dict.fromkeys(addresses):
                _bound(family, address, shared=False).close()
            for _ in range(processes):
                mine = []
                for family, _, _, _, (at, free, *rest) in dict.fromkeys(addresses):
                    one = undo.enter_context(_bound(family, (at, free or port, *rest), shared=processes > 1))
                    port = one.getsockname()[1]
                    mine.append(one)
                found.append(mine)
        except OSError as error:
            raise ConfigError("listen_port", f"{host}:{port}: {error.strerror or error}") from None
        undo.pop_all()
    return found


def _bound(family: int, address: tuple[object, ...], *, shared: bool) -> socket.socket:
    # Only of a socket that says TCP does asyncio know that it need not gather small pieces: each answer is two, and
    # the second would wait 40 ms for the client's word that the first has come.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


class Crew:
    """The helpers of this process. Fork them all before anything here has a thread or a connection."""

    def __init__(self) -> None:
        self._helpers: list[_Helper] = []
        self._is_ending = False
        self.has_failed = False
        """Whether a helper ended by itself."""

    def fork(self, work: Callable[[], int]) -> None:
        """Add a helper that does this, and ends with the exit code that it returns."""
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
        except BaseException:
            LOG.exception("a helping process failed")
        finally:
            os._exit(code)  # what the stack below us would still do is the first process's

    def watch(self) -> None:
        """End too if one of them does. From now on this process may have threads."""
        for helper in self._helpers:
            helper.watching = threading.Thread(
                target=self._watch, args=(helper,), name=f"helper-{helper.pid}", daemon=True
            )
            helper.watching.start()

    def _watch(self, helper: "_Helper") -> None:
        _, status = os.waitpid(helper.pid, 0)
        if not self._is_ending:
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
