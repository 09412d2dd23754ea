"""Several nodes, none of which is believed alone: any may help, but what ends something all must say.

A node that says nothing (it fails just now, or lags behind) stops nobody; one that contradicts another does, and
the error names both sides, so that an operator can see which to drop.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from anchors.base import TreeHead
from anchors.errors import UnavailableError
from anchors.ethereum.attempt import Found
from anchors.ethereum.node import Node
from anchors.ethereum.onchain import AnchorContract, InsufficientFundsError


def receipts_of(nodes: Sequence[Node], transaction: str) -> list[tuple[Node, dict[str, Any]]]:
    """Every node that has a receipt of the transaction, with it. UnavailableError if all of them fail."""
    seen: list[tuple[Node, dict[str, Any]]] = []
    failures: list[UnavailableError] = []
    for node in nodes:
        try:
            receipt = node.ask("eth_getTransactionReceipt", transaction)
        except UnavailableError as error:
            failures.append(error)
            continue
        if receipt is not None:
            seen.append((node, node.read_object("receipt", receipt)))
    if len(failures) == len(nodes):
        raise telling(failures)
    return seen


def found_in(node: Node, receipt: Mapping[str, Any]) -> Found:
    """What a receipt of ours says, as `node` shows it."""
    return Found(
        transaction=receipt["transactionHash"],
        block=receipt["blockHash"],
        number=node.read_number("blockNumber", receipt["blockNumber"]),
    )


def compare_blocks(nodes: Sequence[Node], found: Found) -> None:
    """UnavailableError if a node names another block at this height."""
    for node in nodes:
        block = node.ask_block(hex(found.number))
        if block is not None and block["hash"] != found.block:
            reason = f"names block {block['hash']} at {found.number}, another node {found.block}"
            raise UnavailableError(node.host, reason)


def require_agreement(
    seen_by: Sequence[AnchorContract], head: TreeHead, *, nonce: int, size: int | None = None
) -> None:
    """UnavailableError unless every node says that `nonce` is used (-1: none), and that `size` is on the chain.

    One that lies about either would end an anchor that is still to come, or have it paid for twice.
    """
    for contract in seen_by:
        host = contract.node.host
        if contract.nonce("latest") <= nonce:
            raise UnavailableError(host, f"nonce {nonce} is free there, another node says it is used")
        if size is not None and contract.last_anchor("latest")[0] < head.size:
            raise UnavailableError(
                host, f"has no anchor of {head.size} leaves, another node has one of {size}"
            )


def telling(failures: Sequence[UnavailableError]) -> UnavailableError:
    """The error to report when every node failed: an empty account first, then all that was said."""
    for error in failures:
        if len(failures) == 1 or isinstance(error, InsufficientFundsError):
            return error
    retry_after_s = max((error.retry_after_s or 0.0) for error in failures)
    return UnavailableError("ethereum", "; ".join(map(str, failures)), retry_after_s or None)
