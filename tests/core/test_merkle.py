import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors.base import TreeHead
from evidence_vault.core import merkle
from evidence_vault.core.merkle import (
    EMPTY_ROOT,
    Frontier,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from evidence_vault.errors import IntegrityError, VerificationError
from tests.core import naive_tree

MAX_LEAVES = 40


def entries(count: int) -> list[bytes]:
    return [f"entry {n}".encode() for n in range(count)]


def reader(count: int) -> Callable[[int, int], bytes]:
    """Reads nodes of a tree of `count` leaves, and refuses those that aren't complete."""

    def read(level: int, index: int) -> bytes:
        start, end = index << level, index + 1 << level
        assert end <= count, f"read an incomplete node ({level}, {index}) of {count} leaves"
        return naive_tree.mth(entries(count)[start:end])

    return read


def head(size: int) -> TreeHead:
    return TreeHead(size=size, root_hash=naive_tree.mth(entries(size)))


def decode(case: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(case[name]) for name in names]


def proof_of(case: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(p) for p in case["proof"] or []]


def verdict(check: Callable[[], None]) -> bool:
    try:
        check()
    except VerificationError:
        return False
    return True


@pytest.mark.parametrize(
    ("file", "count"),
    [("transparency-dev-merkle-inclusion.json", 98), ("sigstore-rekor-inclusion.json", 12)],
)
def test_verify_inclusion_gives_every_expected_verdict(vectors: Path, file: str, count: int) -> None:
    cases = json.loads((vectors / "merkle" / file).read_bytes())
    assert len(cases) == count
    for case in cases:
        root, leaf = decode(case, "root", "leafHash")
        tree_head = TreeHead(size=case["treeSize"], root_hash=root)

        def check(tree_head: TreeHead = tree_head, leaf: bytes = leaf, case: dict[str, Any] = case) -> None:
            verify_inclusion(
                tree_head=tree_head, leaf_index=case["leafIdx"], leaf_hash=leaf, proof=proof_of(case)
            )

        assert verdict(check) is not case["wantErr"], case["desc"]
        if "entry" in case:
            assert leaf_hash(*decode(case, "entry")) == leaf, case["desc"]


@pytest.mark.parametrize(
    ("file", "count"), [("transparency-dev-merkle-consistency.json", 98), ("witness-consistency.json", 1)]
)
def test_verify_consistency_gives_every_expected_verdict(vectors: Path, file: str, count: int) -> None:
    cases = json.loads((vectors / "merkle" / file).read_bytes())
    assert len(cases) == count
    for case in cases:
        root1, root2 = decode(case, "root1", "root2")
        older = TreeHead(size=case["size1"], root_hash=root1)
        newer = TreeHead(size=case["size2"], root_hash=root2)

        def check(older: TreeHead = older, newer: TreeHead = newer, case: dict[str, Any] = case) -> None:
            verify_consistency(older=older, newer=newer, proof=proof_of(case))

        assert verdict(check) is not case["wantErr"], case["desc"]


def test_every_proof_of_small_trees_equals_the_naive_one_and_verifies() -> None:
    for size in range(1, 35):
        read = reader(size)
        assert root_hash(size, read) == head(size).root_hash
        for index in range(size):
            proof = prove_inclusion(index, size, read)
            assert proof == naive_tree.path(index, entries(size))
            leaf = leaf_hash(entries(size)[index])
            verify_inclusion(tree_head=head(size), leaf_index=index, leaf_hash=leaf, proof=proof)
        for older in range(1, size + 1):
            proof = prove_consistency(older, size, read)
            assert proof == naive_tree.subproof(older, entries(size), True)
            verify_consistency(older=head(older), newer=head(size), proof=proof)


@st.composite
def mutated_proof(draw: st.DrawFn, proof: list[bytes]) -> list[bytes]:
    """A proof with one bit changed, one hash dropped, added or doubled, or two different ones swapped."""
    mutated = list(proof)
    kinds = ["add"] + (["bit", "drop", "double"] if proof else []) + (["swap"] if len(proof) > 1 else [])
    kind = draw(st.sampled_from(kinds))
    at = draw(st.integers(0, max(0, len(proof) - 1)))
    match kind:
        case "add":
            mutated.insert(draw(st.integers(0, len(proof))), draw(st.binary(min_size=32, max_size=32)))
        case "bit":
            bit = draw(st.integers(0, 255))
            mutated[at] = (int.from_bytes(mutated[at]) ^ 1 << bit).to_bytes(32)
        case "drop":
            del mutated[at]
        case "double":
            mutated.insert(at, mutated[at])
        case _:
            other = (at + draw(st.integers(1, len(proof) - 1))) % len(proof)
            mutated[at], mutated[other] = mutated[other], mutated[at]
    return mutated


@settings(max_examples=300, deadline=None)
@given(data=st.data(), size=st.integers(1, MAX_LEAVES))
def test_verify_inclusion_rejects_every_mutated_proof(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = data.draw(mutated_proof(prove_inclusion(index, size, reader(size))))
    leaf = leaf_hash(entries(size)[index])
    with pytest.raises(VerificationError):
        verify_inclusion(tree_head=head(size), leaf_index=index, leaf_hash=leaf, proof=proof)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), size=st.integers(1, MAX_LEAVES))
def test_verify_consistency_rejects_every_mutated_proof(data: st.DataObject, size: int) -> None:
    older = data.draw(st.integers(1, size))
    proof = data.draw(mutated_proof(prove_consistency(older, size, reader(size))))
    with pytest.raises(VerificationError):
        verify_consistency(older=head(older), newer=head(size), proof=proof)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), size=st.integers(2, MAX_LEAVES))
def test_verify_inclusion_rejects_the_proof_at_another_index(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(-1, size + 1).filter(lambda i: i != index))
    proof = prove_inclusion(index, size, reader(size))
    leaf = leaf_hash(entries(size)[index])
    with pytest.raises(VerificationError):
        verify_inclusion(tree_head=head(size), leaf_index=other, leaf_hash=leaf, proof=proof)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), size=st.integers(2, MAX_LEAVES))
def test_verify_consistency_rejects_the_proof_between_other_sizes(data: st.DataObject, size: int) -> None:
    older = data.draw(st.integers(1, size - 1))
    proof = prove_consistency(older, size, reader(size))
    claimed = data.draw(st.integers(0, size + 1).filter(lambda s: s != older))
    with pytest.raises(VerificationError):
        verify_consistency(
            older=TreeHead(size=claimed, root_hash=head(older).root_hash), newer=head(size), proof=proof
        )


def test_verify_inclusion_rejects_index_equal_to_size() -> None:
    with pytest.raises(VerificationError, match="leaf index: expected an index below tree size 1, found 1"):
        verify_inclusion(tree_head=head(1), leaf_index=1, leaf_hash=leaf_hash(b"entry 0"), proof=[])


@pytest.mark.parametrize("change", [-1, 1])
def test_verify_rejects_a_proof_of_another_length_before_it_hashes(change: int) -> None:
    inclusion = [*prove_inclusion(3, 8, reader(8)), bytes(32)][: 3 + change]
    with pytest.raises(VerificationError, match=f"inclusion proof length: expected 3, found {3 + change}"):
        verify_inclusion(tree_head=head(8), leaf_index=3, leaf_hash=bytes(32), proof=inclusion)
    consistency = [*prove_consistency(6, 8, reader(8)), bytes(32)][: 3 + change]
    with pytest.raises(VerificationError, match=f"consistency proof length: expected 3, found {3 + change}"):
        verify_consistency(older=head(6), newer=head(8), proof=consistency)


def test_verify_inclusion_root_mismatch_carries_both_roots() -> None:
    proof = prove_inclusion(3, 8, reader(8))
    with pytest.raises(VerificationError) as caught:
        verify_inclusion(tree_head=head(8), leaf_index=3, leaf_hash=leaf_hash(b"other"), proof=proof)
    assert caught.value.expected == head(8).root_hash
    assert isinstance(caught.value.found, bytes)
    assert caught.value.found != head(8).root_hash


def test_verify_consistency_names_the_root_that_differs() -> None:
    proof = prove_consistency(5, 8, reader(8))
    wrong = bytes(32)
    with pytest.raises(VerificationError, match="older tree") as caught:
        verify_consistency(older=TreeHead(size=5, root_hash=wrong), newer=head(8), proof=proof)
    assert (caught.value.expected, caught.value.found) == (wrong, head(5).root_hash)
    with pytest.raises(VerificationError, match="newer tree") as caught:
        verify_consistency(older=head(5), newer=TreeHead(size=8, root_hash=wrong), proof=proof)
    assert (caught.value.expected, caught.value.found) == (wrong, head(8).root_hash)


def test_verify_consistency_rejects_a_byte_moved_between_hashes() -> None:
    proof = prove_consistency(7, 8, reader(8))
    seed, sibling = proof[0], proof[2]
    moved = [sibling[-1:] + seed, proof[1], sibling[:-1], *proof[3:]]
    with pytest.raises(VerificationError, match="hash length in a proof"):
        verify_consistency(older=head(7), newer=head(8), proof=moved)


def test_verify_consistency_from_size_zero_is_refused() -> None:
    with pytest.raises(VerificationError, match="older tree size"):
        verify_consistency(older=TreeHead(size=0, root_hash=EMPTY_ROOT), newer=head(3), proof=[])


def test_verify_consistency_of_two_roots_at_one_size_is_a_fork() -> None:
    with pytest.raises(VerificationError, match="one root hash for tree size 3"):
        verify_consistency(older=head(3), newer=TreeHead(size=3, root_hash=bytes(32)), proof=[])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_prove_inclusion_of_no_leaf_is_refused(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        prove_inclusion(index, size, reader(size))


@pytest.mark.parametrize(("size1", "size2"), [(0, 3), (4, 3)])
def test_prove_consistency_between_no_trees_is_refused(size1: int, size2: int) -> None:
    with pytest.raises(ValueError, match="no consistency proof"):
        prove_consistency(size1, size2, reader(size2))


@settings(max_examples=200, deadline=None)
@given(batches=st.lists(st.integers(0, 20), max_size=6))
def test_frontier_extended_in_batches_knows_every_root(batches: list[int]) -> None:
    leaves = [leaf_hash(entry) for entry in entries(sum(batches))]
    frontier = Frontier()
    for count in batches:
        before = frontier
        frontier = frontier.extend(leaves[frontier.size : frontier.size + count])
        assert frontier.tree_head() == head(frontier.size)
        restored = Frontier(size=frontier.size, hashes=tuple(frontier.hashes))
        assert restored == frontier
        assert before.tree_head() == head(before.size)


@pytest.mark.parametrize(("size", "count"), [(3, 1), (4, 2), (0, 1), (-1, 0)])
def test_frontier_with_another_number_of_hashes_than_its_size_has_bits_is_refused(
    size: int, count: int
) -> None:
    with pytest.raises(IntegrityError):
        Frontier(size=size, hashes=(bytes(32),) * count)


def test_root_hash_of_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert root_hash(0, reader(0)) == EMPTY_ROOT == naive_tree.mth([])
    assert Frontier().tree_head() == TreeHead(size=0, root_hash=EMPTY_ROOT)


def test_leaf_and_node_hashes_are_apart() -> None:
    left, right = bytes(32), bytes([1]) * 32
    assert merkle.node_hash(left, right) != leaf_hash(left + right)
