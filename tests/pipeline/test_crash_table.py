"""The crash table: every write of deposit, sequence, publish and export × {failed, failed but persisted}.

A row names a write point (`faults`) and what is there after the restart if the process died at it: first when the
write did not happen, then when it did. Nobody was told anything: a process that is dead doesn't answer. For every
row it is asserted besides that

    recoverable   the start check finds nothing, and `log fsck` agrees with everything once the step was made again
    progress      the same step again, by the same key, comes to the same end, once

and for every table that its rows are exactly the writes of a run: a new write can't be forgotten here.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evidence_vault.core.events import Subject
from evidence_vault.pipeline.cases.cases import CaseWish, add_item, open_case
from evidence_vault.pipeline.export.export import advance_export, spool_path
from evidence_vault.pipeline.export.wish import request_export, wish_for_case
from evidence_vault.pipeline.intake.deposit import deposit_content, deposit_digests
from evidence_vault.pipeline.intake.deposited import Deposited
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.log.publish import publish, published_head
from evidence_vault.pipeline.log.sequence import sequence
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.operation.recover_sources import find_deposits
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.store.queries import events, items, jobs, log
from evidence_vault.workers.runner import advance_due, advance_log, singly
from tests.pipeline.faults import Faults, Killed
from tests.pipeline.story import REQUESTER, begin_story
from tests.pipeline.vaults import OWNER, SetClock, deposit, new_vault, reopened

LARGE = """
commit idempotency_keys                     nothing     | nothing      the key is claimed; its lease ends
write incoming/ITEM                         incoming    | incoming
write incoming/ITEM                         incoming    | incoming
flush incoming/ITEM                         incoming    | incoming
flush blobs/ITEM.event                      unrecorded  | unrecorded   the journal, before its content has its name
rename incoming/ITEM -> blobs/ITEM          unrecorded  | unrecorded
flush blobs                                 unrecorded  | unrecorded
commit idempotency_keys                     unrecorded  | item         the commit that is the acknowledgement
"""

SMALL = """
write packs/PACK.evp                        nothing     | nothing      the pack's header
flush packs                                 nothing     | nothing
write packs/PACK.evp                        nothing     | unrecorded
flush packs/PACK.evp                        unrecorded  | unrecorded
commit idempotency_keys                     unrecorded  | item
"""

HASH = SMALL

SEQUENCE = """
commit leaves                               3 leaves    | 4 leaves
"""

PUBLISH = """
flush public/tile/entries/000.p/4 aside     sees 3, guard 3 | sees 3, guard 3
rename public/tile/entries/000.p/4 aside -> public/tile/entries/000.p/4 \
                                            sees 3, guard 3 | sees 3, guard 3
flush public/tile/entries/000.p             sees 3, guard 3 | sees 3, guard 3
flush public/tile/0/000.p/4 aside           sees 3, guard 3 | sees 3, guard 3
rename public/tile/0/000.p/4 aside -> public/tile/0/000.p/4 \
                                            sees 3, guard 3 | sees 3, guard 3
flush public/tile/0/000.p                   sees 3, guard 3 | sees 3, guard 3
flush events/000/000/3-4.evl aside          sees 3, guard 3 | sees 3, guard 3
rename events/000/000/3-4.evl aside -> events/000/000/3-4.evl \
                                            sees 3, guard 3 | sees 3, guard 3
flush events/000/000                        sees 3, guard 3 | sees 3, guard 3
flush keys/log.guard aside                  sees 3, guard 3 | sees 3, guard 3
rename keys/log.guard aside -> keys/log.guard \
                                            sees 3, guard 3 | sees 3, guard 4   the signature is made again
flush keys                                  sees 3, guard 4 | sees 3, guard 4
commit checkpoints                          sees 3, guard 4 | sees 3, guard 4
flush public/checkpoints/000/000/4.note aside   sees 3, guard 4 | sees 3, guard 4
rename public/checkpoints/000/000/4.note aside -> public/checkpoints/000/000/4.note \
                                            sees 3, guard 4 | sees 3, guard 4
flush public/checkpoints/000/000            sees 3, guard 4 | sees 3, guard 4
flush public/checkpoint aside               sees 3, guard 4 | sees 3, guard 4
rename public/checkpoint aside -> public/checkpoint \
                                            sees 3, guard 4 | sees 4, guard 4   from here on it is public
flush public                                sees 4, guard 4 | sees 4, guard 4
commit checkpoints                          sees 4, guard 4 | sees 4, guard 4   marked as published
"""

SEAL = """
commit jobs                                 READY           | READY             the claim; its lease ends
commit events                               READY           | READY, sealed     EXPORTED and the frozen parts
"""

WRITE = """
commit jobs                                 READY, sealed   | READY, sealed     the claim
commit exports                              READY, sealed   | READY, sealed     the checkpoint that covers it
flush spool/ev-BUNDLE.part                  READY, sealed   | READY, sealed
rename spool/ev-BUNDLE.part -> spool/ev-BUNDLE.zip \
                                            READY, sealed   | READY, sealed     the next try writes the same bytes
commit exports                              READY, sealed   | SPOOLED, sealed
commit jobs                                 SPOOLED, sealed | SPOOLED, sealed   the claim
commit exports                              SPOOLED, sealed | VERIFIED, sealed  our own verifier has read it
"""


@dataclass(frozen=True)
class Row:
    number: int
    point: str
    failed: str
    persisted: str


def rows_of(table: str) -> list[Row]:
    """Read a table: the point, two spaces at least, what is there in either case, a remark."""
    rows = []
    for number, line in enumerate(table.strip().splitlines()):
        left, persisted = line.split(" | ")
        point, failed = left.rstrip().rsplit("  ", 1)
        rows.append(
            Row(
                number=number,
                point=point.strip(),
                failed=failed.strip(),
                persisted=persisted.split("  ")[0].strip(),
            )
        )
    return rows


def every(table: str) -> pytest.MarkDecorator:
    """Every row × {failed, failed but persisted}."""
    return pytest.mark.parametrize(
        ("row", "persisted"),
        [
            pytest.param(row, persisted, id=f"{row.number}: {row.point}, {how}")
            for row in rows_of(table)
            for persisted, how in ((False, "failed"), (True, "failed but persisted"))
        ],
    )


def die_at(home: Path, row: Row, persisted: bool, step: Callable[[], object]) -> str:
    """Die at the row's write; return what the table says is there then."""
    faults = Faults(home, die_at=row.number, persisted=persisted)
    with pytest.MonkeyPatch.context() as patch, faults.watching(patch), pytest.raises(Killed):
        step()
    assert faults.points[-1] == row.point
    return row.persisted if persisted else row.failed


def points_of(home: Path, step: Callable[[], object]) -> list[str]:
    faults = Faults(home)
    with pytest.MonkeyPatch.context() as patch, faults.watching(patch):
        step()
    return faults.points


# --- deposit ---------------------------------------------------------------------------------------------------


def large(vault: Vault) -> Deposited:
    return deposit(vault, b"large" * 240_000, idempotency_key="k")


def small(vault: Vault) -> Deposited:
    return deposit_content(vault, Wish(actor=OWNER, idempotency_key="k"), b"small")


def hashed(vault: Vault) -> Deposited:
    return deposit_digests(
        vault, Wish(actor=OWNER, idempotency_key="k"), digests={"sha256": "ab" * 32}, size=5
    )


def left_of_deposit(vault: Vault) -> str:
    with vault.database.read() as session:
        if items.list_items(session, owner_id=OWNER.id, limit=9):
            return "item"
    if find_deposits(vault).found:
        return "unrecorded"
    return "incoming" if any((vault.settings.home / "incoming").iterdir()) else "nothing"


def check_deposit(home: Path, row: Row, persisted: bool, step: Callable[[Vault], Deposited]) -> None:
    clock = SetClock()
    vault = new_vault(home, clock=clock)
    said = die_at(home, row, persisted, lambda: step(vault))
    again = reopened(vault)
    assert left_of_deposit(again) == said
    assert check_start(again).problems == ()
    clock.advance(31)  # the dead upload's key is free again
    first, second = step(again), step(again)
    assert (first.replayed, second.replayed) == (said == "item", True)
    assert first.receipt == second.receipt
    with again.database.read() as session:
        [item] = items.list_items(session, owner_id=OWNER.id, limit=9)
    if item.mode == "content":
        assert again.blobs.digest(item.id).sha256 == item.sha256
    advance_log(again)
    assert fsck(again).leaves == 3


@every(LARGE)
def test_deposit_of_a_large_content_killed_at_any_write(tmp_path: Path, row: Row, persisted: bool) -> None:
    check_deposit(tmp_path, row, persisted, large)


@every(SMALL)
def test_deposit_of_a_small_content_killed_at_any_write(tmp_path: Path, row: Row, persisted: bool) -> None:
    check_deposit(tmp_path, row, persisted, small)


@every(HASH)
def test_deposit_of_a_digest_killed_at_any_write(tmp_path: Path, row: Row, persisted: bool) -> None:
    check_deposit(tmp_path, row, persisted, hashed)


@pytest.mark.parametrize(("table", "step"), [(LARGE, large), (SMALL, small), (HASH, hashed)])
def test_deposit_table_has_every_write(
    tmp_path: Path, table: str, step: Callable[[Vault], Deposited]
) -> None:
    vault = new_vault(tmp_path)
    assert points_of(tmp_path, lambda: step(vault)) == [row.point for row in rows_of(table)]


# --- sequence and publish --------------------------------------------------------------------------------------


def logged_vault(home: Path) -> Vault:
    """A vault with three leaves that are public, and a fourth event that waits."""
    vault = new_vault(home)
    small(vault)
    advance_log(vault)
    deposit_content(vault, Wish(actor=OWNER), b"waits")
    return vault


def leaves(vault: Vault) -> int:
    with vault.database.read() as session:
        return log.current_tree_head(session).size


@every(SEQUENCE)
def test_sequence_killed_at_any_write(tmp_path: Path, row: Row, persisted: bool) -> None:
    vault = logged_vault(tmp_path)
    said = die_at(tmp_path, row, persisted, lambda: sequence(vault))
    again = reopened(vault)
    assert f"{leaves(again)} leaves" == said
    assert check_start(again).problems == ()
    advance_log(again)
    assert fsck(again).published_size == 4


@every(PUBLISH)
def test_publish_killed_at_any_write(tmp_path: Path, row: Row, persisted: bool) -> None:
    vault = logged_vault(tmp_path)
    sequence(vault)
    said = die_at(tmp_path, row, persisted, lambda: publish(vault))
    again = reopened(vault)
    seen, guard = published_head(again).size, again.log_signer.guarded_head().size
    assert f"sees {seen}, guard {guard}" == said
    assert check_start(again).problems == ()
    publish(again)
    assert published_head(again).size == 4
    checked = fsck(again)
    assert (checked.published_size, checked.checkpoints) == (4, 2)


def test_sequence_and_publish_tables_have_every_write(tmp_path: Path) -> None:
    vault = logged_vault(tmp_path)
    assert points_of(tmp_path, lambda: sequence(vault)) == [row.point for row in rows_of(SEQUENCE)]
    assert points_of(tmp_path, lambda: publish(vault)) == [row.point for row in rows_of(PUBLISH)]


# --- export ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """A vault with an item that is final, in a case, of which a bundle is asked for; copied for each row."""

    home: Path
    vault: Vault
    clock: SetClock
    item_id: str
    case_id: str
    bundle_id: str

    def copied(self, home: Path) -> tuple[Vault, SetClock]:
        shutil.copytree(self.home, home, dirs_exist_ok=True)
        clock = SetClock(self.clock.now)
        return build_vault(self.vault.settings.model_copy(update={"home": home}), clock=clock), clock


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wanted]:
    home = tmp_path_factory.mktemp("story")
    story = begin_story(home)
    item_id = story.deposit()
    case_id = open_case(story.vault, REQUESTER, CaseWish(forum="court", jurisdiction="cn"))
    add_item(story.vault, REQUESTER, case_id, item_id)
    story.go_on(30)
    bundle_id = request_export(story.vault, wish_for_case(story.vault, REQUESTER, case_id))
    story.vault.database.dispose()
    yield Wanted(
        home=home,
        vault=story.vault,
        clock=story.clock,
        item_id=item_id,
        case_id=case_id,
        bundle_id=bundle_id,
    )
    story.chain.close()


def seal(vault: Vault) -> None:
    advance_due(vault, "export", singly(advance_export), owner="worker")


def write(vault: Vault, clock: SetClock) -> None:
    for _ in range(2):
        advance_due(vault, "export", singly(advance_export), owner="worker")
        clock.advance(5)


def state_of(vault: Vault, wanted: Wanted) -> str:
    with vault.database.read() as session:
        [job] = jobs.jobs_of(session, Subject(kind="export", id=wanted.bundle_id))
        of_item = events.events_of(session, Subject(kind="item", id=wanted.item_id))
        of_case = events.events_of(session, Subject(kind="case", id=wanted.case_id))
    sealed = [event for event in of_item if event.type == "EXPORTED"]
    assert len(sealed) <= 1
    assert len(sealed) == sum(event.type == "EXPORTED" for event in of_case), "item and case, or neither"
    return job.state + (", sealed" if sealed else "")


def check_export(vault: Vault, clock: SetClock, wanted: Wanted, said: str) -> None:
    again = reopened(vault)
    assert state_of(again, wanted) == said
    assert check_start(again).problems == ()
    for _ in range(3):
        clock.advance(130)  # the lease of the dead is over
        write(again, clock)
        advance_log(again)
    assert state_of(again, wanted) == "VERIFIED, sealed"
    assert spool_path(again, wanted.bundle_id).is_file()
    fsck(again)
    again.database.dispose()


@every(SEAL)
def test_export_killed_while_it_is_sealed(wanted: Wanted, tmp_path: Path, row: Row, persisted: bool) -> None:
    vault, clock = wanted.copied(tmp_path)
    said = die_at(tmp_path, row, persisted, lambda: seal(vault))
    check_export(vault, clock, wanted, said)


@every(WRITE)
def test_export_killed_while_it_is_written(wanted: Wanted, tmp_path: Path, row: Row, persisted: bool) -> None:
    vault, clock = sealed_copy(wanted, tmp_path)
    said = die_at(tmp_path, row, persisted, lambda: write(vault, clock))
    check_export(vault, clock, wanted, said)


def sealed_copy(wanted: Wanted, home: Path) -> tuple[Vault, SetClock]:
    vault, clock = wanted.copied(home)
    seal(vault)
    advance_log(vault)
    clock.advance(130)
    return vault, clock


def test_export_tables_have_every_write(wanted: Wanted, tmp_path: Path) -> None:
    vault, _ = wanted.copied(tmp_path / "a")
    assert points_of(tmp_path / "a", lambda: seal(vault)) == [row.point for row in rows_of(SEAL)]
    vault, clock = sealed_copy(wanted, tmp_path / "b")
    assert points_of(tmp_path / "b", lambda: write(vault, clock)) == [row.point for row in rows_of(WRITE)]
