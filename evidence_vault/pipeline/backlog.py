"""How many events wait for the log: a receipt's promise is only given while they can be logged in time.

Counting rows for every deposit would cost more than the deposit. So they are counted once a second; between two
counts what this process adds is added, and what the log takes away is not subtracted. The number is never too low
by more than what other processes add in a second, and where it reaches the limit it is counted anew.
"""

import threading
import time

from sqlalchemy.orm import Session

from evidence_vault.store.queries import events

COUNT_EVERY_S = 1.0
"""Other processes' deposits are seen after this long; the limit is far larger than what they make of it."""

RETRY_AFTER_S = 5.0
"""What a depositor is told to wait: the log takes in some hundred thousand events by then."""


class Backlog:
    """The number of pending events, as well as this process knows it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count, self._counted_at = 0, float("-inf")

    def room(self, session: Session, *, wanted: int, limit: int) -> int:
        """Return how many of `wanted` more events may be queued."""
        with self._lock:
            now = time.monotonic()
            if now - self._counted_at >= COUNT_EVERY_S or self._count + wanted > limit:
                self._count, self._counted_at = events.count_pending(session), now
            return max(0, min(wanted, limit - self._count))

    def add(self, events_added: int) -> None:
        """Take note of events that are about to be committed."""
        with self._lock:
            self._count += events_added
