"""`python -m tests.soak`: a crowd deposits while the vault is killed with kill -9, again and again.

    --kills N        how often (200)          --postgres   on PostgreSQL, whose server is not killed
    --clients N      how many (16)            --seed N     of the clients' choices and of the moments (the time)

The vault is served by `evidence-vault serve` in a process of its own. Each kill comes at a random moment, sometimes
while it is still starting. Midway the log's key is rotated twice and the receipts' once. The last line says what
became of it; the exit code is 1 if anything is lost or forked.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.postgres import PostgresServer, programs
from tests.soak.clients import Crowd
from tests.soak.judge import judge
from tests.soak.server import Server

DATABASE_URL = "EVIDENCE_VAULT_DATABASE_URL"


def main(argv: list[str] | None = None) -> int:
    """Soak; return the exit code."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--postgres", action="store_true")
    args = parser.parse_args(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        if args.postgres:
            found = programs()
            if found is None:
                print("no PostgreSQL here", file=sys.stderr)
                return 69
            postgres = PostgresServer(found)
            stack.callback(postgres.close)
            os.environ[DATABASE_URL] = stack.enter_context(postgres.database("soak"))
            stack.callback(os.environ.pop, DATABASE_URL)
        return soak(folder, kills=args.kills, clients=args.clients, seed=args.seed)


def soak(folder: Path, *, kills: int, clients: int, seed: int) -> int:
    """Soak a new vault in `folder`; print what was found, and return the exit code."""
    print(f"{clients} clients, {kills} kills, seed {seed}", flush=True)
    chance, began = random.Random(seed), time.monotonic()
    rotations = {kills // 4: "log", kills // 2: "receipt", 3 * kills // 4: "log"}
    server = Server(folder / "home")
    crowd = Crowd(port=server.port, token=server.token, seed=seed)
    try:
        server.start()
        crowd.start(clients)
        for number in range(1, kills + 1):
            if chance.random() < 0.9:  # else killed while it starts
                server.wait_until_it_listens()
            time.sleep(chance.uniform(0.0, 1.0))
            server.kill()
            server.start()
            if number in rotations:
                server.rotate(rotations[number])
            if number % 20 == 0:
                spent = time.monotonic() - began
                print(f"{number} kills, {len(crowd.given)} receipts, {spent:.0f} s", flush=True)
        server.wait_until_it_listens()
        crowd.stop()
        server.wait_until_nothing_waits()
    finally:
        server.stop()
    print(
        f"{crowd.broken} broken connections, {crowd.repeated} asked twice, {len(crowd.checkpoints)} checkpoints",
        flush=True,
    )
    found = judge(folder / "home", crowd.given, crowd.checkpoints)
    for line in [*crowd.wrong, *found.faults, *found.lost[:20], *found.forks[:20]]:
        print(f"WRONG: {line}")
    lost, forks = len(found.lost), len(found.forks)
    print(f"kills {kills}, receipts {len(crowd.given)}, lost {lost}, forks {forks}", flush=True)
    return int(bool(lost or forks or crowd.wrong or found.faults or not crowd.given))


if __name__ == "__main__":
    sys.exit(main())
