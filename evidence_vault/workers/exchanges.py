"""Exchanges: several requests are out at once, and what comes back is handed on in groups.

    asked ──► threads, each one exchange after the other ──► groups of what came ──► one transaction each

A slow exchange holds up its thread and no other. A group is what came within GATHER_S of its first, so that one
transaction serves many and none waits long; the next are already on their way while it is written. After some
failures in a row, or once it is late, nothing more is sent: the rest comes back as it went in.

The threads are nobody's to wait for when a process ends: what they were at is asked again. Each is a worker's loop
of its own: whatever one exchange raises, foreseen or not, is the answer to that one and ends no other.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Generic

from evidence_vault.pipeline.times.exchanges import AskedT, Came, CameT
from evidence_vault.pipeline.times.timestamp import Failed, advance_timestamps
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries.jobs import Claimed

GATHER_S = 0.25
"""What came waits at most so long for company: who looks at a page doesn't see it, and at 200 tokens a second a
transaction has fifty."""


def obtain_timestamps(vault: Vault, claimed: Sequence[Claimed]) -> Failed:
    """Advance jobs for tokens, their exchanges several at once: the runner's stage."""
    return advance_timestamps(vault, claimed, exchange_all)


def exchange_all(
    asked: Sequence[AskedT],
    exchange: Callable[[AskedT], CameT],
    *,
    at_once: int,
    send_within_s: float,
    most_failures: int,
) -> Generator[list[Came[AskedT, CameT]], None, None]:
    """Yield what came, in groups, as ExchangeAll says.

    What is no Exception, such as the end of the process, is no answer: it is raised here.
    """
    running = _Running(asked, exchange, until=time.monotonic() + send_within_s, most_failures=most_failures)
    threads = min(at_once, len(asked))
    for _ in range(threads):
        threading.Thread(target=running.work, name="exchange", daemon=True).start()
    try:
        while threads:
            group, ended = running.gather(threads)
            threads -= ended
            if group:
                yield group
        if running.waiting:
            yield [Came(asked=one) for one in running.waiting]
    finally:
        running.waiting.clear()  # who can't write down what came asks for no more


class _Running(Generic[AskedT, CameT]):
    def __init__(
        self,
        asked: Sequence[AskedT],
        exchange: Callable[[AskedT], CameT],
        *,
        until: float,
        most_failures: int,
    ) -> None:
        self.waiting = deque(asked)
        self._exchange, self._until, self._most_failures = exchange, until, most_failures
        self._lock = threading.Lock()
        self._failures = 0
        self._came: queue.SimpleQueue[Came[AskedT, CameT] | BaseException | None] = queue.SimpleQueue()

    def work(self) -> None:
        """One exchange after the other, while there are any to be made."""
        try:
            while (one := self._next()) is not None:
                came = self._ask(one[0])
                with self._lock:
                    self._failures = 0 if came.error is None else self._failures + 1
                self._came.put(came)
        except BaseException as error:  # noqa: BLE001 - raised where the answers are waited for
            self._came.put(error)
        self._came.put(None)

    def gather(self, threads: int) -> tuple[list[Came[AskedT, CameT]], int]:
        """Return what comes together, and how many threads have ended meanwhile, of so many."""
        group: list[Came[AskedT, CameT]] = []
        ended = 0
        until: float | None = None
        while ended < threads:
            try:
                left = None if until is None else max(0.0, until - time.monotonic())
                came = self._came.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(came, BaseException):
                raise came
            if came is None:
                ended += 1
                continue
            group.append(came)
            until = until or time.monotonic() + GATHER_S
        return group, ended

    def _ask(self, one: AskedT) -> Came[AskedT, CameT]:
        try:
            return Came(asked=one, result=self._exchange(one))
        except Exception as error:  # noqa: BLE001 - it is this one's answer, and no other's
            return Came(asked=one, error=error)

    def _next(self) -> tuple[AskedT] | None:
        with self._lock:
            if not self.waiting or self._failures >= self._most_failures or time.monotonic() > self._until:
                return None
            return (self.waiting.popleft(),)
