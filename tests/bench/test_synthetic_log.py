"""Proofs from synthetic tiles verify, at ten million leaves too."""

from bench.synthetic_log import LEAF_HASH, SyntheticLog
from evidence_vault.core.merkle import (
    Frontier,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)


def test_synthetic_log_is_that_of_equal_leaves() -> None:
    assert SyntheticLog(70_000).tree_head() == Frontier().extend([LEAF_HASH] * 70_000).tree_head()


def test_proofs_from_ten_million_synthetic_leaves_verify() -> None:
    log, older = SyntheticLog(10_000_019), SyntheticLog(1_234_567)
    head = log.tree_head()
    for index in (0, 255, 65_536, 7_654_321, 10_000_018):
        proof = prove_inclusion(index, log.size, log.nodes())
        verify_inclusion(tree_head=head, leaf_index=index, leaf_hash=LEAF_HASH, proof=proof)
    consistency = prove_consistency(older.size, log.size, log.nodes())
    verify_consistency(older=older.tree_head(), newer=head, proof=consistency)
