"""Groups: while one group of deposits is committed the next gathers, so that many share one flush.

    submit ──► waiting ──► [ a group: all that wait ] ──► commit, in one thread ──► each is answered

Nobody waits for company that isn't there: a deposit alone is a group of one. But threads share one interpreter, and
committing while requests are still being read makes both slow. So a group begins when whoever reads them says that
all that have arrived are handed in (`all_came`), or after GATHER_S. How many may wait is bounded, so that a disk
that is too slow shows as a refusal and not as memory.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from evidence_vault.errors import Overloaded

MAX_GROUP = 256
"""Deposits in one transaction: enough to make the flush cheap, few enough that the log gets its turn."""

MAX_WAITING = 1024
"""Deposits that wait for their group: at most 64 MiB of contents, and a second or two of work."""

GATHER_S = 0.1
"""A group never waits longer for those who come together; under a lasting rush it begins then. Reading a hundred
deposits takes less: those who were left out would be a group of their own, as dear as the large one."""

T = TypeVar("T")


class Ticket(Generic[T]):
    """What waits, and later what came of it. Whoever `settle`s it first is right."""

    def __init__(self, tell: "Tell[T] | None" = None) -> None:
        """tell: called with all tickets of a group that have the same; none: somebody waits in a thread."""
        self.tell = tell
        self._done = threading.Event() if tell is None else None
        self._result: T | None = None
        self._error: BaseException | None = None
        self.is_settled = False

    def settle(self, result: T) -> None:
        """Give the result."""
        if not self.is_settled:
            self._result, self.is_settled = result, True

    def fail(self, error: BaseException) -> None:
        """Give the error instead."""
        if not self.is_settled:
            self._error, self.is_settled = error, True

    def result(self) -> T:
        """Return the result, or raise the error; wait for it if nobody is told."""
        if self._done is not None:
            self._done.wait()
        if self._error is not None:
            raise self._error
        assert self.is_settled
        return self._result  # type: ignore[return-value]  # T may be None

    def show(self) -> None:
        """Let the thread that waits go on."""
        if self._done is not None:
            self._done.set()


Tell = Callable[[Sequence[Ticket[T]]], None]
"""Is called with the tickets of a group that are settled."""

Commit = Callable[[Sequence[Ticket[T]]], Sequence[Ticket[T]]]
"""Commits a group and settles its tickets; returns those that must come again, which it has not settled."""


class Groups(Generic[T]):
    """The tickets that wait, and the thread that commits them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Ticket[T]] = deque()
        self._is_running = False
        self._all_came = threading.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")

    def submit(self, ticket: Ticket[T], commit: Commit[T]) -> None:
        """Let the ticket wait for its group. Raises Overloaded."""
        with self._lock:
            if len(self._waiting) >= MAX_WAITING:
                raise Overloaded("deposits", "too many wait for the disk", retry_after_s=1.0)
            self._waiting.append(ticket)
            if ticket.tell is None:
                self._all_came.set()  # who waits in a thread of its own announces nobody else
            if self._is_running:
                return
            self._is_running = True
        self._thread.submit(self._run, commit)

    def all_came(self) -> None:
        """Begin with the next group: nobody else is on the way now."""
        self._all_came.set()

    def _run(self, commit: Commit[T]) -> None:
        while True:
            self._all_came.wait(GATHER_S)
            with self._lock:
                group = [self._waiting.popleft() for _ in range(min(MAX_GROUP, len(self._waiting)))]
            try:
                again = commit(group)
            except BaseException as error:  # noqa: BLE001 - each that waits raises it; this thread must live
                again = ()
                for ticket in group:
                    ticket.fail(error)
            with self._lock:
                self._waiting.extendleft(reversed(again))
                self._all_came.clear()  # the answers bring new ones: see who comes with those that wait
                if again or any(ticket.tell is None for ticket in self._waiting):
                    self._all_came.set()
                ended = not self._waiting
                self._is_running = not ended
            _tell([ticket for ticket in group if ticket.is_settled])
            if ended:
                return


def _tell(tickets: Sequence[Ticket[T]]) -> None:
    """Tell once for each who wants to be told, and not once for each ticket: threads take turns that way."""
    by_teller: dict[Tell[T], list[Ticket[T]]] = {}
    for ticket in tickets:
        if ticket.tell is None:
            ticket.show()
        else:
            by_teller.setdefault(ticket.tell, []).append(ticket)
    for tell, told in by_teller.items():
        tell(told)
