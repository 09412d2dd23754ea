"""Exchanges: several are out at once, none waits for another, and what is not to be sent comes back."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from evidence_vault.pipeline.times.exchanges import Came
from evidence_vault.workers import exchanges
from evidence_vault.workers.exchanges import exchange_all


def run(
    asked: Iterable[Any],
    exchange: Callable[[Any], Any],
    *,
    at_once: int = 4,
    send_within_s: float = 30,
    most_failures: int = 3,
) -> list[list[Came[Any, Any]]]:
    coming = exchange_all(
        list(asked), exchange, at_once=at_once, send_within_s=send_within_s, most_failures=most_failures
    )
    return [list(group) for group in coming]


def flat(groups: list[list[Came[Any, Any]]]) -> list[Came[Any, Any]]:
    return [came for group in groups for came in group]


def test_exchange_all_brings_every_answer_once() -> None:
    came = flat(run(range(50), lambda n: n * n))
    assert sorted((one.asked, one.result) for one in came) == [(n, n * n) for n in range(50)]
    assert {one.error for one in came} == {None}


def test_exchange_all_of_nothing_is_nothing() -> None:
    assert run([], lambda n: n) == []


def test_exchange_all_has_so_many_out_at_once_and_no_more() -> None:
    meeting, most = threading.Barrier(3, timeout=10), []

    def meet(_: int) -> None:
        meeting.wait()  # passes only if three are out together
        most.append(sum(thread.name == "exchange" for thread in threading.enumerate()))

    run(range(9), meet, at_once=3)
    assert max(most) == 3


def test_slow_exchange_holds_up_no_other() -> None:
    end = threading.Event()

    def exchange(n: int) -> int:
        if n == 0:
            assert end.wait(10)
        return n

    coming = exchange_all(list(range(20)), exchange, at_once=2, send_within_s=30, most_failures=3)
    first: list[int] = []
    while len(first) < 19:  # all but the slow one, while it is still out
        first += [came.asked for came in next(coming)]
    end.set()
    assert sorted(first) == list(range(1, 20))
    assert [came.asked for came in next(coming)] == [0]


def test_answers_come_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "GATHER_S", 5.0)
    assert [len(group) for group in run(range(30), lambda n: n)] == [30]


def test_failures_in_a_row_end_the_sending_and_the_rest_comes_back() -> None:
    sent = []

    def fail(n: int) -> None:
        sent.append(n)
        raise ValueError(n)

    came = flat(run(range(20), fail, at_once=1))
    assert sent == [0, 1, 2]
    assert [one.asked for one in came if one.error] == [0, 1, 2]
    assert [one.asked for one in came if not one.error] == list(range(3, 20))
    assert all(one.result is None for one in came)


def test_failures_that_are_not_in_a_row_end_nothing() -> None:
    def every_other(n: int) -> int:
        if n % 2:
            raise ValueError(n)
        return n

    came = flat(run(range(20), every_other, at_once=1))
    assert len([one for one in came if one.error]) == 10
    assert [one.result for one in came if one.result is not None] == list(range(0, 20, 2))


def test_nothing_is_sent_late() -> None:
    def slow(_: int) -> int:
        time.sleep(0.05)
        return 1

    came = flat(run(range(100), slow, at_once=2, send_within_s=0.2))
    sent = [one for one in came if one.result]
    assert 1 <= len(sent) <= 12  # on a busy machine fewer
    assert len(came) == 100


def test_end_of_the_process_is_no_answer() -> None:
    def end(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(range(3), end)


def test_closed_iterator_sends_nothing_more() -> None:
    sent = []

    def exchange(n: int) -> int:
        sent.append(n)
        time.sleep(0.02)
        return n

    coming = exchange_all(list(range(1000)), exchange, at_once=2, send_within_s=30, most_failures=3)
    next(coming)
    coming.close()
    time.sleep(0.1)
    so_far = len(sent)
    time.sleep(0.2)
    assert len(sent) == so_far < 1000
