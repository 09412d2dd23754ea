"""Deposit, while its pack is being flushed: rows are inserted meanwhile, and none is committed before that ends."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine.default import DefaultDialect

from evidence_vault.errors import IntegrityError, StorageFull
from evidence_vault.pipeline.intake import commit
from evidence_vault.pipeline.log.publish import published_head
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.store import packs
from evidence_vault.store.queries import items
from evidence_vault.store.queries.deposits import insert_deposits
from evidence_vault.workers.runner import advance_log
from tests.pipeline.vaults import OWNER, SetClock, deposit_small, new_vault, reopened, settings_for

WITHIN_S = 20


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return new_vault(tmp_path)


def item_ids(vault: Vault) -> set[str]:
    with vault.database.read() as session:
        return {item.id for item in items.list_items(session, owner_id=OWNER.id, limit=100)}


def record_ids(vault: Vault) -> set[str]:
    """The ids of all sound records; there is nothing else in any pack."""
    damaged = list[object]()
    found = {record.item_id for _, record in vault.blobs.packed(lambda pack, what: damaged.append(what))}
    assert damaged == []
    return found


def flush_once_rows_are_in(
    patched: pytest.MonkeyPatch, flush: Callable[[Callable[[int], None], int], None]
) -> None:
    """Let every flush of a pack wait until the rows of its deposits are inserted, and go on as `flush`."""
    inserted, insert, fdatasync = threading.Event(), insert_deposits, os.fdatasync

    def inserting(*args: Any, **kwargs: Any) -> None:
        insert(*args, **kwargs)
        inserted.set()

    def flushing(file: int) -> None:
        assert inserted.wait(WITHIN_S)
        flush(fdatasync, file)

    patched.setattr(commit, "insert_deposits", inserting)
    patched.setattr(os, "fdatasync", flushing)


@pytest.mark.db
def test_commit_comes_after_the_flush_of_the_pack_which_comes_after_the_rows(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = list[str]()
    do_commit: Callable[..., None] = DefaultDialect.do_commit

    def flush(real: Callable[[int], None], file: int) -> None:
        done.append("rows are in")
        threading.Event().wait(0.1)  # a commit that didn't wait would be first
        real(file)
        done.append("flushed")

    def committing(self: DefaultDialect, connection: Any) -> None:
        done.append("commit")
        do_commit(self, connection)

    with monkeypatch.context() as patched:
        flush_once_rows_are_in(patched, flush)
        patched.setattr(DefaultDialect, "do_commit", committing)
        kept = deposit_small(vault, b"content")
    assert done[:3] == ["rows are in", "flushed", "commit"]
    assert item_ids(vault) == record_ids(vault) == {kept.item_id}


@pytest.mark.db
@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed-but-persisted"])
@pytest.mark.parametrize(
    ("number", "raised"), [(errno.ENOSPC, StorageFull), (errno.EIO, OSError)], ids=["full", "broken"]
)
def test_flush_that_fails_after_the_rows_are_in_undoes_the_rows_of_all(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, number: int, raised: type[Exception], persisted: bool
) -> None:
    before = deposit_small(vault, b"before")

    def flush(real: Callable[[int], None], file: int) -> None:
        if persisted:
            real(file)
        raise OSError(number, os.strerror(number))

    def refused(n: int) -> None:
        with pytest.raises(raised):
            deposit_small(vault, b"%d" % n, idempotency_key=f"k{n}")

    with monkeypatch.context() as patched, ThreadPoolExecutor(4) as pool:
        flush_once_rows_are_in(patched, flush)
        list(pool.map(refused, range(4)))
    assert item_ids(vault) == record_ids(vault) == {before.item_id}
    again = [deposit_small(vault, b"%d" % n, idempotency_key=f"k{n}") for n in range(4)]
    assert not any(one.replayed for one in again)
    assert item_ids(vault) == record_ids(vault) == {before.item_id, *(one.item_id for one in again)}
    assert check_start(reopened(vault)).problems == ()


@pytest.mark.db
def test_row_that_is_refused_during_the_flush_leaves_a_record_that_is_no_item(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, done = threading.Event(), list[str]()
    fdatasync = os.fdatasync

    def slow(file: int) -> None:
        assert begun.wait(WITHIN_S)
        threading.Event().wait(0.05)
        fdatasync(file)
        done.append("flushed")

    def refuse(*_: object) -> None:
        begun.set()
        raise IntegrityError("database", "its constraints hold", "a row")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", slow)
        patched.setattr(commit, "insert_deposits", refuse)
        with pytest.raises(IntegrityError):
            deposit_small(vault, b"refused", idempotency_key="k")
    assert done == ["flushed"], "nothing else is written to a pack whose flush is under way"
    kept = deposit_small(vault, b"refused", idempotency_key="k")
    assert not kept.replayed
    assert item_ids(vault) == {kept.item_id} < record_ids(vault)
    assert check_start(reopened(vault)).problems == ()


_KILLED = """
import os, signal, sys, threading
from pathlib import Path
from evidence_vault.pipeline.intake import commit
from evidence_vault.pipeline.vault import build_vault
from tests.pipeline.vaults import deposit_small, settings_for

inserted, insert = threading.Event(), commit.insert_deposits
def inserting(*args, **kwargs):
    insert(*args, **kwargs)
    inserted.set()
def flushing(file):
    inserted.wait()
    os.kill(os.getpid(), signal.SIGKILL)
commit.insert_deposits, os.fdatasync = inserting, flushing
deposit_small(build_vault(settings_for(Path(sys.argv[1]))), b"content" * 500, idempotency_key="k")
"""


def test_kill_9_or_a_power_cut_between_rows_and_flush_leaves_no_item(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    first = new_vault(home, clock=SetClock())
    kept = deposit_small(first, b"before")
    first.database.dispose()
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(home)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": "."},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    [pack] = [path for path in (home / "packs").iterdir() if path.stem != pack_of(first, kept.item_id)]
    whole = pack.stat().st_size
    assert whole > 3500
    for kept_bytes in (whole, whole - 1, packs.HEADER_BYTES + 30, packs.HEADER_BYTES, 7, 0):
        copy = tmp_path / f"{kept_bytes}"
        shutil.copytree(home, copy)
        os.truncate(copy / "packs" / pack.name, kept_bytes)  # a power cut takes what was not flushed
        again = build_vault(settings_for(copy), clock=SetClock(first.clock()))
        assert check_start(again).problems == ()
        assert item_ids(again) == {kept.item_id}
        told, repeated = (deposit_small(again, b"content" * 500, idempotency_key="k") for _ in range(2))
        assert (told.replayed, repeated.replayed) == (False, True)
        assert told.receipt == repeated.receipt
        assert b"".join(again.blobs.chunks(told.item_id)) == b"content" * 500
        advance_log(again)
        fsck(again)
        assert published_head(again).size == 4
        again.database.dispose()


def pack_of(vault: Vault, item_id: str) -> str:
    [place] = [place for place, record in vault.blobs.packed(lambda *_: None) if record.item_id == item_id]
    return place.pack
