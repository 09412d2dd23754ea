"""A log made again from its entries is the log: its edge, its root and its files, however it was fed."""

from hypothesis import given
from hypothesis import strategies as st

from evidence_vault.core.merkle import Frontier, leaf_hash
from evidence_vault.core.replay import Replay
from evidence_vault.core.tiles import Tile, build_entry_bundles, build_tiles
from tests.core.naive_tree import mth


@given(st.lists(st.integers(0, 400), max_size=5), st.integers(0, 255))
def test_replay_in_any_parts_is_the_log(parts: list[int], offset: int) -> None:
    sizes = [offset, *parts]
    entries = [number.to_bytes(3) for number in range(sum(sizes))]
    leaves = [leaf_hash(entry) for entry in entries]
    replay, at = Replay(), 0
    files: dict[Tile, bytes] = {}
    for size in sizes:
        files |= dict(replay.append(entries[at : at + size]))
        at += size
        assert replay.frontier() == Frontier().extend(leaves[:at])
    files |= dict(replay.partial())
    assert replay.tree_head().size == len(leaves)
    assert replay.tree_head().root_hash == mth(entries)
    assert files == build_tiles(0, leaves, _nothing) | build_entry_bundles(0, entries, _nothing)


def _nothing(tile: Tile) -> bytes:
    raise AssertionError(f"{tile} was read from an empty log")
