"""Sweeps: they read everything, go on after a stop, tell altered from missing and unreadable, and say it once."""

import errno
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from evidence_vault.core.events import Event, Subject, parse_event
from evidence_vault.errors import ReadOnly, UnavailableError
from evidence_vault.pipeline.custody.looks import Look, check_now
from evidence_vault.pipeline.custody.sweep import ask_for_sweep, sweep_round
from evidence_vault.pipeline.platform.incidents import Incident, incidents_of
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store import blobs, segments
from evidence_vault.store.queries import events
from evidence_vault.store.queries import sweep as rows
from tests.pipeline.vaults import SetClock, deposit, deposit_small, new_vault, reopened

LARGE = b"x" * (3 << 20)
"""In a file of its own, three segments."""


def never(_seconds: float) -> bool:
    return False


def sweep(vault: Vault, clock: SetClock, rounds: int = 12) -> int:
    read = 0
    for _ in range(rounds):
        read += sweep_round(vault, wait=never)
        clock.advance(20)
    return read


def history(vault: Vault, item_id: str) -> list[Event]:
    with vault.database.read() as session:
        rows = events.events_of(session, Subject(kind="item", id=item_id))
    return [parse_event(row.raw) for row in rows if row.type.startswith("FIXITY")]


def incidents(vault: Vault) -> list[Incident]:
    with vault.database.read() as session:
        return list(incidents_of(session).values())


def check(vault: Vault, item_id: str) -> Look:
    with vault.database.read() as session:
        content = rows.content_of(session, item_id)
    assert content is not None
    return check_now(vault, content)[0]


def spoil(vault: Vault, item_id: str) -> bytes:
    """Change one byte on the disk; return the file as it was."""
    path = vault.blobs.path_of(item_id)
    before = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(before[:-20] + bytes([before[-20] ^ 1]) + before[-19:])
    return before


def next_month(vault: Vault, clock: SetClock) -> None:
    clock.advance(timedelta(days=vault.settings.fixity.sweep_days).total_seconds())


@pytest.mark.db
def test_sweep_of_sound_contents_reads_all_and_writes_no_event(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=1000)
    small = [deposit_small(vault, b"%d" % n).item_id for n in range(5)]
    large = deposit(vault, LARGE).item_id
    assert sweep(vault, clock) == 6
    assert [history(vault, one) for one in (*small, large)] == [[]] * 6
    with vault.database.read() as session:
        state = rows.fixity_state(session)
        checks = rows.checks_of(session, [*small, large])
    assert state.sweep is not None
    assert state.sweep.finished_at is not None
    assert (state.sweep.number, state.sweep.items, state.sweep.bytes_read) == (1, 6, 5 + len(LARGE))
    assert {check.state for check in checks.values()} == {"sound"}
    assert sweep(vault, clock) == 0  # until it is time again
    next_month(vault, clock)
    assert sweep(vault, clock) == 6


@pytest.mark.db
def test_changed_byte_is_told_once_opens_an_incident_and_ends_when_mended(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=0)
    item, other = deposit(vault, b"one").item_id, deposit(vault, b"two").item_id
    sweep(vault, clock)
    whole_at = clock.now
    as_it_was = spoil(vault, item)
    for _ in range(3):
        next_month(vault, clock)
        sweep(vault, clock)
    [failed] = history(vault, item)
    assert (failed.type, failed.fields["cause"], failed.fields["result"]) == (
        "FIXITY_FAILED",
        "altered",
        "failed",
    )
    assert history(vault, other) == []
    [incident] = incidents(vault)
    assert incident.kind == "fixity"
    assert incident.began_at <= whole_at
    assert incident.ended_at is None
    assert item not in incident.summary
    assert not vault.gate.reasons  # one content stops neither the vault nor the sweep
    vault.blobs.path_of(item).write_bytes(as_it_was)
    look = check(vault, item)
    assert look.state == "sound"
    assert [event.type for event in history(vault, item)] == ["FIXITY_FAILED", "FIXITY_CHECKED"]
    [incident] = incidents(vault)
    assert incident.ended_at is not None


def test_content_with_a_right_crc_and_other_bytes_is_altered_and_its_digest_is_told(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=0)
    item, other = deposit(vault, b"one").item_id, deposit(vault, b"two")
    path = vault.blobs.path_of(item)
    path.chmod(0o600)
    path.write_bytes(vault.blobs.path_of(other.item_id).read_bytes())  # somebody who knows the form
    sweep(vault, clock)
    [failed] = history(vault, item)
    assert other.sha256 is not None
    assert failed.fields["found_sha256"] == other.sha256.hex()


def test_missing_file_and_record_of_a_pack_are_missing_and_altered(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=1000)
    packed, filed = deposit_small(vault, b"small").item_id, deposit(vault, LARGE).item_id
    vault.blobs.path_of(filed).unlink()
    [pack] = (tmp_path / "packs").glob("*.evp")
    pack.write_bytes(pack.read_bytes()[:-3])
    sweep(vault, clock)
    assert [event.fields["cause"] for event in history(vault, filed)] == ["missing"]
    assert [event.fields["cause"] for event in history(vault, packed)] == ["altered"]
    assert len(incidents(vault)) == 1  # one for both
    pack.unlink()
    next_month(vault, clock)
    sweep(vault, clock)
    assert [event.fields["cause"] for event in history(vault, packed)] == ["altered", "missing"]


def test_disk_that_answers_with_an_error_is_unreadable_not_altered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=0)
    item = deposit(vault, b"one").item_id
    disk = failing_disk(monkeypatch, errno.EIO)
    sweep(vault, clock)
    [failed] = history(vault, item)
    assert failed.fields["cause"] == "unreadable"
    assert failed.fields["found_sha256"] is None
    disk[0] = 0
    next_month(vault, clock)
    sweep(vault, clock)
    assert [event.type for event in history(vault, item)] == ["FIXITY_FAILED", "FIXITY_CHECKED"]


def test_disk_that_stumbles_once_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=0)
    item = deposit(vault, b"one").item_id
    failing_disk(monkeypatch, errno.EIO, times=1)
    assert sweep(vault, clock) == 1
    assert history(vault, item) == []


def test_process_without_file_handles_says_nothing_of_a_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=0)
    item = deposit(vault, b"one").item_id
    disk = failing_disk(monkeypatch, errno.EMFILE)
    with pytest.raises(UnavailableError):
        sweep_round(vault, wait=never)
    disk[0] = 0
    clock.advance(600)
    assert sweep(vault, clock) == 1
    assert history(vault, item) == []


def test_disk_that_is_not_mounted_loses_no_content(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=0)
    item = deposit(vault, b"one").item_id
    (tmp_path / "blobs").rename(tmp_path / "elsewhere")
    with pytest.raises(UnavailableError, match="not there"):
        sweep_round(vault, wait=never)
    (tmp_path / "elsewhere").rename(tmp_path / "blobs")
    clock.advance(600)
    assert sweep(vault, clock) == 1
    assert history(vault, item) == []


@pytest.mark.db
def test_sweep_that_is_stopped_goes_on_where_it_was_in_another_process(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(
        tmp_path, clock=clock, max_packed_bytes=0, fixity={"items_per_round": 2, "bytes_per_s": 1 << 20}
    )
    found = [deposit(vault, b"%d" % n).item_id for n in range(6)]
    assert sweep_round(vault, wait=never) == 2
    clock.advance(5)
    assert sweep_round(vault, wait=lambda _s: True) == 0  # killed midway: this round counts for nothing
    vault = reopened(vault)
    clock.advance(5)
    assert sweep_round(vault, wait=never) == 0  # its turn isn't over: another worker may be at it
    clock.advance(200)
    assert sweep(vault, clock) == 4
    with vault.database.read() as session:
        assert set(rows.checks_of(session, found)) == set(found)


def test_worker_whose_turn_is_over_records_nothing(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=0, fixity={"items_per_round": 1})
    items = [deposit(vault, b"%d" % n).item_id for n in range(2)]
    overtaken: list[bool] = []

    def slow(_seconds: float) -> bool:
        if not overtaken:
            overtaken.append(True)
            clock.advance(1000)  # its turn ends, and another takes the same content
            assert sweep_round(vault, wait=never) == 1
        return False

    sweep_round(vault, wait=slow)
    with vault.database.read() as session:
        state = rows.fixity_state(session)
        assert set(rows.checks_of(session, items)) == {items[0]}
    assert state.sweep is not None
    assert state.sweep.items == 1


def test_sweep_keeps_to_its_pace_and_to_the_bytes_of_a_round(tmp_path: Path) -> None:
    clock = SetClock()
    rate = 1 << 20
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=0, fixity={"bytes_per_s": rate})
    for n in range(4):
        deposit(vault, bytes([n]) * (6 << 20))
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return False

    assert sweep_round(vault, wait=wait) == 1  # 6 MiB of at most 10
    assert sum(waited) == pytest.approx(6.0)
    assert sweep_round(vault, wait=wait) == 0  # not before a second has passed
    clock.advance(1)
    assert sweep_round(vault, wait=wait) == 1


@pytest.mark.db
def test_whoever_asks_gets_an_event_and_a_sweep_can_be_asked_for(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    items = [deposit(vault, b"%d" % n).item_id for n in range(3)]
    sweep(vault, clock)
    assert check(vault, items[1]).state == "sound"
    assert [event.type for event in history(vault, items[1])] == ["FIXITY_CHECKED"]
    ask_for_sweep(vault)
    assert sweep(vault, clock) == 3
    assert [len(history(vault, one)) for one in items] == [0, 1, 0]


def test_sound_content_is_an_event_once_a_year(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    item = deposit(vault, b"x").item_id
    for _ in range(27):
        next_month(vault, clock)
        sweep(vault, clock, rounds=3)
    assert [event.type for event in history(vault, item)] == ["FIXITY_CHECKED"] * 2


def test_failures_slow_the_sweep_down(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=0)
    for n in range(30):
        vault.blobs.path_of(deposit(vault, b"%d" % n).item_id).unlink()
    deposit(vault, b"y")
    sweep_round(vault, wait=never)
    with vault.database.read() as session:
        state = rows.fixity_state(session)
    assert state.sweep is not None
    assert state.failures == 30
    assert (state.sweep.free_at - clock.now).total_seconds() == 30
    assert len(incidents(vault)) == 1


def test_incident_begins_when_the_first_of_them_was_last_whole(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, max_packed_bytes=0)
    old = deposit(vault, b"old").item_id
    received = clock.now
    clock.advance(1000)
    new = deposit(vault, b"new").item_id
    for item in (new, old):
        spoil(vault, item)
        check(vault, item)
    [incident] = incidents(vault)
    assert incident.began_at == received  # widened: what failed later was whole at last long before


def test_vault_that_is_read_only_sweeps_nothing(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    item = deposit(vault, b"x").item_id
    vault.gate.shut("behind")
    with pytest.raises(ReadOnly):
        sweep_round(vault, wait=never)
    assert history(vault, item) == []


def failing_disk(monkeypatch: pytest.MonkeyPatch, number: int, times: int = 10**6) -> list[int]:
    """Let the next reads of segments fail as a bad sector does; returns how many are left."""
    left, real = [times], segments.read_segment

    def read(file: BinaryIO, crc32: int, place: str) -> tuple[bytes, int]:
        if left[0] > 0:
            left[0] -= 1
            raise OSError(number, "as told")
        return real(file, crc32, place)

    monkeypatch.setattr(blobs, "read_segment", read)
    return left
