"""Who waits for whom before a group of deposits begins: those who come back together, and nobody else."""

import asyncio
from collections.abc import Sequence

import pytest

from evidence_vault.api import answers
from evidence_vault.api.answers import answer_to
from evidence_vault.pipeline import groups
from evidence_vault.pipeline.groups import Groups, Tell, Ticket

pytestmark = pytest.mark.socket  # an event loop makes a pair of them


class Shop:
    """Commits at once, and remembers how many came together."""

    def __init__(self) -> None:
        self.groups, self.sizes = Groups[int](), list[int]()

    def submit(self, *, tell: Tell[int]) -> Ticket[int]:
        ticket = Ticket[int](tell)
        self.groups.submit(ticket, self._commit)
        return ticket

    def _commit(self, group: Sequence[Ticket[int]]) -> Sequence[Ticket[int]]:
        self.sizes.append(len(group))
        for ticket in group:
            ticket.settle(len(group))
        return ()

    async def visit(self, *pauses_s: float) -> None:
        """Come once, and again after each pause."""
        await answer_to(self.groups, self.submit)
        for pause_s in pauses_s:
            await asyncio.sleep(pause_s)
            await answer_to(self.groups, self.submit)


@pytest.fixture(autouse=True)
def _never_hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "GATHER_S", 60.0)


def test_answer_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "COMPANY_S", 60.0)
    shop = Shop()

    async def one() -> None:
        async with asyncio.timeout(20):
            await shop.visit(0.0, 0.01, 0.0)

    asyncio.run(one())
    assert shop.sizes == [1, 1, 1, 1]


def test_answer_those_who_were_answered_together_go_together_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "COMPANY_S", 60.0)
    shop = Shop()

    async def three() -> None:
        async with asyncio.timeout(20):
            await asyncio.gather(shop.visit(0.0), shop.visit(0.02), shop.visit(0.05))

    asyncio.run(three())
    assert shop.sizes == [3, 3]


def test_answer_who_stays_away_is_waited_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "COMPANY_S", 0.05)
    shop = Shop()

    async def three() -> None:
        async with asyncio.timeout(20):
            await asyncio.gather(shop.visit(), shop.visit(), shop.visit(0.0, 0.0))

    asyncio.run(three())
    assert shop.sizes == [3, 1, 1]
