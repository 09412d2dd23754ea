"""Checkpoints reach a toy Bitcoin by way of calendars, beside Ethereum: from order to bundle, over real HTTP."""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from anchors.opentimestamps.bitcoin import LEAST_DIFFICULTY
from anchors.values import replace
from evidence_vault.api.progress import describe_standing
from evidence_vault.api.schemas import Stage
from evidence_vault.bitcoin_settings import Bitcoin
from evidence_vault.client.addresses import endpoint_of
from evidence_vault.client.http import GuardedClient
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.states import JobState
from evidence_vault.errors import UnavailableError
from evidence_vault.pipeline.anchoring.watch import lost_anchors, watch_anchors
from evidence_vault.pipeline.export.trust import final_headers, policy_text
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.operation.recover import plan_recovery, recover
from evidence_vault.pipeline.vault import Vault
from evidence_vault.service.bitcoin import bitcoin_submitter
from evidence_vault.settings import Settings
from evidence_vault.store.models import Job
from evidence_vault.store.queries import bundles, checkpoint_jobs, events, items, jobs, log
from evidence_vault.verify.report import Status, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from tests.anchors.opentimestamps.toy import ToyBitcoin, ToyCalendar, serving
from tests.pipeline.running import run_once
from tests.pipeline.story import Story, begin_story
from tests.pipeline.vaults import reopened, take_backup

pytestmark = pytest.mark.socket
Town = tuple[Story, ToyBitcoin, ToyCalendar, ToyCalendar]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    chain = ToyBitcoin()
    alice, bob = ToyCalendar("alice", chain), ToyCalendar("bob", chain)
    with serving(alice, bob, chain) as urls:
        bitcoin = {
            "name": "toy",
            "network": "regtest",
            "calendars": [{"name": "alice", "url": urls[0]}, {"name": "bob", "url": urls[1]}],
            "node_urls": [urls[2]],
            "log_class": "development",
            "poll_s": 3,
        }
        story = begin_story(tmp_path, bitcoin=[bitcoin], anchor_interval_s=10_000_000)
        http = GuardedClient(permitted=[endpoint_of(url) for url in urls])
        made = {one.name: bitcoin_submitter(story.vault, one, http) for one in story.vault.settings.bitcoin}
        anchoring = {**story.vault.submitters["anchor"], **made}
        story.vault = replace(
            story.vault,
            submitters={**story.vault.submitters, "anchor": anchoring},
            watchers={**story.vault.watchers, **made},
        )
        yield story, chain, alice, bob
        story.chain.close()


def job_on(story: Story, target: str) -> Job:
    with story.vault.database.read() as session:
        newest = checkpoint_jobs.newest_checkpoint_job(session, "anchor")
        assert newest is not None
        about = jobs.jobs_of(session, Subject(kind="checkpoint", id=newest.subject_id))
    (job,) = (job for job in about if (job.kind, job.target) == ("anchor", target))
    return job


def headers_of(story: Story) -> Sequence[tuple[str, int, bytes]]:
    with story.vault.database.read() as session:
        newest = log.latest_published(session)
        assert newest is not None
        return final_headers(session, bundles.anchored_sizes(session, published=newest.size))


def test_a_checkpoint_is_anchored_on_both_kinds_and_exported_with_both(town: Town, tmp_path: Path) -> None:
    story, chain, alice, bob = town
    item = story.deposit()
    story.go_on(10)
    waiting = job_on(story, "toy")
    assert waiting.state == JobState.SUBMITTED
    assert waiting.progress is not None
    assert set(waiting.progress["data"]["answers"]) == {"alice", "bob"}
    assert (len(alice.received), alice.received) == (1, bob.received)
    # An export waits for no block: what is there travels.
    early = story.export(item)
    story.go_on(10)
    assert story.bundle(early).exists()
    alice.seal()
    chain.mine(5)
    story.go_on(10)
    assert job_on(story, "toy").state == JobState.FINAL
    kinds = {kind for kind, _ in anchored_events(story)}
    assert kinds == {"ethereum", "opentimestamps"}
    late = story.export(item)
    story.go_on(10)
    with story.vault.database.read() as session:
        own = policy_text(story.vault, session, tsa_groups=2, anchors=1, known_headers=headers_of(story))
        bare = policy_text(story.vault, session, tsa_groups=2, anchors=1)
    at = story.clock() + timedelta(hours=1)
    report = verify_path(story.bundle(late), parse_policy(own.encode(), name="t"), at=at)
    assert report.verdict is Verdict.DEVELOPMENT_PASSED
    assert any("toy (DEVELOPMENT), block 1" in anchor for anchor in report.items[0].anchors)
    # Without the header nothing says that the block is real: told, and not FAILED.
    report = verify_path(story.bundle(late), parse_policy(bare.encode(), name="t"), at=at)
    assert report.items[0].rows[6].status is Status.INDETERMINATE
    assert report.items[0].unmet == ("anchors",)
    # Other people's tools: the client of OpenTimestamps takes the file out of the bundle as it is.
    with zipfile.ZipFile(story.bundle(late)) as archive:
        archive.extractall(tmp_path / "out")
    (stamp,) = (tmp_path / "out").rglob("*.ots")
    note = stamp.parents[2] / "log" / f"{stamp.parent.name}.note"
    with serving(chain) as urls:
        node = urls[0].replace("http://", "http://user:password@")
        program = [str(Path(sys.executable).parent / "ots"), "--no-cache", "--no-default-whitelist"]
        done = subprocess.run(
            [*program, "--btc-regtest", "--bitcoin-node", node, "verify", str(stamp), "-f", str(note)],
            capture_output=True,
            text=True,
            check=False,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore"},
        )
    assert (done.returncode, "Success! Bitcoin block 1" in done.stderr) == (0, True), done.stderr


def anchored_events(story: Story) -> list[tuple[str, str]]:
    found = []
    with story.vault.database.read() as session:
        newest = checkpoint_jobs.newest_checkpoint_job(session, "anchor")
        assert newest is not None
        for row in events.events_of(session, Subject(kind="checkpoint", id=newest.subject_id)):
            if row.type == "CHECKPOINT_ANCHORED":
                fields = parse_event(row.raw).fields
                found.append((str(fields["anchor_kind"]), str(fields["proof_sha256"])))
    return found


def test_a_promise_of_weeks_and_a_calendar_that_is_down_are_told(town: Town) -> None:
    story, chain, alice, bob = town
    bob.lie = lambda method, path, body: (500, b"")
    story.deposit()
    story.go_on(10)
    assert "bob: answered 500" in str(job_on(story, "toy").last_error)
    story.clock.advance(15 * 86_400)
    story.go_on(5)
    told = job_on(story, "toy")
    assert (told.state, "15 days ago" in str(told.last_error)) == (JobState.SUBMITTED, True)
    alice.seal()
    chain.mine(5)
    story.go_on(10)
    done = job_on(story, "toy")
    assert (done.state, done.last_error) == (JobState.FINAL, None)


def test_an_unreachable_town_is_waited_out_and_hinders_nothing(town: Town) -> None:
    story, _, alice, bob = town
    alice.lie = bob.lie = lambda method, path, body: (503, b"")
    item = story.deposit()
    story.go_on(10)
    assert job_on(story, "toy").state == JobState.PREPARED
    assert "503" in str(job_on(story, "toy").last_error)
    bundle = story.export(item)
    story.go_on(10)
    assert story.bundle(bundle).exists()


def test_settings_refuse_what_makes_no_sense() -> None:
    good = {
        "name": "b",
        "calendars": [{"name": "a", "url": "https://a.example"}],
        "node_urls": ["http://n.example"],
    }
    assert Bitcoin.model_validate(good).network in LEAST_DIFFICULTY
    two = [{"name": "a", "url": "https://a.example"}, {"name": "b", "url": "https://a.example/"}]
    for wrong in (
        good | {"calendars": two},
        good | {"calendars": []},
        good | {"network": "regtest"},
        good | {"node_urls": []},
        good | {"poll_s": 0},
    ):
        with pytest.raises(ValidationError):
            Bitcoin.model_validate(wrong)
    with pytest.raises(ValidationError, match="each name once"):
        Settings.model_validate({"bitcoin": [good, good]})


def test_trouble_with_a_network_stands_in_the_item_status(town: Town) -> None:
    story, _, alice, bob = town
    alice.lie = bob.lie = lambda method, path, body: (500, b"")
    item = story.deposit()
    story.go_on(10)
    with story.vault.database.read() as session:
        row = items.get_item(session, item)
        assert row is not None
        view = describe_standing(session, story.vault.settings, row, items.item_progress(session, row))
    (trouble,) = next(stage.trouble for stage in view.stages if stage.name == "anchored")
    assert (trouble.authority, "answered 500" in trouble.reason) == ("toy", True)


def test_the_item_status_tells_a_promise_from_a_block_and_names_each_class(town: Town) -> None:
    story, chain, alice, _ = town
    item = story.deposit()
    story.go_on(10)

    def final() -> Stage:
        with story.vault.database.read() as session:
            row = items.get_item(session, item)
            assert row is not None
            view = describe_standing(session, story.vault.settings, row, items.item_progress(session, row))
        return next(stage for stage in view.stages if stage.name == "final")

    ethereum, toy = final().networks
    assert (ethereum.network, ethereum.network_class) == ("story-chain", "development")
    assert (toy.network, toy.network_class, toy.state, toy.by) == (
        "toy",
        "development",
        "promised",
        ["alice", "bob"],
    )
    assert toy.since is not None
    alice.seal()
    chain.mine(5)
    story.go_on(10)
    assert [(one.network, one.state) for one in final().networks] == [
        ("story-chain", "final"),
        ("toy", "final"),
    ]


@pytest.mark.parametrize("restored", [False, True])
def test_a_stamp_whose_block_is_gone_is_told_and_made_again(town: Town, restored: bool) -> None:
    story, chain, alice, _ = town
    item = story.deposit()
    story.go_on(10)
    height = alice.seal()
    chain.mine(5)
    story.go_on(10)
    assert watch_anchors(story.vault, "toy") == 0
    job = job_on(story, "toy")
    size = int(job.subject_id)
    assert job.state == JobState.FINAL
    restore = take_backup(story.vault)
    story.vault = replace(reopened(story.vault), watchers=story.vault.watchers)

    chain.reorganise(height, 3)
    assert watch_anchors(story.vault, "toy") == 0  # too few blocks on top to say so
    chain.mine(4)
    assert watch_anchors(story.vault, "toy") == 1
    assert watch_anchors(story.vault, "toy") == 0
    with story.vault.database.read() as session:
        (lost,) = lost_anchors(session)
        row = items.get_item(session, item)
        assert row is not None
        view = describe_standing(session, story.vault.settings, row, items.item_progress(session, row))
    final = next(stage for stage in view.stages if stage.name == "final")
    assert (lost.size, lost.anchor) == (size, {"kind": "opentimestamps", "network": "regtest"})
    assert [(one.network, one.checkpoint) for one in final.lost] == [("toy", size)]
    for _ in range(3):  # the loss is published
        run_once(story.vault, {})
        story.clock.advance(1)
    if restored:
        restore()
        story.vault = replace(reopened(story.vault), watchers=story.vault.watchers)
        recover(story.vault, plan_recovery(story.vault))
        assert job_of(story, size).state == JobState.LOST

    story.go_on(10)
    assert job_of(story, size).state == JobState.SUBMITTED
    alice.seal()
    chain.mine(5)
    story.go_on(10)
    assert job_of(story, size).state == JobState.FINAL
    assert watch_anchors(story.vault, "toy") == 0
    stamps = [parts for parts in anchored_parts(story.vault, str(size)) if "proof.ots" in parts]
    assert len(stamps) == 2  # the lost one stays where it is
    assert {hashlib.sha256(parts["proof.json"]).digest() for parts in stamps} > {lost.proof_sha256}


def test_two_bitcoin_nodes_that_disagree_lose_nothing(town: Town) -> None:
    story, chain, alice, _ = town
    story.deposit()
    story.go_on(10)
    alice.seal()
    chain.mine(5)
    story.go_on(10)
    other = ToyBitcoin(seed=b"other")
    other.headers[:1] = chain.headers[:1]
    other.reorganise(1, 20)
    with serving(chain, other) as urls:
        (toy,) = story.vault.settings.bitcoin
        both = toy.model_copy(update={"node_urls": [SecretStr(url) for url in urls]})
        http = GuardedClient(permitted=[endpoint_of(url) for url in urls])
        doubtful = replace(story.vault, watchers={"toy": bitcoin_submitter(story.vault, both, http)})
        with pytest.raises(UnavailableError, match="nodes disagree"):
            watch_anchors(doubtful, "toy")
    with story.vault.database.read() as session:
        assert lost_anchors(session) == []


def job_of(story: Story, size: int) -> Job:
    with story.vault.database.read() as session:
        about = jobs.jobs_of(session, Subject(kind="checkpoint", id=str(size)))
    return next(job for job in about if (job.kind, job.target) == ("anchor", "toy"))


def test_a_restored_database_gets_the_proof_back_and_the_log_is_whole(town: Town) -> None:
    story, chain, alice, _ = town
    story.deposit()
    story.go_on(10)
    restore = take_backup(story.vault)
    alice.seal()
    chain.mine(5)
    story.go_on(10)
    job = job_on(story, "toy")
    checked = fsck(story.vault)
    before = anchored_parts(story.vault, job.subject_id)
    restore()
    vault = reopened(story.vault)
    recover(vault, plan_recovery(vault))
    assert anchored_parts(vault, job.subject_id) == before
    assert {"proof.json", "proof.ots"} in [set(parts) for parts in before]
    with vault.database.read() as session:
        about = jobs.jobs_of(session, Subject(kind="checkpoint", id=job.subject_id))
    assert {one.state for one in about if one.target == "toy"} == {JobState.FINAL}
    assert fsck(vault).leaves == checked.leaves


def anchored_parts(vault: Vault, size: str) -> list[Mapping[str, bytes]]:
    with vault.database.read() as session:
        rows = events.events_of(session, Subject(kind="checkpoint", id=size))
        return [events.proof_parts_of(session, row.id) for row in rows if row.type == "CHECKPOINT_ANCHORED"]
