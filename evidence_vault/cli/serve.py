"""`evidence-vault serve [HOME]`: run the vault until it is told to stop (SIGTERM, Ctrl-C). Log lines on stderr."""

import argparse
import gc
import logging
import sys

import uvicorn
from fastapi import FastAPI

from evidence_vault.api.wire import StrictProtocol, keep_read_buffers
from evidence_vault.cli.home import add_home_position
from evidence_vault.cli.serving import run_until_stopped
from evidence_vault.service.compose import serve_vault
from evidence_vault.settings import load_settings
from evidence_vault.workers.lines import log_to

GRACE_S = 20
"""A request under way gets so long to end; what it doesn't end was never acknowledged."""

GARBAGE_OBJECTS = 10_000
"""Containers made and not freed before the collector looks: what some dozens of requests under way hold."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_home_position(parser)


def run(args: argparse.Namespace) -> int:
    """Serve."""
    log_to(logging.StreamHandler(sys.stderr))
    settings = load_settings(args.home)
    keep_read_buffers()
    app = serve_vault(settings)
    print(f"{settings.origin} listens on http://{settings.listen_host}:{settings.listen_port}", flush=True)
    settle_memory()
    return run_until_stopped(server_config(app, host=settings.listen_host, port=settings.listen_port))


def settle_memory() -> None:
    """Look for garbage seldom, and never in what was loaded at start: that took a tenth of a deposit's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 10, 10)


def server_config(app: FastAPI, *, host: str, port: int) -> uvicorn.Config:
    """Return how uvicorn serves an app of ours; measurements serve their own with it too."""
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
