"""Deploys the contract, once per log and network, and looks at what lies there afterwards."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from anchors.base import HttpClient
from anchors.errors import ConfigError, UnavailableError
from anchors.ethereum.agreement import receipts_of
from anchors.ethereum.contract import load_creation_code, load_runtime_sha256
from anchors.ethereum.keccak import keccak256
from anchors.ethereum.network import Network, connect
from anchors.ethereum.node import Node, as_hex
from anchors.ethereum.onchain import LEAST_GAS, ask_fees, ask_gas, check_funds
from anchors.ethereum.signer import Signer
from anchors.values import value

_GAS_MARGIN_PERCENT = 110


@value
class Deployment:
    """A contract that was just deployed: address (20 bytes), and the block that holds it."""

    contract: bytes
    block_number: int
    gas_used: int


def deploy(
    network: Network,
    *,
    signer: Signer,
    http: HttpClient,
    wait: Callable[[float], None],
    max_polls: int = 50,
) -> Deployment:
    """Deploy the contract, wait for its block, and compare the code there with the pinned hash.

    Not idempotent: a crash may leave a contract that nobody uses, which costs its gas and harms nothing. The
    nonce is the chain's next, so nothing else of the signer may be under way. Raises ConfigError if the code
    differs or the transaction reverted, UnavailableError if it is in no block after `max_polls` polls.
    """
    node = connect(network, http)
    raw = _signed(network, node, signer)
    node.ask("eth_sendRawTransaction", as_hex(raw))
    sent = as_hex(keccak256(raw))
    for _ in range(max_polls):
        seen = receipts_of([node], sent)
        if seen:
            return _checked(*seen[0])
        wait(network.poll_s)
    raise UnavailableError(node.host, f"the deployment {sent} is in no block yet", network.poll_s)


def _signed(network: Network, node: Node, signer: Signer) -> bytes:
    code = as_hex(load_creation_code())
    fees = ask_fees(network, node)
    check_funds(node, signer.address, LEAST_GAS * fees.max_fee)  # or the estimate fails
    gas = ask_gas(node, {"from": as_hex(signer.address), "data": code}) * _GAS_MARGIN_PERCENT // 100
    check_funds(node, signer.address, gas * fees.max_fee)
    return signer.sign_transaction(
        {
            "type": 2,
            "chainId": network.chain_id,
            "nonce": node.ask_number("eth_getTransactionCount", as_hex(signer.address), "latest"),
            "value": 0,
            "data": code,
            "gas": gas,
            "maxFeePerGas": fees.max_fee,
            "maxPriorityFeePerGas": fees.priority_fee,
        }
    )


def _checked(node: Node, receipt: dict[str, Any]) -> Deployment:
    if node.read_number("status", receipt.get("status")) != 1:
        raise ConfigError("ethereum contract", f"the deployment {receipt['transactionHash']} reverted")
    contract = node.read_bytes("contractAddress", receipt.get("contractAddress"))
    code = node.ask_bytes("eth_getCode", as_hex(contract), "latest")
    if sha256(code).digest() != load_runtime_sha256():
        raise ConfigError("ethereum contract", f"the code at 0x{contract.hex()} is not EvidenceAnchor's")
    return Deployment(
        contract=contract,
        block_number=node.read_number("blockNumber", receipt.get("blockNumber")),
        gas_used=node.read_number("gasUsed", receipt.get("gasUsed")),
    )
