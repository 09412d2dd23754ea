"""Deposits of 4 KiB over HTTP: token looked up, checked, hashed, flushed, logged soon, answered with a receipt.

deposit_4k_c1, _c8, _c64        a second, so many clients at once, beside the empty route (`empty_route`)
deposit_4k_c64_p99              the latency that one in a hundred exceeds
deposit_rss                     the most memory its processes had resident together, beside the empty route's
…_2ms                           the same on a disk that takes 2 ms longer for each flush

Vault and empty route have the same server settings, and take turns. Each client waits for its answer before it asks
again, and shares the machine with both.
"""

import secrets
import statistics
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import load
from bench.load import Measured, post
from bench.rows import Row
from bench.served import ServedEmpty, ServedVault, served_empty, served_vault
from bench.timing import together_mib

CONTENT_BYTES = 4096
CLIENTS = (1, 8, 64)
SLOW_FSYNC_US = 2000
REFERENCE = "empty FastAPI route"


def measure(*, short: bool) -> Iterator[Row]:
    """Yield the rows. short: one round of a second or so."""
    with tempfile.TemporaryDirectory() as name, served_empty() as empty:
        for suffix, slow_fsync_us in (("", 0), ("_2ms", SLOW_FSYNC_US)):
            folder = Path(name) / f"vault{suffix}"
            with served_vault(folder, slow_fsync_us=slow_fsync_us) as vault:
                yield from _rates(vault, empty, suffix, rounds=1 if short else 3, seconds=1 if short else 5)
                if not suffix:
                    yield Row(
                        name="deposit_rss",
                        value=together_mib(vault.pid),
                        unit="MiB",
                        reference=REFERENCE,
                        reference_value=together_mib(empty.pid),
                    )


def _rates(
    vault: ServedVault, empty: ServedEmpty, suffix: str, *, rounds: int, seconds: float
) -> Iterator[Row]:
    for clients in CLIENTS:
        ours, theirs = list[Measured](), list[Measured]()
        for _ in range(rounds):
            theirs.append(_load(empty.port, _nothing, clients, seconds))
            request = partial(_deposit, vault, secrets.token_bytes(CONTENT_BYTES), secrets.token_hex(4))
            ours.append(_load(vault.port, request, clients, seconds))
        yield Row(
            name=f"deposit_4k_c{clients}{suffix}",
            value=statistics.median(one.per_s for one in ours),
            unit="deposits/s",
            reference=REFERENCE,
            reference_value=statistics.median(one.per_s for one in theirs),
        )
    yield Row(
        name=f"deposit_4k_c{clients}_p99{suffix}",
        value=statistics.median(one.p99_ms for one in ours),
        unit="ms",
        reference=REFERENCE,
        reference_value=statistics.median(one.p99_ms for one in theirs),
    )


def _load(port: int, request: load.Request, clients: int, seconds: float) -> Measured:
    found = load.measure(port=port, request=request, clients=clients, seconds=seconds)
    if set(found.statuses) != {201}:
        raise RuntimeError(f"not every answer was a 201: {found}")
    return found


def _deposit(vault: ServedVault, content: bytes, run: str, number: int) -> bytes:
    return vault.deposit(number.to_bytes(8) + content[8:], key=f"{run}-{number}")


def _nothing(_number: int) -> bytes:
    return _EMPTY


_EMPTY = post("/", secrets.token_bytes(CONTENT_BYTES), {"Content-Type": "application/octet-stream"})
