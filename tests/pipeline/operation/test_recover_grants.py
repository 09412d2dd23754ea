"""Yesterday's database, and what was granted and revoked since: `recover` brings both back."""

from pathlib import Path

import pytest

from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases.cases import CaseWish, PartyWish, add_item, open_case
from evidence_vault.pipeline.cases.ending import revoke
from evidence_vault.pipeline.cases.entering import hand_out
from evidence_vault.pipeline.operation.recover import plan_recovery, recover
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors, cases, grants
from evidence_vault.workers.runner import timestamp_work
from tests.pipeline.cases.test_grant_races import HOLDER, LAWYER, LOOKING, allow
from tests.pipeline.running import run_once
from tests.pipeline.vaults import SetClock, deposit, new_vault, reopened, take_backup

pytestmark = pytest.mark.db


def with_lawyer(vault: Vault) -> None:
    with vault.database.write() as session:
        at = vault.clock()
        actors.add_actor(session, actor_id=LAWYER.actor_id, name="Lawyer", role="CL", at=at)
        actors.add_role(
            session, actor_id=LAWYER.actor_id, role="AT", at=at, licence_number="1", jurisdiction="cn"
        )


def advance(vault: Vault) -> None:
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(600)
    run_once(vault, timestamp_work(vault))


def test_recover_brings_grants_back_and_keeps_what_was_revoked_dead(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    with_lawyer(vault)
    item = deposit(vault).item_id
    old = allow(vault, item)
    advance(vault)
    restore = take_backup(vault)
    vault = reopened(vault)
    revoke(vault, HOLDER, old)
    case = open_case(
        vault,
        HOLDER,
        CaseWish(
            forum="court", jurisdiction="cn", parties=(PartyWish(side="claimant", person_id=HOLDER.actor_id),)
        ),
    )
    add_item(vault, HOLDER, case, item)
    new = allow(vault, item, view_limit=2)
    hand_out(vault, LAWYER, item)
    advance(vault)
    restore()
    vault = reopened(vault)
    assert check_start(vault).problems
    recover(vault, plan_recovery(vault))
    vault = reopened(vault)
    with vault.database.read() as session:
        dead, alive = grants.get_grant(session, old), grants.get_grant(session, new)
        assert dead is not None
        assert dead.revoked_at is not None
        assert alive is not None
        assert (alive.views_used, alive.view_limit, alive.holder_id) == (1, 2, HOLDER.actor_id)
        assert sorted(alive.actions.split()) == sorted(LOOKING)
        assert [line.item_id for line in cases.items_of(session, case)] == [item]
        assert [party.person_id for party in cases.parties_of(session, case)] == [HOLDER.actor_id]
    hand_out(vault, LAWYER, item)
    with pytest.raises(AccessRefused):
        hand_out(vault, LAWYER, item)
