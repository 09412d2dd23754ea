"""Looks after one sender's anchors on one network: whether they are there, whether there is money, what waits.

A network may forget a transaction that was in a block, when it takes blocks back. Those that come after it by their
nonce are good and wait for it, though nobody sends it any more. It is sent again as it was signed; where what was
signed is not known any more, a transaction that does nothing takes its nonce.
"""

from collections.abc import Callable, Mapping, Sequence

from eth_utils.address import to_checksum_address

import anchors.ethereum.recursion  # noqa: F401 - what these libraries do to the process is undone
from anchors.base import AnchorProof, Funds, HttpClient, Progress, Statement, TreeHead
from anchors.errors import VerificationError
from anchors.ethereum.attempt import restart
from anchors.ethereum.cost import NEXT_GAS
from anchors.ethereum.lost import block_of, find_lost
from anchors.ethereum.network import EthereumConfig, reach
from anchors.ethereum.node import Node, NodeError, as_hex, ask_price
from anchors.ethereum.onchain import LEAST_GAS, AnchorContract, ask_fees, check_funds
from anchors.ethereum.proof import KIND, PART, parse_proof
from anchors.ethereum.signer import Signer


class EthereumWatcher:
    """The watcher of one log on one network (`anchors.base.Watcher`)."""

    def __init__(self, config: EthereumConfig, *, signer: Signer, http: HttpClient) -> None:
        self._config = config
        self._network = config.network
        self._signer = signer
        self._http = http
        self.anchor: Mapping[str, str | int] = {
            "kind": KIND,
            "chain_id": config.network.chain_id,
            "contract": config.contract.hex(),
            "sender": signer.address.hex(),
        }

    def find_lost(self, proof: AnchorProof) -> str | None:
        """Why a proof that was final is void; None while its block is where it was (`lost.find_lost`)."""
        return find_lost(reach(self._network, self._http), parse_proof(proof.parts[PART]))

    def block_of(self, proof: AnchorProof) -> int | None:
        """The number of the proof's block (`lost.block_of`)."""
        return block_of(proof, self.anchor)

    def funds(self) -> Funds:
        """The sender's balance in wei, and what a repeated anchor costs at the price of now."""
        node = reach(self._network, self._http)[0]
        balance = node.ask_number("eth_getBalance", as_hex(self._signer.address), "latest")
        return Funds(balance=balance, anchor_price=NEXT_GAS * ask_price(node))

    def restart(self, statement: Statement, progress: Progress | None) -> Progress:
        """From where to go on when the proof is void: what was signed is still good, and sent again."""
        return restart(tree_head_of(statement), progress)

    def fill_gap(self, stored: Callable[[int], Sequence[str] | None]) -> str | None:
        """Send what is missing, or nothing in its place; see `anchors.base.Watcher`. Safe to repeat: one nonce."""
        nodes = reach(self._network, self._http)
        nonce = self._missing(nodes)
        raws = None if nonce is None else stored(nonce)
        if nonce is None or raws is None:
            return None
        filler = () if raws else (self._sign_nothing(nodes[0], nonce),)
        if not any(_takes(node, raw) for raw in (*raws, *filler) for node in nodes):
            return None
        what = "sent again as it was signed" if raws else "filled by a transaction that does nothing"
        return f"nonce {nonce}, for which later ones waited, is {what}"

    def _missing(self, nodes: Sequence[Node]) -> int | None:
        """The nonce that the chain waits for and no node has a transaction for; None if one has, or is behind."""
        address, next_nonces = as_hex(self._signer.address), set()
        for node in nodes:
            latest = node.ask_number("eth_getTransactionCount", address, "latest")
            if node.ask_number("eth_getTransactionCount", address, "pending") != latest:
                return None
            next_nonces.add(latest)
        return next_nonces.pop() if len(next_nonces) == 1 else None

    def _sign_nothing(self, node: Node, nonce: int) -> str:
        """A transfer of nothing to ourselves: the cheapest there is."""
        fees = ask_fees(self._network, node)
        check_funds(node, self._signer.address, LEAST_GAS * fees.max_fee)
        raw = self._signer.sign_transaction(
            {
                "type": 2,
                "chainId": self._network.chain_id,
                "nonce": nonce,
                "to": to_checksum_address(self._signer.address),
                "value": 0,
                "data": "0x",
                "gas": LEAST_GAS,
                "maxFeePerGas": fees.max_fee,
                "maxPriorityFeePerGas": fees.priority_fee,
            }
        )
        return as_hex(raw)

    def _contract(self, node: Node) -> AnchorContract:
        return AnchorContract(node, self._config.contract, self._signer.address)


def _takes(node: Node, raw: str) -> bool:
    """Whether the node took it. One that refuses has it, or a better one, or knows why not."""
    try:
        node.ask("eth_sendRawTransaction", raw)
    except NodeError:
        return False
    return True


def tree_head_of(statement: Statement) -> TreeHead:
    """The tree head that a chain is to record. Raises VerificationError."""
    if statement.tree_head is None:
        raise VerificationError("ethereum statement", "a tree head", "none")
    return statement.tree_head
