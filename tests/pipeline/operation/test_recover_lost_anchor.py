"""A database from before a lost anchor: recover brings back that it was lost, and its job is on its way again."""

from pathlib import Path

import pytest

from anchors.base import AnchorProof
from anchors.ethereum.submit import EthereumSubmitter
from anchors.values import replace
from evidence_vault.core.events import Subject
from evidence_vault.core.states import JobState
from evidence_vault.pipeline.anchoring.watch import lost_anchors, watch_anchors
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.operation.recover import plan_recovery, recover
from evidence_vault.store.models import Job
from evidence_vault.store.queries import jobs
from tests.pipeline.running import run_once
from tests.pipeline.story import Story, begin_story
from tests.pipeline.vaults import reopened, take_backup


def job_of(story: Story, size: int, target: str) -> Job:
    with story.vault.database.read() as session:
        about = jobs.jobs_of(session, Subject(kind="checkpoint", id=str(size)))
    (job,) = (job for job in about if (job.kind, job.target) == ("anchor", target))
    return job


@pytest.mark.db
@pytest.mark.parametrize("backup_at", ["ordered", "final"])
def test_recover_of_a_lost_anchor_brings_the_loss_and_its_job_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backup_at: str
) -> None:
    story = begin_story(tmp_path, anchor_interval_s=1_000_000)
    (target,) = story.vault.watchers
    story.deposit()
    if backup_at == "final":
        story.go_on(30)
    restore = take_backup(story.vault)
    story.vault = replace(reopened(story.vault), watchers=story.vault.watchers)
    story.go_on(30)

    def taken_back(_: EthereumSubmitter, proof: AnchorProof) -> str:
        return f"another block is final than that of the {proof.kind} proof"

    monkeypatch.setattr(EthereumSubmitter, "find_lost", taken_back)
    assert watch_anchors(story.vault, target) == 1
    for _ in range(5):
        run_once(story.vault, {})
        story.clock.advance(1)
    with story.vault.database.read() as session:
        (lost,) = lost_anchors(session)
    assert job_of(story, lost.size, target).state == JobState.LOST
    leaves = fsck(story.vault).leaves

    restore()
    story.vault = reopened(story.vault)
    recover(story.vault, plan_recovery(story.vault))
    story.vault = reopened(story.vault)
    assert job_of(story, lost.size, target).state == JobState.LOST
    with story.vault.database.read() as session:
        assert lost_anchors(session) == [lost]
    assert fsck(story.vault).leaves == leaves
    job = job_of(story, lost.size, target)
    assert (job.run_at is not None, job.done_at) == (True, None)
    # The chain still holds it: what was signed is found there again, whether or not the database knows of it.
    monkeypatch.undo()
    story.go_on(60)
    assert job_of(story, lost.size, target).state == JobState.FINAL
    story.chain.close()
