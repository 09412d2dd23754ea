"""The submitter against a node that is not ours: anvil, where it is installed (EVIDENCE_ANVIL or on the path).

The binary lies in the npm package @foundry-rs/anvil-linux-amd64, as bin/anvil.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from anchors.base import AnchorProof, Progress
from anchors.errors import UnavailableError
from anchors.ethereum.deploy import deploy
from anchors.ethereum.network import GWEI, Network
from anchors.ethereum.node import Node, NodeError, as_hex
from anchors.ethereum.proof import parse_proof
from anchors.ethereum.signer import KeySigner
from anchors.ethereum.submit import EthereumConfig, EthereumSubmitter
from anchors.ethereum.verify import TrustedContract, verify_inclusion
from tests.anchors.ethereum.submitting import MemoryNonces, PlainHttp, statement
from tests.conftest import absent

pytestmark = pytest.mark.socket
ANVIL = os.environ.get("EVIDENCE_ANVIL") or shutil.which("anvil")
KEY = bytes.fromhex(
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
)  # anvil's first, public


class Anvil:
    """A running anvil with the contract on it."""

    def __init__(self, url: str) -> None:
        http = PlainHttp()
        self.node = Node(url, http, 5)
        self.signer = KeySigner(KEY)
        genesis = _wait_for_genesis(self.node)
        network = Network(
            chain_id=31337, genesis_hash=genesis, rpc_urls=(url,), poll_s=0.05, bump_after_blocks=3
        )
        self.contract = deploy(network, signer=self.signer, http=http, wait=time.sleep).contract
        config = EthereumConfig(network=network, contract=self.contract)
        self.submitter = EthereumSubmitter(config, signer=self.signer, nonces=MemoryNonces(), http=http)

    def mine(self, blocks: int = 1) -> None:
        self.node.ask("anvil_mine", hex(blocks))

    def step(self, size: int, progress: Progress, times: int, until: str = "") -> Progress | AnchorProof:
        answer: Progress | AnchorProof = progress
        for _ in range(times):
            if not isinstance(answer, Progress) or answer.state == until:
                break
            answer = self.submitter.advance(statement(size), answer)
            if not until:
                self.mine()
        return answer

    def paid(self) -> int:
        return self.node.ask_number("eth_getTransactionCount", as_hex(self.signer.address), "latest") - 1


def _wait_for_genesis(node: Node) -> bytes:
    for _ in range(100):
        try:
            block = node.ask_block("0x0")
        except UnavailableError:
            time.sleep(0.05)
            continue
        assert block is not None
        return bytes.fromhex(block["hash"][2:])
    raise AssertionError("anvil did not start")


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    if ANVIL is None:
        absent("no anvil: set EVIDENCE_ANVIL to its binary")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [ANVIL, "--port", str(port), "--slots-in-an-epoch", "1", "--silent"]
    with subprocess.Popen(command) as process:
        try:
            yield Anvil(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def _prove(anvil: Anvil, size: int, answer: Progress | AnchorProof) -> None:
    assert isinstance(answer, AnchorProof), answer
    head = statement(size).tree_head
    assert head is not None
    trusted = TrustedContract(chain_id=31337, contract=anvil.contract, sender=anvil.signer.address)
    verify_inclusion(parse_proof(answer.parts["proof.json"]), tree_head=head, trusted=trusted)


def test_anvil_includes_and_finalizes_and_its_proofs_verify(anvil: Anvil) -> None:
    for size in (40, 50):
        _prove(anvil, size, anvil.step(size, anvil.submitter.prepare(statement(size)), 12))
    assert anvil.paid() == 2


def test_anvil_reorganised_before_finality_takes_the_same_transaction_again(anvil: Anvil) -> None:
    included = anvil.step(40, anvil.submitter.prepare(statement(40)), 6, until="INCLUDED")
    assert isinstance(included, Progress)
    anvil.node.ask("anvil_reorg", 1, [])
    back = anvil.submitter.advance(statement(40), included)
    assert isinstance(back, Progress)
    assert back.state == "SUBMITTED"
    _prove(anvil, 40, anvil.step(40, back, 12))
    assert anvil.paid() == 1


def test_anvil_stuck_transaction_is_replaced_by_a_higher_offer(anvil: Anvil) -> None:
    anvil.node.ask("evm_setAutomine", False)
    sent = anvil.step(40, anvil.submitter.prepare(statement(40)), 5, until="SUBMITTED")
    anvil.node.ask("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    anvil.mine()
    answer: Any = sent
    attempts = 0
    for _ in range(40):
        with suppress(NodeError):  # refused while the offer is under the base fee: a worker tries again
            answer = anvil.submitter.advance(statement(40), answer)
        if isinstance(answer, AnchorProof):
            break
        attempts = len(answer.data["attempts"])
        anvil.mine()
    _prove(anvil, 40, answer)
    assert attempts >= 2
    assert anvil.paid() == 1
