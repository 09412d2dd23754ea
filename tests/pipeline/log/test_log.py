"""Sequence and publish: one history, readable by anyone, and proofs ordered only where something happened."""

from pathlib import Path

import pytest

from anchors.base import TreeHead
from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.events import Subject, parse_leaf_entry
from evidence_vault.core.merkle import Frontier, leaf_hash, root_hash
from evidence_vault.core.notes import Verified
from evidence_vault.core.tiles import Tile, TileNodeReader, parse_entries
from evidence_vault.errors import EvidenceError, IntegrityError, ReadOnly
from evidence_vault.pipeline.log.publish import order_proofs, publish, published_head
from evidence_vault.pipeline.log.sequence import sequence
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.store.queries import checkpoint_jobs, events, log
from evidence_vault.workers.runner import advance_log, timestamp_work
from tests.pipeline.faults import dying_in
from tests.pipeline.running import run_once
from tests.pipeline.vaults import (
    FakeAuthority,
    SetClock,
    deposit,
    new_vault,
    published_sizes,
    reopened,
    settings_for,
    take_backup,
)

pytestmark = pytest.mark.db


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return new_vault(tmp_path)


def read_entries(vault: Vault, size: int) -> list[bytes]:
    full, width = divmod(size, 256)
    tiles = [Tile(level="entries", index=i) for i in range(full)]
    tiles += [Tile(level="entries", index=full, width=width)] if width else []
    return [entry for tile in tiles for entry in parse_entries(vault.public.read_tile(tile), tile=tile)]


def note_much(vault: Vault, count: int) -> None:
    """Append events to one subject, quickly."""
    with vault.database.write() as session:
        system = system_actor(session)
        for number in range(count):
            append_event(
                vault,
                session,
                Draft(
                    subject=Subject(kind="platform", id="platform"),
                    type="INCIDENT_NOTED",
                    actor=system,
                    fields={
                        "incident": f"i-{number}",
                        "kind": "outage",
                        "began_at": "2026-11-22T00:00:00.000Z",
                        "ended_at": None,
                        "summary": "",
                    },
                ),
            )


def test_sequence_gives_leaf_0_to_log_opened_and_rises_with_seq(vault: Vault) -> None:
    note_much(vault, 300)
    assert sequence(vault, max_leaves=100) == 100
    note_much(vault, 10)
    while sequence(vault, max_leaves=100):
        pass
    with vault.database.read() as session:
        entries = log.leaf_entries(session, start=0, end=10_000)
        for kind in ("log", "platform"):
            history = events.events_of(session, Subject(kind=kind, id=kind))
            indexes = log.leaf_indexes(session, [event.id for event in history])
            assert [indexes[event.id] for event in history] == sorted(indexes.values())
        head, count = log.current_tree_head(session), events.count_pending(session)
        first = events.find_event(session, parse_leaf_entry(entries[0])[0])
    assert first is not None
    assert first.type == "LOG_OPENED"
    assert (len(entries), count) == (312, 0)
    assert head == Frontier().extend([leaf_hash(entry) for entry in entries]).tree_head()


def test_publish_shows_tiles_entries_and_a_signed_checkpoint(vault: Vault) -> None:
    for size in (2, 3, 258, 700):
        note_much(vault, size - published_head(vault).size - (2 if size == 2 else 0) if size > 2 else 0)
        while sequence(vault):
            pass
        head = publish(vault)
        assert head is not None
        assert head.size == size
        note = vault.public.checkpoint()
        assert note is not None
        opened = open_checkpoint(note, origin="development/vault", trusted=[vault.log_signer.verifier_key])
        assert isinstance(opened.signed, Verified)
        assert opened.checkpoint.tree_head == head
        assert len(opened.note.signatures) == 1
        assert vault.public.note_path(size).read_bytes() == note
        entries = read_entries(vault, size)
        assert Frontier().extend([leaf_hash(e) for e in entries]).tree_head() == head
        assert root_hash(size, TileNodeReader(vault.public.read_tile, size)) == head.root_hash
        assert publish(vault) is None
    with vault.database.read() as session:
        assert published_sizes(session) == [2, 3, 258, 700]


def test_publish_refuses_tiles_that_do_not_hash_to_the_committed_root(vault: Vault) -> None:
    advance_log(vault)
    tile = vault.public.folder / Tile(level=0, index=0, width=2).path
    tile.write_bytes(bytes(64))
    deposit(vault)
    sequence(vault)
    with pytest.raises(IntegrityError, match="root of the tiles"):
        publish(vault)
    assert published_head(vault).size == 2
    assert vault.log_signer.guarded_head().size == 2


CRASH_POINTS = ["write_tile", "write_note", "write_checkpoint", "guard", "row", "mark"]


@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed-but-persisted"])
@pytest.mark.parametrize("point", CRASH_POINTS)
def test_publish_after_a_crash_at_any_write_goes_on_to_the_same_end(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, point: str, persisted: bool
) -> None:
    advance_log(vault)
    deposit(vault)
    sequence(vault)
    owner, name = {
        "write_tile": (type(vault.public), "write_tile"),
        "write_note": (type(vault.public), "write_note"),
        "write_checkpoint": (type(vault.public), "write_checkpoint"),
        "guard": (type(vault.log_signer), "_save"),
        "row": (log, "add_checkpoint"),
        "mark": (log, "mark_published"),
    }[point]
    with dying_in(monkeypatch, owner, name, persisted=persisted):
        publish(vault)
    again = reopened(vault)
    assert check_start(again).problems == ()
    publish(again)
    assert published_head(again).size == 3
    with again.database.read() as session:
        assert published_sizes(session) == [2, 3]
    assert check_start(again).problems == ()


def test_order_proofs_only_for_what_is_not_about_the_log_itself(tmp_path: Path) -> None:
    clock, tsa = SetClock(), FakeAuthority()
    vault = new_vault(tmp_path, clock=clock, submitters={"tsa": tsa})
    run_once(vault, timestamp_work(vault))
    assert len(tsa.asked) == 1  # for PLATFORM_STATED
    for _ in range(5):
        clock.advance(10)
        run_once(vault, timestamp_work(vault))
    assert len(tsa.asked) == 1
    size = published_head(vault).size
    deposit(vault)
    run_once(vault, timestamp_work(vault))
    clock.advance(10)
    run_once(vault, timestamp_work(vault))
    assert (
        len(tsa.asked) == 4
    )  # the item; the checkpoint over it; one over the item's token, after its interval
    final = published_head(vault)
    assert final.size > size
    clock.advance(10)
    run_once(vault, timestamp_work(vault))
    assert published_head(vault) == final


def test_order_proofs_keeps_to_the_interval(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock, token_interval_s=60)
    advance_log(vault)
    for seconds in (10, 10, 10):
        clock.advance(seconds)
        deposit(vault)
        advance_log(vault)
    with vault.database.read() as session:
        newest = checkpoint_jobs.newest_checkpoint_job(session, "timestamp")
        assert newest is not None
        assert newest.subject_id == "2"
    clock.advance(30)
    order_proofs(vault)
    with vault.database.read() as session:
        newest = checkpoint_jobs.newest_checkpoint_job(session, "timestamp")
        assert newest is not None
        assert newest.subject_id == "5"


def test_start_with_an_older_database_is_an_outage_and_no_fork(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    advance_log(vault)
    restore_backup = take_backup(vault)
    deposit(vault)
    advance_log(vault)
    kept = deposit(vault)
    restore_backup()
    restored = reopened(vault)
    found = check_start(restored)
    assert [p for p in found.problems if "the published checkpoint has 3" in p]
    assert [p for p in found.problems if "the signer's guard has 3" in p]
    for act in (lambda: deposit(restored), lambda: sequence(restored), lambda: publish(restored)):
        with pytest.raises(ReadOnly, match="restored from an older backup"):
            act()
    assert restored.blobs.exists(kept.item_id)


def test_start_names_another_history_a_missing_guard_and_an_anchor_ahead(vault: Vault) -> None:
    advance_log(vault)
    assert check_start(vault).problems == ()
    other = TreeHead(size=2, root_hash=b"\x01" * 32)
    [problem] = check_start(reopened(vault), anchored=[other]).problems
    assert problem == "an anchor has another root at size 2: two histories"
    [problem] = check_start(reopened(vault), anchored=[TreeHead(size=9, root_hash=bytes(32))]).problems
    assert "an anchor has 9" in problem
    guard = vault.settings.home / "keys" / "log.guard"
    guard.unlink()
    missing = reopened(vault)
    [problem] = check_start(missing).problems
    assert "guard" in problem
    with pytest.raises(ReadOnly):
        publish(missing)


def test_start_refuses_another_origin_or_class(vault: Vault) -> None:
    for changes in ({"origin": "development/other"}, {"origin": "a.example/log", "log_class": "test"}):
        other = build_vault(settings_for(vault.settings.home, **changes))  # type: ignore[arg-type]
        with pytest.raises(EvidenceError, match="never changes"):
            check_start(other)
