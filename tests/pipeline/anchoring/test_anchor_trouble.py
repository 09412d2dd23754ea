"""A machine in trouble while it anchors: a disk that is full, a clock that jumps."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.engine.default import DefaultDialect

from anchors.ethereum.node import Node
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id
from evidence_vault.errors import StorageFull
from evidence_vault.pipeline.platform.presence import beat
from evidence_vault.store.models import Job
from evidence_vault.store.queries import checkpoint_jobs, jobs
from tests.pipeline.story import CHAIN_URL, Story, begin_story
from tests.pipeline.vaults import SetClock, new_vault

DEPLOYED = 1


def paid(story: Story) -> int:
    """Transactions of the sender on the chain, without the one that deployed the contract."""
    (sender,) = {watcher.anchor["sender"] for watcher in story.vault.watchers.values()}
    node = Node(CHAIN_URL, story.wires, 5.0)
    return node.ask_number("eth_getTransactionCount", f"0x{sender}", "latest") - DEPLOYED


def final_sizes(story: Story) -> list[int]:
    with story.vault.database.read() as session:
        assert not jobs.any_open(session, "anchor")
        (target,) = story.vault.watchers
        return [int(job.subject_id) for job in checkpoint_jobs.newest_final(session, target, limit=10)]


@contextmanager
def full_disk(patch: pytest.MonkeyPatch, *, whole_every: int) -> Iterator[list[int]]:
    """No commit has room, but for every n-th. Yields the numbers of those that failed."""
    numbers, failed, real = count(1), list[int](), DefaultDialect.do_commit

    def commit(dialect: DefaultDialect, connection: object) -> None:
        number = next(numbers)
        if number % whole_every:
            failed.append(number)
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        real(dialect, connection)  # type: ignore[no-untyped-call]

    with patch.context() as patched:
        patched.setattr(DefaultDialect, "do_commit", commit)
        yield failed


def test_anchors_on_a_full_disk_are_paid_once_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = begin_story(tmp_path)
    story.deposit()
    with full_disk(monkeypatch, whole_every=3) as failed:
        for _ in range(60):
            try:
                story.go_on(1)
            except StorageFull:  # the worker's loop says so, and tries again
                story.clock.advance(1)
    assert len(failed) > 20
    assert not story.vault.gate.reasons
    story.go_on(60)
    sizes = final_sizes(story)
    assert paid(story) == len(sizes) >= 1
    story.chain.close()


def test_anchors_while_the_clock_jumps_are_paid_once_and_none_is_lost(tmp_path: Path) -> None:
    """Hours back and forth, between signing, sending, inclusion and finality."""
    story = begin_story(tmp_path)
    story.deposit()
    for hours in (5, -4, 48, -46):
        story.go_on(1)
        story.clock.now += timedelta(hours=hours)
        beat(story.vault)
        with story.vault.database.read() as session:  # nothing waits for the hour to come back
            waiting = session.scalars(select(Job).where(Job.run_at > story.clock() + timedelta(minutes=1)))
            assert [job.kind for job in waiting] == []
    story.go_on(3)
    with story.vault.database.read() as session:
        assert not jobs.any_open(session, "timestamp")
    story.clock.now += timedelta(hours=50)  # the development chain dates no block before its last one
    story.go_on(12)
    sizes = final_sizes(story)
    assert paid(story) == len(sizes) >= 1
    story.chain.close()


def test_a_clock_that_is_a_little_behind_brings_nothing_forward(tmp_path: Path) -> None:
    """Two processes whose clocks differ by less than an outage is long: each waits as it was told to."""
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    limit = vault.settings.presence.outage_after_s
    subject = Subject(kind="export", id=encode_id("bd", bytes(16)))
    due = clock() + timedelta(seconds=10 * limit)
    with vault.database.write() as session:
        jobs.add_jobs(session, "export", subject, ["bundle"], at=due)
    beat(vault)

    def run_at() -> datetime:
        with vault.database.read() as session:
            found = jobs.jobs_of(session, subject)[0].run_at
        assert found is not None
        return found

    clock.advance(-limit)
    beat(vault)
    assert run_at() == due
    clock.advance(-limit - 1)
    beat(vault)
    assert run_at() == due - timedelta(seconds=limit + 1)
    assert run_at() - clock() == timedelta(seconds=11 * limit)
