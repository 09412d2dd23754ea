"""Run a server of ours in the foreground until somebody tells it to stop (SIGTERM, Ctrl-C)."""

import signal
import socket
from collections.abc import Callable, Sequence
from types import FrameType

import uvicorn

from evidence_vault.exits import UNAVAILABLE


def run_until_stopped(
    config: uvicorn.Config,
    *,
    sockets: Sequence[socket.socket] | None = None,
    when_heard: Callable[[], None] = lambda: None,
    when_told: Callable[[], None] = lambda: None,
) -> int:
    """Serve; return the exit code: 0, or 69 if it could not even begin.

    sockets: bound already; none: those of the configuration. when_heard: called as soon as no word to stop is lost
    any more. when_told: called when it is told to stop.
    """
    # uvicorn hears only once its loop runs, and would forget what was said before. It stops in order on these, and
    # then raises them again: by then there is nothing left to end.
    server = _Server(config, when_told)
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, server.handle_exit)
    when_heard()
    try:
        server.run(sockets=None if sockets is None else list(sockets))
    except SystemExit:  # uvicorn's way to say that it could not begin
        return UNAVAILABLE
    return 0 if server.started else UNAVAILABLE


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, when_told: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_told = when_told

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._when_told()
