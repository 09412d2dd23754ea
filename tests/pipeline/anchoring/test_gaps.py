"""A reorganisation leaves later transactions waiting for one that nobody sends any more: it is brought back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from anchors.ethereum.node import as_hex
from evidence_vault.core.events import Subject
from evidence_vault.pipeline.anchoring.gaps import watch_gaps
from evidence_vault.store.queries import checkpoint_jobs, jobs
from tests.anchors.ethereum.anvil import Anvil
from tests.pipeline.on_anvil import block_of, final_sizes, node, on_anvil, pass_time, until_final
from tests.pipeline.story import Story

pytestmark = pytest.mark.socket


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with node() as made:
        yield made


def nonce(anvil: Anvil, tag: str = "latest") -> int:
    return anvil.node.ask_number("eth_getTransactionCount", as_hex(anvil.signer.address), tag)


def under_way(story: Story) -> set[str]:
    with story.vault.database.read() as session:
        return {job.state for job in jobs.jobs_about(session, "anchor", "anvil", ended=False)}


def back_before(anvil: Anvil, block: int) -> None:
    """Reorganise so that the block is gone, and all after it."""
    anvil.reorganise(1 + anvil.node.ask_number("eth_blockNumber") - block)


def included(story: Story, anvil: Anvil) -> str:
    """Deposit, until an anchor is in a block and not final."""
    item = story.deposit()
    for _ in range(100):
        story.go_on(1)
        if "INCLUDED" in under_way(story):
            return item
    raise AssertionError(under_way(story))


def test_watch_gaps_sends_again_what_ended_and_the_chain_forgot(tmp_path: Path, anvil: Anvil) -> None:
    story = on_anvil(tmp_path, anvil, anchor_interval_s=25)
    until_final(story, anvil, story.deposit())
    first = final_sizes(story)[0]
    assert watch_gaps(story.vault, "anvil") is None  # nothing waits
    item = included(story, anvil)
    before = nonce(anvil)
    back_before(anvil, block_of(story, first))
    missing = nonce(anvil)
    assert missing < before - 1
    for _ in range(5):  # what is under way is sent again, and waits: no block takes it
        story.go_on(1)
        anvil.mine()
    assert (nonce(anvil), nonce(anvil, "pending"), under_way(story)) == (missing, missing, {"SUBMITTED"})

    done = watch_gaps(story.vault, "anvil")
    assert done == f"nonce {missing}, for which later ones waited, is sent again as it was signed"
    for _ in range(before - missing):
        watch_gaps(story.vault, "anvil")
        pass_time(story, anvil)
    until_final(story, anvil, item)
    assert nonce(anvil) == before  # nothing was paid for besides
    assert watch_gaps(story.vault, "anvil") is None
    story.chain.close()


def test_watch_gaps_fills_a_nonce_of_which_nobody_knows_the_transaction(tmp_path: Path, anvil: Anvil) -> None:
    story = on_anvil(tmp_path, anvil, anchor_interval_s=25)
    until_final(story, anvil, story.deposit())
    height = anvil.node.ask_number("eth_blockNumber")
    foreign = nonce(anvil)
    anvil.node.ask(
        "eth_sendTransaction", {"from": as_hex(anvil.signer.address), "to": "0x" + "11" * 20, "value": "0x1"}
    )
    anvil.mine()
    assert nonce(anvil) == foreign + 1
    item = included(story, anvil)
    back_before(anvil, height + 1)
    assert nonce(anvil) == foreign
    for _ in range(5):
        story.go_on(1)
        anvil.mine()
    assert (nonce(anvil), under_way(story)) == (foreign, {"SUBMITTED"})

    done = watch_gaps(story.vault, "anvil")
    assert (
        done == f"nonce {foreign}, for which later ones waited, is filled by a transaction that does nothing"
    )
    until_final(story, anvil, item)
    block = anvil.node.ask_block(hex(height)) or {}
    assert nonce(anvil) == foreign + 2
    assert int(block["number"], 16) == height
    story.chain.close()


def test_watch_gaps_leaves_alone_what_a_job_is_about_to_send(tmp_path: Path, anvil: Anvil) -> None:
    story = on_anvil(tmp_path, anvil, anchor_interval_s=25)
    until_final(story, anvil, story.deposit())
    item = included(story, anvil)
    held = nonce(anvil) - 1
    back_before(
        anvil, anvil.node.ask_number("eth_blockNumber")
    )  # its own block alone: the job sends it itself
    assert watch_gaps(story.vault, "anvil") is None
    assert nonce(anvil, "pending") == held
    until_final(story, anvil, item)
    with story.vault.database.read() as session:
        newest = checkpoint_jobs.newest_checkpoint_job(session, "anchor")
        assert newest is not None
        about = jobs.jobs_of(session, Subject(kind="checkpoint", id=newest.subject_id))
    assert {job.state for job in about if job.kind == "anchor"} == {"FINAL"}
    story.chain.close()
