"""What the platform says of itself, its signs of life, and the incidents that follow from their want."""

from datetime import timedelta
from pathlib import Path

import pytest

import evidence_vault
from anchors.values import replace
from evidence_vault.core.events import PLATFORM, Event, parse_event
from evidence_vault.errors import Conflict, FormatError, ReadOnly
from evidence_vault.pipeline.platform.incidents import (
    AUTOMATIC,
    Incident,
    end_incident,
    incidents_of,
    tell_incident,
)
from evidence_vault.pipeline.platform.presence import beat, state_platform
from evidence_vault.pipeline.vault import Vault
from evidence_vault.settings import Platform
from evidence_vault.store.queries import events
from tests.pipeline.vaults import SetClock, new_vault, reopened


def statements(vault: Vault) -> list[Event]:
    with vault.database.read() as session:
        rows = events.events_of(session, PLATFORM)
    return [parse_event(row.raw) for row in rows if row.type == "PLATFORM_STATED"]


def incidents(vault: Vault) -> list[Incident]:
    with vault.database.read() as session:
        return list(incidents_of(session).values())


def declaring(vault: Vault, **platform: object) -> Vault:
    changed = vault.settings.model_copy(update={"platform": Platform.model_validate(platform)})
    return replace(vault, settings=changed)


@pytest.mark.db
def test_statement_is_written_again_only_when_it_says_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = new_vault(tmp_path)
    assert not state_platform(vault)
    [first] = statements(vault)
    assert first.fields["operator"] == "none declared"
    assert first.fields["relation_to_parties"] == "none declared"
    assert first.fields["filings"] == []
    named = declaring(vault, operator="Example Archive", filings=["ICP 1"])
    assert state_platform(named)
    assert not state_platform(named)
    assert statements(vault)[-1].fields["operator"] == "Example Archive"
    monkeypatch.setattr(evidence_vault, "__version__", "9.9")
    assert state_platform(named)  # other software keeps the evidence from now on
    assert statements(vault)[-1].fields["how"] == {"tool": "evidence-vault", "version": "9.9"}
    assert state_platform(vault)  # what was taken back is said too
    assert len(statements(vault)) == 4


@pytest.mark.db
def test_silence_longer_than_the_limit_is_an_outage_from_the_last_sign_on(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    assert beat(vault) == []  # the first start is none
    clock.advance(299)
    assert beat(vault) == []
    last = clock.now
    vault = reopened(vault)  # killed
    clock.advance(3600)
    [outage] = beat(vault)
    assert (outage.kind, outage.began_at, outage.ended_at) == ("outage", last, clock.now)
    assert beat(vault) == []  # the next process to start finds nothing more
    assert incidents(vault) == [outage]


def test_clock_that_goes_back_is_no_outage(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    beat(vault)
    clock.advance(-86400)
    assert beat(vault) == []
    clock.advance(30)
    assert beat(vault) == []


@pytest.mark.db
def test_time_that_the_vault_was_shut_is_told_once_it_is_open_again(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    beat(vault)
    clock.advance(30)
    since = clock.now
    vault.gate.shut("behind")
    for _ in range(20):
        assert beat(vault) == []  # it may write no event
        clock.advance(30)
    vault = reopened(vault)
    clock.advance(60)
    [shut] = beat(vault)
    assert (shut.kind, shut.began_at, shut.ended_at) == ("read-only", since, clock.now)
    assert beat(vault) == []


def test_vault_that_starts_shut_after_a_silence_was_shut_from_its_last_sign_on(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    beat(vault)
    last = clock.now
    clock.advance(7200)
    vault.gate.shut("behind")
    beat(vault)
    clock.advance(200)
    [shut] = beat(reopened(vault))
    assert (shut.kind, shut.began_at) == ("read-only", last)


def test_open_process_beside_one_that_is_shut_does_not_call_it_over(tmp_path: Path) -> None:
    clock = SetClock()
    shut = new_vault(tmp_path, clock=clock)
    shut.gate.shut("behind")
    for _ in range(10):
        beat(shut)
        clock.advance(30)
        other = reopened(shut)
        assert beat(other) == []


def test_statement_of_a_vault_that_is_shut_waits(tmp_path: Path) -> None:
    vault = declaring(new_vault(tmp_path), operator="Somebody")
    vault.gate.shut("behind")
    with pytest.raises(ReadOnly):
        state_platform(vault)


@pytest.mark.db
def test_operator_tells_an_incident_and_ends_it_once(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    began = clock.now - timedelta(hours=2)
    told = tell_incident(vault, kind="hosting", began_at=began, ended_at=None, summary="Moved.")
    assert incidents(vault) == [told]
    with pytest.raises(FormatError, match="ended_at"):
        end_incident(vault, told.name, ended_at=began - timedelta(seconds=1))
    with pytest.raises(FormatError, match="ended_at"):
        end_incident(vault, told.name, ended_at=clock.now + timedelta(seconds=1))
    ended = end_incident(vault, told.name, ended_at=clock.now)
    assert incidents(vault) == [ended]
    with pytest.raises(Conflict, match="it ended"):
        end_incident(vault, told.name, ended_at=clock.now)
    with pytest.raises(FormatError, match="incident"):
        end_incident(vault, "other-1", ended_at=clock.now)


@pytest.mark.parametrize("kind", AUTOMATIC)
def test_operator_neither_tells_nor_ends_what_the_vault_notes(kind: str, tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    with pytest.raises(FormatError, match="kind"):
        tell_incident(vault, kind=kind, began_at=clock.now, ended_at=None, summary="")
    with pytest.raises(FormatError, match="began_at"):
        tell_incident(vault, kind="x", began_at=clock.now + timedelta(seconds=1), ended_at=None, summary="")


def test_operator_does_not_end_an_incident_of_the_vault(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    beat(vault)
    clock.advance(4000)
    [outage] = beat(vault)
    with pytest.raises(Conflict, match="by itself"):
        end_incident(vault, outage.name, ended_at=clock.now)
