"""Tokens in batches: jobs share claims and commits, and nothing else; no crash loses or doubles a token."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from anchors.base import AnchorProof, Progress, Statement
from anchors.rfc3161.errors import RefusedError
from evidence_vault.core.events import Subject
from evidence_vault.errors import IntegrityError, UnavailableError
from evidence_vault.pipeline.times import timestamp
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Job
from evidence_vault.store.queries import events, job_batches, jobs, paces
from evidence_vault.workers.exchanges import obtain_timestamps
from evidence_vault.workers.runner import Choice, advance_due
from tests.pipeline.faults import dying_in
from tests.pipeline.vaults import (
    FakeAuthority,
    SetClock,
    authority,
    deposit,
    deposit_small,
    new_vault,
    reopened,
)

BATCH = Choice(target="tsa", at_once=64)
DONE = ["ITEM_RECEIVED", "TIMESTAMP_OBTAINED"]


def advance(vault: Vault, owner: str = "w", *, choice: Choice = BATCH) -> bool:
    return advance_due(vault, "timestamp", obtain_timestamps, owner=owner, choice=choice)


def deposits(vault: Vault, count: int) -> list[Subject]:
    return [Subject(kind="item", id=deposit_small(vault, b"%d" % n).item_id) for n in range(count)]


def history(vault: Vault, subject: Subject) -> list[str]:
    with vault.database.read() as session:
        return [event.type for event in events.events_of(session, subject)]


def job(vault: Vault, subject: Subject) -> Job:
    with vault.database.read() as session:
        [found] = jobs.jobs_of(session, subject)
    return found


class Picky(FakeAuthority):
    """Answers each statement as told, or with a token."""

    def __init__(self, says: Callable[[Statement], Exception | None]) -> None:
        super().__init__()
        self.says = says

    def advance(self, statement: Statement, progress: Progress) -> Progress | AnchorProof:
        proof = super().advance(statement, progress)
        if (error := self.says(statement)) is not None:
            raise error
        return proof


def picky(answers: dict[int, Exception]) -> Picky:
    """An authority that answers the n-th deposit of `deposits` so."""
    errors = {hashlib.sha256(b"%d" % n).digest(): error for n, error in answers.items()}
    return Picky(lambda statement: errors.get(statement.sha256))


@pytest.mark.db
def test_batch_records_each_as_if_it_were_alone(tmp_path: Path) -> None:
    refused, down = RefusedError("tsa", "badAlg"), UnavailableError("tsa", "busy", retry_after_s=77)
    tsa, clock = picky({2: refused, 4: down, 6: ZeroDivisionError("not foreseen")}), SetClock()
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": tsa})
    items = deposits(vault, 9)
    with pytest.raises(ZeroDivisionError):
        advance(vault)
    for number, item in enumerate(items):
        found, told = job(vault, item), history(vault, item)
        assert found.lease_owner is None
        if number == 2:
            assert (found.state, told) == ("FAILED", ["ITEM_RECEIVED", "TIMESTAMP_FAILED"])
        elif number == 4:
            assert (found.state, found.last_error, told) == ("READY", "tsa: busy", ["ITEM_RECEIVED"])
            assert found.run_at is not None
            assert (found.run_at - clock.now).total_seconds() == 77
        elif number == 6:
            assert (found.state, told) == ("READY", ["ITEM_RECEIVED"])
            assert "ZeroDivisionError" in (found.last_error or "")
        else:
            assert (found.state, found.last_error, told) == ("DONE", None, DONE)
    assert not advance(vault)  # the two wait


@pytest.mark.db
def test_job_about_nothing_stops_no_other_of_its_batch(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    items = deposits(vault, 3)
    with vault.database.write() as session:
        nothing = Subject(kind="item", id="it_" + "0" * 26)
        jobs.add_jobs(session, "timestamp", nothing, ["tsa"], at=vault.clock())
    with pytest.raises(IntegrityError, match="an item with a digest"):
        advance(vault)
    assert [history(vault, item) for item in items] == [DONE] * 3


@contextmanager
def counted(vault: Vault) -> Iterator[list[str]]:
    """All statements that the database gets, those past SQLAlchemy too."""
    seen: list[str] = []
    connections: list[Any] = []

    def watch(connection: Any, *_: object) -> None:
        connections.append(connection)
        connection.set_trace_callback(seen.append)

    from sqlalchemy import event

    event.listen(vault.database.engine, "checkout", watch)
    yield seen
    event.remove(vault.database.engine, "checkout", watch)
    for connection in connections:
        connection.set_trace_callback(None)


def test_token_of_a_batch_costs_less_than_four_statements(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    items = deposits(vault, 64)
    with counted(vault) as statements:
        assert advance(vault)
    assert [history(vault, item) for item in items] == [DONE] * 64
    assert len(statements) / 64 < 4
    assert sum(text == "COMMIT" for text in statements) <= 4


@pytest.mark.db
def test_what_cannot_be_committed_together_is_committed_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tsa = FakeAuthority()
    vault = new_vault(tmp_path, submitters={"tsa": tsa})
    items = deposits(vault, 8)
    real = events.insert_events

    def refuse_one(session: Any, new: Sequence[events.Composed]) -> list[int]:
        if any(one.event.subject == items[3] for one in new):
            raise IntegrityError("events", "its constraints hold", "they don't")
        return real(session, new)

    with monkeypatch.context() as patch:
        patch.setattr(events, "insert_events", refuse_one)
        with pytest.raises(IntegrityError):
            advance(vault)
    assert [history(vault, item) for item in items] == [DONE] * 3 + [["ITEM_RECEIVED"]] + [DONE] * 4
    assert len(tsa.asked) == 8  # nobody was asked again for what could be committed
    assert (job(vault, items[3]).state, job(vault, items[3]).lease_owner) == ("READY", None)


def test_database_that_is_down_is_not_tried_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = new_vault(tmp_path)
    items = deposits(vault, 20)
    tries = []

    def down(*_: object) -> None:
        tries.append(1)
        raise UnavailableError("database", "gone", retry_after_s=1.0)

    with monkeypatch.context() as patch:
        patch.setattr(events, "lock_subject_heads", down)
        assert advance(vault)
    assert len(tries) == 3  # together, and two alone
    for item in items:
        found = job(vault, item)
        assert (found.state, found.lease_owner, found.last_error) == ("READY", None, "database: gone")


@pytest.mark.db
def test_job_taken_over_in_the_middle_of_a_batch_is_left_to_its_new_owner(tmp_path: Path) -> None:
    tsa = FakeAuthority()
    vault = new_vault(tmp_path, submitters={"tsa": tsa})
    items = deposits(vault, 5)
    once = threading.Event()

    def take_one_over() -> None:
        if not once.is_set():
            once.set()
            with vault.database.write() as session:
                taken = update(Job).where(Job.subject_id == items[2].id).values(lease_owner="other")
                session.execute(taken)

    tsa.before_answer = take_one_over
    assert advance(vault)
    assert [history(vault, item) for item in items] == [DONE] * 2 + [["ITEM_RECEIVED"]] + [DONE] * 2
    assert (job(vault, items[2]).state, job(vault, items[2]).lease_owner) == ("READY", "other")


@pytest.mark.db
@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed-but-persisted"])
@pytest.mark.parametrize("point", ["prepare", "keep", "answer", "events", "parts", "finish"])
def test_batch_after_a_crash_at_any_step_ends_with_one_token_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, persisted: bool
) -> None:
    clock, tsa = SetClock(), FakeAuthority()
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": tsa})
    items = deposits(vault, 5)
    owner, name = {
        "prepare": (FakeAuthority, "prepare"),
        "keep": (job_batches, "keep_progress"),
        "answer": (FakeAuthority, "advance"),
        "events": (events, "insert_events"),
        "parts": (events, "add_proof_parts"),
        "finish": (job_batches, "finish"),
    }[point]
    with dying_in(monkeypatch, owner, name, persisted=persisted):
        advance(vault, "dead")
    assert not advance(vault)  # the dead one's lease
    clock.advance(121)
    assert advance(vault)
    assert [history(vault, item) for item in items] == [DONE] * 5
    requests = 5 if point not in ("prepare", "keep") else tsa.prepared
    assert tsa.prepared == requests  # what was kept is asked again, not made again


def test_batch_killed_in_the_middle_is_asked_again_with_the_same_requests(tmp_path: Path) -> None:
    clock, tsa = SetClock(), FakeAuthority()
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": tsa})
    items = deposits(vault, 12)
    vault.database.dispose()
    if (child := os.fork()) == 0:
        tsa.before_answer = lambda: os.kill(os.getpid(), signal.SIGKILL) if len(tsa.asked) > 4 else None
        advance(reopened(vault), "killed")
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    again = reopened(vault)
    kept = [job(again, item).progress for item in items]
    assert all(progress is not None for progress in kept)  # before the first was sent
    assert [history(again, item) for item in items] == [["ITEM_RECEIVED"]] * 12
    clock.advance(121)
    assert advance(again)
    assert [history(again, item) for item in items] == [DONE] * 12
    assert [job(again, item).progress for item in items] == kept
    assert tsa.prepared == 0  # in this process: the dead one's requests were sent


def test_authority_that_failed_last_is_asked_with_one_job(tmp_path: Path) -> None:
    clock = SetClock()
    tsa = FakeAuthority(failures=[UnavailableError("tsa", "down")] * 50)
    one_at_once = authority("tsa").model_copy(update={"exchanges": 1})
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": tsa}, authorities=[one_at_once])
    items = deposits(vault, 10)
    assert advance(vault)
    assert len(tsa.asked) == 3  # failures in a row, and the others of the batch go back unsent
    waiting = [job(vault, item) for item in items]
    assert sorted(found.tries for found in waiting) == [0] * 7 + [1] * 3
    assert {found.lease_owner for found in waiting} == {None}
    with vault.database.read() as session:
        pace = paces.find_pace(session, "tsa")
    assert pace is not None
    clock.now = pace.free_at
    assert advance(vault)
    assert len(tsa.asked) == 4


def test_exchanges_of_an_authority_are_as_many_as_its_settings_say(tmp_path: Path) -> None:
    out: list[int] = []
    most: list[int] = []

    def stay_out() -> None:
        out.append(1)
        time.sleep(0.03)
        most.append(len(out))
        out.pop()

    tsa = FakeAuthority(before_answer=stay_out)
    three = authority("tsa").model_copy(update={"exchanges": 3})
    vault = new_vault(tmp_path, submitters={"tsa": tsa}, authorities=[three])
    deposits(vault, 12)
    assert advance(vault)
    assert max(most) == 3


def test_slow_authority_is_left_before_a_lease_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timestamp, "SEND_WITHIN_S", 0.2)
    tsa = FakeAuthority(before_answer=lambda: time.sleep(0.1))
    vault = new_vault(tmp_path, submitters={"tsa": tsa})
    items = deposits(vault, 40)
    assert advance(vault)
    told = [history(vault, item) for item in items]
    assert 1 <= told.count(DONE) < 40
    assert {job(vault, item).lease_owner for item in items} == {None}
    assert {job(vault, item).tries for item in items} == {0}  # not sent is no failure


@pytest.mark.db
def test_two_events_of_one_subject_in_one_batch_follow_each_other(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, submitters={"one": FakeAuthority(), "two": FakeAuthority()})
    item = Subject(kind="item", id=deposit(vault).item_id)
    assert advance(vault, choice=Choice(at_once=64))
    assert history(vault, item) == ["ITEM_RECEIVED", "TIMESTAMP_OBTAINED", "TIMESTAMP_OBTAINED"]
