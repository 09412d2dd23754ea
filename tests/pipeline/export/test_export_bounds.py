"""How closely a bundle tells when somebody looked: the checkpoints that travel for it, and how many."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from evidence_vault.core.events import Subject
from evidence_vault.pipeline.export import choice as export_choice
from evidence_vault.pipeline.export.bounds import thinned
from evidence_vault.pipeline.record import Draft, append_event
from evidence_vault.store.queries import exports
from evidence_vault.verify.report import Bounds
from tests.pipeline.export.test_export import policy_of, verified
from tests.pipeline.story import OWNER, Story, begin_story

LOOKS, EVERY_S = 4, 4


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Story, str]]:
    """An item at which somebody looks every few seconds, in a log that is stamped every second."""
    story = begin_story(tmp_path_factory.mktemp("story"), anchor_interval_s=3600)
    item = story.deposit()
    story.go_on(EVERY_S)
    for _ in range(LOOKS):
        look = Draft(
            subject=Subject(kind="item", id=item),
            type="VIEWED",
            actor=OWNER,
            fields={"what": "metadata"},
            why={"basis": "owner", "grant": None, "case": None},
        )
        with story.vault.database.write() as session:
            append_event(story.vault, session, look)
        story.go_on(EVERY_S)
    yield story, item
    story.chain.close()


def looks(story: Story, item: str) -> tuple[list[Bounds], int]:
    """When each look was logged, as a reader finds it, and how many checkpoints were chosen for the bundle."""
    bundle = story.export(item)
    story.go_on(3)
    report = verified(story, bundle, policy_of(story))
    with story.vault.database.read() as session:
        export = exports.get_export(session, bundle)
    assert export is not None
    return [one for one in report.items[0].bounds if one.type == "VIEWED"], len(export.options["sizes"])


def width(bound: Bounds) -> timedelta:
    assert bound.not_before is not None
    assert bound.not_after is not None
    return bound.not_after - bound.not_before


def test_each_look_is_bounded_by_what_lies_next_to_it_if_there_is_room(
    looked_at: tuple[Story, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, all_sizes = looks(*looked_at)
    assert len(found) == LOOKS
    assert max(map(width, found)) <= timedelta(seconds=2 * EVERY_S)
    monkeypatch.setattr(export_choice, "MAX_MORE_BYTES", 10_000)  # as if its tokens were very long
    found, sizes = looks(*looked_at)
    assert sizes < all_sizes
    assert max(map(width, found)) > timedelta(seconds=2 * EVERY_S)


@pytest.mark.parametrize("most", [0, 1, 2, 5, 9, 10, 100])
def test_thinned_keeps_the_last_and_leaves_out_evenly(most: int) -> None:
    sizes = list(range(0, 100, 10))
    kept = thinned(sizes, most)
    assert len(kept) == min(most, len(sizes))
    assert kept[-1:] == sizes[-1:][:most]
    gaps = {after - before for before, after in pairwise(kept)}
    assert not gaps or max(gaps) - min(gaps) <= 10
