"""Blocks that never were, with whatever receipts a test wants; made with the libraries `rlp` and `trie`."""

from dataclasses import dataclass, field

import rlp

from anchors.ethereum.keccak import keccak256
from anchors.ethereum.proof import EthereumProof
from tests.anchors.ethereum.blocks import ReceiptTrie

CHAIN_ID = 11155111
CONTRACT = bytes.fromhex("c0" * 20)
SENDER = bytes.fromhex("5e" * 20)
TOPIC = keccak256(b"Anchored(address,uint64,bytes32,bytes32)")


@dataclass(frozen=True)
class Log:
    """An `Anchored` log; every part can be made wrong."""

    size: int = 40
    root: bytes = b"\x11" * 32
    prev: bytes = (30).to_bytes(8, "big") + b"\x22" * 24
    address: bytes = CONTRACT
    sender: bytes = SENDER
    topic: bytes = TOPIC

    def fields(self) -> list[object]:
        data = self.size.to_bytes(32, "big") + self.root + self.prev
        return [self.address, [self.topic, bytes(12) + self.sender], data]


@dataclass(frozen=True)
class Made:
    """A block with `receipts`; `proof(index)` proves one of them."""

    receipts: tuple[bytes, ...]
    number: int = 7_000_000
    time_s: int = 1_795_365_420
    contract: bytes = CONTRACT
    sender: bytes = SENDER
    chain_id: int = CHAIN_ID
    trailing: tuple[bytes, ...] = field(default=())

    @property
    def header(self) -> bytes:
        fields: list[object] = [b"\x01" * 32] * 15
        fields[5], fields[8], fields[11] = ReceiptTrie(self.receipts).root, self.number, self.time_s
        return bytes(rlp.encode([*fields, *self.trailing]))

    def proof(self, index: int) -> EthereumProof:
        return EthereumProof(
            chain_id=self.chain_id,
            contract=self.contract,
            sender=self.sender,
            header=self.header,
            receipt_index=index,
            nodes=ReceiptTrie(self.receipts).nodes(index),
        )


def make_receipt(*logs: Log, kind: int = 2, status: int | bytes = 1) -> bytes:
    """A receipt as the trie holds it: behind its type byte, or bare where `kind` is 0."""
    encoded = bytes(rlp.encode([status, 50_000, bytes(256), [log.fields() for log in logs]]))
    return bytes([kind]) + encoded if kind else encoded


def make_proof(*, size: int, root_hash: bytes, prev: bytes = bytes(32), others: int = 3) -> EthereumProof:
    """A good proof: the anchor's receipt stands last, behind `others` without logs."""
    receipts = (*(make_receipt(kind=n % 5) for n in range(others)), make_receipt(Log(size, root_hash, prev)))
    return Made(receipts).proof(others)
