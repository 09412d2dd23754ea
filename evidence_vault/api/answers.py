"""Wait for a group of deposits without a thread: the event loop is told once when the whole group is committed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary, ref

from evidence_vault.pipeline.groups import Groups, Tell, Ticket

T = TypeVar("T")


class Submit(Protocol[T]):
    """Hands something in; whom `tell` names is told when its ticket is settled."""

    def __call__(self, *, tell: Tell[T]) -> Ticket[T]:
        """Return the ticket."""
        ...


CALM_TURNS = 2
"""Turns of the loop in which nothing was handed in: a request takes so many from the socket to its ticket."""

COMPANY_S = 0.002
"""How long after an answer or a deposit the next is awaited, while fewer wait than were answered together: whoever
is answered often has more, and is back within this time. Whoever deposits alone waits for nobody."""


async def answer_to(groups: Groups[T], submit: "Submit[T]") -> T:
    """Hand in, and return what came of it or raise its error. Whoever leaves meanwhile changes nothing."""
    loop = asyncio.get_running_loop()
    bell = _BELLS.get(loop)
    if bell is None:
        bell = _BELLS[loop] = _Bell(loop, groups)
    ticket = submit(tell=bell.ring)
    bell.watch()
    await bell.rung(ticket)
    return ticket.result()


class _Bell(Generic[T]):
    """One for each event loop: rung by the thread that commits, which it tells when a rush is over."""

    def __init__(self, loop: asyncio.AbstractEventLoop, groups: Groups[T]) -> None:
        self._loop, self._groups = ref(loop), groups
        self._waiting: dict[Ticket[T], asyncio.Future[None]] = {}
        self._calm_turns, self._is_watching = 0, False
        self._expected, self._calm_since = 0, 0.0
        self._patience: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Something was handed in: see whether more comes, and tell when not."""
        self._calm_turns = 0
        if self._patience is not None:
            self._patience.cancel()
            self._patience, self._is_watching = None, False
        if not self._is_watching:
            self._is_watching = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._calm_turns += 1
        loop = asyncio.get_running_loop()
        if self._calm_turns <= CALM_TURNS:
            self._calm_since = loop.time()
            loop.call_soon(self._look)
        elif len(self._waiting) < self._expected and loop.time() < self._calm_since + COMPANY_S:
            self._patience = loop.call_at(self._calm_since + COMPANY_S, self._look)
        else:
            self._patience, self._is_watching = None, False
            self._groups.all_came()

    async def rung(self, ticket: Ticket[T]) -> None:
        """Wait for this ticket. It can't be missed: what rings runs in the loop, after this began to wait."""
        self._waiting[ticket] = asyncio.get_running_loop().create_future()
        try:
            await self._waiting[ticket]
        finally:
            self._waiting.pop(ticket, None)

    def ring(self, tickets: Sequence[Ticket[T]]) -> None:
        """Wake all who wait for these. From any thread."""
        loop = self._loop()
        if loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._wake, tickets)

    def _wake(self, tickets: Sequence[Ticket[T]]) -> None:
        self._expected = len(tickets)
        for ticket in tickets:
            future = self._waiting.pop(ticket, None)
            if future is not None and not future.done():
                future.set_result(None)
        if self._waiting:  # for the next group
            self.watch()


_BELLS: WeakKeyDictionary[asyncio.AbstractEventLoop, _Bell[Any]] = WeakKeyDictionary()
