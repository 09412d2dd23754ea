"""Export: from deposits to a bundle that our verifier, and other people's tools, accept."""

import errno
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from evidence_vault.core.canonical import as_object
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.states import JobState
from evidence_vault.pipeline.export.export import advance_export
from evidence_vault.pipeline.export.trust import final_blocks, policy_text
from evidence_vault.pipeline.export.wish import ExportWish, request_export
from evidence_vault.pipeline.intake.deposit import deposit_digests
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.store.queries import bundles, events, exports, jobs, log
from evidence_vault.verify.report import Report, Status, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from evidence_vault.workers.runner import advance_due, singly
from tests.conftest import absent
from tests.pipeline.story import REQUESTER, Story, begin_story
from tests.pipeline.vaults import OWNER, deposit, new_vault


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Story, list[str], str]]:
    """Two items, final on the chain, exported together."""
    story = begin_story(tmp_path_factory.mktemp("story"))
    items = [story.deposit(b"first"), story.deposit(b"second" * 400_000, file_name=None)]
    story.go_on(30)
    bundle = story.export(*items)
    story.go_on(10)
    yield story, items, bundle
    story.chain.close()


def policy_of(story: Story, *, tsa_groups: int = 2, known: bool = True) -> str:
    with story.vault.database.read() as session:
        newest = log.latest_published(session)
        assert newest is not None
        sizes = bundles.anchored_sizes(session, published=newest.size)
        blocks = final_blocks(session, sizes) if known else []
        return policy_text(story.vault, session, tsa_groups=tsa_groups, known_blocks=blocks)


def verified(story: Story, bundle: str, text: str) -> Report:
    policy = parse_policy(text.encode(), name="trust.toml")
    return verify_path(story.bundle(bundle), policy, at=story.clock() + timedelta(hours=1))


def job_state(story: Story, bundle: str) -> str:
    with story.vault.database.read() as session:
        (job,) = jobs.jobs_of(session, Subject(kind="export", id=bundle))
        return job.state


def test_export_of_final_items_passes_with_every_row(told: tuple[Story, list[str], str]) -> None:
    story, items, bundle = told
    assert job_state(story, bundle) == JobState.VERIFIED
    report = verified(story, bundle, policy_of(story))
    assert report.verdict is Verdict.DEVELOPMENT_PASSED
    assert [item.item for item in report.items] == sorted(items)
    for item in report.items:
        status = {row.number: row.status for row in item.rows}
        assert status.pop(9) is Status.NOT_PRESENT
        assert set(status.values()) == {Status.PASSED}
        assert len(item.anchors) >= 1
        assert item.record_time is not None


def test_export_without_known_blocks_is_indeterminate_not_failed(
    told: tuple[Story, list[str], str],
) -> None:
    story, _, bundle = told
    report = verified(story, bundle, policy_of(story, known=False))
    assert report.verdict is Verdict.INDETERMINATE
    assert "anchors" in report.items[0].unmet


def test_export_is_the_newest_event_of_each_item_and_names_the_cut(
    told: tuple[Story, list[str], str],
) -> None:
    story, items, bundle = told
    with story.vault.database.read() as session:
        for item in items:
            last = parse_event(events.events_of(session, Subject(kind="item", id=item))[-1].raw)
            assert last.type == "EXPORTED"
            assert last.fields["bundle"] == bundle
            cut = as_object(last.fields["cut"])
            export = exports.get_export(session, bundle)
            assert export is not None
            assert cut["size"] == export.cut_size
            assert export.checkpoint_size is not None
            assert export.cut_size is not None
            assert export.checkpoint_size > export.cut_size


def test_bundle_is_accepted_by_bagit_sha256sum_and_openssl(
    told: tuple[Story, list[str], str], tmp_path: Path
) -> None:
    story, _, bundle = told
    with zipfile.ZipFile(story.bundle(bundle)) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / f"ev-{bundle}"
    subprocess.run(
        [sys.executable, "-m", "bagit", "--validate", "."], cwd=folder, check=True, capture_output=True
    )
    for listing in ("manifest-sha256.txt", "tagmanifest-sha256.txt", "proof/parts.txt"):
        subprocess.run(["sha256sum", "-c", "--quiet", listing], cwd=folder, check=True, capture_output=True)
    lines = openssl_lines(folder)
    assert len(lines) == len(list(folder.glob("proof/timestamps/*/*/response.tsr")))
    for line in lines:
        done = subprocess.run(line, shell=True, cwd=folder, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "Verification: OK" in done.stdout + done.stderr


def openssl_lines(folder: Path) -> list[str]:
    """The README's own lines, to be run as they stand there."""
    readme = (folder / "README.txt").read_text("utf-8").replace("\\\n", " ")
    return [line.strip() for line in readme.splitlines() if line.strip().startswith("openssl ts")]


def test_readme_lines_verify_tokens_with_the_clock_forty_years_ahead(
    told: tuple[Story, list[str], str], tmp_path: Path
) -> None:
    if shutil.which("faketime") is None:
        absent("no faketime on this machine (apt-get install faketime)")
    story, _, bundle = told
    with zipfile.ZipFile(story.bundle(bundle)) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / f"ev-{bundle}"
    line = openssl_lines(folder)[0]
    for said, expected in ((line, 0), (re.sub(r"-attime \d+", "", line), 1)):
        done = subprocess.run(
            ["faketime", "+40 years", "sh", "-c", said],
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
        )
        # Without its -attime the same line fails: the clock is really ahead, and the certificates have ended.
        assert done.returncode == expected, done.stdout + done.stderr
        assert ("has expired" in done.stdout + done.stderr) == bool(expected)


@pytest.mark.db
def test_export_that_was_interrupted_after_each_step_gives_the_same_bytes(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    item = story.deposit()
    story.go_on(20)
    bundle = story.export(item)
    story.go_on(4)
    before = story.bundle(bundle).read_bytes()
    # A crash between writing the file and recording it: the same step again, from the frozen parts.
    with story.vault.database.write() as session:
        session.connection().exec_driver_sql(
            "UPDATE jobs SET state = 'READY', run_at = created_at WHERE kind = 'export'"
        )
    story.bundle(bundle).unlink()
    story.go_on(2)
    assert story.bundle(bundle).read_bytes() == before
    story.chain.close()


def test_export_of_changed_content_is_never_handed_out(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    item = story.deposit(b"the evidence as it was")
    story.go_on(20)
    bundle = story.export(item)
    (blob,) = [path for path in (tmp_path / "blobs").rglob(f"{item}*") if path.stat().st_size < 200]
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes().replace(b"as it was", b"as it is!"))
    with story.vault.database.write() as session:
        (job,) = jobs.claim_due(
            session,
            ["export"],
            owner="test",
            now=story.clock(),
            lease_until=story.clock() + timedelta(seconds=60),
            limit=1,
        )
    advance_export(story.vault, job)  # seals; the content is read when the bundle is written
    story.clock.advance(5)
    story.go_on(3)
    assert not story.bundle(bundle).exists()
    assert job_state(story, bundle) == JobState.FAILED
    assert not story.vault.gate.reasons  # one damaged content stops its export, not the vault
    with story.vault.database.read() as session:
        (row,) = jobs.jobs_of(session, Subject(kind="export", id=bundle))
        last = events.events_of(session, Subject(kind="item", id=item))[-1]
    assert row.last_error is not None
    assert item in row.last_error
    assert last.type == "FIXITY_FAILED"
    story.chain.close()


def test_export_of_an_item_after_several_anchors_passes(tmp_path: Path) -> None:
    # The last stamped checkpoint before the item travels for its token, and its anchor links to one before it.
    story = begin_story(tmp_path)
    for _ in range(2):
        wish = Wish(actor=OWNER, secret=True)  # one leaf each: stamped and anchored in one checkpoint
        deposit_digests(story.vault, wish, digests={"sha256": "00" * 32}, size=None)
        story.go_on(20)
    item = story.deposit()
    story.go_on(20)
    bundle = story.export(item)
    story.go_on(4)
    assert job_state(story, bundle) == JobState.VERIFIED
    assert verified(story, bundle, policy_of(story)).verdict is Verdict.DEVELOPMENT_PASSED
    story.chain.close()


def test_export_on_a_full_disk_leaves_nothing_and_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = begin_story(tmp_path)
    item = story.deposit()
    story.go_on(20)

    def fill_up(out: BinaryIO, **_: object) -> int:
        out.write(b"half a bundle")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("evidence_vault.pipeline.export.export.write_bundle", fill_up)
        bundle = story.export(item)
        story.go_on(4)
        with story.vault.database.read() as session:
            (job,) = jobs.jobs_of(session, Subject(kind="export", id=bundle))
        assert job.state == JobState.READY
        assert job.last_error is not None
        assert "no space left" in job.last_error
        assert list(story.bundle(bundle).parent.iterdir()) == []
    story.go_on(60)
    assert job_state(story, bundle) == JobState.VERIFIED
    story.chain.close()


@pytest.mark.db
def test_export_expires_and_its_record_stays(tmp_path: Path) -> None:
    story = begin_story(tmp_path)
    item = story.deposit()
    story.go_on(20)
    bundle = story.export(item)
    story.go_on(4)
    copy = tmp_path / "copy.zip"
    shutil.copy(story.bundle(bundle), copy)
    story.clock.advance(story.vault.settings.export_keep_hours * 3600)
    story.go_on(2)
    assert job_state(story, bundle) == JobState.EXPIRED
    assert not story.bundle(bundle).exists()
    with story.vault.database.read() as session:
        assert not exports.frozen_parts(session, bundle), "personal values would outlive their erasure here"
    report = verify_path(copy, parse_policy(policy_of(story).encode(), name="t"), at=story.clock())
    assert report.verdict is Verdict.DEVELOPMENT_PASSED
    story.chain.close()


def test_bundle_of_a_production_log_with_a_chain_of_class_test_passes(tmp_path: Path) -> None:
    story = begin_story(tmp_path, log_class="production")
    item = story.deposit()
    story.go_on(20)
    bundle = story.export(item)
    story.go_on(4)
    report = verified(story, bundle, policy_of(story))
    assert report.verdict is Verdict.TOTAL_PASSED
    assert report.exit_code == 0
    story.chain.close()


def test_export_that_waits_says_for_what(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, submitters={})
    item = deposit(vault).item_id
    bundle = request_export(vault, ExportWish(requester=REQUESTER, item_ids=(item,)))

    advance_due(vault, "export", singly(advance_export), owner="w")

    with vault.database.read() as session:
        (job,) = jobs.jobs_of(session, Subject(kind="export", id=bundle))
    assert (job.state, job.last_error) == (
        "READY",
        "this vault names no time-stamping authority: a bundle needs a checkpoint with a time",
    )
