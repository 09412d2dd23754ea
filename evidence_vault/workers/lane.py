"""A lane: pieces of work that run side by side, at most so many at once, none of which waits for another.

Each has a thread of its own while it runs, so an idle lane costs nothing. What one raises is told to whoever asks
for room next, who knows what to do with it. The threads are nobody's to wait for when a process ends for good.
"""

import threading
from collections import deque
from collections.abc import Callable

LOOK_S = 0.2
"""How often whoever waits for room looks whether he still needs it."""


class Lane:
    """Room for `most` pieces of work at once."""

    def __init__(self, most: int) -> None:
        """Begin empty."""
        self._most, self._free = most, most
        self._changed = threading.Condition()
        self._errors: deque[Exception] = deque()

    def room(self, is_wanted: Callable[[], bool]) -> int:
        """Return for how many there is room, as soon as there is any; 0 once it is not wanted any more.

        Raises what a piece of work raised, one at a time.
        """
        with self._changed:
            while is_wanted() and not self._errors and not self._free:
                self._changed.wait(LOOK_S)
            if self._errors:
                raise self._errors.popleft()
            return self._free if is_wanted() else 0

    def begin(self, work: Callable[[], object]) -> None:
        """Run this in a thread. Whoever begins more than there was room for has made a mistake."""
        with self._changed:
            assert self._free
            threading.Thread(target=self._run, args=(work,), name="lane", daemon=True).start()
            self._free -= 1

    def wait(self, within_s: float) -> bool:
        """Wait until nothing runs any more; whether that came within this time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._free == self._most, within_s)

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the loop that asks for room is told
            self._errors.append(error)
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()
