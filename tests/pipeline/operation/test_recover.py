"""Yesterday's database: an outage that says why, no fork, nothing deleted; and the way back, by recover."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchors.base import TreeHead
from evidence_vault.cli.main import main
from evidence_vault.core.events import Subject
from evidence_vault.core.merkle import prove_consistency, verify_consistency
from evidence_vault.core.notes import cosign, parse_note
from evidence_vault.core.tiles import TileNodeReader
from evidence_vault.errors import IntegrityError, ReadOnly
from evidence_vault.pipeline.log.publish import published_head
from evidence_vault.pipeline.operation.adopt import adopt, plan_adoption
from evidence_vault.pipeline.operation.recover import plan_recovery, recover
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events, items, jobs, log
from evidence_vault.workers.runner import timestamp_work
from tests.pipeline.running import run_once
from tests.pipeline.vaults import (
    SetClock,
    deposit,
    deposit_small,
    look_everywhere,
    new_vault,
    noted,
    reopened,
    take_backup,
)

pytestmark = pytest.mark.db


def advance(vault: Vault, rounds: int = 1) -> None:
    clock = vault.clock
    assert isinstance(clock, SetClock)
    for _ in range(rounds):
        clock.advance(600)
        run_once(vault, timestamp_work(vault))


def files_of(vault: Vault) -> dict[str, bytes]:
    home = vault.settings.home
    return {
        str(path.relative_to(home)): path.read_bytes()
        for folder in ("blobs", "packs", "quarantine", "events", "public")
        for path in (home / folder).rglob("*")
        if path.is_file()
    }


class Restored:
    """A vault whose database is yesterday's: some deposits before the backup, some after, published and not."""

    def __init__(self, home: Path) -> None:
        vault = new_vault(home)
        self.before = [deposit(vault, b"before", idempotency_key="b")]
        advance(vault)
        restore = take_backup(vault)
        vault = reopened(vault)
        self.published = [deposit(vault, f"published {n}".encode(), file_name=f"证据 {n}") for n in range(3)]
        advance(vault, 2)
        self.head = published_head(vault)
        self.waiting = [deposit(vault, b"not yet published", note="a note")]
        restore()
        self.vault = reopened(vault)
        self.files = files_of(self.vault)


@pytest.fixture
def restored(tmp_path: Path) -> Restored:
    return Restored(tmp_path)


def test_restored_database_is_an_outage_that_says_why_and_changes_no_file(restored: Restored) -> None:
    vault = restored.vault
    check = check_start(vault)
    assert len(check.problems) == 2
    assert all("restored from an older backup" in problem for problem in check.problems)
    assert "recover" in check.problems[0]
    with pytest.raises(ReadOnly, match="older backup"):
        deposit(vault, b"more")
    with pytest.raises(ReadOnly):
        advance(vault)
    assert look_everywhere(vault, now=vault.clock().replace(year=2099)) == []
    assert files_of(vault) == restored.files
    assert b"".join(vault.blobs.chunks(restored.before[0].item_id)) == b"before"


def test_recover_honours_every_receipt_and_the_log_goes_on_append_only(restored: Restored) -> None:
    vault = restored.vault
    plan = plan_recovery(vault)
    assert (plan.lost, plan.target) == ((), restored.head)
    assert len(plan.unlogged) == 1
    assert files_of(vault) == restored.files
    done = recover(vault, plan)
    assert (done.deposits, done.replayed, done.damaged) == (3, 1, ())
    vault = reopened(vault)
    assert check_start(vault).problems == ()
    assert not plan_recovery(vault).is_needed
    later = deposit(vault, b"later")
    advance(vault, 2)
    newer = published_head(vault)
    assert newer.size > restored.head.size
    read = TileNodeReader(vault.public.read_tile, newer.size)
    proof = prove_consistency(restored.head.size, newer.size, read)
    verify_consistency(older=restored.head, newer=newer, proof=proof)
    with vault.database.read() as session:
        for one in [*restored.before, *restored.published, *restored.waiting, later]:
            item = items.get_item(session, one.item_id)
            assert item is not None
            assert item.receipt == one.receipt
            progress = items.item_progress(session, item)
            assert (progress.state, progress.tokens) == ("logged", ("tsa",))
            assert vault.blobs.digest(item.id).sha256 == one.sha256
    line = json.loads((vault.settings.home / "audit.log").read_text().splitlines()[-1])
    assert (line["did"], line["to"]) == ("recover", restored.head.size)


def test_recover_brings_back_tokens_names_and_the_ends_of_jobs(restored: Restored) -> None:
    vault = restored.vault
    recover(vault, plan_recovery(vault))
    with vault.database.read() as session:
        for number, one in enumerate(restored.published):
            subject = Subject(kind="item", id=one.item_id)
            first, token = events.events_of(session, subject)
            [(_, disclosed)] = events.disclosures_of(session, [first.id]).items()
            assert list(disclosed) == ["file_name"], number
            assert events.proof_parts_of(session, token.id)["response.tsr"] == b"r" + one.sha256
            assert [job.state for job in jobs.jobs_of(session, subject)] == ["DONE"]
        assert log.newest_signed(session) == restored.head.size


def test_recover_that_dies_midway_stays_read_only_and_goes_on(
    restored: Restored, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = restored.vault

    class Killed(BaseException):
        pass

    real = log.insert_leaves
    calls = []

    def crash(*args: object, **kwargs: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        real(*args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(log, "insert_leaves", crash)
        with pytest.raises(Killed):
            recover(vault, plan_recovery(vault))
    vault = reopened(vault)
    assert check_start(vault).problems
    recover(vault, plan_recovery(vault))
    vault = reopened(vault)
    assert check_start(vault).problems == ()
    advance(vault)


@pytest.mark.parametrize("gone", ["events", "blobs"])
def test_recover_with_a_lost_event_changes_nothing_and_names_it(restored: Restored, gone: str) -> None:
    vault = restored.vault
    home = vault.settings.home
    if gone == "events":
        shutil.rmtree(home / "events")
    else:
        for path in (*(home / "blobs").rglob("it_*"), *(home / "packs").glob("*")):
            path.unlink()
    plan = plan_recovery(vault)
    assert plan.lost
    with pytest.raises(IntegrityError, match="in a journal"):
        recover(vault, plan)
    assert check_start(vault).problems
    with vault.database.read() as session:
        assert log.current_tree_head(session) == plan.head


def test_recover_refuses_a_database_that_went_on_by_itself(restored: Restored) -> None:
    vault = restored.vault
    guard = vault.settings.home / "keys" / "log.guard"
    kept = guard.read_bytes()
    public = vault.settings.home / "public"
    public.rename(public.with_name("kept"))
    guard.unlink()
    vault = reopened(vault)
    adopt(vault, plan_adoption(vault))  # an operator who was wrong
    fork = deposit(vault, b"a second history")
    advance(vault)
    shutil.rmtree(public)
    public.with_name("kept").rename(public)
    guard.write_bytes(kept)
    vault = reopened(vault)
    assert check_start(vault).problems
    assert b"".join(vault.blobs.chunks(fork.item_id)) == b"a second history"
    with pytest.raises(IntegrityError, match="another history"):
        recover(vault, plan_recovery(vault))


def test_recover_takes_deposits_from_quarantine(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    advance(vault)
    restore = take_backup(vault)
    vault = reopened(vault)
    kept = deposit(vault, b"acknowledged " * 100_000)
    restore()
    vault = reopened(vault)
    assert check_start(vault).problems == ()  # nothing of it was published: nobody can see that it is missing
    assert look_everywhere(vault, now=vault.clock().replace(year=2099)) == [kept.item_id]
    plan = plan_recovery(vault)
    assert [one.is_aside for one in plan.unlogged] == [True]
    recover(vault, plan)
    with vault.database.read() as session:
        item = items.get_item(session, kept.item_id)
        assert item is not None
        assert item.receipt == kept.receipt
    assert noted(vault, "RECOVERED") == [kept.item_id]
    assert vault.blobs.digest(kept.item_id).sha256 == kept.sha256


def test_recover_makes_no_item_of_a_journal_that_our_key_did_not_sign(restored: Restored) -> None:
    vault = restored.vault
    # One that no leaf holds: of the others the log itself says that they are true.
    (one,) = (vault.settings.home / "blobs").rglob(f"{restored.waiting[0].item_id}.event")
    text = one.read_bytes()
    at = text.index(b"log-by 20") + 7
    one.write_bytes(text[:at] + b"2099" + text[at + 4 :])
    plan = plan_recovery(vault)
    assert len(plan.deposits.refused) == 1


def test_recover_says_which_content_is_missing_or_changed(restored: Restored) -> None:
    vault = restored.vault
    home = vault.settings.home
    victim = home / "blobs" / restored.waiting[0].item_id[3:5] / restored.waiting[0].item_id
    victim.unlink()
    done = recover(vault, plan_recovery(vault))
    assert len(done.damaged) == 1
    assert restored.waiting[0].item_id in done.damaged[0]


def test_recover_of_a_whole_vault_has_nothing_to_do(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    deposit(vault, b"x")
    advance(vault)
    plan = plan_recovery(vault)
    assert not plan.is_needed


# --- the start check, one source at a time ---------------------------------------------------------------------


def only_checkpoint(vault: Vault, old_guard: bytes) -> None:
    (vault.settings.home / "keys" / "log.guard").write_bytes(old_guard)
    shutil.rmtree(vault.settings.home / "public" / "checkpoints")


def only_guard(vault: Vault, old_guard: bytes) -> None:
    del old_guard
    shutil.rmtree(vault.settings.home / "public")


def only_cosigned_note(vault: Vault, old_guard: bytes) -> None:
    (vault.settings.home / "keys" / "log.guard").write_bytes(old_guard)
    (vault.settings.home / "public" / "checkpoint").unlink()


@pytest.mark.parametrize(
    ("leave", "named"),
    [
        (only_checkpoint, "the published checkpoint has"),
        (only_guard, "the signer's guard has"),
        (only_cosigned_note, "a note that 1 others have cosigned has"),
    ],
)
def test_start_with_an_older_database_is_read_only_by_each_witness_alone(
    tmp_path: Path, leave: Callable[[Vault, bytes], None], named: str
) -> None:
    vault = new_vault(tmp_path)
    deposit(vault, b"before")
    advance(vault)
    old_guard = (tmp_path / "keys" / "log.guard").read_bytes()
    restore = take_backup(vault)
    vault = reopened(vault)
    deposit(vault, b"after")
    advance(vault)
    _cosign(vault)
    restore()
    leave(vault, old_guard)
    vault = reopened(vault)
    problems = check_start(vault).problems
    assert any(named in problem and "older backup" in problem for problem in problems), problems
    with pytest.raises(ReadOnly):
        deposit(vault, b"more")


def _cosign(vault: Vault) -> None:
    size = published_head(vault).size
    note, _ = vault.public.note(size)
    key = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
    line = cosign(parse_note(note).text, name="witness.example/w", private_key=key, timestamp=1)
    vault.public.write_cosignatures(size, [line])


@pytest.mark.parametrize("how", ["old", "missing", "damaged"])
def test_adopt_rebuilds_a_guard_from_the_largest_head_that_was_shown(tmp_path: Path, how: str) -> None:
    vault = new_vault(tmp_path)
    guard = tmp_path / "keys" / "log.guard"
    advance(vault)
    old = guard.read_bytes()
    deposit(vault, b"x")
    advance(vault)
    right = guard.read_bytes()
    match how:
        case "old":
            guard.write_bytes(old)
        case "missing":
            guard.unlink()
        case _:
            guard.write_bytes(right[:-5])
    vault = reopened(vault)
    assert check_start(vault).problems
    with pytest.raises(ReadOnly):
        advance(vault)
    plan = plan_adoption(vault)
    assert plan.is_needed
    adopt(vault, plan)
    assert guard.read_bytes() == right
    line = json.loads((tmp_path / "audit.log").read_text())
    assert (line["did"], line["size"]) == ("log adopt", plan.head.size)
    vault = reopened(vault)
    assert check_start(vault).problems == ()
    assert not plan_adoption(vault).is_needed
    deposit(vault, b"y")
    advance(vault)


def test_adopt_refuses_a_database_that_is_behind_or_another(restored: Restored) -> None:
    vault = restored.vault
    guard = vault.settings.home / "keys" / "log.guard"
    kept = guard.read_bytes()
    with pytest.raises(IntegrityError, match="the published checkpoint"):
        plan_adoption(vault)
    assert guard.read_bytes() == kept
    shutil.rmtree(vault.settings.home / "public")
    vault = reopened(vault)
    with pytest.raises(IntegrityError, match="guard"):  # never lowered
        plan_adoption(vault)
    with pytest.raises(IntegrityError):
        vault.log_signer.adopt(TreeHead(size=1, root_hash=bytes(32)))
    assert guard.read_bytes() == kept


def test_recover_brings_small_deposits_back_from_their_packs_with_their_keys(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    advance(vault)
    restore = take_backup(vault)
    vault = reopened(vault)
    published = deposit_small(vault, b"published", idempotency_key="p")
    advance(vault, 2)
    waiting = deposit_small(vault, b"waiting", idempotency_key="w")
    restore()
    vault = reopened(vault)
    recover(vault, plan_recovery(vault))
    again = reopened(vault)
    for done, content, key in ((published, b"published", "p"), (waiting, b"waiting", "w")):
        assert b"".join(again.blobs.chunks(done.item_id)) == content
        repeated = deposit_small(again, content, idempotency_key=key)
        assert (repeated.item_id, repeated.receipt, repeated.replayed) == (done.item_id, done.receipt, True)


@pytest.mark.parametrize("is_published", [True, False], ids=["published", "waiting"])
def test_recover_past_a_damaged_pack_names_it_and_brings_back_all_else(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_published: bool,
) -> None:
    vault = new_vault(tmp_path)
    monkeypatch.setattr(
        "evidence_vault.cli.recover.offline_vault", lambda _home: nullcontext(reopened(vault))
    )
    advance(vault)
    restore = take_backup(vault)
    vault = reopened(vault)
    in_file = deposit(vault, b"in a file of its own")
    in_pack = deposit_small(vault, b"in a pack whose header rots")
    vault = reopened(vault)
    unread = deposit_small(vault, b"in a pack that rots whole")
    if is_published:
        advance(vault, 2)
    restore()
    packs = {path: path.read_bytes() for path in (tmp_path / "packs").glob("*.evp")}
    (rotten,) = [path for path, data in packs.items() if unread.item_id.encode() in data]
    (header,) = packs.keys() - {rotten}
    header.write_bytes(b"x" + packs[header][1:])
    rotten.write_bytes(bytes(len(packs[rotten])))
    assert main(["recover", "--home", str(tmp_path)]) == (3 if is_published else 70)
    said = capsys.readouterr().out
    for path in (rotten, header):
        assert f"CAN'T BE READ, and may hold deposits: pack {path.stem}" in said
    assert ("lost: leaf" in said) == is_published
    if is_published:  # a log with a leaf that nobody can explain doesn't go on; a better copy mends it
        rotten.write_bytes(packs[rotten])
        assert main(["recover", "--home", str(tmp_path)]) == 70
        said = capsys.readouterr().out
        assert (rotten.stem in said, header.stem in said) == (False, True)
    assert f"content missing or changed: {in_pack.item_id}" in said
    again = reopened(vault)
    with again.database.read() as session:
        assert items.get_item(session, in_pack.item_id) is not None
        assert (items.get_item(session, unread.item_id) is not None) == is_published
    assert b"".join(again.blobs.chunks(in_file.item_id)) == b"in a file of its own"
    header.write_bytes(packs[header])
    assert b"".join(again.blobs.chunks(in_pack.item_id)) == b"in a pack whose header rots"
