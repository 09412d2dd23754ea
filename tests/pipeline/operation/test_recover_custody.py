"""Yesterday's database, and what was held, given away and objected to since: `recover` brings it back."""

from pathlib import Path

import pytest

from anchors.values import replace
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id
from evidence_vault.errors import Conflict
from evidence_vault.pipeline.custody.holds import place_hold, release_hold, require_erasable
from evidence_vault.pipeline.custody.transfers import accept, offer
from evidence_vault.pipeline.operation.recover import plan_recovery, recover
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors, items
from evidence_vault.workers.runner import timestamp_work
from tests.pipeline.cases.test_grant_races import HOLDER
from tests.pipeline.running import run_once
from tests.pipeline.vaults import SetClock, deposit, new_vault, reopened, take_backup

RECEIVER = replace(HOLDER, actor_id=encode_id("ac", b"r" * 16))


def advance(vault: Vault) -> None:
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(600)
    run_once(vault, timestamp_work(vault))


@pytest.mark.db
def test_recover_brings_holds_and_the_new_owner_back(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    with vault.database.write() as session:
        actors.add_actor(session, actor_id=RECEIVER.actor_id, name="Receiver", role="RH", at=vault.clock())
    item = deposit(vault).item_id
    subject = Subject(kind="item", id=item)
    over = place_hold(vault, HOLDER, subject)
    advance(vault)
    restore = take_backup(vault)
    vault = reopened(vault)
    release_hold(vault, HOLDER, subject, over)
    kept = place_hold(vault, HOLDER, subject)
    accept(vault, RECEIVER, item, offer(vault, HOLDER, item, receiver_id=RECEIVER.actor_id))
    advance(vault)
    restore()
    vault = reopened(vault)
    assert check_start(vault).problems
    recover(vault, plan_recovery(vault))
    vault = reopened(vault)
    with vault.database.read() as session:
        found = items.get_item(session, item)
        assert found is not None
        assert found.owner_id == RECEIVER.actor_id
        with pytest.raises(Conflict, match="held by owner"):
            require_erasable(session, item, now=vault.clock())
    release_hold(vault, RECEIVER, subject, kept)
    with vault.database.read() as session:
        require_erasable(session, item, now=vault.clock())
