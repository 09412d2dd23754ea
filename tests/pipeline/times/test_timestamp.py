"""Timestamp: asked once, kept before it is sent, recorded with what came back; outages wait, refusals end."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from anchors.rfc3161.errors import RefusedError
from anchors.values import replace
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.states import JobState
from evidence_vault.errors import Conflict, IntegrityError, UnavailableError
from evidence_vault.store.models import SubjectHead
from evidence_vault.store.queries import events, items, job_batches, jobs
from evidence_vault.workers.exchanges import obtain_timestamps
from evidence_vault.workers.runner import advance_due, timestamp_work
from tests.pipeline.faults import dying_in
from tests.pipeline.running import run_once
from tests.pipeline.vaults import FakeAuthority, SetClock, authority, deposit, new_vault


@pytest.mark.db
def test_timestamp_records_request_response_and_chain_under_its_event(tmp_path: Path) -> None:
    first, second = FakeAuthority(), FakeAuthority()
    vault = new_vault(tmp_path, submitters={"one": first, "two": second})
    done = deposit(vault, b"content")
    run_once(vault, timestamp_work(vault))
    sha256 = hashlib.sha256(b"content").digest()
    with vault.database.read() as session:
        _, *tokens = events.events_of(session, Subject(kind="item", id=done.item_id))
        assert [token.type for token in tokens] == ["TIMESTAMP_OBTAINED"] * 2
        for token in tokens:
            fields = parse_event(token.raw).fields
            parts = events.proof_parts_of(session, token.id)
            assert set(parts) == {"request.tsq", "response.tsr", "chain.pem"}
            assert fields["imprint_sha256"] == sha256.hex()
            assert fields["request_sha256"] == hashlib.sha256(parts["request.tsq"]).hexdigest()
            assert fields["response_sha256"] == hashlib.sha256(parts["response.tsr"]).hexdigest()
        item = items.get_item(session, done.item_id)
        assert item is not None
        progress = items.item_progress(session, item)
        assert progress.tokens == ("one", "two")
        assert progress.record_tokens == ("one", "two")
        assert progress.state == "logged"
        checkpoint = str(progress.logged_size)
        stamped = events.events_of(session, Subject(kind="checkpoint", id=checkpoint))
        assert {event.type for event in stamped} == {"CHECKPOINT_TIMESTAMPED"}
        imprint = parse_event(stamped[0].raw).fields["imprint_sha256"]
    note = vault.public.note_path(int(checkpoint)).read_bytes()
    assert imprint == hashlib.sha256(note).hexdigest()
    assert any(statement.preimage == note for statement in first.asked)


@pytest.mark.db
def test_timestamp_waits_out_an_outage_ever_longer_and_asks_with_the_same_request(tmp_path: Path) -> None:
    clock = SetClock()
    tsa = FakeAuthority(failures=[UnavailableError("tsa", "down")] * 3)
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": tsa}, token_interval_s=1e9)
    done = deposit(vault)
    subject = Subject(kind="item", id=done.item_id)
    waits = []
    for _ in range(3):
        assert advance_due(vault, "timestamp", obtain_timestamps, owner="w")
        assert not advance_due(vault, "timestamp", obtain_timestamps, owner="w")
        with vault.database.read() as session:
            [job] = jobs.jobs_of(session, subject)
            assert job.run_at is not None
            assert job.last_error == "tsa: down"
        waits.append((job.run_at - clock.now).total_seconds())
        clock.now = job.run_at
    assert [0.5 <= wait / 2**n <= 1.5 for n, wait in enumerate(waits)] == [True] * 3
    assert advance_due(vault, "timestamp", obtain_timestamps, owner="w")
    assert (tsa.prepared, len(tsa.asked)) == (1, 4)
    with vault.database.read() as session:
        [job] = jobs.jobs_of(session, subject)
    assert (job.state, job.tries, job.run_at, job.last_error) == ("DONE", 3, None, None)


def test_timestamp_longer_wish_of_the_authority_counts(tmp_path: Path) -> None:
    clock = SetClock()
    tsa = FakeAuthority(failures=[UnavailableError("tsa", "busy", retry_after_s=77)])
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": tsa})
    done = deposit(vault)
    advance_due(vault, "timestamp", obtain_timestamps, owner="w")
    with vault.database.read() as session:
        [job] = jobs.jobs_of(session, Subject(kind="item", id=done.item_id))
    assert job.run_at is not None
    assert (job.run_at - clock.now).total_seconds() == 77


def test_timestamp_refused_for_good_is_an_event_of_the_item_only(tmp_path: Path) -> None:
    tsa = FakeAuthority(failures=[RefusedError("tsa", "badAlg")] * 2)
    vault = new_vault(tmp_path, submitters={"tsa": tsa})
    done = deposit(vault)
    run_once(vault, timestamp_work(vault))
    with vault.database.read() as session:
        received, failed = events.events_of(session, Subject(kind="item", id=done.item_id))
        [job] = jobs.jobs_of(session, Subject(kind="item", id=done.item_id))
        assert (failed.type, job.state, job.last_error) == ("TIMESTAMP_FAILED", "FAILED", "tsa: badAlg")
        assert parse_event(failed.raw).fields["result"] == "failed"
        assert parse_event(failed.raw).prev == received.sha256
        stamped = select(SubjectHead).where(SubjectHead.subject_kind == "checkpoint")
        assert session.scalars(stamped).all() == []


@pytest.mark.db
def test_timestamp_by_two_workers_after_a_lease_ran_out_is_recorded_once(tmp_path: Path) -> None:
    clock, tsa = SetClock(), FakeAuthority()
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": tsa})
    done = deposit(vault)

    def overtake() -> None:
        tsa.before_answer = lambda: None
        assert not advance_due(vault, "timestamp", obtain_timestamps, owner="second")
        clock.advance(121)
        assert advance_due(vault, "timestamp", obtain_timestamps, owner="second")

    tsa.before_answer = overtake
    assert advance_due(vault, "timestamp", obtain_timestamps, owner="first")
    with vault.database.read() as session:
        history = events.events_of(session, Subject(kind="item", id=done.item_id))
    assert [event.type for event in history] == ["ITEM_RECEIVED", "TIMESTAMP_OBTAINED"]
    assert (tsa.prepared, len(tsa.asked)) == (1, 2)


@pytest.mark.db
@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed-but-persisted"])
@pytest.mark.parametrize("point", ["prepare", "answer", "event", "parts", "record"])
def test_timestamp_after_a_crash_at_any_step_ends_with_one_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, persisted: bool
) -> None:
    clock, tsa = SetClock(), FakeAuthority()
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": tsa}, token_interval_s=1e9)
    done = deposit(vault)
    owner, name = {
        "prepare": (FakeAuthority, "prepare"),
        "answer": (FakeAuthority, "advance"),
        "event": (events, "insert_events"),
        "parts": (events, "add_proof_parts"),
        "record": (job_batches, "finish"),
    }[point]
    with dying_in(monkeypatch, owner, name, persisted=persisted):
        advance_due(vault, "timestamp", obtain_timestamps, owner="dead")
    assert not advance_due(vault, "timestamp", obtain_timestamps, owner="w")  # the dead one's lease
    clock.advance(121)
    assert advance_due(vault, "timestamp", obtain_timestamps, owner="w")
    with vault.database.read() as session:
        history = events.events_of(session, Subject(kind="item", id=done.item_id))
        parts = events.proof_parts_of(session, history[-1].id)
    assert [event.type for event in history] == ["ITEM_RECEIVED", "TIMESTAMP_OBTAINED"]
    assert len(parts) == 3


@pytest.mark.db
def test_timestamp_keeps_the_distance_an_authority_asks_for(tmp_path: Path) -> None:
    clock, tsa = SetClock(), FakeAuthority()
    slow = authority("tsa").model_copy(update={"min_interval_s": 15.0})
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": tsa}, authorities=[slow])
    for _ in range(3):
        deposit(vault)
    asked = []
    for _ in range(8):
        while advance_due(vault, "timestamp", obtain_timestamps, owner="w"):
            pass
        asked.append(len(tsa.asked))
        clock.advance(7.5)
    assert asked == [1, 1, 2, 2, 3, 3, 3, 3]


def test_timestamp_of_an_authority_that_left_the_settings_waits(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    done = deposit(vault)
    lacking = replace(vault, submitters={})
    advance_due(lacking, "timestamp", obtain_timestamps, owner="w")
    with vault.database.read() as session:
        [job] = jobs.jobs_of(session, Subject(kind="item", id=done.item_id))
    assert job.state == "READY"
    assert "no longer in the settings" in (job.last_error or "")


def test_record_refuses_a_step_that_states_do_not_know(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    deposit(vault)
    now = vault.clock()
    with vault.database.write() as session:
        [job] = jobs.claim_due(session, ["timestamp"], owner="w", now=now, lease_until=now, limit=1)
        with pytest.raises(IntegrityError, match="timestamp job in state READY"):
            jobs.record(session, job, JobState.FINAL, now=now, run_at=None)


@pytest.mark.db
def test_record_by_a_worker_that_lost_its_lease_is_refused(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    deposit(vault)
    claimed = []
    for owner in ("first", "second"):
        now = clock.now
        with vault.database.write() as session:
            [job] = jobs.claim_due(
                session, ["timestamp"], owner=owner, now=now, lease_until=now + timedelta(seconds=1), limit=1
            )
        claimed.append(job)
        clock.advance(1)
    for job in claimed:
        with vault.database.write() as session:
            if job.owner == "first":
                with pytest.raises(Conflict):
                    jobs.record(session, job, JobState.READY, now=clock.now, run_at=clock.now)
            else:
                jobs.record(session, job, JobState.READY, now=clock.now, run_at=clock.now)
