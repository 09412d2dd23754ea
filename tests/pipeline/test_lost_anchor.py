"""A network takes back what it called final: the vault says so, anchors again, and the bundle tells both."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anchors.base import AnchorProof
from anchors.ethereum.submit import EthereumConfig, EthereumSubmitter
from anchors.values import replace
from evidence_vault.api.progress import describe_standing
from evidence_vault.core.events import LOG, Subject, parse_event
from evidence_vault.errors import Conflict, UnavailableError
from evidence_vault.network_settings import Network
from evidence_vault.pipeline.trust import final_blocks, policy_text
from evidence_vault.pipeline.watch import lost_anchors, watch_anchors
from evidence_vault.store.nonces import DatabaseNonceLedger
from evidence_vault.store.queries import bundles, events, items, jobs, log
from evidence_vault.verify.report import Report, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from tests.anchors.ethereum.anvil import Anvil, running
from tests.pipeline.story import Story, begin_story
from tests.pipeline.vaults import SetClock

pytestmark = [pytest.mark.socket, pytest.mark.db]


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    begin = int(SetClock().now.timestamp()) - 100
    with running(["--timestamp", str(begin)]) as made:
        made.mine(10)
        yield made


def on_anvil(home: Path, anvil: Anvil) -> Story:
    """A story whose network is anvil."""
    network = Network.model_validate(
        {
            "name": "anvil",
            "chain_id": 31337,
            "genesis": anvil.network.genesis_hash.hex(),
            "contract": anvil.contract.hex(),
            "rpc_urls": [anvil.url],
            "log_class": "development",
        }
    )

    def submitter(ledger: DatabaseNonceLedger) -> EthereumSubmitter:
        config = EthereumConfig(network=replace(anvil.network, poll_s=1.0), contract=anvil.contract)
        return EthereumSubmitter(config, signer=anvil.signer, nonces=ledger, http=anvil.http)

    return begin_story(home, network=(network, anvil.signer, submitter), token_interval_s=30)


def until_final(story: Story, anvil: Anvil, item_id: str) -> None:
    for _ in range(20):
        for _ in range(2):  # blocks have the time of the story
            newest = anvil.node.ask_block("latest") or {}
            now = max(int(story.clock().timestamp()), int(newest["timestamp"], 16) + 1)
            anvil.node.ask("evm_setNextBlockTimestamp", now)
            story.go_on(1)
        anvil.mine()
        with story.vault.database.read() as session:
            under_way = jobs.any_open(session, "anchor")
        if not under_way and stage(story, item_id, "final").state == "done":
            return
    raise AssertionError(stage(story, item_id, "final"))


def final_sizes(story: Story) -> list[int]:
    with story.vault.database.read() as session:
        return [int(job.subject_id) for job in jobs.newest_final(session, "anvil", limit=10)]


def take_back(story: Story, anvil: Anvil, size: int) -> None:
    """Reorganise so that this anchor and all after it are gone, and others final in their place."""
    depth = 1 + anvil.node.ask_number("eth_blockNumber") - _block(story, size)
    assert depth >= 3  # beyond finality
    anvil.reorganise(depth)
    anvil.mine(3)


def verified(story: Story, bundle: str, *, forgetful: bool = False) -> Report:
    with story.vault.database.read() as session:
        newest = log.latest_published(session)
        assert newest is not None
        blocks = final_blocks(session, bundles.anchored_sizes(session, published=newest.size))
        text = policy_text(story.vault, session, tsa_groups=2, known_blocks=blocks)
    policy = parse_policy(text.encode(), name="trust.toml")
    return verify_path(story.bundle(bundle), policy, at=story.clock() + timedelta(hours=1))


def stage(story: Story, item_id: str, name: str) -> Any:
    with story.vault.database.read() as session:
        item = items.get_item(session, item_id)
        assert item is not None
        standing = describe_standing(session, story.vault.settings, item, items.item_progress(session, item))
        return next(one for one in standing.stages if one.name == name)


def test_watch_after_a_reorganisation_beyond_finality_records_the_loss_and_anchors_again(
    tmp_path: Path, anvil: Anvil
) -> None:
    story = on_anvil(tmp_path, anvil)
    item = story.deposit()
    until_final(story, anvil, item)
    sizes = final_sizes(story)
    size = sizes[-1]
    assert watch_anchors(story.vault, "anvil") == 0
    take_back(story, anvil, size)
    assert anvil.paid() == 0
    assert watch_anchors(story.vault, "anvil") == len(sizes)
    assert watch_anchors(story.vault, "anvil") == 0  # on their way again
    assert final_sizes(story) == []
    with story.vault.database.read() as session:
        lost = lost_anchors(session)
        event, *_ = [row for row in events.events_of(session, LOG) if row.type == "ANCHOR_LOST"]
    assert [(one.size, one.chain_id) for one in lost] == [(size, 31337) for size in sizes]
    assert parse_event(event.raw).fields["anchor"] == {
        "kind": "ethereum",
        "chain_id": 31337,
        "contract": anvil.contract.hex(),
        "sender": anvil.signer.address.hex(),
    }
    waiting = stage(story, item, "final")
    assert (waiting.state, [one.checkpoint for one in waiting.lost]) == ("waiting", sizes)

    until_final(story, anvil, item)
    assert set(sizes) <= set(final_sizes(story))
    assert anvil.paid() == len(final_sizes(story))  # each once: the first payments are gone with their blocks
    done = stage(story, item, "final")
    assert (done.state, [(one.network, one.checkpoint) for one in done.lost]) == (
        "done",
        [("anvil", size) for size in sizes],
    )

    bundle = story.export(item)
    story.go_on(10)
    report = verified(story, bundle)
    assert report.verdict is Verdict.DEVELOPMENT_PASSED, report.items[0].unmet
    findings = [finding for row in report.items[0].rows for finding in row.findings]
    said = {
        code: {finding.place.rpartition("/")[0] for finding in findings if finding.code == code}
        for code in ("anchor.lost", "anchor.included", "anchor.final")
    }
    assert f"proof/anchors/{size}" in said["anchor.lost"] & said["anchor.included"] & said["anchor.final"]
    story.chain.close()


def _block(story: Story, size: int) -> int:
    with story.vault.database.read() as session:
        ((_, number, _),) = final_blocks(session, [size])
        return number


def test_watch_by_two_at_once_records_one_loss(tmp_path: Path, anvil: Anvil) -> None:
    story = on_anvil(tmp_path, anvil)
    until_final(story, anvil, story.deposit())
    take_back(story, anvil, final_sizes(story)[0])
    honest = story.vault.watchers["anvil"]

    class Slow:
        anchor = honest.anchor
        restart = honest.restart

        def find_lost(self, proof: AnchorProof) -> str | None:
            assert watch_anchors(story.vault, "anvil") == 1  # another process, between question and record
            return honest.find_lost(proof)

    with pytest.raises(Conflict):
        watch_anchors(replace(story.vault, watchers={"anvil": Slow()}), "anvil")
    with story.vault.database.read() as session:
        assert len(lost_anchors(session)) == 1
    story.chain.close()


def test_watch_while_the_network_is_away_records_nothing(tmp_path: Path, anvil: Anvil) -> None:
    story = on_anvil(tmp_path, anvil)
    until_final(story, anvil, story.deposit())
    anvil.http.down = True
    with pytest.raises(UnavailableError):
        watch_anchors(story.vault, "anvil")
    with story.vault.database.read() as session:
        assert lost_anchors(session) == []
        size = final_sizes(story)[0]
        about = jobs.jobs_of(session, Subject(kind="checkpoint", id=str(size)))
    assert [job.state for job in about if job.kind == "anchor"] == ["FINAL"]
    story.chain.close()
