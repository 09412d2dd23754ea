"""Run a server of ours in the foreground until somebody tells it to stop (SIGTERM, Ctrl-C)."""

import signal

import uvicorn

from evidence_vault.exits import UNAVAILABLE


def run_until_stopped(config: uvicorn.Config) -> int:
    """Serve; return the exit code: 0, or 69 if it could not even begin."""
    # uvicorn stops in order on these, and then raises them again: by then there is nothing left to end.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: None)
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else UNAVAILABLE
