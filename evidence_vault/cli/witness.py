"""`evidence-vault witness DIR --log VKEY …`: cosign somebody's log as long as it only grows."""

import argparse
import logging
import sys
from pathlib import Path

import uvicorn

from evidence_vault.cli.logs import source_of
from evidence_vault.cli.serving import run_until_stopped
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.errors import ConfigError
from evidence_vault.witness.folder import open_witness, watched_logs
from evidence_vault.witness.server import witness_app
from evidence_vault.workers.lines import log_to

MAX_CONNECTIONS = 64
"""A log asks once for each checkpoint; the rest is for whoever looks."""

MAX_HEADER_BYTES = 16 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="the witness's key and memory; made at first start"
    )
    parser.add_argument(
        "--log",
        action="append",
        required=True,
        metavar="VKEY[@URL]",
        help="the verifier key of a log to watch, its name is the origin; again for another key or log. "
        "With a URL (like https://vault.example/v1/log) all it holds is read before it is cosigned",
    )
    parser.add_argument(
        "--name", help="the witness's name for ever, like witness.example/w1 (first start only)"
    )
    parser.add_argument(
        "--listen",
        default="127.0.0.1:8461",
        metavar="HOST:PORT",
        help="where it listens (default: 127.0.0.1:8461); put a proxy with TLS before it",
    )


def run(args: argparse.Namespace) -> int:
    """Witness until told to stop (SIGTERM, Ctrl-C). Log lines on stderr."""
    log_to(logging.StreamHandler(sys.stderr))
    host, port = _address(args.listen)
    logs = watched_logs(args.log, mirrors=args.folder / "mirrors", source_of=source_of)
    with open_witness(args.folder, name=args.name, logs=logs) as witness:
        for log in logs:
            print(f"watches {log.origin}" + (" and reads it whole" if log.audit else ""))
        print(f"vkey {encode_vkey(witness.verifier_key)}")
        print(f"listens on http://{args.listen}", flush=True)
        config = uvicorn.Config(
            witness_app(witness),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            http="h11",
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=10,
        )
        return run_until_stopped(config)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError("--listen", "HOST:PORT, like 127.0.0.1:8461")
    return host.strip("[]"), int(port)
