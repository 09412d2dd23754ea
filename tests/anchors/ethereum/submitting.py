"""What a submitter needs in tests: plain HTTP, a nonce ledger in memory, a development chain on loopback."""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anchors.base import AnchorProof, HttpReply, Progress, Statement, TreeHead
from anchors.errors import UnavailableError
from anchors.ethereum.deploy import deploy
from anchors.ethereum.devchain import DEVELOPMENT_CHAIN_ID
from anchors.ethereum.devchain.serve import serve_loopback
from anchors.ethereum.network import EthereumConfig, Network
from anchors.ethereum.signer import KeySigner, Signer, load_development_key
from anchors.ethereum.submit import EthereumSubmitter
from anchors.values import replace
from tests.anchors.answering import Answering, Posted
from tests.anchors.ethereum.devchain_client import Client


class PlainHttp(Answering):
    """`anchors.base.HttpClient` over urllib; `down` takes the network away."""

    def __init__(self) -> None:
        self.down = False
        self.requests: list[bytes] = []

    def reply_to(self, sent: Posted) -> HttpReply:
        self.requests.append(sent.body)
        if self.down:
            raise UnavailableError("node", "connection refused")
        request = urllib.request.Request(
            sent.url, sent.body, {"Content-Type": sent.content_type, **sent.headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=sent.timeout_s) as reply:
                body = reply.read(sent.max_bytes)
                return HttpReply(status=reply.status, content_type=sent.content_type, body=body)
        except urllib.error.URLError as error:
            raise UnavailableError("node", str(error.reason)) from error

    def sent(self, method: str) -> int:
        """How often `method` was asked."""
        return sum(f'"{method}"'.encode() in body for body in self.requests)


class MemoryNonces:
    """A `NonceLedger` that forgets with the process."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, bytes], dict[str, int]] = {}
        self._lock = threading.Lock()

    def reserve(
        self,
        *,
        chain_id: int,
        sender: bytes,
        purpose: str,
        chain_nonce: int,
        yields_to: Callable[[str], bool],
    ) -> int | None:
        with self._lock:
            held = self._held.setdefault((chain_id, sender), {})
            if held.get(purpose, -1) < chain_nonce:
                if any(nonce >= chain_nonce and yields_to(other) for other, nonce in held.items()):
                    return None
                taken = {nonce for other, nonce in held.items() if other != purpose}
                held[purpose] = next(n for n in range(chain_nonce, chain_nonce + 1000) if n not in taken)
            return held[purpose]

    def release(self, *, chain_id: int, sender: bytes, purpose: str) -> None:
        with self._lock:
            self._held.get((chain_id, sender), {}).pop(purpose, None)

    def held(self) -> set[str]:
        return {purpose for held in self._held.values() for purpose in held}


def statement(size: int, root: bytes | None = None) -> Statement:
    return Statement(
        sha256=bytes(32), tree_head=TreeHead(size=size, root_hash=root or bytes([size % 256]) * 32)
    )


@dataclass(frozen=True)
class Site:
    """A chain on loopback with the contract on it, and what submits to it."""

    client: Client
    url: str
    network: Network
    contract: bytes
    signer: Signer
    nonces: MemoryNonces
    http: PlainHttp

    def submitter(self, **changes: object) -> EthereumSubmitter:
        network = replace(self.network, **changes)
        config = EthereumConfig(network=network, contract=self.contract)
        return EthereumSubmitter(config, signer=self.signer, nonces=self.nonces, http=self.http)

    def drive(
        self, submitter: EthereumSubmitter, wanted: Statement, progress: Progress, *, until: str = "FINAL"
    ) -> Progress | AnchorProof:
        """Advance, a second at a time, until the state is reached."""
        for _ in range(30):
            if progress.state == until:
                return progress
            answer = submitter.advance(wanted, progress)
            if isinstance(answer, AnchorProof):
                return answer
            progress = answer
            self.client.clock.forward(1)
        raise AssertionError(f"stands at {progress}")

    def anchors_on_chain(self) -> int:
        """How many anchors the contract recorded."""
        wanted = {"address": "0x" + self.contract.hex(), "fromBlock": "0x0", "toBlock": "latest"}
        return len(self.client.call("eth_getLogs", wanted))

    def transactions_on_chain(self) -> int:
        """How many transactions the sender paid for, the deployment aside."""
        return int(self.client.call("eth_getTransactionCount", self.client.account.address, "latest"), 16) - 1


@contextmanager
def open_site(folder: Path) -> Iterator[Site]:
    """A fresh chain and contract in `folder`."""
    client = Client(folder)
    http = PlainHttp()
    with serve_loopback(client.chain) as url:
        genesis = client.call("eth_getBlockByNumber", "0x0", False)["hash"]
        network = Network(
            chain_id=DEVELOPMENT_CHAIN_ID,
            genesis_hash=bytes.fromhex(genesis[2:]),
            rpc_urls=(url,),
            bump_after_blocks=3,
        )
        signer: KeySigner = load_development_key(folder / "development.key")
        client.clock.forward(1)
        deployed = deploy(network, signer=signer, http=http, wait=client.clock.forward)
        yield Site(client, url, network, deployed.contract, signer, MemoryNonces(), http)
    client.chain.close()
