"""Two processes that sequence at once, while others write: one history, whoever is first and whoever dies."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from evidence_vault.core.events import Subject
from evidence_vault.core.merkle import Frontier, leaf_hash
from evidence_vault.core.names import encode_id
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.log.sequence import sequence
from evidence_vault.pipeline.record import Draft, append_event
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.store.models import Event as EventRow
from evidence_vault.store.models import Leaf, TreeHead
from evidence_vault.store.queries import events, log
from tests.pipeline.vaults import OWNER, SetClock, new_vault, settings_for

pytestmark = pytest.mark.db

ROUNDS = 100
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = new_vault(tmp_path)
    made.database.dispose()  # processes are about to fork
    yield made
    made.database.dispose()


def opened(home: Path) -> Vault:
    """The vault as another process opens it."""
    return build_vault(settings_for(home), clock=SetClock())


def start(target: Any, *arguments: object) -> BaseProcess:
    process = FORK.Process(target=target, args=arguments)
    process.start()
    return process


def write_some(home: Path, seed: int, done: Event) -> None:
    """Write events in transactions of random length: several subjects, and one that all writers share."""
    vault, rng = opened(home), random.Random(seed)
    together = not vault.database.is_sqlite
    while not done.is_set():
        with vault.database.write() as session:
            own = Subject(kind="item", id=encode_id("it", rng.randbytes(16)))
            append_event(vault, session, received(own))
            if together:
                time.sleep(rng.random() / 200)  # meanwhile others get later ids and commit before
            append_event(vault, session, incident(rng.randrange(1 << 30)))
            append_event(
                vault, session, received(Subject(kind="item", id=encode_id("it", rng.randbytes(16))))
            )
    vault.database.dispose()


def received(subject: Subject) -> Draft:
    return Draft(
        subject=subject,
        type="ITEM_RECEIVED",
        actor=OWNER,
        fields={"mode": "hash", "digests": {"sha256": "ab" * 32}, "size": None, "secret": False},
    )


def incident(number: int) -> Draft:
    return Draft(
        subject=Subject(kind="platform", id="platform"),
        type="INCIDENT_NOTED",
        actor=OWNER,
        fields={
            "incident": f"i-{number}",
            "kind": "outage",
            "began_at": "2026-11-22T00:00:00.000Z",
            "ended_at": None,
            "summary": "",
        },
    )


def sequence_in_rounds(home: Path, barrier: Barrier, batches: Any) -> None:
    vault = opened(home)
    for number in range(ROUNDS):
        barrier.wait(60)
        if sequence(vault, max_leaves=1 + number % 9):
            batches.value += 1
    vault.database.dispose()


def sequence_a_later_id_first(vault: Vault) -> None:
    """Commit and sequence an event while one of a smaller id is not committed yet."""
    first, second = (Subject(kind="item", id=encode_id("it", bytes([n]) * 16)) for n in (1, 2))
    with vault.database.write() as early:
        append_event(vault, early, received(first))
        with vault.database.write() as late:
            append_event(vault, late, received(second))
        while sequence(vault):
            pass


def check_one_history(vault: Vault) -> int:
    """Check leaves, heads and order against the events, from nothing; return the size."""
    with vault.database.read() as session:
        assert events.count_pending(session) == 0
        rows = session.execute(
            select(Leaf.leaf_index, EventRow.id, EventRow.subject_kind, EventRow.subject_id, EventRow.seq)
            .join(EventRow, EventRow.id == Leaf.event_id)
            .order_by(Leaf.leaf_index)
        ).all()
        assert [row.leaf_index for row in rows] == list(range(len(rows)))  # no gap, no duplicate
        assert sorted(row.id for row in rows) == sorted(
            session.scalars(select(EventRow.id))
        )  # none forgotten
        seqs: dict[tuple[str, str], int] = {}
        for row in rows:  # within a subject the index rises with seq
            subject = (row.subject_kind, row.subject_id)
            assert row.seq == seqs.get(subject, -1) + 1
            seqs[subject] = row.seq
        hashes = [leaf_hash(entry) for entry in log.leaf_entries(session, start=0, end=len(rows))]
        frontier = Frontier()
        heads = session.scalars(select(TreeHead).order_by(TreeHead.size)).all()
        for epoch, head in enumerate(heads, 1):  # no fork: each head continues the one before
            frontier = frontier.extend(hashes[frontier.size : head.size])
            assert (head.root_hash, head.epoch) == (frontier.tree_head().root_hash, epoch)
        assert log.current_tree_head(session) == frontier.tree_head()
        assert frontier.size == len(rows)
        return len(rows)


def test_sequence_by_two_processes_a_hundred_times_over_is_one_history(vault: Vault, engine: str) -> None:
    home = vault.settings.home
    barrier, done = FORK.Barrier(2), FORK.Event()
    batches = [FORK.Value("i", 0) for _ in range(2)]
    writers = [start(write_some, home, seed, done) for seed in range(3)]
    sequencers = [start(sequence_in_rounds, home, barrier, count) for count in batches]
    for process in sequencers:
        process.join(120)
    done.set()
    for process in writers:
        process.join(60)
    assert [process.exitcode for process in sequencers + writers] == [0] * 5
    assert min(count.value for count in batches) >= 10  # both took part
    if engine == "postgresql":
        sequence_a_later_id_first(vault)  # where commits are quick the writers may not have
    while sequence(vault):
        pass
    assert check_one_history(vault) > 2 * ROUNDS
    if engine == "postgresql":  # ids were committed out of order, or this test says nothing
        with vault.database.read() as session:
            ids = session.scalars(select(Leaf.event_id).order_by(Leaf.leaf_index)).all()
        assert list(ids) != sorted(ids)


def hold_the_lock(home: Path, held: Event) -> None:
    vault = opened(home)
    with vault.database.write(alone=True) as session:
        row = log.lock_tree_head(session)
        first = log.pending_events(session, 1)
        log.insert_leaves(session, first_index=row.size, event_ids=first.event_ids)
        held.set()
        time.sleep(600)


def test_sequence_goes_on_when_the_one_with_the_lock_is_killed(vault: Vault) -> None:
    held = FORK.Event()
    holder = start(hold_the_lock, vault.settings.home, held)
    assert held.wait(30)
    waiting = start(drain, vault.settings.home)
    waiting.join(0.5)
    assert waiting.is_alive()  # one at a time
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    waiting.join(30)
    holder.join(10)
    assert waiting.exitcode == 0
    assert check_one_history(vault) == 2


def drain(home: Path) -> None:
    vault = opened(home)
    while sequence(vault):
        pass
    vault.database.dispose()


@pytest.mark.db("postgresql")
def test_sequence_without_its_lock_is_stopped_by_the_keys(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the lock to fail, no index would be given twice; SQLite has no second writer to begin with."""
    other, locked, found = opened(vault.settings.home), log.lock_tree_head, log.pending_events

    def overtaken(session: Session, limit: int) -> log.Pending:
        pending = found(session, limit)
        monkeypatch.setattr(log, "pending_events", found)
        monkeypatch.setattr(log, "lock_tree_head", locked)
        assert sequence(other) == 2
        return pending

    monkeypatch.setattr(log, "pending_events", overtaken)
    monkeypatch.setattr(log, "lock_tree_head", log.current_row)
    with pytest.raises(IntegrityError, match="leaves"):
        sequence(vault)
    other.database.dispose()
    assert check_one_history(vault) == 2
