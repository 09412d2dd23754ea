"""The log goes on to another network, or under another sender; what was proved before stays proved."""

from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address

from anchors.base import TreeHead
from anchors.ethereum.node import as_hex
from anchors.ethereum.onchain import AnchorContract
from anchors.ethereum.signer import KeySigner
from anchors.values import replace
from evidence_vault.core.events import Subject
from evidence_vault.errors import ReadOnly
from evidence_vault.pipeline.anchoring.joining import join_networks, named_anchors
from evidence_vault.pipeline.vault import Gate
from evidence_vault.store.nonces import DatabaseNonceLedger
from evidence_vault.store.queries import jobs
from evidence_vault.verify.report import Verdict
from tests.pipeline.on_anvil import (
    network_on,
    node,
    on_anvil,
    pass_time,
    submitter_on,
    until_final,
    verified,
    with_networks,
)
from tests.service.driving import wait_for

pytestmark = [pytest.mark.socket, pytest.mark.db]
SECOND = KeySigner(
    bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
)  # anvil's second, public


def test_log_moves_from_a_dying_network_to_a_new_one_and_old_bundles_still_verify(tmp_path: Path) -> None:
    with node() as old, node("--chain-id", "31338") as new:
        story = on_anvil(tmp_path, old)
        item = story.deposit(b"before")
        until_final(story, old, item)
        before = story.export(item)
        story.go_on(40)
        assert verified(story, before).verdict is Verdict.DEVELOPMENT_PASSED

        submitter = submitter_on(new, DatabaseNonceLedger(story.vault.database))
        anchors = {"anvil": story.vault.watchers["anvil"].anchor, "next": submitter.anchor}
        story.vault = with_networks(story.vault, (network_on(new, "next"), submitter))
        joined = join_networks(story.vault, anchors)
        assert joined.names == ("next",)
        assert "next" in joined.to
        assert join_networks(story.vault, anchors).names == ()
        for _ in range(8):
            pass_time(story, old, new)
        with story.vault.database.read() as session:
            assert len(named_anchors(session)) == 2
            about = jobs.jobs_of(session, Subject(kind="checkpoint", id=str(joined.size)))
        states = {job.target: job.state for job in about if job.kind == "anchor"}
        assert states == {"anvil": "FINAL", "next": "FINAL"}  # the last checkpoint on both

        old.http.down = True  # the old network ends
        later = story.deposit(b"after")
        until_final(story, new, later, names=["next"], alone=False)
        after = story.export(item, later)
        story.go_on(40)
        for bundle in (before, after):
            assert verified(story, bundle).verdict is Verdict.DEVELOPMENT_PASSED
        story.chain.close()


def test_closed_sender_is_an_outage_and_a_new_one_anchors_the_last_checkpoint_again(tmp_path: Path) -> None:
    with node() as anvil:
        story = on_anvil(tmp_path, anvil)
        item = story.deposit()
        until_final(story, anvil, item)
        contract = AnchorContract(anvil.node, anvil.contract, anvil.signer.address)
        _close_sender(contract, anvil.signer)
        # The node answers before it has mined the block.
        wait_for(lambda: contract.last_anchor("latest")[0] == 2**64 - 1, "the block that closes the sender")
        later = story.deposit(b"later")
        with pytest.raises(ReadOnly, match="18446744073709551615 leaves, where this log has not been"):
            story.go_on(20)

        # The operator names another sender in the settings, and starts anew without the old one.
        second = submitter_on(anvil, DatabaseNonceLedger(story.vault.database), SECOND)
        bare = replace(
            story.vault,
            gate=Gate(),
            settings=story.vault.settings.model_copy(update={"networks": []}),
            submitters={**story.vault.submitters, "anchor": {}},
            watchers={},
        )
        story.vault = with_networks(bare, (network_on(anvil, "anvil-2"), second))
        joined = join_networks(story.vault, {"anvil-2": second.anchor})
        assert (joined.names, joined.to) == (("anvil-2",), ("anvil-2",))
        until_final(story, anvil, later, names=["anvil-2"], alone=False)
        bundle = story.export(item, later)
        story.go_on(40)
        assert verified(story, bundle).verdict is Verdict.DEVELOPMENT_PASSED
        story.chain.close()


def _close_sender(contract: AnchorContract, signer: KeySigner) -> None:
    """What a thief of the key can do: anchor the largest size there is."""
    raw = signer.sign_transaction(
        {
            "type": 2,
            "chainId": 31337,
            "nonce": contract.nonce("latest"),
            "to": to_checksum_address(contract.contract),
            "value": 0,
            "data": as_hex(contract.encode_anchor(TreeHead(size=2**64 - 1, root_hash=b"\x66" * 32))),
            "gas": 60_000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 1,
        }
    )
    contract.node.ask("eth_sendRawTransaction", as_hex(raw))
