"""Logged between … and …: what the API says of each event is what a bundle's report says of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.api.app import create_app
from evidence_vault.authority_settings import TimestampAuthority
from evidence_vault.core.events import LOG, Subject, parse_event
from evidence_vault.core.names import encode_time
from evidence_vault.identity.actors import issue_token
from evidence_vault.pipeline.anchoring.joining import named_anchors
from evidence_vault.pipeline.intake.deposit import begin_deposit
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.record import Draft, EventActor, append_event, system_actor
from evidence_vault.pipeline.times.bounds import Logged, logged_between
from evidence_vault.store.queries import events, log
from evidence_vault.verify.render import render_text
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from tests.pipeline.export.test_export import policy_of
from tests.pipeline.story import OWNER, Story, begin_story


def view(story: Story, item: str) -> None:
    """Somebody looks at the content, which is an event."""
    with story.vault.database.write() as session:
        draft = Draft(
            subject=Subject(kind="item", id=item),
            type="DOWNLOADED",
            actor=OWNER,
            fields={"what": "content", "bundle": None},
            why={"basis": "owner", "grant": None, "case": None},
        )
        append_event(story.vault, session, draft)


def bounds_of(story: Story, item: str) -> list[Logged]:
    with story.vault.database.read() as session:
        rows = events.events_of(session, Subject(kind="item", id=item))
        indexes = log.leaf_indexes(session, [row.id for row in rows])
        found = logged_between(session, story.vault.settings, indexes.values())
        return [found[indexes[row.id]] for row in rows if row.id in indexes]


@pytest.mark.db
def test_bounds_are_those_of_the_report(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    story.deposit(b"before")
    story.go_on(8)
    item = story.deposit()
    story.go_on(8)
    view(story, item)
    story.go_on(8)
    bundle = story.export(item)
    story.go_on(8)
    ours = bounds_of(story, item)
    policy = parse_policy(policy_of(story).encode(), name="trust.toml")
    report = verify_path(story.bundle(bundle), policy, at=story.clock())
    theirs = report.items[0].bounds
    assert len(theirs) == len(ours) == 5  # deposit, two tokens, view, export
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.not_before is not None
        assert other.not_before is not None
        # A bundle carries few checkpoints, the vault has all: its bounds are as good or better.
        assert mine.not_before >= other.not_before
        assert mine.not_before <= (other.at or story.clock()) + timedelta(seconds=3)
        if other.not_after is not None:
            assert mine.not_after is not None
            assert mine.not_after <= other.not_after
    assert ours[0].not_before is not None
    assert ours[3].not_before is not None
    # The view came after the deposit had been stamped; a token is accurate to a second.
    assert ours[0].not_after is not None
    assert ours[3].not_before >= ours[0].not_after - timedelta(seconds=2)
    assert ours[3].not_before > ours[0].not_before + timedelta(seconds=5)
    english, chinese = (render_text(report, lang=lang) for lang in ("en", "zh"))
    line = theirs[0]
    assert line.not_before is not None
    assert line.not_after is not None
    assert f"{encode_time(line.not_before)} and {encode_time(line.not_after)}" in english
    assert f"{encode_time(line.not_before)} 与 {encode_time(line.not_after)}" in chinese
    story.chain.close()


def test_bounds_of_a_young_log_are_open(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    story.wires.down |= {url for url in story.wires.answer if url.endswith("/tsr")}
    item = story.deposit()
    story.go_on(2)
    assert bounds_of(story, item) == [Logged(not_before=None, not_after=None)]
    story.wires.down = {"http://two.example/tsr"}
    story.clock.advance(700)
    story.go_on(3)
    # One group of two, and a chain that is final: two groups.
    story.go_on(6)
    assert bounds_of(story, item)[0].not_after is not None
    story.chain.close()


@pytest.mark.socket
def test_events_of_an_item_tell_between_which_times_they_were_logged(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    token, facts = issue_token(
        story.vault.database, name="Somebody", role="RH", scopes=ALL_SCOPES, now=story.clock(), life=None
    )
    story.deposit(b"before")
    story.go_on(6)
    owner = EventActor(id=facts.actor_id, role="RH", auth="token")
    with begin_deposit(story.vault, Wish(actor=owner, file_name=None)) as one:
        one.write(b"evidence")
        item = one.commit().item_id
    asked = f"/v1/items/{item}/events"
    headers = {"Authorization": f"Bearer {token}"}
    with TestClient(create_app(story.vault)) as client:
        [first] = client.get(asked, headers=headers).json()["events"]
        assert first["leaf_index"] is first["not_before"] is first["not_after"] is None
        story.go_on(8)
        first = client.get(asked, headers=headers).json()["events"][0]
    assert first["not_before"] <= first["event"]["at"] <= first["not_after"]
    [ours, *_] = bounds_of(story, item)
    assert ours.not_before is not None
    assert first["not_before"] == encode_time(ours.not_before)
    story.chain.close()


def test_bounds_count_no_authority_that_the_settings_name_no_more(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    story.deposit()
    story.go_on(6)
    one, two = story.vault.settings.authorities

    def bounded(*authorities: TimestampAuthority) -> bool:
        settings = story.vault.settings.model_copy(update={"authorities": authorities, "networks": []})
        with story.vault.database.read() as session:
            return logged_between(session, settings, [0])[0].not_after is not None

    assert bounded(one, two)
    # "two" has stamped too, but nobody says any more that it is of another group than "one".
    assert not bounded(one, one.model_copy(update={"name": "new", "group": "new"}))
    story.chain.close()


def test_bounds_count_no_block_that_the_log_says_was_taken_back(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    story.deposit()
    story.go_on(12)
    alone = story.vault.settings.model_copy(update={"authorities": []})
    with story.vault.database.write() as session:
        assert logged_between(session, alone, [0])[0].not_after is not None
        for size in range(1, 40):
            for row in events.events_of(session, Subject(kind="checkpoint", id=str(size))):
                if row.type == "CHECKPOINT_ANCHORED":
                    [anchor] = named_anchors(session)
                    fields: dict[str, Any] = {"anchor": dict(anchor), "size": size, "reason": "other-block"}
                    fields["proof_sha256"] = str(parse_event(row.raw).fields["proof_sha256"])
                    draft = Draft(subject=LOG, type="ANCHOR_LOST", actor=system_actor(session), fields=fields)
                    append_event(story.vault, session, draft)
        assert logged_between(session, alone, [0])[0] == Logged(not_before=None, not_after=None)
    story.chain.close()
