"""Bytes that no row knows: found a little at a time, set aside or reported, and never deleted."""

import os
import secrets
import time
from pathlib import Path

import pytest

from evidence_vault.core.names import encode_id
from evidence_vault.pipeline.intake.orphans import OrphanWalk
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.operation.recover import plan_recovery, recover
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.blobs import PARTS, BlobStore
from evidence_vault.workers.keeping import keep_uploads
from evidence_vault.workers.runner import advance_log
from tests.pipeline.intake.test_uploads import CONTENT, FIRST, begin, item_count, send
from tests.pipeline.vaults import (
    SetClock,
    deposit,
    deposit_small,
    new_vault,
    noted,
    reopened,
    take_backup,
)

pytestmark = pytest.mark.db


def later(vault: Vault) -> Vault:
    """A clock of today, two hours on: the times of files are the machine's."""
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(time.time() + 7200 - vault.clock().timestamp())
    return vault


def rounds(vault: Vault) -> list[str]:
    """An hour of the keeper's rounds."""
    walk = OrphanWalk(vault)
    return [one for _ in range(PARTS) for one in walk.step()]


def put_orphan(home: Path) -> str:
    item_id = encode_id("it", secrets.token_bytes(16))
    (home / "blobs" / item_id[3:5] / item_id).write_bytes(b"content without a row")
    return item_id


def test_walk_finds_each_orphan_within_an_hour_and_tells_it_once(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, clock=SetClock())
    kept = deposit(vault, b"acknowledged " * 10_000)
    found = {put_orphan(tmp_path) for _ in range(20)}
    assert rounds(vault) == []  # too young: somebody may be committing them
    assert set(rounds(later(vault))) == found == set(noted(vault, "ORPHANED"))
    assert {path.name for path in (tmp_path / "quarantine").iterdir()} == found
    assert rounds(vault) == []
    assert b"".join(vault.blobs.chunks(kept.item_id)) == b"acknowledged " * 10_000


def test_walk_reads_a_part_a_round_and_lists_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = later(new_vault(tmp_path, clock=SetClock()))
    listed: list[str] = []
    real = os.scandir

    def scandir(path: str | Path) -> object:
        listed.append(str(Path(path).relative_to(tmp_path)))
        return real(path)

    walk = OrphanWalk(vault)
    with monkeypatch.context() as seen:
        seen.setattr(os, "scandir", scandir)
        walk.step()
        assert len([one for one in listed if one.startswith("blobs/")]) == 1
        for _ in range(PARTS - 1):
            walk.step()
    parts = [one for one in listed if one.startswith("blobs/")]
    assert len(set(parts)) == len(parts) == PARTS


def test_records_of_a_pack_without_a_row_are_told_and_stay_for_recover(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, clock=SetClock())
    before = deposit_small(vault, b"before")
    advance_log(vault)
    restore = take_backup(vault)
    vault = reopened(vault)
    lost = deposit_small(vault, b"after the backup")
    restore()
    vault = later(reopened(vault))
    packs = {path: path.read_bytes() for path in (tmp_path / "packs").iterdir()}
    assert rounds(vault) == [lost.item_id] == noted(vault, "ORPHANED")
    assert rounds(reopened(vault)) == []  # it is written down
    assert {path: path.read_bytes() for path in (tmp_path / "packs").iterdir()} == packs

    recover(vault, plan_recovery(vault))
    assert b"".join(vault.blobs.chunks(lost.item_id)) == b"after the backup"
    assert b"".join(vault.blobs.chunks(before.item_id)) == b"before"
    assert rounds(vault) == []
    advance_log(vault)
    fsck(vault)


def test_pack_is_read_again_only_if_something_was_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = new_vault(tmp_path, clock=SetClock())
    deposit_small(vault, b"one")
    walk, read = OrphanWalk(later(vault)), list[str]()
    real = BlobStore.packed_ids

    def packed_ids(self: BlobStore, pack: str) -> set[str]:
        read.append(pack)
        return real(self, pack)

    monkeypatch.setattr(BlobStore, "packed_ids", packed_ids)
    for _ in range(3):
        assert walk.step() == []
    assert len(read) == 1
    deposit_small(vault, b"two")
    for _ in range(3):
        assert walk.step() == []
    assert len(read) == 2


def test_pack_that_cannot_be_read_is_told_and_keeps_nobody_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vault = new_vault(tmp_path, clock=SetClock())
    deposit_small(vault, b"one")
    [bad] = (tmp_path / "packs").iterdir()
    sound = bad.read_bytes()
    bad.write_bytes(b"x" + sound[1:])
    restore = take_backup(vault)
    vault = reopened(vault)  # a process of its own begins a pack of its own
    lost = deposit_small(vault, b"two")
    restore()
    vault = later(reopened(vault))

    walk = OrphanWalk(vault)
    with caplog.at_level("CRITICAL"):
        assert [one for _ in range(3) for one in walk.step()] == [lost.item_id]
    assert not vault.gate.reasons
    assert list(vault.damage) == [bad.stem]
    assert f"packs/{bad.name}: expected a pack header" in str(vault.damage[bad.stem])
    assert [record.getMessage() for record in caplog.records] == ["a pack can't be read"]
    deposit_small(vault, b"three")

    bad.write_bytes(sound)
    for _ in range(PARTS + 3):
        walk.step()
    assert vault.damage == {}


def test_damage_that_the_notes_have_no_room_for_is_looked_at_again(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, clock=SetClock())
    deposit_small(vault, b"one")
    [bad] = (tmp_path / "packs").iterdir()
    sound = bad.read_bytes()
    bad.write_bytes(b"x" + sound[1:])
    full = {f"{number:032x}": "x" * 1000 for number in range(100)}
    vault = later(reopened(vault))
    vault.damage.update(full)
    walk = OrphanWalk(vault)
    walk.step()
    assert bad.stem not in vault.damage

    vault.damage.clear()
    for _ in range(PARTS + 3):
        walk.step()
    assert list(vault.damage) == [bad.stem]


def test_pack_that_the_disk_refuses_is_told_like_one_that_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = new_vault(tmp_path, clock=SetClock())
    deposit_small(vault, b"one")
    walk = OrphanWalk(later(vault))

    def refused(*_: object) -> set[str]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(BlobStore, "packed_ids", refused)
    assert walk.step() == []
    assert "Input/output error" in str(next(iter(vault.damage.values())))


def test_walk_leaves_an_open_uploads_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = new_vault(tmp_path, clock=SetClock())
    upload = begin(vault)
    with monkeypatch.context() as patched:
        patched.setattr("evidence_vault.pipeline.intake.deposit.enqueue", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):  # killed after its file got its last name
            send(vault, upload, CONTENT[FIRST:], FIRST)
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(31)
    [content] = [path for path in (tmp_path / "blobs").rglob("it_*") if not path.suffix]
    os.utime(content, (0, 0))
    os.utime(content.with_name(content.name + ".event"), (0, 0))
    assert rounds(vault) == []
    keep_uploads(vault)
    assert item_count(vault) == 1
    assert rounds(vault) == []
