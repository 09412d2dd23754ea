"""A group of deposits: each gets the answer that it would get alone."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from anchors.values import replace
from evidence_vault.errors import Conflict, IntegrityError, UnavailableError
from evidence_vault.pipeline.groups import Ticket
from evidence_vault.pipeline.intake.commit import DepositTicket, commit_group
from evidence_vault.pipeline.intake.deposit import submit_content
from evidence_vault.pipeline.intake.deposited import Deposited
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries.deposits import NewDeposit
from tests.pipeline.vaults import OWNER, new_vault


def gathered(vault: Vault, *wishes: tuple[bytes, str | None]) -> list[DepositTicket]:
    """Hand these in as one group, not committed yet."""
    vault.groups._is_running = True  # nothing begins by itself
    made = [
        submit_content(vault, Wish(actor=OWNER, idempotency_key=key), content, tell=lambda _: None)
        for content, key in wishes
    ]
    vault.groups._waiting.clear()
    return made


def committed(vault: Vault, tickets: Sequence[Ticket[Deposited]]) -> None:
    while tickets:
        tickets = commit_group(vault, tickets)


def test_group_of_new_repeated_and_contradicting_deposits_answers_each_as_if_alone(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    a, a_again, a_other, b, without = gathered(
        vault, (b"a", "k"), (b"a", "k"), (b"other", "k"), (b"b", "l"), (b"a", None)
    )
    committed(vault, [a, a_again, a_other, b, without])
    assert not a.result().replayed
    assert (a_again.result().item_id, a_again.result().replayed) == (a.result().item_id, True)
    with pytest.raises(Conflict):
        a_other.result()
    assert len({a.result().item_id, b.result().item_id, without.result().item_id}) == 3


def test_group_with_one_that_the_database_refuses_keeps_all_others(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    [first] = gathered(vault, (b"1", "x"))
    committed(vault, [first])
    fresh, again = gathered(vault, (b"4", "n"), (b"5", "m"))
    again.ready = replace(first.ready, binding=None)  # the same item, event and slot once more
    committed(vault, [fresh, again])
    assert not fresh.result().replayed
    with pytest.raises(IntegrityError):
        again.result()
    assert b"".join(vault.blobs.chunks(fresh.result().item_id)) == b"4"


def test_group_full_of_one_key_is_answered_in_two_rounds_and_delays_nobody(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    same = gathered(vault, *[(b"s", "same")] * 40)
    [other] = gathered(vault, (b"o", "other"))
    again = commit_group(vault, [*same, other])
    assert other.is_settled
    assert again == same[1:]
    assert commit_group(vault, again) == []
    assert {ticket.result().item_id for ticket in same} == {same[0].result().item_id}
    assert [ticket.result().replayed for ticket in same] == [False] + [True] * 39


@pytest.mark.db("postgresql")
@pytest.mark.parametrize("size", [1, 3])
def test_group_whose_server_goes_away_midway_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    vault = new_vault(tmp_path)
    contents = [(bytes([n]), f"k{n}") for n in range(size)]

    def end_server_process(session: Session, _deposits: Sequence[NewDeposit]) -> None:
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with monkeypatch.context() as patched:
        patched.setattr("evidence_vault.pipeline.intake.commit.insert_deposits", end_server_process)
        with pytest.raises(UnavailableError):
            committed(vault, gathered(vault, *contents))
    tickets = gathered(vault, *contents)
    committed(vault, tickets)
    assert not any(ticket.result().replayed for ticket in tickets)
