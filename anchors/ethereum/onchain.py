"""The deployed contract as one node sees it, for one sender."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from eth_utils.address import to_checksum_address
from web3 import Web3

import anchors.ethereum.recursion  # noqa: F401 - what these libraries do to the process is undone
from anchors.base import TreeHead
from anchors.errors import ConfigError, UnavailableError
from anchors.ethereum.attempt import Found
from anchors.ethereum.contract import load_abi, load_runtime_sha256
from anchors.ethereum.fees import Fees, Limits, offer, raised_offer
from anchors.ethereum.network import Network
from anchors.ethereum.node import Node, NodeError, as_hex
from anchors.ethereum.verify import EVENT_TOPIC, decode_prev
from anchors.values import value

LEAST_GAS = 21_000
"""No transaction costs less (Yellow Paper, appendix G)."""

_GAS_MARGIN_PERCENT = 120
_LOG_WINDOW = 1000
"""Blocks in one search for logs; public nodes refuse ranges of more than some thousands."""

MOST_GAS = 1 << 24
"""No transaction may have more since Osaka (EIP-7825): one that does waits for ever, and all after it."""


class InsufficientFundsError(UnavailableError):
    """The sender has `balance_wei` and needs `needed_wei`: waits until an operator sends ether."""

    def __init__(self, host: str, sender: bytes, balance_wei: int, needed_wei: int) -> None:
        self.balance_wei = balance_wei
        self.needed_wei = needed_wei
        super().__init__(
            host,
            f"{to_checksum_address(sender)} has {balance_wei} wei and needs {needed_wei}",
            retry_after_s=300,
        )


class FeesError(UnavailableError):
    """The network, or this node's idea of it, asks for more than the settings allow: waits until it doesn't."""


class RevertedError(UnavailableError):
    """The contract would refuse the call; `reason` is its own."""


@value
class Anchored:
    """An anchor as a node shows it, unproved. prev: size and 24 bytes of root of the one that it links to."""

    head: TreeHead
    prev: tuple[int, bytes] | None
    found: Found


@value(kw_only=False)
class AnchorContract:
    """`contract` and `sender` (20 bytes each) through the eyes of `node`."""

    node: Node
    contract: bytes
    sender: bytes

    def check_code(self) -> None:
        """ConfigError unless the code at the address is the pinned one."""
        found = sha256(self.node.ask_bytes("eth_getCode", as_hex(self.contract), "latest")).digest()
        if found != load_runtime_sha256():
            raise ConfigError(
                "ethereum contract",
                f"the code at {to_checksum_address(self.contract)} is not EvidenceAnchor's",
            )

    def encode_anchor(self, head: TreeHead) -> bytes:
        """The call data that anchors `head`."""
        contract = Web3().eth.contract(address=to_checksum_address(self.contract), abi=load_abi())
        return bytes.fromhex(
            contract.encode_abi("anchor", args=[head.size, head.root_hash]).removeprefix("0x")
        )

    def nonce(self, block: str) -> int:
        """How many transactions of the sender are in the chain up to `block`."""
        return self.node.ask_number("eth_getTransactionCount", as_hex(self.sender), block)

    def last_anchor(self, block: str) -> tuple[int, bytes]:
        """Size and 24 bytes of root of the sender's last anchor up to `block`; (0, b"") if there is none."""
        contract = Web3().eth.contract(address=to_checksum_address(self.contract), abi=load_abi())
        data = contract.encode_abi("slot", args=[to_checksum_address(self.sender)])
        slot = self.node.ask_bytes("eth_call", {"to": as_hex(self.contract), "data": data}, block)
        if len(slot) != 32:
            raise UnavailableError(self.node.host, "the contract's slot is not 32 bytes")
        return decode_prev(slot) or (0, b"")

    def find(self, head: TreeHead, *, first_block: int) -> Found | None:
        """The log that anchored `head`, searched backwards from the newest block down to `first_block`."""
        everything = self.anchors(first_block=first_block)
        return next((one.found for one in everything if one.head == head), None)

    def anchors(self, *, first_block: int, above: int = -1) -> Iterator[Anchored]:
        """The sender's anchors down to `first_block`, those in the newest blocks first.

        above: a size; sizes only grow, so the search ends where an anchor links to one of no more leaves.
        """
        newest = self.node.ask_number("eth_blockNumber")
        topics = [as_hex(EVENT_TOPIC), as_hex(bytes(12) + self.sender)]
        for end in range(
            newest, first_block - 1, -_LOG_WINDOW
        ):  # a node that invents heights: `Node` counts time
            window = {"fromBlock": hex(max(first_block, end - _LOG_WINDOW + 1)), "toBlock": hex(end)}
            wanted = {"address": as_hex(self.contract), "topics": topics, **window}
            logs = self.node.read_list("logs", self.node.ask("eth_getLogs", wanted))
            here = [self._anchored(self.node.read_object("log", each)) for each in logs]
            yield from here
            if any((one.prev or (0, b""))[0] <= above for one in here):
                return

    def _anchored(self, log: Mapping[str, object]) -> Anchored:
        data = self.node.read_bytes("log data", log.get("data"))
        if len(data) != 96:
            raise UnavailableError(self.node.host, f"log data: {len(data)} bytes are no anchor")
        return Anchored(
            head=TreeHead(size=int.from_bytes(data[:32], "big"), root_hash=data[32:64]),
            prev=decode_prev(data[64:]),
            found=Found(
                transaction=self.node.read_digest("log transaction", log.get("transactionHash")),
                block=self.node.read_digest("log block", log.get("blockHash")),
                number=self.node.read_number("log block", log.get("blockNumber")),
            ),
        )

    def estimate_gas(self, data: bytes) -> int:
        """The gas limit for a call: the node's estimate and a margin. RevertedError if it would revert."""
        call = {"from": as_hex(self.sender), "to": as_hex(self.contract), "data": as_hex(data)}
        try:
            return ask_gas(self.node, call) * _GAS_MARGIN_PERCENT // 100
        except NodeError as error:
            if error.code == 3 or "revert" in error.message.lower():
                raise RevertedError(self.node.host, error.message) from error
            raise


def check_funds(node: Node, sender: bytes, needed_wei: int) -> None:
    """InsufficientFundsError unless `sender` has `needed_wei`."""
    balance = node.ask_number("eth_getBalance", as_hex(sender), "latest")
    if balance < needed_wei:
        raise InsufficientFundsError(node.host, sender, balance, needed_wei)


def ask_gas(node: Node, call: Mapping[str, str]) -> int:
    """The node's estimate for a call. UnavailableError for one that no transaction may use."""
    gas = node.ask_number("eth_estimateGas", call)
    if not LEAST_GAS <= gas <= MOST_GAS:
        raise UnavailableError(node.host, f"estimates {gas} gas, which no transaction may take")
    return gas


def ask_fees(network: Network, node: Node, stuck: Fees | None = None) -> Fees:
    """What to offer now, or in place of what is `stuck`. FeesError where that is above the network's limits."""
    limits = Limits(max_fee=network.max_fee_per_gas_wei, priority_fee=network.max_priority_fee_per_gas_wei)
    block = node.ask_block("latest") or {}
    base_fee = node.read_number("baseFeePerGas", block.get("baseFeePerGas"))
    tip = node.ask_number("eth_maxPriorityFeePerGas")
    if stuck is None:
        fees = offer(base_fee=base_fee, priority_fee=tip, limits=limits)
    else:
        tip = 0 if tip > limits.priority_fee else tip  # not believed: our own is raised
        fees = raised_offer(stuck, base_fee=base_fee, priority_fee=tip, limits=limits)
    if fees is None and tip > limits.priority_fee:
        reason = f"suggests a tip of {tip} wei, the limit is {limits.priority_fee}"
        raise FeesError(node.host, reason, network.poll_s)
    if fees is None:
        raise FeesError(node.host, f"fees are above the limit of {limits.max_fee} wei", network.poll_s)
    return fees
