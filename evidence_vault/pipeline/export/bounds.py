"""More checkpoints for a bundle: those that tell closely when somebody looked, was let in, or took over.

An event is bounded by what lies next to it: from above by the first checkpoint with tokens that holds it, from
below by the last one whose tokens were recorded before it. Only what lies next to each event is read, by the jobs
that obtained the tokens: a log that is years old costs no more than a young one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy.orm import Session

from evidence_vault.core.events import Subject
from evidence_vault.core.states import JobState
from evidence_vault.store.queries import bundles, checkpoint_jobs

BOUNDED_OTHERWISE = ("ITEM_RECEIVED", "TIMESTAMP_OBTAINED", "TIMESTAMP_FAILED", "EXPORTED")
"""Events that the chosen checkpoints bound anyway, or that tell of no person."""

MAX_ASKED = 256
"""Events whose neighbours are looked up. Of more, some are left out, evenly: few checkpoints travel."""

RECORDED_LATE = 4
"""Checkpoints of one authority that may be stamped, and not yet recorded, when an event is logged."""


def sizes_around_custody(
    session: Session,
    subjects: Sequence[Subject],
    *,
    authorities: Sequence[str],
    cut: int,
    published: int,
    tokens: int,
) -> set[int]:
    """Return the sizes of the timed checkpoints next to the events of these subjects, up to the cut."""
    indexes = bundles.indexes_of(session, subjects, below=cut, without=BOUNDED_OTHERWISE)
    indexes = thinned(indexes, MAX_ASKED)
    asked = {size for name in authorities for size in _next_to(session, indexes, name)}
    recorded = bundles.recorded_at(session, asked, below=published, tokens=tokens)
    timed = sorted((size, last) for size, last in recorded.items() if size <= cut)
    found: set[int] = set()
    for index in indexes:
        above = bisect_left(timed, (index + 1, 0))
        before = [size for size, last in timed[:above] if last < index]
        found.update(size for size, _ in timed[above : above + 1])
        found.update(before[-1:])
    return found


def thinned(sizes: Sequence[int], most: int) -> list[int]:
    """Return at most so many of these, evenly, the last among them."""
    step = max(1.0, len(sizes) / max(1, most))
    return sorted(sizes[-1 - int(number * step)] for number in range(min(len(sizes), most)))


def _next_to(session: Session, indexes: Iterable[int], name: str) -> Iterator[int]:
    """The checkpoints that this authority stamped next to each leaf. indexes: ascending."""
    above: int | None = -1  # nothing was asked yet
    for index in indexes:
        if above is None or index < above:
            continue  # nothing was stamped between the leaf before and this one
        yield from checkpoint_jobs.last_sizes_up_to(
            session, index, kind="timestamp", target=name, state=JobState.DONE, limit=RECORDED_LATE
        )
        above = checkpoint_jobs.first_size_above(
            session, index, kind="timestamp", target=name, state=JobState.DONE
        )
        if above is not None:
            yield above
