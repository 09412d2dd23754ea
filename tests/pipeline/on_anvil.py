"""A whole vault whose networks are real nodes (anvil), in the time of its story."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from anchors.ethereum.network import EthereumConfig
from anchors.ethereum.signer import KeySigner
from anchors.ethereum.submit import EthereumSubmitter
from anchors.values import replace
from evidence_vault.api.progress import describe_standing
from evidence_vault.network_settings import Network
from evidence_vault.pipeline.export.trust import final_blocks, policy_text
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.nonces import DatabaseNonceLedger
from evidence_vault.store.queries import bundles, checkpoint_jobs, items, jobs, log
from evidence_vault.verify.report import Report
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from tests.anchors.ethereum.anvil import Anvil, running
from tests.pipeline.story import Story, begin_story
from tests.pipeline.vaults import SetClock


@contextmanager
def node(*options: str) -> Iterator[Anvil]:
    """An anvil that begins shortly before the story does."""
    begin = int(SetClock().now.timestamp()) - 100
    with running(["--timestamp", str(begin), *options]) as made:
        made.mine(10)
        yield made


def network_on(anvil: Anvil, name: str) -> Network:
    return Network.model_validate(
        {
            "name": name,
            "chain_id": anvil.network.chain_id,
            "genesis": anvil.network.genesis_hash.hex(),
            "contract": anvil.contract.hex(),
            "rpc_urls": [anvil.url],
            "log_class": "development",
        }
    )


def submitter_on(
    anvil: Anvil, ledger: DatabaseNonceLedger, signer: KeySigner | None = None
) -> EthereumSubmitter:
    config = EthereumConfig(network=replace(anvil.network, poll_s=1.0), contract=anvil.contract)
    return EthereumSubmitter(config, signer=signer or anvil.signer, nonces=ledger, http=anvil.http)


def on_anvil(home: Path, anvil: Anvil, *, anchor_interval_s: int = 5) -> Story:
    """A story whose network is anvil."""

    def submitter(ledger: DatabaseNonceLedger) -> EthereumSubmitter:
        return submitter_on(anvil, ledger)

    parts = (network_on(anvil, "anvil"), anvil.signer, submitter)
    return begin_story(home, network=parts, token_interval_s=30, anchor_interval_s=anchor_interval_s)


def with_networks(vault: Vault, *added: tuple[Network, EthereumSubmitter]) -> Vault:
    """The vault as it is after a restart with these networks added to its settings."""
    settings = vault.settings.model_copy(
        update={"networks": [*vault.settings.networks, *(network for network, _ in added)]}
    )
    new = {network.name: submitter for network, submitter in added}
    return replace(
        vault,
        settings=settings,
        submitters={**vault.submitters, "anchor": {**vault.submitters["anchor"], **new}},
        watchers={**vault.watchers, **new},
    )


def until_final(
    story: Story, anvil: Anvil, item_id: str, *, names: Sequence[str] = ("anvil",), alone: bool = True
) -> None:
    """Until the item is final on one of these networks. alone: and no anchor is under way anywhere."""
    for _ in range(20):
        pass_time(story, anvil)
        done = stage(story, item_id, "final")
        with story.vault.database.read() as session:
            under_way = alone and jobs.any_open(session, "anchor")
        if set(names) & set(done.by) and not under_way:
            return
    raise AssertionError(stage(story, item_id, "final"))


def pass_time(story: Story, *anvils: Anvil) -> None:
    """Two seconds, and a block on each node: blocks have the time of the story."""
    for _ in range(2):
        for anvil in anvils:
            newest = anvil.node.ask_block("latest") or {}
            now = max(int(story.clock().timestamp()), int(newest["timestamp"], 16) + 1)
            anvil.node.ask("evm_setNextBlockTimestamp", now)
        story.go_on(1)
    for anvil in anvils:
        anvil.mine()


def final_sizes(story: Story) -> list[int]:
    with story.vault.database.read() as session:
        return [int(job.subject_id) for job in checkpoint_jobs.newest_final(session, "anvil", limit=10)]


def take_back(story: Story, anvil: Anvil, size: int) -> None:
    """Reorganise so that this anchor and all after it are gone, and others final in their place."""
    depth = 1 + anvil.node.ask_number("eth_blockNumber") - block_of(story, size)
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


def block_of(story: Story, size: int) -> int:
    with story.vault.database.read() as session:
        return final_blocks(session, [size])[0][1]
