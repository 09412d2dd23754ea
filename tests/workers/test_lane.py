"""Lanes: work side by side, within bounds, none waiting for another; what goes wrong is told."""

import threading
from pathlib import Path

import pytest

from evidence_vault.core.events import Subject
from evidence_vault.core.states import JobState
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import jobs
from evidence_vault.store.queries.jobs import Claimed
from evidence_vault.workers.lane import Lane
from evidence_vault.workers.runner import Runner, Work, singly
from tests.workers.test_runner import quick_vault, until


def wanted() -> bool:
    return True


def test_lane_has_room_again_as_soon_as_one_is_done() -> None:
    lane, first, second = Lane(2), threading.Event(), threading.Event()
    lane.begin(first.wait)
    assert lane.room(wanted) == 1
    lane.begin(second.wait)
    assert lane.room(lambda: False) == 0
    second.set()
    assert lane.room(wanted) == 1
    assert not lane.wait(0.01)
    first.set()
    assert lane.wait(10)
    assert lane.room(wanted) == 2


def test_lane_tells_each_error_once_and_goes_on() -> None:
    lane = Lane(2)

    def fail() -> None:
        raise IntegrityError("a row", "one", "none")

    lane.begin(fail)
    lane.begin(fail)
    assert lane.wait(10)
    for _ in range(2):
        with pytest.raises(IntegrityError):
            lane.room(wanted)
    assert lane.room(wanted) == 2


@pytest.mark.db
def test_runner_lets_no_slow_job_of_a_lane_delay_another(tmp_path: Path) -> None:
    vault, stuck, done = quick_vault(tmp_path), threading.Event(), list[str]()
    running, most = set[str](), 0

    def advance(vault: Vault, job: Claimed) -> None:
        nonlocal most
        running.add(job.subject.id)
        most = max(most, len(running))
        if job.subject.id == "slow":
            stuck.wait(30)
        with vault.database.write() as session:
            jobs.record(session, job, JobState.DONE, now=vault.clock(), run_at=None)
        running.remove(job.subject.id)
        done.append(job.subject.id)

    with vault.database.write() as session:
        for name in ("slow", *map(str, range(12))):
            jobs.add_jobs(session, "webhook", Subject(kind="webhook", id=name), ["one"], at=vault.clock())
    runner = Runner(vault, {"webhook": Work(stage=singly(advance), targets={"one": 3}, apart=True)})
    runner.start()
    try:
        until(lambda: len(done) == 12)
        assert "slow" not in done
        assert 1 < most <= 3
        stuck.set()
        until(lambda: done[-1] == "slow")
    finally:
        stuck.set()
        runner.stop()
    with vault.database.read() as session:
        assert not jobs.any_open(session, "webhook")
