"""The real blocks of the vectors, and proofs of them built with the libraries `rlp` and `trie`, not by us."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rlp
from trie.hexary import HexaryTrie

_HEADER_FIELDS = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"),
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce"),
    *("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot"),
    *("requestsHash", "blockAccessListHash", "slotNumber"),
)
_NUMBERS = {
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas"),
    *("blobGasUsed", "excessBlobGas", "slotNumber"),
}


@dataclass(frozen=True)
class Block:
    """A block of the vectors: header RLP, receipts as the trie holds them, and the expected answers."""

    name: str
    header: bytes
    receipts: tuple[bytes, ...]
    expected: dict[str, Any]

    @property
    def trie(self) -> "ReceiptTrie":
        return ReceiptTrie(self.receipts)


class ReceiptTrie:
    """A receipts trie made by the library `trie`."""

    def __init__(self, receipts: tuple[bytes, ...]) -> None:
        self._trie = HexaryTrie({})
        for index, receipt in enumerate(receipts):
            self._trie[rlp.encode(index)] = receipt

    @property
    def root(self) -> bytes:
        return bytes(self._trie.root_hash)

    def nodes(self, index: int) -> tuple[bytes, ...]:
        proof = self._trie.get_proof(rlp.encode(index))  # type: ignore[no-untyped-call]
        return tuple(rlp.encode(node) for node in proof)


def load_blocks(vectors: Path) -> list[Block]:
    """All blocks of the index, those without transactions included."""
    folder = vectors / "ethereum"
    index = json.loads((folder / "index.json").read_text())
    blocks = []
    for entry in index["blocks"] + index["header_only"]:
        document = json.loads((folder / entry["file"]).read_text())
        if "header_rlp" in document:
            header = bytes.fromhex(document["header_rlp"][2:])
            receipts = tuple(bytes.fromhex(receipt[2:]) for receipt in document["receipts"])
        else:
            header = header_from_rpc(document.get("block", document))
            receipts = tuple(legacy_receipt_from_rpc(receipt) for receipt in document.get("receipts", []))
        blocks.append(Block(entry["file"], header, receipts, entry))
    return blocks


def header_from_rpc(block: dict[str, Any]) -> bytes:
    """Header RLP from the fields of a JSON-RPC block, in the order of the forks that added them."""
    return bytes(
        rlp.encode(
            [
                int(block[name], 16) if name in _NUMBERS else bytes.fromhex(block[name][2:])
                for name in _HEADER_FIELDS
                if name in block
            ]
        )
    )


def legacy_receipt_from_rpc(receipt: dict[str, Any]) -> bytes:
    """A receipt of type 0 from its JSON-RPC fields."""

    def raw(text: str) -> bytes:
        return bytes.fromhex(text[2:])

    logs = [
        [raw(log["address"]), [raw(t) for t in log["topics"]], raw(log["data"])] for log in receipt["logs"]
    ]
    fields = [
        int(receipt["status"], 16),
        int(receipt["cumulativeGasUsed"], 16),
        raw(receipt["logsBloom"]),
        logs,
    ]
    return bytes(rlp.encode(fields))
