"""Exchanges as a stage sees them: it asks for many, and is given groups of what came. A worker has the threads."""

from collections.abc import Callable, Generator, Sequence
from typing import Generic, Protocol, TypeVar

from anchors.values import value

AskedT = TypeVar("AskedT")
CameT = TypeVar("CameT")


@value
class Came(Generic[AskedT, CameT]):
    """What came of what was asked: a result, or an error; neither if it was not sent."""

    asked: AskedT
    result: CameT | None = None
    error: Exception | None = None


class ExchangeAll(Protocol):
    """Makes exchanges, several at once; `workers.exchanges` has the one."""

    def __call__(
        self,
        asked: Sequence[AskedT],
        exchange: Callable[[AskedT], CameT],
        *,
        at_once: int,
        send_within_s: float,
        most_failures: int,
    ) -> Generator[list[Came[AskedT, CameT]], None, None]:
        """Yield what came, in groups; at last what was not sent, after `most_failures` in a row, or late.

        exchange: is called in several threads. Whatever Exception it raises is the answer to that one. Close the
        iterator when you don't go on: nothing is sent then any more.
        """
        ...
