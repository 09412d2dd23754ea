"""One Ethereum network as an operator configures it, and the nodes that speak for it.

Before anything is signed, a node must be on the right chain: chain id *and* genesis block, because private
chains reuse ids. A node on another chain is a mistake in the settings and never used.
"""

from collections.abc import Sequence

from anchors.base import HttpClient
from anchors.errors import ConfigError, UnavailableError
from anchors.ethereum.node import Node
from anchors.values import value

GWEI = 10**9


@value
class Network:
    """What identifies the network, who is asked, and how patient and generous we are.

    genesis_hash: 32 bytes. rpc_urls: http(s) addresses; the first that answers is used, all are compared.
    max_fee_per_gas_wei: nothing is sent for more, of which at most max_priority_fee_per_gas_wei is a tip:
    a node that suggests more is not believed. bump_after_blocks: a transaction that waited this many
    blocks is offered again for more. poll_s: seconds between two looks. timeout_s: seconds for one answer
    of a node. step_s: for all answers of one step together, less than the lease under which it is taken.
    """

    chain_id: int
    genesis_hash: bytes
    rpc_urls: tuple[str, ...]
    max_fee_per_gas_wei: int = 200 * GWEI
    max_priority_fee_per_gas_wei: int = 5 * GWEI
    bump_after_blocks: int = 6
    poll_s: float = 12.0
    timeout_s: float = 20.0
    step_s: float = 90.0


@value
class EthereumConfig:
    """Where anchors go: a network, the contract on it (20 bytes), a block before the contract's first log."""

    network: Network
    contract: bytes
    first_block: int = 0


def connect(network: Network, http: HttpClient) -> Node:
    """The first node that answers and is on the right chain. Raises as `reach`."""
    return reach(network, http)[0]


def reach(network: Network, http: HttpClient) -> Sequence[Node]:
    """All nodes that answer, in the order of the settings; at least one, and all on the right chain.

    Raises ConfigError if one is on another chain, UnavailableError if none answers.
    """
    there, reasons = [], []
    for node in all_nodes(network, http):
        try:
            check_chain(network, node)
        except UnavailableError as error:
            reasons.append(str(error))
            continue
        there.append(node)
    if not there:
        raise UnavailableError("ethereum", "; ".join(reasons) or "no node is configured", network.poll_s)
    return there


def all_nodes(network: Network, http: HttpClient) -> Sequence[Node]:
    """A node for each address; nothing is asked yet."""
    return [Node(url, http, network.timeout_s, within_s=network.step_s) for url in network.rpc_urls]


def check_chain(network: Network, node: Node) -> None:
    """ConfigError unless the node's chain id and genesis block are those of the network."""
    chain_id = node.ask_number("eth_chainId")
    if chain_id != network.chain_id:
        raise ConfigError(
            "ethereum chain id", f"{node.host} is on chain {chain_id}, the settings say {network.chain_id}"
        )
    genesis = node.ask_block("0x0")
    genesis_hash = node.read_bytes("genesis hash", genesis.get("hash")) if genesis else b""
    if genesis_hash != network.genesis_hash:
        raise ConfigError(
            "ethereum genesis",
            f"{node.host} has {genesis_hash.hex() or 'none'}, the settings say {network.genesis_hash.hex()}",
        )
