"""Yesterday's database, and an opinion that was sealed since: `recover` brings the seal back with it."""

from pathlib import Path

import pytest

from anchors.values import replace
from evidence_vault.core.names import encode_id
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases.cases import CaseWish, PartyWish, open_case
from evidence_vault.pipeline.cases.entering import event_actor, look
from evidence_vault.pipeline.cases.grants import GrantWish, give
from evidence_vault.pipeline.cases.opinions import seal_opinion, unseal_opinion
from evidence_vault.pipeline.intake.deposit import deposit_content
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.operation.recover import plan_recovery, recover
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors
from evidence_vault.workers.runner import timestamp_work
from tests.pipeline.cases.test_grant_races import HOLDER
from tests.pipeline.running import run_once
from tests.pipeline.vaults import SetClock, new_vault, reopened, take_backup

JUDGE = replace(HOLDER, actor_id=encode_id("ac", b"j" * 16), role="JU")
EXPERT = replace(HOLDER, actor_id=encode_id("ac", b"t" * 16), role="TI")


def advance(vault: Vault) -> None:
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(600)
    run_once(vault, timestamp_work(vault))


def sealed_opinion(vault: Vault) -> tuple[str, str]:
    party = PartyWish(side="claimant", person_id=HOLDER.actor_id)
    case = open_case(vault, JUDGE, CaseWish(forum="court", jurisdiction="cn", parties=(party,)))
    seat = GrantWish(grantee_id=EXPERT.actor_id, role="TI", actions=("attest", "see-metadata"), case_id=case)
    give(vault, JUDGE, seat)
    item = deposit_content(vault, Wish(actor=event_actor(EXPERT)), b"opinion").item_id
    seal_opinion(vault, EXPERT, case, item)
    return case, item


@pytest.mark.db
def test_recover_brings_the_seal_back_with_the_opinion(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    with vault.database.write() as session:
        for one in (JUDGE, EXPERT):
            actors.add_actor(session, actor_id=one.actor_id, name="Somebody", role=one.role, at=vault.clock())
    advance(vault)
    restore = take_backup(vault)
    vault = reopened(vault)
    _, closed = sealed_opinion(vault)
    case, opened = sealed_opinion(vault)
    unseal_opinion(vault, JUDGE, case, opened)
    advance(vault)
    restore()
    vault = reopened(vault)
    assert check_start(vault).problems
    recover(vault, plan_recovery(vault))
    vault = reopened(vault)
    for item in (closed, opened):
        assert look(vault, JUDGE, "see-metadata", item).item.id == item
    assert look(vault, HOLDER, "see-metadata", opened).permission.basis == "role"
    with pytest.raises(AccessRefused):
        look(vault, HOLDER, "see-metadata", closed)
