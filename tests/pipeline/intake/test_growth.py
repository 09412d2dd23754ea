"""Growth: what a deposit and its way into the log cost the database doesn't rise with what is there already.

Counted in instructions of SQLite's machine, which no other work on the computer changes. A look at every row of a
table shows as some instructions for each item.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Item
from evidence_vault.workers.runner import advance_due, advance_log, timestamp_work
from tests.pipeline.vaults import DOORS, new_vault

FEW, MORE = 40, 256
"""MORE is a multiple of 256: the log's newest tile, which is read again, is as wide after it as before."""

ALLOWED = 1.25
"""A statement more or less, such as a second tile of the log; a look at `MORE` rows is far more."""


def instructions_of(vault: Vault, work: Callable[[], object]) -> int:
    """Return how many instructions SQLite carries out for this work, on connections of its own."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    def listen(connection: Any, _record: object) -> None:
        connection.set_progress_handler(step, 1)

    engine = vault.database.engine
    vault.database.dispose()
    event.listen(engine, "connect", listen)
    work()
    event.remove(engine, "connect", listen)
    vault.database.dispose()
    return count


@pytest.mark.parametrize("door", DOORS)
def test_what_a_deposit_costs_the_database_stays_as_it_was(tmp_path: Path, door: str) -> None:
    vault = new_vault(tmp_path)
    costs = [costs_of_one(vault, door, items=items) for items in (FEW, FEW + MORE)]
    for step, before in costs[0].items():
        assert costs[1][step] <= ALLOWED * before, f"{step}: {costs}"


def costs_of_one(vault: Vault, door: str, *, items: int) -> dict[str, int]:
    """Fill the vault up to so many items; return what one more costs, on its way to a token."""
    with vault.database.read() as session:
        there = session.scalar(select(func.count()).select_from(Item)) or 0
    for number in range(there, items):
        DOORS[door](vault, idempotency_key=f"key-{number}")
        if number % 4 == 0:
            advance_log(vault)
    advance_log(vault)
    stamp = timestamp_work(vault)["timestamp"].stage
    steps: dict[str, Callable[[], object]] = {
        "deposit": lambda: DOORS[door](vault, idempotency_key=f"key-{items}-counted"),
        "log": lambda: advance_log(vault),
        "token": lambda: advance_due(vault, "timestamp", stamp, owner="test"),
    }
    return {name: instructions_of(vault, step) for name, step in steps.items()}
