"""When checkpoints are anchored: by time, sooner where many events wait, and never too soon after the last."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from evidence_vault.store.models import Job
from evidence_vault.store.queries import checkpoint_jobs
from tests.pipeline.story import Story, begin_story

pytestmark = pytest.mark.db

SOON, LATER = timedelta(seconds=30), timedelta(seconds=300)
MANY = 12
"""Events: an item makes three, its deposit and a token of each of two authorities."""


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A vault that has just ordered its first anchor."""
    made = begin_story(
        tmp_path,
        anchor_interval_s=LATER.total_seconds(),
        anchor_soon_events=MANY,
        anchor_soon_interval_s=SOON.total_seconds(),
    )
    made.deposit()
    made.go_on(5)
    yield made
    made.chain.close()


def newest(story: Story) -> Job:
    with story.vault.database.read() as session:
        job = checkpoint_jobs.newest_checkpoint_job(session, "anchor")
    assert job is not None
    return job


def next_after(story: Story, last: Job, *, within: timedelta) -> timedelta:
    """How long after `last` the next anchor was ordered."""
    until = last.created_at + within
    while story.clock() < until:
        story.go_on(1)
        if newest(story).subject_id != last.subject_id:
            return newest(story).created_at - last.created_at
    raise AssertionError(f"no anchor was ordered within {within}")


def test_anchor_of_few_events_waits_for_its_time(story: Story) -> None:
    last = newest(story)
    story.deposit()
    assert LATER <= next_after(story, last, within=2 * LATER) <= LATER + timedelta(seconds=5)


def test_anchor_of_many_events_comes_sooner_but_not_too_soon(story: Story) -> None:
    last = newest(story)
    for n in range(MANY):
        story.deposit(f"evidence {n}".encode())
    assert SOON <= next_after(story, last, within=LATER) <= SOON + timedelta(seconds=5)


def test_anchor_of_events_that_become_many_later_is_ordered_then(story: Story) -> None:
    last = newest(story)
    story.deposit()
    story.go_on(90)
    assert newest(story).subject_id == last.subject_id
    many_at = story.clock() - last.created_at
    for n in range(MANY // 3):
        story.deposit(f"evidence {n}".encode())
    assert many_at <= next_after(story, last, within=LATER) <= many_at + timedelta(seconds=5)


def test_anchor_after_the_clock_was_set_back_is_ordered_at_once_and_then_by_its_time(story: Story) -> None:
    last = newest(story)
    story.clock.now -= timedelta(days=2)
    story.deposit()
    story.go_on(3)
    again = newest(story)
    assert again.subject_id != last.subject_id
    story.deposit(b"another")
    story.go_on(3)
    assert newest(story).subject_id == again.subject_id
