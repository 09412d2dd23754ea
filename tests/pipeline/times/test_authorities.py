"""Authorities that fail, recover, are slow, or tell another time."""

from datetime import timedelta
from pathlib import Path

import pytest

from anchors.base import AnchorProof, Attested, Progress, Statement
from anchors.rfc3161.errors import ClockError
from anchors.values import replace
from evidence_vault.api.authorities import authority_views, troubles
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.errors import UnavailableError
from evidence_vault.pipeline.times.authorities import note_failure
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events, paces
from evidence_vault.workers.runner import timestamp_work
from tests.pipeline.running import run_once
from tests.pipeline.vaults import FakeAuthority, SetClock, deposit, new_vault

PLATFORM = Subject(kind="platform", id="platform")


class ClockedAuthority(FakeAuthority):
    """Its tokens tell the vault's time and `ahead`. The chain it names wants no evidence."""

    clock: SetClock
    ahead = timedelta(0)

    def advance(self, statement: Statement, progress: Progress) -> Progress | AnchorProof:
        proof = FakeAuthority.advance(self, statement, progress)
        assert isinstance(proof, AnchorProof)
        told = Attested(time=self.clock() + self.ahead, accuracy=timedelta(seconds=1), source="fake")
        return replace(proof, parts={**proof.parts, "chain.pem": b""}, attested=told)


def clocked(home: Path, *names: str) -> tuple[Vault, dict[str, ClockedAuthority], SetClock]:
    clock, authorities = SetClock(), {name: ClockedAuthority() for name in names}
    for one in authorities.values():
        one.clock = clock
    return new_vault(home, clock=clock, submitters=dict(authorities)), authorities, clock


def incidents(vault: Vault) -> list[object]:
    with vault.database.read() as session:
        found = [parse_event(row.raw) for row in events.events_of(session, PLATFORM)]
    return [event.fields["ended_at"] for event in found if event.type == "INCIDENT_NOTED"]


def work(vault: Vault) -> None:
    run_once(vault, timestamp_work(vault))


@pytest.mark.db
def test_authority_that_keeps_failing_rests_and_its_jobs_with_it(tmp_path: Path) -> None:
    broken, clock = FakeAuthority(), SetClock()
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": broken}, token_interval_s=1e6)
    broken.failures = [UnavailableError("tsa", "HTTP status 500") for _ in range(100)]
    for n in range(20):
        deposit(vault, b"%d" % n)
    for _ in range(60):
        work(vault)
        clock.advance(1)
    assert len(broken.asked) < 40  # 21 jobs over a minute: without a rest some 120
    with vault.database.read() as session:
        [trouble] = troubles(session, vault.settings, ["tsa"])
        [view] = authority_views(session, vault.settings)
        pace = paces.paces_of(session, ["tsa"])["tsa"]
    assert trouble.reason == "tsa: HTTP status 500"
    assert trouble.failures == len(broken.asked) == pace.failures
    assert not view.answering
    assert view.next_at == trouble.next_at


def test_first_answer_ends_the_rest_of_an_authority(tmp_path: Path) -> None:
    broken, clock = FakeAuthority(), SetClock()
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": broken}, token_interval_s=1e6)
    broken.failures = [UnavailableError("tsa", "HTTP status 500") for _ in range(5)]
    for n in range(8):
        deposit(vault, b"%d" % n)
    for _ in range(200):
        work(vault)
        clock.advance(1)
    assert not broken.failures
    assert len(broken.asked) >= 8 + 5
    with vault.database.read() as session:
        assert troubles(session, vault.settings, ["tsa"]) == []
        assert [view.answering for view in authority_views(session, vault.settings)] == [True]


def test_resting_authority_delays_no_other(tmp_path: Path) -> None:
    broken, good = FakeAuthority(), FakeAuthority()
    broken.failures = [UnavailableError("one", "refused", 300.0) for _ in range(100)]
    vault = new_vault(tmp_path, submitters={"one": broken, "two": good}, token_interval_s=1e6)
    for n in range(10):
        deposit(vault, b"%d" % n)
    work(vault)
    assert len(good.asked) >= 10
    assert len(broken.asked) == 3


def test_authority_no_longer_in_the_settings_is_told(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    with vault.database.read() as session:
        [trouble] = troubles(session, vault.settings, ["gone"])
    assert trouble.reason == "no longer in the settings"


def test_one_authority_of_two_with_another_time_is_told_and_is_no_incident(tmp_path: Path) -> None:
    vault, authorities, _ = clocked(tmp_path, "one", "two")
    authorities["one"].ahead = timedelta(seconds=30)
    deposit(vault)
    work(vault)
    assert incidents(vault) == []
    with vault.database.read() as session:
        offsets = {view.name: view.clock_offset_ms for view in authority_views(session, vault.settings)}
    assert offsets == {"one": 29_000, "two": 0}


@pytest.mark.db
def test_two_groups_against_our_clock_are_an_incident_with_an_end(tmp_path: Path) -> None:
    vault, authorities, clock = clocked(tmp_path, "one", "two")
    for one in authorities.values():
        one.ahead = timedelta(seconds=-40)
    for n in range(3):  # noted once, however often it is seen
        deposit(vault, b"%d" % n)
        work(vault)
        clock.advance(20)
    assert incidents(vault) == [None]
    for one in authorities.values():
        one.ahead = timedelta(0)
    deposit(vault, b"right again")
    work(vault)
    first, second = incidents(vault)
    assert first is None
    assert second is not None


def test_groups_that_disagree_with_each_other_are_no_incident(tmp_path: Path) -> None:
    vault, authorities, _ = clocked(tmp_path, "one", "two")
    authorities["one"].ahead, authorities["two"].ahead = timedelta(seconds=30), timedelta(seconds=-30)
    deposit(vault)
    work(vault)
    assert incidents(vault) == []


@pytest.mark.parametrize("seconds", [300, -300])
def test_refused_token_of_the_only_authority_still_shows_that_the_clock_is_off(
    tmp_path: Path, seconds: int
) -> None:
    authority = FakeAuthority()
    authority.failures = [ClockError("tsa", timedelta(seconds=seconds), retry_after_s=15)]
    vault = new_vault(tmp_path, submitters={"tsa": authority})
    deposit(vault)
    work(vault)
    assert incidents(vault) == [None]


@pytest.mark.db
def test_answer_with_a_time_ends_the_count_of_failures(tmp_path: Path) -> None:
    vault, authorities, _ = clocked(tmp_path, "tsa")
    authorities["tsa"].failures = [UnavailableError("tsa", "HTTP status 500")] * 2
    with vault.database.write() as session:
        for error in list(authorities["tsa"].failures):
            assert isinstance(error, UnavailableError)
            note_failure(vault, session, "tsa", error)
    authorities["tsa"].failures = []

    deposit(vault)
    work(vault)

    with vault.database.read() as session:
        pace = paces.paces_of(session, ["tsa"])["tsa"]
    assert (pace.failures, pace.last_error, pace.clock_offset_ms) == (0, None, 0)
    assert pace.answered_at == vault.clock()


def test_tokens_with_another_time_count_as_failures_too(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    for _ in range(3):
        with vault.database.write() as session:
            note_failure(vault, session, "tsa", ClockError("tsa", timedelta(hours=1), retry_after_s=15))

    with vault.database.read() as session:
        pace = paces.paces_of(session, ["tsa"])["tsa"]
    assert (pace.failures, pace.clock_offset_ms) == (3, 3_600_000)
    assert pace.last_error
    assert pace.free_at > vault.clock()


def test_what_a_silent_authority_said_of_our_clock_ages(tmp_path: Path) -> None:
    vault, authorities, clock = clocked(tmp_path, "one", "two", "three")
    for name, others in (("one", 2), ("two", 1)):
        authorities[name].ahead = timedelta(seconds=-40)
        deposit(vault, name.encode())
        work(vault)
        authorities[name].failures = [UnavailableError(name, "down")] * 1000  # and says nothing more
        if others == 2:
            assert incidents(vault) == []
            clock.advance(3601)
    assert incidents(vault) == []  # two groups said so, but not within the hour
    with vault.database.read() as session:
        first, second, _ = authority_views(session, vault.settings)
    assert (first.clock_offset_ms, second.clock_offset_ms) == (-39_000, -39_000)
    assert first.clock_compared_at is not None
    assert second.clock_compared_at is not None
    assert first.clock_compared_at < second.clock_compared_at


def test_incident_of_authorities_that_fell_silent_ends_with_the_next_word(tmp_path: Path) -> None:
    vault, authorities, clock = clocked(tmp_path, "one", "two", "three")
    for name in ("one", "two"):
        authorities[name].ahead = timedelta(seconds=-40)
    deposit(vault)
    work(vault)
    assert incidents(vault) == [None]
    for name in ("one", "two"):
        authorities[name].failures = [UnavailableError(name, "down")] * 1000
    clock.advance(60)
    deposit(vault, b"soon")
    work(vault)
    assert incidents(vault) == [None]  # what the two said still counts
    clock.advance(3600)
    deposit(vault, b"later")
    work(vault)
    assert len(incidents(vault)) == 2
    assert incidents(vault)[-1] is not None
