"""Resumable uploads: killed at every write of their last step, restored from a backup, ended by the keeper."""

import hashlib
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.names import encode_id
from evidence_vault.core.receipt import parse_receipt
from evidence_vault.errors import CredentialEnded, Gone, IntegrityError
from evidence_vault.pipeline.intake.deposit import find_deposited
from evidence_vault.pipeline.intake.deposited import Deposited
from evidence_vault.pipeline.intake.receiving import Receiving
from evidence_vault.pipeline.intake.uploads import (
    create_upload,
    deposited_by,
    find_upload,
    finish_upload,
    terminate_upload,
)
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.operation.recover import plan_recovery, recover
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.partial import PartialFile, PartialStore
from evidence_vault.store.queries import items, uploads
from evidence_vault.workers.keeping import keep_uploads
from evidence_vault.workers.runner import advance_log
from tests.pipeline.test_crash_table import Row, die_at, every, points_of, rows_of
from tests.pipeline.vaults import OWNER, SetClock, look_everywhere, new_vault, reopened, take_backup

CONTENT = b"evidence" * 150_000
FIRST = 300_000

LAST_PIECE = """
write incoming/ITEM                         part  | part
write incoming/ITEM                         part  | part
flush incoming/ITEM                         part  | part
commit resumable_uploads                    part  | whole   the offset is counted
commit idempotency_keys                     whole | whole   the key is claimed; its lease ends
write incoming/ITEM                         whole | whole
flush incoming/ITEM                         whole | whole
flush blobs/ITEM.event                      whole | whole   the journal, before its content has its name
rename incoming/ITEM -> blobs/ITEM          whole | whole
flush blobs                                 whole | whole
flush incoming                              whole | whole
commit idempotency_keys                     whole | item    the commit that is the acknowledgement
commit resumable_uploads                    item  | item    noted on the upload, for who asks
"""


def begin(vault: Vault, content: bytes = CONTENT) -> str:
    """Begin an upload, with its first bytes."""
    wish = Wish(actor=OWNER, file_name="photo.png", declared_size=len(content))
    upload = create_upload(vault, wish, metadata_sent="").id
    assert send(vault, upload, content[:FIRST], 0) is None
    return upload


def send(vault: Vault, upload: str, piece: bytes, offset: int) -> Deposited | None:
    row = find_upload(vault, upload, actor_id=OWNER.id)
    with Receiving(vault, row, offset=offset, checksum=None, token_sha256=None) as receiving:
        receiving.write(piece)
        if receiving.keep() < row.size:
            return None
        return finish_upload(vault, receiving.row, receiving.file, token_sha256=None)


def received(vault: Vault, upload: str) -> int:
    return find_upload(vault, upload, actor_id=OWNER.id).received


def item_count(vault: Vault) -> int:
    with vault.database.read() as session:
        return len(items.list_items(session, owner_id=OWNER.id, limit=9))


def left_of(vault: Vault, upload: str) -> str:
    if item_count(vault):
        return "item"
    return "whole" if received(vault, upload) == len(CONTENT) else "part"


@every(LAST_PIECE)
def test_upload_killed_at_any_write_of_its_last_piece(tmp_path: Path, row: Row, persisted: bool) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    upload = begin(vault)
    said = die_at(tmp_path, row, persisted, lambda: send(vault, upload, CONTENT[FIRST:], FIRST))
    again = reopened(vault)
    assert check_start(again).problems == ()
    clock.advance(31)  # the dead request's key is free again
    if left_of(again, upload) == "whole":
        keep_uploads(again)  # nobody asks: the keeper finishes it
        assert item_count(again) == 1
    assert said == "part" or item_count(again) == 1
    offset = received(again, upload)
    if offset < len(CONTENT):
        send(again, upload, CONTENT[offset:], offset)
    asked = find_upload(again, upload, actor_id=OWNER.id)
    first, second = (deposited_by(again, asked, token_sha256=None) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.receipt == second.receipt
    assert item_count(again) == 1
    assert again.blobs.digest(first.item_id).sha256 == hashlib.sha256(CONTENT).digest()
    assert list((tmp_path / "incoming").iterdir()) == []
    advance_log(again)
    assert fsck(again).leaves == 3


def test_upload_table_has_every_write(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    upload = begin(vault)
    points = points_of(tmp_path, lambda: send(vault, upload, CONTENT[FIRST:], FIRST))
    assert points == [row.point for row in rows_of(LAST_PIECE)]


@pytest.mark.db
def test_upload_older_than_its_file_is_not_touched_and_found_again_by_recover(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    upload = begin(vault)
    restore = take_backup(vault)
    vault = reopened(vault)
    done = send(vault, upload, CONTENT[FIRST:], FIRST)
    assert done is not None
    restore()
    restored = reopened(vault)
    assert received(restored, upload) == FIRST
    with pytest.raises(IntegrityError, match="recover"):
        send(restored, upload, b"other bytes", FIRST)
    clock.advance(73 * 3600)
    with pytest.raises(IntegrityError, match="recover"):
        keep_uploads(restored)
    assert b"".join(restored.blobs.chunks(done.item_id)) == CONTENT

    recover(restored, plan_recovery(restored))
    restored = reopened(restored)
    keep_uploads(restored)
    found = find_upload(restored, upload, actor_id=OWNER.id)
    assert found.state == "DONE"
    asked = deposited_by(restored, found, token_sha256=None)
    assert asked is not None
    assert asked.receipt == done.receipt
    clock.advance(73 * 3600)
    keep_uploads(restored)
    assert b"".join(restored.blobs.chunks(done.item_id)) == CONTENT


@pytest.mark.db
def test_upload_whose_file_is_lost_ends_with_its_time_and_no_other_waits(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    lost, forgotten = begin(vault), begin(vault)
    (tmp_path / "incoming" / lost).unlink()  # as after a restore: swept since the backup
    with pytest.raises(IntegrityError):
        send(vault, lost, CONTENT[FIRST:], FIRST)
    clock.advance(73 * 3600)
    keep_uploads(vault)
    for upload in (lost, forgotten):
        with pytest.raises(Gone):
            find_upload(vault, upload, actor_id=OWNER.id)
    assert list((tmp_path / "incoming").iterdir()) == []


@pytest.mark.db
@pytest.mark.parametrize("is_whole", [True, False])
def test_upload_ended_by_its_owner_while_the_keeper_looks_is_no_fault_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_whole: bool
) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    upload = begin(vault)
    row = find_upload(vault, upload, actor_id=OWNER.id)
    if is_whole:
        with Receiving(vault, row, offset=FIRST, checksum=None, token_sha256=None) as receiving:
            receiving.write(CONTENT[FIRST:])
            receiving.keep()
    else:
        clock.advance(73 * 3600)
    lock, ends = PartialStore.lock, [upload]

    def end_first(self: PartialStore, upload_id: str, item_id: str) -> PartialFile:
        if ends:
            ends.pop()
            terminate_upload(vault, row if not is_whole else find_upload(vault, upload, actor_id=OWNER.id))
        return lock(self, upload_id, item_id)

    monkeypatch.setattr(PartialStore, "lock", end_first)
    keep_uploads(vault)  # an IntegrityError from here would make the vault read-only
    with pytest.raises(Gone):
        find_upload(vault, upload, actor_id=OWNER.id)


@pytest.mark.db
def test_upload_that_is_damaged_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    damaged, forgotten = begin(vault), begin(vault)
    lock = PartialStore.lock

    def refuse(self: PartialStore, upload_id: str, item_id: str) -> PartialFile:
        if upload_id == damaged:
            raise IntegrityError(upload_id, "its file", "damage")
        return lock(self, upload_id, item_id)

    monkeypatch.setattr(PartialStore, "lock", refuse)
    clock.advance(73 * 3600)
    with pytest.raises(IntegrityError, match=damaged):
        keep_uploads(vault)
    assert [path.name for path in (tmp_path / "incoming").iterdir()] == [damaged]
    with pytest.raises(Gone):
        find_upload(vault, forgotten, actor_id=OWNER.id)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyError("sha256")], ids=["disk", "row"])
def test_upload_that_fails_in_a_way_nobody_foresaw_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Two that are whole, one whose time is over, two that nobody knows; one of each two fails."""
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    over, bad, good = begin(vault), begin(vault), begin(vault)
    for upload in (bad, good):
        row = find_upload(vault, upload, actor_id=OWNER.id)
        with Receiving(vault, row, offset=FIRST, checksum=None, token_sha256=None) as receiving:
            receiving.write(CONTENT[FIRST:])
            receiving.keep()
    unknown = [encode_id("up", bytes([number]) * 16) for number in (1, 2)]
    for name in unknown:
        (tmp_path / "incoming" / name).write_bytes(b"")
        os.utime(tmp_path / "incoming" / name, (0, 0))
    lock, remove = PartialStore.lock, PartialStore.remove

    def refuse(self: PartialStore, upload_id: str, item_id: str) -> PartialFile:
        if upload_id == bad:
            raise error
        return lock(self, upload_id, item_id)

    def keep_one(self: PartialStore, upload_id: str) -> None:
        if upload_id == unknown[0]:
            raise error
        remove(self, upload_id)

    clock.advance(73 * 3600)
    with monkeypatch.context() as patched:
        patched.setattr(PartialStore, "lock", refuse)
        patched.setattr(PartialStore, "remove", keep_one)
        with pytest.raises(type(error)) as caught:
            keep_uploads(vault)
    assert f"of the upload {bad}" in caught.value.__notes__
    assert item_count(vault) == 1
    assert {path.name for path in (tmp_path / "incoming").iterdir()} == {bad, unknown[0]}
    with pytest.raises(Gone):
        find_upload(vault, over, actor_id=OWNER.id)
    keep_uploads(vault)
    assert (item_count(vault), list((tmp_path / "incoming").iterdir())) == (2, [])


@pytest.mark.db
def test_upload_in_pieces_with_extra_digests_has_them_all(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, extra_digests=["sha512", "sha3-256", "sm3"])
    upload = begin(vault)
    done = send(vault, upload, CONTENT[FIRST:], FIRST)
    assert done is not None
    digests = parse_receipt(done.receipt).event.fields["digests"]
    assert isinstance(digests, dict)
    assert digests == {
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "sha512": hashlib.sha512(CONTENT).hexdigest(),
        "sha3-256": hashlib.sha3_256(CONTENT).hexdigest(),
        "sm3": hashlib.new("sm3", CONTENT).hexdigest(),
    }
    assert vault.clock() - parse_receipt(done.receipt).event.at < timedelta(seconds=1)


def journal_of(home: Path) -> Path:
    (found,) = (home / "blobs").rglob("*.event")
    return found


def whole_in_backup(home: Path, clock: SetClock) -> tuple[Vault, str, Deposited]:
    """A database from between the last byte and the commit of an upload that was acknowledged since."""
    vault = new_vault(home, clock=clock)
    upload = begin(vault)
    row = find_upload(vault, upload, actor_id=OWNER.id)
    with Receiving(vault, row, offset=FIRST, checksum=None, token_sha256=None) as receiving:
        receiving.write(CONTENT[FIRST:])
        assert receiving.keep() == row.size
    restore = take_backup(vault)
    vault = reopened(vault)
    keep_uploads(vault)
    done = deposited_by(vault, find_upload(vault, upload, actor_id=OWNER.id), token_sha256=None)
    assert done is not None
    clock.advance(5)
    restore()
    restored = reopened(vault)
    assert (
        check_start(restored).problems == ()
    )  # nothing of it was published: nobody can see that it is missing
    assert item_count(restored) == 0
    return restored, upload, done


@pytest.mark.db
@pytest.mark.parametrize("who", ["keeper", "owner"])
def test_upload_finished_again_after_a_restore_keeps_the_receipt_that_was_told(
    tmp_path: Path, who: str
) -> None:
    restored, upload, told = whole_in_backup(tmp_path, SetClock())
    journal = journal_of(tmp_path).read_bytes()
    if who == "keeper":
        keep_uploads(restored)
    done = deposited_by(restored, find_upload(restored, upload, actor_id=OWNER.id), token_sha256=None)
    assert done is not None
    assert (done.receipt, done.item_id) == (told.receipt, told.item_id)
    assert journal_of(tmp_path).read_bytes() == journal
    advance_log(restored)
    assert fsck(restored).leaves == 3
    assert b"".join(restored.blobs.chunks(done.item_id)) == CONTENT


@pytest.mark.db
@pytest.mark.parametrize("end", ["revoked, then expired", "terminated"])
def test_upload_ended_after_a_restore_deletes_nothing_that_may_be_an_item(tmp_path: Path, end: str) -> None:
    clock = SetClock()
    restored, upload, told = whole_in_backup(tmp_path, clock)
    row = find_upload(restored, upload, actor_id=OWNER.id)
    if end == "terminated":
        terminate_upload(restored, row)
    else:
        with pytest.raises(CredentialEnded):
            deposited_by(restored, row, token_sha256=bytes(32))
        clock.advance(73 * 3600)
        with restored.database.write() as session:
            uploads.get_upload(session, upload).token_sha256 = bytes(32)  # type: ignore[union-attr]
        keep_uploads(restored)
        with pytest.raises(Gone):
            find_upload(restored, upload, actor_id=OWNER.id)
    assert journal_of(tmp_path).with_suffix("").is_file()
    assert look_everywhere(restored, now=restored.clock().replace(year=2099)) == [told.item_id]
    recover(restored, plan_recovery(restored))
    assert b"".join(restored.blobs.chunks(told.item_id)) == CONTENT
    asked = find_deposited(restored, told.item_id)
    assert asked is not None
    assert asked.receipt == told.receipt


@pytest.mark.parametrize("torn", [b"", b'{"crc32":1', bytes(4096)], ids=["empty", "cut off", "zeros"])
def test_journal_that_a_power_cut_tore_is_set_aside_and_the_upload_finished(
    tmp_path: Path, torn: bytes
) -> None:
    restored, upload, told = whole_in_backup(tmp_path, SetClock())
    journal_of(tmp_path).write_bytes(torn)
    keep_uploads(restored)
    done = deposited_by(restored, find_upload(restored, upload, actor_id=OWNER.id), token_sha256=None)
    assert done is not None
    assert done.receipt != told.receipt
    (aside,) = (tmp_path / "quarantine").iterdir()
    assert aside.read_bytes() == torn
    assert plan_recovery(restored).unlogged == ()


def test_journal_of_another_key_or_content_stops_the_upload(tmp_path: Path) -> None:
    restored, upload, _ = whole_in_backup(tmp_path, SetClock())
    path = journal_of(tmp_path)
    row = find_upload(restored, upload, actor_id=OWNER.id)
    document = json.loads(path.read_bytes())
    receipt = json.loads(document["receipt"])
    forged = {**receipt, "note": receipt["note"].replace("log-by 2026", "log-by 2027")}
    for changed in (
        {**document, "crc32": document["crc32"] ^ 1},
        {**document, "receipt": encode_canonical(forged).decode()},
    ):
        raw = encode_canonical(changed)
        path.write_bytes(raw)
        with pytest.raises(IntegrityError):
            deposited_by(restored, row, token_sha256=None)
        assert path.read_bytes() == raw
        assert item_count(restored) == 0


def test_journal_is_never_written_over(tmp_path: Path) -> None:
    restored, upload, _ = whole_in_backup(tmp_path, SetClock())
    row = find_upload(restored, upload, actor_id=OWNER.id)
    before = journal_of(tmp_path).read_bytes()
    with restored.partial.lock(upload, row.item_id) as file:
        with pytest.raises(IntegrityError, match="its own journal"):
            file.place(b"{}")
        file.withdraw()
        file.remove()
    assert journal_of(tmp_path).read_bytes() == before
    assert journal_of(tmp_path).with_suffix("").is_file()
