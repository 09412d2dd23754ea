"""How many 4 KiB deposits a second: one client, 8, 64; beside the empty route in the same run.

python -m bench.deposit [--slow-fsync-us 2000] [--seconds 5] [--clients 1 8 64]
"""

import argparse
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from bench.load import Measured, measure, post
from bench.served import ServedVault, served_empty, served_vault

CONTENT_BYTES = 4096


def measure_deposits(
    folder: Path, *, clients: Sequence[int], seconds: float, slow_fsync_us: int = 0
) -> Iterator[tuple[Measured, Measured]]:
    """Yield, for each number of clients, what the vault and the empty route gave."""
    body = secrets.token_bytes(CONTENT_BYTES)
    empty_request = post("/", body, {"Content-Type": "application/octet-stream"})
    run = secrets.token_hex(4)
    with served_empty() as empty_port, served_vault(folder, slow_fsync_us=slow_fsync_us) as vault:
        for count in clients:
            empty = measure(port=empty_port, request=lambda _: empty_request, clients=count, seconds=seconds)
            request = partial(_deposit, vault, body, f"{run}-{count}")
            yield measure(port=vault.port, request=request, clients=count, seconds=seconds), empty


def _deposit(vault: ServedVault, body: bytes, run: str, number: int) -> bytes:
    return vault.deposit(number.to_bytes(8) + body[8:], key=f"{run}-{number}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow-fsync-us", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for deposits, empty in measure_deposits(
            Path(folder) / "vault",
            clients=given.clients,
            seconds=given.seconds,
            slow_fsync_us=given.slow_fsync_us,
        ):
            print(f"deposit {deposits}\n  empty {empty}\n  ratio {deposits.per_s / empty.per_s:.2f}")


if __name__ == "__main__":
    main()
