"""Jobs: claimed by one worker only, by as many processes as there are, and free again when their holder dies."""

import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier, Event
from typing import Any

import pytest

from evidence_vault.core.events import Subject
from evidence_vault.store.queries import jobs
from evidence_vault.store.session import Database

pytestmark = pytest.mark.db

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LEASE = NOW + timedelta(seconds=60)
FORK = multiprocessing.get_context("fork")
ITEM = Subject(kind="item", id="it_x")


def url(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def add(database: Database, count: int) -> None:
    with database.write() as session:
        jobs.add_jobs(session, "timestamp", ITEM, [f"t{n}" for n in range(count)], at=NOW)
    database.dispose()


def claim(database: Database, owner: str, limit: int) -> list[str]:
    with database.write() as session:
        found = jobs.claim_due(session, ["timestamp"], owner=owner, now=NOW, lease_until=LEASE, limit=limit)
    assert {job.owner for job in found} <= {owner}
    return [job.target for job in found]


TOGETHER = 10
"""Claims that two processes make at the same moment."""


def claim_all(dsn: str, owner: str, barrier: Barrier, claimed: Any) -> None:
    database = Database(dsn)
    for _ in range(TOGETHER):  # both at once, so that neither is done before the other has begun
        barrier.wait(30)
        claimed.put((owner, claim(database, owner, 3)))
    while found := claim(database, owner, 3):
        claimed.put((owner, found))
    claimed.put((owner, None))
    database.dispose()


def test_claim_by_two_processes_gives_each_job_to_one(database: Database) -> None:
    add(database, 150)
    barrier, claimed = FORK.Barrier(2), FORK.Queue()
    workers = [
        FORK.Process(target=claim_all, args=(url(database), owner, barrier, claimed)) for owner in "ab"
    ]
    for worker in workers:
        worker.start()
    got: dict[str, list[str]] = {"a": [], "b": []}
    running = 2
    while running:
        owner, targets = claimed.get(timeout=60)
        if targets is None:
            running -= 1
        else:
            got[owner] += targets
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    assert sorted(got["a"] + got["b"]) == sorted(f"t{n}" for n in range(150))
    assert min(len(targets) for targets in got.values()) > TOGETHER


@pytest.mark.db("postgresql")
def test_claim_passes_over_what_another_is_just_claiming(database: Database) -> None:
    add(database, 2)
    with database.write() as session:
        [first] = jobs.claim_due(session, ["timestamp"], owner="a", now=NOW, lease_until=LEASE, limit=1)
        began = time.monotonic()
        assert claim(database, "b", 2) == ["t1"]  # at once: it doesn't wait for the first
        assert time.monotonic() - began < 5
    assert first.target == "t0"


def claim_and_hang(dsn: str, held: Event) -> None:
    database = Database(dsn)
    with database.write() as session:
        jobs.claim_due(session, ["timestamp"], owner="dead", now=NOW, lease_until=LEASE, limit=5)
        held.set()
        time.sleep(600)


def test_claim_of_a_process_that_was_killed_is_free_for_the_next(database: Database) -> None:
    add(database, 2)
    held = FORK.Event()
    worker = FORK.Process(target=claim_and_hang, args=(url(database), held))
    worker.start()
    assert held.wait(30)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    until = time.monotonic() + 20
    found: list[str] = []
    while len(found) < 2:  # PostgreSQL notices the end of the connection a moment later
        assert time.monotonic() < until
        found += claim(database, "alive", 5)
    assert found == ["t0", "t1"]
