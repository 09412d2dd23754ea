"""Real blocks of main net and Sepolia: hash, receipts root, and a proof for each receipt, also broken."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchors.errors import FormatError, VerificationError
from anchors.ethereum.header import parse_header
from anchors.ethereum.receipt import parse_receipt
from anchors.ethereum.trie import verify_receipt_inclusion
from tests.anchors.ethereum.blocks import Block, load_blocks


@pytest.fixture(scope="module")
def blocks(vectors: Path) -> list[Block]:
    return load_blocks(vectors)


def test_parse_header_of_every_real_block_gives_its_known_hash(blocks: list[Block]) -> None:
    assert len(blocks) == 9
    for block in blocks:
        header = parse_header(block.header)
        assert "0x" + header.block_hash.hex() == block.expected["expected_block_hash"], block.name
        assert "0x" + header.receipts_root.hex() == block.expected["expected_receipts_root"], block.name
        assert header.number == block.expected["number"]
        if "expected_timestamp" in block.expected:
            assert header.time == datetime.fromtimestamp(block.expected["expected_timestamp"], UTC)


def test_verify_receipt_inclusion_takes_every_receipt_of_every_real_block(blocks: list[Block]) -> None:
    proven = 0
    for block in blocks:
        root = parse_header(block.header).receipts_root
        made = block.trie
        assert made.root == root
        for index, receipt in enumerate(block.receipts):
            found = verify_receipt_inclusion(receipts_root=root, index=index, nodes=made.nodes(index))
            assert found == receipt
            parse_receipt(found)
            proven += 1
    assert proven == sum(block.expected.get("receipts", 0) for block in blocks) == 430


def test_parse_receipt_of_every_real_receipt_reads_type_and_logs(blocks: list[Block]) -> None:
    for block in blocks:
        kinds = [0 if receipt[0] >= 0xC0 else receipt[0] for receipt in block.receipts]
        counted = {str(kind): kinds.count(kind) for kind in set(kinds)}
        assert counted == block.expected.get("receipt_types", {})
    everything = [parse_receipt(receipt) for block in blocks for receipt in block.receipts]
    assert {receipt.succeeded for receipt in everything} == {True, False}
    assert sum(len(receipt.logs) for receipt in everything) > 500


def test_verify_receipt_inclusion_refuses_every_mutation_of_a_real_proof(blocks: list[Block]) -> None:
    block = max(blocks, key=lambda b: len(b.receipts))
    made, root = block.trie, parse_header(block.header).receipts_root
    for index in (0, 1, 127, 128, 141):
        nodes = made.nodes(index)
        other = made.nodes((index + 5) % len(block.receipts))
        mutations = {
            "no node": (index, ()),
            "first node missing": (index, nodes[1:]),
            "leaf missing": (index, nodes[:-1]),
            "a node twice": (index, (nodes[0], *nodes)),
            "leaf twice": (index, (*nodes, nodes[-1])),
            "foreign leaf": (index, (*nodes[:-1], other[-1])),
            "foreign proof": (index, other),
            "next index": (index + 1, nodes),
            "index beyond the block": (142, nodes),
            "reversed": (index, nodes[::-1]),
        }
        for number, node in enumerate(nodes):
            for at in (0, 1, len(node) // 2, len(node) - 1):
                flipped = node[:at] + bytes([node[at] ^ 1]) + node[at + 1 :]
                mutations[f"node {number} byte {at}"] = (
                    index,
                    (*nodes[:number], flipped, *nodes[number + 1 :]),
                )
        for wrong_index, wrong_nodes in mutations.values():
            with pytest.raises((VerificationError, FormatError)):
                verify_receipt_inclusion(receipts_root=root, index=wrong_index, nodes=wrong_nodes)
        with pytest.raises(VerificationError, match=r"nodes\[0\] hash"):
            verify_receipt_inclusion(receipts_root=bytes(32), index=index, nodes=nodes)


def test_verify_receipt_inclusion_of_a_large_real_block_is_fast(blocks: list[Block]) -> None:
    block = max(blocks, key=lambda b: len(b.receipts))
    nodes = block.trie.nodes(141)
    root = parse_header(block.header).receipts_root
    begun = time.perf_counter()
    for _ in range(10):
        parse_header(block.header)
        verify_receipt_inclusion(receipts_root=root, index=141, nodes=nodes)
    assert (time.perf_counter() - begun) / 10 < 0.1
