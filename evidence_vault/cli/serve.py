"""`evidence-vault serve [HOME]`: run the vault until it is told to stop (SIGTERM, Ctrl-C). Log lines on stderr."""

import argparse
import gc
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

import uvicorn
from fastapi import FastAPI

from evidence_vault.api.wire import StrictProtocol, keep_read_buffers
from evidence_vault.cli.home import add_home_position
from evidence_vault.cli.serving import run_until_stopped
from evidence_vault.exits import INTERNAL
from evidence_vault.pipeline.vault import Vault
from evidence_vault.service.compose import held_vault, helping_app, working_app
from evidence_vault.service.crew import Crew, open_sockets, processes_of
from evidence_vault.settings import load_settings
from evidence_vault.workers.lines import log_to

LOG = logging.getLogger("evidence_vault.service")

GRACE_S = 20
"""A request under way gets so long to end; what it doesn't end was never acknowledged."""

HELPERS_GRACE_S = GRACE_S + 10
"""And a helping process for all it has to end."""

GARBAGE_OBJECTS = 10_000
"""Containers made and not freed before the collector looks: what some dozens of requests under way hold."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_home_position(parser)


def run(args: argparse.Namespace) -> int:
    """Serve, in as many processes as the settings say."""
    log_to(logging.StreamHandler(sys.stderr))
    settings = load_settings(args.home)
    keep_read_buffers()
    with held_vault(settings) as vault:
        return _serve(vault)


def _serve(vault: Vault) -> int:
    host, port, crew = vault.settings.listen_host, vault.settings.listen_port, Crew()
    sockets = open_sockets(host, port, processes=processes_of(vault.settings))
    app, helpers_app = working_app(vault), helping_app(vault)
    authority = f"{f'[{host}]' if ':' in host else host}:{sockets[0][0].getsockname()[1]}"
    print(f"{vault.settings.origin} listens on http://{authority}", flush=True)
    settle_memory()
    try:
        for own in sockets[1:]:
            crew.fork(partial(_help, helpers_app, own, sockets))
        code = _answer(app, sockets[0], sockets, when_heard=crew.watch, when_told=crew.tell_to_end)
    finally:
        crew.end(HELPERS_GRACE_S)
    return INTERNAL if crew.has_failed else code


def _help(app: FastAPI, own: Sequence[socket.socket], everybodys: Sequence[Sequence[socket.socket]]) -> int:
    """Answer beside the first process; say here what goes wrong, for nobody else does."""
    try:
        return _answer(app, own, everybodys)
    except Exception:
        LOG.exception("a helping process failed")
        return INTERNAL


def _answer(
    app: FastAPI,
    own: Sequence[socket.socket],
    everybodys: Sequence[Sequence[socket.socket]],
    *,
    when_heard: Callable[[], None] = lambda: None,
    when_told: Callable[[], None] = lambda: None,
) -> int:
    for one in chain.from_iterable(theirs for theirs in everybodys if theirs is not own):
        one.close()
    return run_until_stopped(server_config(app), sockets=own, when_heard=when_heard, when_told=when_told)


def settle_memory() -> None:
    """Look for garbage seldom, and never in what was loaded at start: that took a tenth of a deposit's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 10, 10)


def server_config(app: FastAPI, *, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Config:
    """Return how uvicorn serves an app of ours; measurements serve their own with it too.

    host, port: where it is to listen, if it isn't given sockets.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
        http=StrictProtocol,
        timeout_graceful_shutdown=GRACE_S,
    )
