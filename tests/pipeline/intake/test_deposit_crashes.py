"""Deposit: every write fails once, persisted or not; whatever was acknowledged is there, nothing else is."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.session import SessionTransaction

from evidence_vault.core.receipt import parse_receipt
from evidence_vault.errors import InProgress, StorageFull, UnavailableError
from evidence_vault.pipeline.intake import commit
from evidence_vault.pipeline.intake.claims import Claim
from evidence_vault.pipeline.intake.deposited import Deposited
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.store import blobs, packs, segment_writer
from evidence_vault.store.queries import events, idempotency, items
from evidence_vault.workers.runner import timestamp_work
from tests.pipeline.intake.test_deposit import files
from tests.pipeline.running import run_once
from tests.pipeline.vaults import (
    DOORS,
    OWNER,
    SetClock,
    deposit,
    deposit_small,
    look_everywhere,
    new_vault,
    noted,
    reopened,
    settings_for,
)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return new_vault(tmp_path)


def item_count(vault: Vault) -> int:
    with vault.database.read() as session:
        return len(items.list_items(session, owner_id=OWNER.id, limit=100))


#   door, where the crash is      (owner, name)          is the deposit committed, if it persisted?
WRITES: dict[tuple[str, str], tuple[Any, str, bool]] = {
    ("streamed", "open incoming"): (blobs.BlobWriter, "__init__", False),
    ("streamed", "write a segment"): (segment_writer.SegmentWriter, "_write_rest", False),
    ("streamed", "flush the content"): (blobs.BlobWriter, "seal", False),
    ("streamed", "write the journal"): (blobs, "create_flushed", False),
    ("streamed", "rename, flush folder"): (blobs.BlobWriter, "place", False),
    ("streamed", "insert the rows"): (commit, "insert_deposits", False),
    ("streamed", "commit"): (SessionTransaction, "commit", True),
    ("small", "take the key"): (idempotency, "bind_new", False),
    ("small", "begin a pack"): (packs.PackWriter, "_begin", False),
    ("small", "write the pack"): (packs, "_begin_flush", False),
    ("small", "flush the pack"): (os, "fdatasync", False),
    ("small", "insert the rows"): (commit, "insert_deposits", False),
    ("small", "commit"): (SessionTransaction, "commit", True),
}


@pytest.mark.db
@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed-but-persisted"])
@pytest.mark.parametrize("write", WRITES, ids="-".join)
def test_deposit_repeated_after_a_crash_at_any_write_is_one_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: tuple[str, str], persisted: bool
) -> None:
    clock, give = SetClock(), DOORS[write[0]]
    vault = new_vault(tmp_path, clock=clock)
    _crash_once(monkeypatch, vault, write, persisted)
    committed = persisted and WRITES[write][2]
    again = reopened(vault)
    assert check_start(again).problems == ()
    assert item_count(again) == int(committed)
    clock.advance(31)  # the dead upload's key is free again
    first = give(again, b"content", idempotency_key="k")
    second = give(again, b"content", idempotency_key="k")
    assert (first.replayed, second.replayed) == (committed, True)
    assert (first.item_id, first.receipt) == (second.item_id, second.receipt)
    assert item_count(again) == 1
    assert b"".join(again.blobs.chunks(first.item_id)) == b"content"
    with again.database.read() as session:
        assert events.count_pending(session) == 3  # LOG_OPENED, PLATFORM_STATED and one ITEM_RECEIVED


def _crash_once(
    monkeypatch: pytest.MonkeyPatch, vault: Vault, write: tuple[str, str], persisted: bool
) -> None:
    """Die at this write as `kill -9` does: nobody cleans up behind."""
    owner, name, _ = WRITES[write]
    real = getattr(owner, name)

    class Killed(BaseException):
        pass

    def crash(*args: Any, **kwargs: Any) -> None:
        if persisted:
            real(*args, **kwargs)
        if args and isinstance(args[0], blobs.BlobWriter) and hasattr(args[0], "_file"):
            args[0]._file.close()  # the system closes the files of the dead
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(blobs.BlobWriter, "discard", lambda self: self._file.close())
        patched.setattr(packs.PackWriter, "_abandon", lambda self: self.close())
        patched.setattr(Claim, "release", lambda self: None)
        with pytest.raises(Killed):
            _deposit_then(patched, owner, name, crash, vault, give=DOORS[write[0]])


def _deposit_then(
    patched: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    crash: Any,
    vault: Vault,
    *,
    give: Callable[..., Deposited] = deposit,
) -> None:
    if (
        owner is SessionTransaction
    ):  # claims and savepoints commit too: crash only at the deposit's own commit
        real = commit._Group.inserted

        def arm(*args: Any, **kwargs: Any) -> Any:
            inserted = real(*args, **kwargs)
            patched.setattr(owner, name, crash)
            return inserted

        patched.setattr(commit._Group, "inserted", arm)
    else:
        patched.setattr(owner, name, crash)
    give(vault, b"content", idempotency_key="k")


@pytest.mark.db
@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed-but-persisted"])
@pytest.mark.parametrize("door", DOORS)
def test_deposit_whose_commit_answers_with_an_error_keeps_the_bytes_until_it_is_known(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, persisted: bool, door: str
) -> None:
    real, give = SessionTransaction.commit, DOORS[door]

    def commit(self: SessionTransaction, *args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(SessionTransaction, "commit", real)  # only this once
        if persisted:
            real(self, *args, **kwargs)
        raise OperationalError("COMMIT", None, Exception("connection lost"))

    with pytest.raises(UnavailableError, match="connection lost"):
        _deposit_then(monkeypatch, SessionTransaction, "commit", commit, vault, give=give)
    monkeypatch.undo()
    if door == "streamed":
        assert len([name for name in files(vault) if name.startswith("blobs")]) == 2
    again = give(vault, b"content", idempotency_key="k")
    assert again.replayed == persisted
    assert b"".join(vault.blobs.chunks(again.item_id)) == b"content"
    assert item_count(vault) == 1


def test_small_deposits_on_a_full_disk_are_refused_and_the_next_ones_are_kept(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = deposit_small(vault, b"before")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for place in ("fdatasync", "pwrite"):
        with monkeypatch.context() as patched:
            patched.setattr(os, place, full)
            with pytest.raises(StorageFull):
                deposit_small(vault, b"x", idempotency_key="k")
    assert item_count(vault) == 1
    after = deposit_small(vault, b"x", idempotency_key="k")
    assert not after.replayed
    for item_id, content in ((kept.item_id, b"before"), (after.item_id, b"x")):
        assert b"".join(vault.blobs.chunks(item_id)) == content
    for pack in (vault.settings.home / "packs").iterdir():
        assert not [found for found in packs.scan(pack) if isinstance(found, packs.Damage)]


@pytest.mark.parametrize("write", ["write a segment", "flush the content", "write the journal"])
def test_deposit_on_a_full_disk_is_refused_and_leaves_nothing(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    kept = deposit(vault, b"before")
    before = files(vault)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        if write == "write the journal":
            patched.setattr(os, "fdopen", full)
        elif write == "flush the content":
            patched.setattr(os, "fsync", full)
        else:
            patched.setattr(segment_writer, "_write_at", full)
        with pytest.raises(StorageFull):
            deposit(vault, b"x" * 2_000_000, idempotency_key="k")
    assert files(vault) == before
    assert item_count(vault) == 1
    assert b"".join(vault.blobs.chunks(kept.item_id)) == b"before"
    assert not deposit(vault, b"x", idempotency_key="k").replayed


@pytest.mark.db
@pytest.mark.parametrize("door", DOORS)
def test_deposit_by_many_threads_with_one_key_is_one_item(vault: Vault, door: str) -> None:
    clients = 50
    barrier = threading.Barrier(clients)

    def client(_: int) -> Deposited:
        barrier.wait()
        while True:
            with contextlib.suppress(InProgress):  # and nothing else, such as a race that was lost
                return DOORS[door](vault, b"content", idempotency_key="k")
            time.sleep(0.05)

    with ThreadPoolExecutor(clients) as pool:
        done = list(pool.map(client, range(clients)))
    assert len({one.receipt for one in done}) == 1
    assert sum(not one.replayed for one in done) == 1
    assert item_count(vault) == 1


@pytest.mark.db
def test_deposits_by_many_threads_are_all_there(vault: Vault) -> None:
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda number: deposit(vault, f"{number}".encode()), range(30)))
    assert len({one.item_id for one in done}) == item_count(vault) == 30
    run_once(vault, timestamp_work(vault))
    with vault.database.read() as session:
        for one in done:
            item = items.get_item(session, one.item_id)
            assert item is not None
            assert items.item_progress(session, item).state == "logged"


@pytest.mark.db
def test_orphans_are_set_aside_and_never_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = new_vault(tmp_path)
    kept = deposit(vault, b"acknowledged")
    _crash_once(monkeypatch, vault, ("streamed", "insert the rows"), persisted=False)
    _crash_once(monkeypatch, new_vault_in(vault), ("streamed", "flush the content"), persisted=True)
    again = reopened(vault)
    now = vault.clock() + timedelta(days=400)  # the files' times are the machine's
    assert look_everywhere(again, now=now - timedelta(days=800)) == []  # too young
    [orphan] = look_everywhere(again, now=now)
    quarantined = tmp_path / "quarantine" / orphan
    assert quarantined.read_bytes()[16 + 8 :].startswith(b"content")
    assert quarantined.with_name(orphan + ".event").is_file()
    assert [name for name in files(again) if orphan in name] == []
    assert [name for name in files(again) if name.startswith("incoming")] == []
    assert again.blobs.exists(kept.item_id)
    assert noted(again, "ORPHANED") == [orphan]
    assert look_everywhere(again, now=now) == []
    again.gate.shut("restored")
    (again.settings.home / "blobs" / kept.item_id[3:5] / kept.item_id).touch()
    assert look_everywhere(again, now=now) == []


def new_vault_in(vault: Vault) -> Vault:
    """The same vault with a clock past the lease of the first crash."""
    clock = SetClock(vault.clock() + timedelta(seconds=60))
    return build_vault(vault.settings, clock=clock, submitters=vault.submitters)


_CLIENT = """
import sys
from pathlib import Path
from evidence_vault.pipeline.vault import build_vault
from tests.pipeline.vaults import FakeAuthority, deposit, settings_for
from evidence_vault.workers.runner import Runner, timestamp_work

vault = build_vault(settings_for(Path(sys.argv[1])), submitters={"timestamp": {"tsa": FakeAuthority()}})
Runner(vault, timestamp_work(vault)).start()
for number in range(1000):
    done = deposit(vault, f"{sys.argv[2]}-{number}".encode() * 1000)
    print(done.receipt.decode(), flush=True)
"""


@pytest.mark.db
@pytest.mark.slow
def test_deposits_acknowledged_before_kill_9_are_in_the_log_after_a_restart(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, clock=SetClock())
    vault.database.dispose()
    lines: list[bytes] = []
    for round_ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", _CLIENT, str(tmp_path), str(round_)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": "."},
        )
        assert process.stdout is not None
        lines += [process.stdout.readline() for _ in range(15 + 10 * round_)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
        process.stdout.close()
        process.wait()
    receipts = [parse_receipt(line[:-1]) for line in lines if line.endswith(b"\n")]
    assert len(receipts) >= 15 + 25 + 35
    clock = SetClock(max(receipt.event.at for receipt in receipts) + timedelta(seconds=300))
    again = build_vault(settings_for(tmp_path), clock=clock, submitters=vault.submitters)
    assert check_start(again).problems == ()
    run_once(again, timestamp_work(again))
    clock.advance(10)
    run_once(again, timestamp_work(again))
    with again.database.read() as session:
        for receipt in receipts:
            item = items.get_item(session, receipt.event.subject.id)
            assert item is not None
            progress = items.item_progress(session, item)
            assert progress.state == "logged"
            assert progress.tokens == progress.record_tokens == ("tsa",)
            assert again.blobs.digest(item.id).sha256 == item.sha256
    assert set(again.gate.reasons) == set()


_KILLED_AFTER_THE_FLUSH = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from evidence_vault.pipeline.vault import build_vault
from tests.pipeline.vaults import deposit_small, settings_for

vault = build_vault(settings_for(Path(sys.argv[1])))
real = vault.blobs.packing

@contextmanager
def packing(records):
    with real(records) as places:
        yield places
    os.kill(os.getpid(), signal.SIGKILL)

print(deposit_small(vault, b"before", idempotency_key="before").item_id, flush=True)
vault.blobs.packing = packing
deposit_small(vault, b"between", idempotency_key="between")
"""


@pytest.mark.db
def test_deposit_killed_between_flush_and_commit_is_none_until_it_is_asked_for_again(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_AFTER_THE_FLUSH, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    again = reopened(vault)
    assert check_start(again).problems == ()
    assert item_count(again) == 1
    [pack] = (tmp_path / "packs").iterdir()
    flushed = [found for found in packs.scan(pack) if not isinstance(found, packs.Damage)]
    assert len(flushed) == 2  # the second is on the disk, and no deposit
    repeated = deposit_small(again, b"between", idempotency_key="between")
    assert not repeated.replayed
    assert repeated.item_id != flushed[1][1].item_id
    assert item_count(again) == 2
    assert b"".join(again.blobs.chunks(repeated.item_id)) == b"between"
    assert b"".join(again.blobs.chunks(done.stdout.decode().strip())) == b"before"
