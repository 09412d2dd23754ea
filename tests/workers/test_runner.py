"""The runner: it keeps going, stops in order, shuts the gate on disagreement, and its lines hold no contents."""

import io
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence_vault.core.events import Subject
from evidence_vault.errors import IntegrityError, UnavailableError
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Job
from evidence_vault.store.queries import items, jobs
from evidence_vault.store.queries.jobs import Claimed
from evidence_vault.workers.lines import JsonLines, log_to
from evidence_vault.workers.runner import Runner, Work, advance_due, singly, timestamp_work
from tests.pipeline.vaults import FakeAuthority, SetClock, deposit, new_vault


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, object]]]]:
    stream = io.StringIO()
    logger = logging.getLogger("evidence_vault")
    before = (logger.handlers, logger.level, logger.propagate)
    log_to(logging.StreamHandler(stream))
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.handlers, level, logger.propagate = before
    logger.setLevel(level)


def until(condition: Callable[[], bool], *, within_s: float = 30) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def state(vault: Vault, item_id: str) -> tuple[str, tuple[str, ...]]:
    with vault.database.read() as session:
        item = items.get_item(session, item_id)
        assert item is not None
        progress = items.item_progress(session, item)
        return progress.state, progress.record_tokens


def tokens(vault: Vault, item_id: str) -> tuple[str, ...]:
    with vault.database.read() as session:
        item = items.get_item(session, item_id)
        assert item is not None
        return items.item_progress(session, item).tokens


def token_job(vault: Vault, item_id: str) -> Job:
    with vault.database.read() as session:
        [job] = jobs.jobs_of(session, Subject(kind="item", id=item_id))
    return job


def real_clock() -> datetime:
    return datetime.now(UTC)


def quick_vault(home: Path, **changes: object) -> Vault:
    quick = {"checkpoint_interval_s": 0.05, "token_interval_s": 0.05, "poll_interval_s": 0.02}
    return new_vault(home, clock=real_clock, **{**quick, **changes})  # type: ignore[arg-type]


@pytest.mark.db
def test_runner_takes_deposits_to_the_log_and_to_record_tokens(
    tmp_path: Path, lines: Callable[[], list[dict[str, object]]]
) -> None:
    vault = quick_vault(tmp_path)
    runner = Runner(vault, timestamp_work(vault))
    runner.start()
    try:
        done = [deposit(vault, b"SECRET-CONTENT", file_name="SECRET-NAME.txt") for _ in range(3)]
        until(lambda: all(state(vault, one.item_id) == ("logged", ("tsa",)) for one in done))
        # A checkpoint's token may come before the item's own: one thread asks an authority for both.
        until(lambda: all(token_job(vault, one.item_id).state == "DONE" for one in done))
    finally:
        runner.stop()
    text = json.dumps(lines())
    assert "SECRET" not in text
    assert {done[0].item_id} <= {str(line.get("subject")) for line in lines()}
    assert "checkpoint published" in text
    job = token_job(vault, done[0].item_id)
    assert (job.state, job.lease_owner) == ("DONE", None)


@pytest.mark.db
def test_runner_started_again_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    tsa = FakeAuthority(failures=[UnavailableError("tsa", "down")])
    vault = quick_vault(tmp_path, submitters={"tsa": tsa}, retry_first_s=0.01)
    done = deposit(vault)
    for _ in range(2):
        runner = Runner(vault, timestamp_work(vault))
        runner.start()
        runner.stop()
    runner = Runner(vault, timestamp_work(vault))
    runner.start()
    try:
        until(lambda: state(vault, done.item_id) == ("logged", ("tsa",)))
    finally:
        runner.stop()


@pytest.mark.db
def test_runner_asks_authorities_at_the_same_time_and_waits_for_none(tmp_path: Path) -> None:
    answers, asked = threading.Event(), threading.Event()

    def stay_silent() -> None:
        asked.set()
        assert answers.wait(30)

    slow, quick = FakeAuthority(before_answer=stay_silent), FakeAuthority()
    vault = quick_vault(tmp_path, submitters={"slow": slow, "quick": quick})
    runner = Runner(vault, timestamp_work(vault))
    runner.start()
    try:
        done = deposit(vault)
        assert asked.wait(30)
        later = [deposit(vault, b"%d" % n) for n in range(3)]
        until(lambda: all("quick" in tokens(vault, one.item_id) for one in (done, *later)))
        assert all("slow" not in tokens(vault, one.item_id) for one in (done, *later))
        answers.set()
        until(lambda: all("slow" in tokens(vault, one.item_id) for one in (done, *later)))
    finally:
        answers.set()
        runner.stop()


def test_runner_shuts_the_gate_when_the_store_disagrees_with_itself(
    tmp_path: Path, lines: Callable[[], list[dict[str, object]]]
) -> None:
    vault = quick_vault(tmp_path)

    def broken(_vault: Vault, _job: Claimed) -> None:
        raise IntegrityError("somewhere", "one thing", "another")

    deposit(vault)
    runner = Runner(vault, {"timestamp": Work(stage=singly(broken))})
    runner.start()
    try:
        until(lambda: vault.gate.reasons != ())
    finally:
        runner.stop()
    assert vault.gate.reasons == ("somewhere: expected one thing, found another",)
    with pytest.raises(UnavailableError, match="expected one thing"):
        deposit(vault)
    assert "store disagrees with itself" in {line["message"] for line in lines()}


def test_runner_survives_an_unforeseen_error_and_says_where(
    tmp_path: Path, lines: Callable[[], list[dict[str, object]]]
) -> None:
    vault = quick_vault(tmp_path, retry_first_s=0.01)
    calls: list[int] = []

    def broken(_vault: Vault, _job: Claimed) -> None:
        calls.append(1)
        raise ZeroDivisionError

    deposit(vault)
    runner = Runner(vault, {"timestamp": Work(stage=singly(broken))})
    runner.start()
    try:
        until(lambda: len(calls) >= 3)
    finally:
        runner.stop()
    [line, *_] = [line for line in lines() if line["message"] == "unforeseen error"]
    assert "ZeroDivisionError" in str(line["trace"])
    assert vault.gate.reasons == ()


@pytest.mark.db
def test_advance_due_leaves_jobs_of_other_kinds_and_of_the_future(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    deposit(vault)
    seen: list[Claimed] = []
    assert not advance_due(vault, "anchor", singly(lambda _, job: seen.append(job)), owner="w")
    clock.advance(-1)
    assert not advance_due(vault, "timestamp", singly(lambda _, job: seen.append(job)), owner="w")
    clock.advance(1)
    assert advance_due(vault, "timestamp", singly(lambda _, job: seen.append(job)), owner="w")
    assert [(job.kind, job.target, job.owner) for job in seen] == [("timestamp", "tsa", "w")]


def test_lines_carry_known_fields_only() -> None:
    record = logging.LogRecord("evidence_vault.x", logging.INFO, "f", 1, "moved %s", ("on",), None)
    record.item, record.file_name = "it_1", "private.pdf"
    line = json.loads(JsonLines().format(record))
    assert (line["message"], line["item"], line["level"]) == ("moved on", "it_1", "info")
    assert line["pid"] == os.getpid()
    assert "private" not in json.dumps(line)
