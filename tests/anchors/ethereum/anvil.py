"""anvil, a node that is not ours, with the contract on it. EVIDENCE_ANVIL names its binary, or it is on the path.

It is in the npm package @foundry-rs/anvil-linux-amd64 as bin/anvil; `npm ci` in tests/node gets it.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from anchors.base import AnchorProof, Progress
from anchors.errors import UnavailableError
from anchors.ethereum.deploy import deploy
from anchors.ethereum.network import EthereumConfig, Network
from anchors.ethereum.node import Node, as_hex
from anchors.ethereum.proof import parse_proof
from anchors.ethereum.signer import KeySigner
from anchors.ethereum.submit import EthereumSubmitter
from anchors.ethereum.verify import TrustedContract, verify_inclusion
from anchors.values import replace
from tests.anchors.ethereum.submitting import MemoryNonces, PlainHttp, statement
from tests.conftest import absent

_MODULES = Path(__file__).parents[2] / "node" / "node_modules" / "@foundry-rs"
KEY = bytes.fromhex(
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
)  # anvil's first, public


def program(name: str) -> str:
    """The path of anvil or cast; skips the test where it is not installed."""
    packed = _MODULES / f"{name}-linux-amd64" / "bin" / name
    named = os.environ.get(f"EVIDENCE_{name.upper()}") or shutil.which(name)
    if named is None and not packed.is_file():
        absent(f"no {name}: set EVIDENCE_{name.upper()} to its binary, or run npm ci in tests/node")
    return named or str(packed)


class Anvil:
    """A running anvil with the contract on it, and a submitter to it."""

    def __init__(self, url: str, *, deployed: bool = True) -> None:
        self.url = url
        self.http = PlainHttp()
        self.nonces = MemoryNonces()
        self.node = Node(url, self.http, 5)
        self.signer = KeySigner(KEY)
        self.network = Network(
            chain_id=0,
            genesis_hash=_wait_for_genesis(self.node),
            rpc_urls=(url,),
            poll_s=0.05,
            bump_after_blocks=3,
        )
        self.network = replace(self.network, chain_id=self.node.ask_number("eth_chainId"))
        self.contract = b""
        if deployed:
            self.contract = deploy(self.network, signer=self.signer, http=self.http, wait=time.sleep).contract
            self.submitter = self.submitting()

    def submitting(self, *rpc_urls: str, **changes: object) -> EthereumSubmitter:
        network = replace(self.network, rpc_urls=rpc_urls or self.network.rpc_urls, **changes)
        config = EthereumConfig(network=network, contract=self.contract)
        return EthereumSubmitter(config, signer=self.signer, nonces=self.nonces, http=self.http)

    def mine(self, blocks: int = 1) -> None:
        self.node.ask("anvil_mine", hex(blocks))

    def reorganise(self, blocks: int) -> None:
        """Replace the last blocks by as many empty ones; what was in them is forgotten."""
        self.node.ask("anvil_reorg", blocks, [])

    def step(self, size: int, progress: Progress, times: int, until: str = "") -> Progress | AnchorProof:
        answer: Progress | AnchorProof = progress
        for _ in range(times):
            if not isinstance(answer, Progress) or answer.state == until:
                break
            answer = self.submitter.advance(statement(size), answer)
            if not until:
                self.mine()
        return answer

    def prove(self, size: int, answer: Progress | AnchorProof) -> AnchorProof:
        """See that the proof verifies."""
        assert isinstance(answer, AnchorProof), answer
        head = statement(size).tree_head
        assert head is not None
        trusted = TrustedContract(chain_id=31337, contract=self.contract, sender=self.signer.address)
        verify_inclusion(parse_proof(answer.parts["proof.json"]), tree_head=head, trusted=trusted)
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(options: Sequence[str] = (), *, deployed: bool = True) -> Iterator[Anvil]:
    """An anvil of its own, two blocks from final."""
    port = free_port()
    command = [program("anvil"), "--port", str(port), "--slots-in-an-epoch", "1", "--silent", *options]
    with subprocess.Popen(command) as process:
        try:
            yield Anvil(f"http://127.0.0.1:{port}", deployed=deployed)
        finally:
            process.terminate()
