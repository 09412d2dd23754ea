"""Builds the proof of an anchor from what a node says about a block, and believes none of it.

    (1) the header is rebuilt from the block's fields; its Keccak-256 must be the block's hash
    (2) the receipts trie is rebuilt from all receipts; its root must be the header's receiptsRoot
    (3) the proof is taken from that trie

Built with the libraries `rlp` and `trie`, checked elsewhere by our own decoding: two hands, so that one
mistake does not agree with itself. A header field that is unknown here shows at (1): add it, or nothing can
be proven.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import rlp
from trie.hexary import HexaryTrie

from anchors.errors import UnavailableError
from anchors.ethereum.keccak import keccak256
from anchors.ethereum.node import Node, NodeError, as_hex
from anchors.ethereum.proof import EthereumProof

_BYTES, _NUMBER = bytes, int

_HEADER_FIELDS: tuple[tuple[str, type], ...] = (
    ("parentHash", _BYTES),
    ("sha3Uncles", _BYTES),
    ("miner", _BYTES),
    ("stateRoot", _BYTES),
    ("transactionsRoot", _BYTES),
    ("receiptsRoot", _BYTES),
    ("logsBloom", _BYTES),
    ("difficulty", _NUMBER),
    ("number", _NUMBER),
    ("gasLimit", _NUMBER),
    ("gasUsed", _NUMBER),
    ("timestamp", _NUMBER),
    ("extraData", _BYTES),
    ("mixHash", _BYTES),
    ("nonce", _BYTES),
    ("baseFeePerGas", _NUMBER),  # London, EIP-1559
    ("withdrawalsRoot", _BYTES),  # Shanghai, EIP-4895
    ("blobGasUsed", _NUMBER),  # Cancun, EIP-4844
    ("excessBlobGas", _NUMBER),
    ("parentBeaconBlockRoot", _BYTES),  # Cancun, EIP-4788
    ("requestsHash", _BYTES),  # Prague, EIP-7685
    ("blockAccessListHash", _BYTES),  # Amsterdam, EIP-7928
    ("slotNumber", _NUMBER),  # Amsterdam, EIP-7843
)
"""The items of a header in their order; from `baseFeePerGas` on each is there from its fork."""

_MAX_TYPE = 0x7F
"""EIP-2718: a byte above is the beginning of a list, as receipts of type 0 are."""

_METHOD_NOT_FOUND = {-32601, -32004}


def build_proof(
    node: Node, block: Mapping[str, Any], *, index: int, chain_id: int, contract: bytes, sender: bytes
) -> EthereumProof:
    """The proof for receipt `index` of `block`, a JSON-RPC block of `node`.

    Raises UnavailableError if the node doesn't give all receipts, or gives what doesn't fit its own hashes.
    """
    # (1) the header
    header = encode_header(node, block)
    if as_hex(keccak256(header)) != node.read_digest("block hash", block.get("hash")):
        raise UnavailableError(node.host, "the fields of a block don't give its hash")

    # (2) the receipts
    trie = HexaryTrie({})
    receipts = _ask_receipts(node, block)
    if index >= len(receipts):
        raise UnavailableError(node.host, f"shows {len(receipts)} receipts of a block, and ours is {index}")
    for position, receipt in enumerate(receipts):
        trie[rlp.encode(position)] = encode_receipt(node, receipt)
    if trie.root_hash != node.read_bytes("receiptsRoot", block.get("receiptsRoot")):
        raise UnavailableError(node.host, "the receipts of a block don't give its receiptsRoot")

    # (3) the way to the receipt
    nodes = trie.get_proof(rlp.encode(index))  # type: ignore[no-untyped-call]
    return EthereumProof(
        chain_id=chain_id,
        contract=contract,
        sender=sender,
        header=header,
        receipt_index=index,
        nodes=tuple(bytes(rlp.encode(item)) for item in nodes),
    )


def encode_header(node: Node, block: Mapping[str, Any]) -> bytes:
    """RLP of the header whose fields `block` shows."""
    fields = [
        (node.read_number if kind is _NUMBER else node.read_bytes)(name, block[name])
        for name, kind in _HEADER_FIELDS
        if block.get(name) is not None
    ]
    return bytes(rlp.encode(fields))


def encode_receipt(node: Node, receipt: Mapping[str, Any]) -> bytes:
    """A receipt as its trie holds it: behind its type byte, or bare for type 0 (EIP-2718)."""
    try:
        kind = node.read_number("type", receipt.get("type", "0x0"))
        if kind > _MAX_TYPE:
            raise UnavailableError(node.host, f"a transaction receipt has the type {kind}")
        outcome: bytes | int = (
            node.read_number("status", receipt["status"])
            if receipt.get("status") is not None
            else node.read_bytes("root", receipt["root"])
        )
        logs = [
            [
                node.read_bytes("address", log["address"]),
                [node.read_bytes("topic", topic) for topic in log["topics"]],
                node.read_bytes("data", log["data"]),
            ]
            for log in receipt["logs"]
        ]
        gas = node.read_number("cumulativeGasUsed", receipt["cumulativeGasUsed"])
        bloom = node.read_bytes("logsBloom", receipt["logsBloom"])
    except (KeyError, TypeError, AttributeError) as error:
        raise UnavailableError(node.host, f"a transaction receipt lacks {error}") from error
    encoded = bytes(rlp.encode([outcome, gas, bloom, logs]))
    return bytes([kind]) + encoded if kind else encoded


def _ask_receipts(node: Node, block: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """All receipts of the block: in one call, or one by one from nodes that don't have the call."""
    try:
        receipts = node.ask("eth_getBlockReceipts", block["hash"])
    except NodeError as error:
        if error.code not in _METHOD_NOT_FOUND:
            raise
        hashes = node.read_list("transactions", block.get("transactions"))
        receipts = [node.ask("eth_getTransactionReceipt", each) for each in hashes]
    return [node.read_object("receipt", each) for each in node.read_list("receipts", receipts)]
