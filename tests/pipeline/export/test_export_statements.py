"""Which checkpoints travel for the sake of attestations."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
from sqlalchemy.orm import Session

from evidence_vault.pipeline.export.statements import MAX_SIZES, sizes_above_statements
from evidence_vault.store.queries import attestations, bundles, log


@pytest.mark.parametrize("statements", [1, MAX_SIZES, MAX_SIZES + 1, 2 * MAX_SIZES, 1000])
def test_sizes_above_statements_leaves_some_out_evenly_but_never_the_last(
    statements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes = {number: 10 * number for number in range(statements)}
    rows = [SimpleNamespace(id=number) for number in indexes]
    monkeypatch.setattr(attestations, "events_of_types", lambda *_: rows)
    monkeypatch.setattr(log, "leaf_indexes", lambda *_: indexes)
    monkeypatch.setattr(bundles, "first_timed_above", lambda _, index, **__: index + 1)
    sizes = sorted(sizes_above_statements(Session(), ["it_"], 10**9, published=0, tokens=1))
    assert len(sizes) == min(statements, MAX_SIZES)
    assert sizes[-1] == 10 * (statements - 1) + 1
    gaps = {after - before for before, after in pairwise(sizes)}
    assert not gaps or max(gaps) - min(gaps) <= 10
