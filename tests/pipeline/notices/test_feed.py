"""The feed: everything that its reader may know of, once, in the order of the log, and nothing else."""

from collections.abc import Collection
from pathlib import Path

import pytest

from evidence_vault.access.decisions import Requester
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id
from evidence_vault.pipeline.cases.visible import visible_to
from evidence_vault.pipeline.intake.deposit import deposit_content
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.log.sequence import sequence
from evidence_vault.pipeline.notices import feed
from evidence_vault.pipeline.notices.feed import Entry, See, read_feed
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors
from evidence_vault.workers.runner import advance_log
from tests.pipeline.vaults import OWNER, deposit, new_vault

pytestmark = pytest.mark.db

READER = Requester(actor_id=OWNER.id, role="RH", scopes=frozenset({"read"}), auth="token")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return new_vault(tmp_path)


def read_all(vault: Vault, see: See, *, limit: int, types: Collection[str] = ()) -> list[Entry]:
    entries: list[Entry] = []
    position = 0
    while True:
        with vault.database.read() as session:
            page = read_feed(session, position=position, limit=limit, see=see, types=types)
        assert page.at_end or page.position > position
        entries += page.entries
        position = page.position
        if page.at_end:
            return entries


@pytest.mark.parametrize("limit", [1, 3, 500])
def test_read_feed_tells_everything_once_in_order(
    vault: Vault, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "WINDOW", 2)
    items = [deposit(vault, bytes([n])).item_id for n in range(5)]
    advance_log(vault)
    items += [deposit(vault, bytes([n])).item_id for n in range(5, 7)]
    advance_log(vault)
    entries = read_all(vault, visible_to(vault, READER), limit=limit)
    assert [entry.subject.id for entry in entries] == ["platform", *items]
    indexes = [entry.leaf_index for entry in entries]
    assert indexes == sorted(set(indexes))
    assert {entry.type for entry in entries} == {"PLATFORM_STATED", "ITEM_RECEIVED"}


def test_read_feed_of_one_type(vault: Vault) -> None:
    item = deposit(vault).item_id
    advance_log(vault)
    entries = read_all(vault, visible_to(vault, READER), limit=5, types=["ITEM_RECEIVED"])
    assert [entry.subject for entry in entries] == [Subject(kind="item", id=item)]


def test_read_feed_tells_nothing_that_is_not_published(vault: Vault) -> None:
    advance_log(vault)
    deposit(vault)
    sequence(vault)
    entries = read_all(vault, visible_to(vault, READER), limit=5)
    assert [entry.type for entry in entries] == ["PLATFORM_STATED"]
    advance_log(vault)
    assert len(read_all(vault, visible_to(vault, READER), limit=5)) == 2


def test_read_feed_hides_what_is_anothers(vault: Vault) -> None:
    other = EventActor(id=encode_id("ac", b"p" * 16), role="RH", auth="token")
    with vault.database.write() as session:
        actors.add_actor(session, actor_id=other.id, name="Other", role="RH", at=vault.clock())
    mine = deposit(vault).item_id
    deposit_content(vault, Wish(actor=other), b"theirs")
    advance_log(vault)
    told = {entry.subject.id for entry in read_all(vault, visible_to(vault, READER), limit=5)}
    assert told == {"platform", mine}
    in_another_role = Requester(actor_id=OWNER.id, role="AD", scopes=frozenset({"read"}), auth="token")
    told = {entry.subject.id for entry in read_all(vault, visible_to(vault, in_another_role), limit=5)}
    assert told == set(), "he holds no such role"


def test_read_feed_beyond_the_end_stays_there(vault: Vault) -> None:
    advance_log(vault)
    with vault.database.read() as session:
        page = read_feed(session, position=10**6, limit=5, see=visible_to(vault, READER))
    assert (page.entries, page.position, page.at_end) == ((), 10**6, True)
