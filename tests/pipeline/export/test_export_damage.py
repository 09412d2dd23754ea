"""A content that lies in a damaged pack: its export fails and says so in the item's history; the vault goes on."""

from pathlib import Path

from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.states import JobState
from evidence_vault.pipeline.intake.deposit import deposit_content
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.store.queries import events, exports, jobs
from tests.pipeline.story import OWNER, Story, begin_story


def failed_for(story: Story, bundle: str) -> str:
    with story.vault.database.read() as session:
        (row,) = jobs.jobs_of(session, Subject(kind="export", id=bundle))
        assert not exports.frozen_parts(session, bundle)  # nor what it would have told
    assert row.state == JobState.FAILED
    assert not story.bundle(bundle).exists()
    return row.last_error or ""


def damage(pack: Path, sound: bytes, cause: str) -> None:
    if cause == "altered":
        pack.write_bytes(b"x" + sound[1:])
    elif cause == "missing":
        pack.unlink()
    else:
        pack.mkdir()  # reading it is an error of the system


def test_exports_of_content_in_damaged_packs_fail_alone(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    item = deposit_content(story.vault, Wish(actor=OWNER, file_name="x"), b"small, and in a pack").item_id
    whole = story.deposit(b"in a file of its own")
    story.go_on(8)
    (pack,) = (tmp_path / "packs").glob("*.evp")
    sound = pack.read_bytes()

    causes = []
    other = story.export(whole)
    for cause in ("altered", "missing", "unreadable"):
        damage(pack, sound, cause)
        bundle = story.export(item)
        story.go_on(3)
        assert item in failed_for(story, bundle)
        assert not story.vault.gate.reasons
        with story.vault.database.read() as session:
            history = events.events_of(session, Subject(kind="item", id=item))
        causes = [parse_event(row.raw).fields["cause"] for row in history if row.type == "FIXITY_FAILED"]
    assert causes == ["altered", "missing", "unreadable"]  # once, until it is found otherwise
    assert story.bundle(other).exists()
    story.chain.close()
