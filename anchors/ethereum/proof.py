"""The proof of an Ethereum anchor as a bundle carries it: `proof/anchors/<size>/<seq>.json`, canonical JSON.

Changing how it is read can break proofs made years ago; a change is a new `v`, and version 1 stays readable.

    {"chain_id":11155111,"contract":"<20 bytes>","header":"<RLP of the block header>","kind":"ethereum",
     "nodes":["<RLP of a trie node, root first>",…],"receipt_index":3,"sender":"<20 bytes>","v":1}

`header` and `nodes`, nearly all of a proof, are base64; `contract` and `sender`, which people compare, lower-case
hex without 0x. `chain_id`, `contract` and `sender` are the prover's claims: the header does not name its chain.
What they are worth is decided in `anchors.ethereum.verify`.
"""

from anchors.canonical import (
    as_array,
    as_base64,
    as_hex,
    as_integer,
    as_object,
    encode_base64,
    encode_canonical,
    parse_canonical,
)
from anchors.errors import FormatError
from anchors.ethereum.trie import MAX_INDEX, MAX_NODES
from anchors.values import value

KIND = "ethereum"
PART = "proof.json"
"""Name of the only part of this kind's AnchorProof."""

MAX_PROOF_BYTES = 49_152
"""A proof in a block of 300 receipts has 3.4 kB; the rest is room for a transaction that wrote many other logs. It
bounds the hashing too: about 36 kB of bytes to hash, some 0.2 s."""

_FIELDS = frozenset({"v", "kind", "chain_id", "contract", "sender", "header", "receipt_index", "nodes"})
_PLACE = "ethereum proof"


@value
class EthereumProof:
    """A block header, and the way from its receiptsRoot to one receipt; with what the prover says it is.

    contract, sender: 20 bytes. header: RLP. receipt_index: the transaction's place in its block, from 0.
    nodes: RLP of the nodes of the receipts trie, from the root to the leaf.
    """

    chain_id: int
    contract: bytes
    sender: bytes
    header: bytes
    receipt_index: int
    nodes: tuple[bytes, ...]


def parse_proof(data: bytes) -> EthereumProof:
    """Read a proof file; FormatError names what is missing, unknown, too large or not canonical."""
    value = as_object(parse_canonical(data, place=_PLACE, max_bytes=MAX_PROOF_BYTES), _PLACE, _FIELDS)
    if value["kind"] != KIND:
        raise FormatError(f"{_PLACE} kind", KIND, value["kind"])
    as_integer(value["v"], f"{_PLACE} v", 1, 1)
    nodes = as_array(value["nodes"], f"{_PLACE} nodes", MAX_NODES)
    return EthereumProof(
        chain_id=as_integer(value["chain_id"], f"{_PLACE} chain_id", 1),
        contract=as_hex(value["contract"], f"{_PLACE} contract", length=20),
        sender=as_hex(value["sender"], f"{_PLACE} sender", length=20),
        header=as_base64(value["header"], f"{_PLACE} header"),
        receipt_index=as_integer(value["receipt_index"], f"{_PLACE} receipt_index", 0, MAX_INDEX),
        nodes=tuple(as_base64(node, f"{_PLACE} nodes[{n}]") for n, node in enumerate(nodes)),
    )


def encode_proof(proof: EthereumProof) -> bytes:
    """The canonical bytes of a proof file; `parse_proof` reads them back."""
    return encode_canonical(
        {
            "v": 1,
            "kind": KIND,
            "chain_id": proof.chain_id,
            "contract": proof.contract.hex(),
            "sender": proof.sender.hex(),
            "header": encode_base64(proof.header),
            "receipt_index": proof.receipt_index,
            "nodes": [encode_base64(node) for node in proof.nodes],
        }
    )
