"""Several nodes, none of which is believed alone: any may help, but what ends something all must say.

A node that says nothing (it fails just now, or lags behind) stops nobody; one that contradicts another does, and
the error names both sides, so that an operator can see which to drop.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from anchors.base import TreeHead
from anchors.errors import UnavailableError
from anchors.ethereum.attempt import Found
from anchors.ethereum.node import Node
from anchors.ethereum.onchain import AnchorContract, InsufficientFundsError


def receipts_of(nodes: Sequence[Node], transaction: str) -> list[tuple[Node, dict[str, Any]]]:
    """Every node that has a receipt of the transaction, with it. UnavailableError if all of them fail.

    Attack: a receipt of somebody else's transaction, which would be followed from then on; such a node fails.
    """
    seen: list[tuple[Node, dict[str, Any]]] = []
    failures: list[UnavailableError] = []
    for node in nodes:
        try:
            answer = node.ask("eth_getTransactionReceipt", transaction)
            if answer is None:
                continue
            receipt = node.read_object("receipt", answer)
            found = found_in(node, receipt).transaction
            if found != transaction:
                raise UnavailableError(node.host, f"asked for the receipt of {transaction}, answers {found}")
            seen.append((node, receipt))
        except UnavailableError as error:
            failures.append(error)
    if len(failures) == len(nodes):
        raise telling(failures)
    return seen


def found_in(node: Node, receipt: Mapping[str, Any]) -> Found:
    """What a receipt of ours says, as `node` shows it."""
    return Found(
        transaction=node.read_digest("transactionHash", receipt.get("transactionHash")),
        block=node.read_digest("blockHash", receipt.get("blockHash")),
        number=node.read_number("blockNumber", receipt.get("blockNumber")),
    )


def require_finality(nodes: Sequence[Node], found: Found) -> bool:
    """Whether the block is final: to every node that has it, and there is one. False: not yet, says each.

    UnavailableError if a node names another block at this height, or is alone in what it calls final.
    """
    final: list[str] = []
    waiting: list[str] = []
    for node in nodes:
        try:
            block = node.ask_block(hex(found.number))
            newest = None if block is None else node.ask_block("finalized")
            named = None if block is None else node.read_digest("block hash", block.get("hash"))
            height = -1 if newest is None else node.read_number("number", newest.get("number"))
        except UnavailableError:  # it says nothing
            continue
        if named is not None and named != found.block:
            reason = f"names block {named} at {found.number}, another node {found.block}"
            raise UnavailableError(node.host, reason)
        if named is not None:
            (final if height >= found.number else waiting).append(node.host)
    if final and waiting:
        reason = f"block {found.number} is final to {', '.join(final)} and not yet to {', '.join(waiting)}"
        raise UnavailableError("ethereum", reason)
    return bool(final)


def require_used(seen_by: Sequence[AnchorContract], nonce: int) -> None:
    """UnavailableError unless every node says that `nonce` is used (-1: none).

    One that lies about it would have an anchor paid for twice.
    """
    for contract in seen_by:
        if contract.nonce("latest") <= nonce:
            reason = f"nonce {nonce} is free there, another node says it is used"
            raise UnavailableError(contract.node.host, reason)


def agreed_anchor(seen_by: Sequence[AnchorContract], head: TreeHead) -> tuple[int, bytes]:
    """Size and 24 bytes of root of the sender's last anchor, the smallest that a node has: one may be behind.

    UnavailableError for a node without one of at least `head`'s size, or of another root than another node's. One
    that lies about either would end an anchor that is still to come.
    """
    found: dict[int, tuple[str, bytes]] = {}
    for contract in seen_by:
        host = contract.node.host
        size, root = contract.last_anchor("latest")
        if size < head.size:
            reason = f"has no anchor of {head.size} leaves, another node has one"
            raise UnavailableError(host, reason)
        before, known = found.setdefault(size, (host, root))
        if known != root:
            reason = f"shows root {root.hex()}… at size {size}, {before} shows {known.hex()}…"
            raise UnavailableError(host, reason)
    smallest = min(found)
    return smallest, found[smallest][1]


def agreed_gas(contract: AnchorContract, seen_by: Sequence[AnchorContract], data: bytes) -> int:
    """The gas limit for a call: the highest of the nodes' estimates, each with its margin.

    UnavailableError where they are far apart: too little would be paid for and revert, too much never be taken in.
    """
    estimates = {contract.node.host: contract.estimate_gas(data)}
    for other in (each for each in seen_by if each.node is not contract.node):
        with suppress(UnavailableError):  # it says nothing
            estimates[other.node.host] = other.estimate_gas(data)
    if max(estimates.values()) > 2 * min(estimates.values()):
        said = ", ".join(f"{host} says {gas}" for host, gas in estimates.items())
        raise UnavailableError("ethereum", f"nodes disagree about the gas: {said}")
    return max(estimates.values())


def telling(failures: Sequence[UnavailableError]) -> UnavailableError:
    """The error to report when every node failed: an empty account first, then all that was said."""
    for error in failures:
        if len(failures) == 1 or isinstance(error, InsufficientFundsError):
            return error
    retry_after_s = max((error.retry_after_s or 0.0) for error in failures)
    return UnavailableError("ethereum", "; ".join(map(str, failures)), retry_after_s or None)
