import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.merkle import (
    Frontier,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from evidence_vault.core.note_keys import parse_vkey
from evidence_vault.core.notes import Verified
from evidence_vault.core.tiles import (
    Tile,
    TileNodeReader,
    build_entry_bundles,
    build_tiles,
    encode_entries,
    parse_entries,
    parse_tile_path,
    tile_path,
    tiles_for_size,
)
from evidence_vault.errors import FormatError
from tests.core import naive_tree

BIG = 70_000


def refuse(tile: Tile) -> bytes:
    raise AssertionError(f"read {tile.path}")


@pytest.fixture(scope="module")
def big_leaves() -> list[bytes]:
    return [leaf_hash(n.to_bytes(4)) for n in range(BIG)]


@pytest.fixture(scope="module")
def big_tiles(big_leaves: list[bytes]) -> dict[Tile, bytes]:
    return build_tiles(0, big_leaves, refuse)


def test_whole_foreign_log_is_rebuilt_byte_for_byte(vectors: Path) -> None:
    log = json.loads((vectors / "checkpoints" / "tessera-testdata-log.json").read_bytes())
    published = {path: base64.b64decode(data) for path, data in (log["tiles"] | log["bundles"]).items()}
    whole = parse_tile_path("tile/entries/000.p/15")
    entries = parse_entries(published[whole.path], tile=whole)

    # One checkpoint a size, as the foreign log grew: every file it published, and no other.
    files: dict[Tile, bytes] = {}
    for size in range(15):
        files |= build_tiles(size, [leaf_hash(entries[size])], files.__getitem__)
        files |= build_entry_bundles(size, [entries[size]], files.__getitem__)
    assert {tile.path: data for tile, data in files.items()} == published

    key = parse_vkey(log["vkey"])
    heads = []
    for size, note in enumerate(log["checkpoints"]):
        opened = open_checkpoint(note.encode(), origin="example.com/log/testdata", trusted=[key])
        assert isinstance(opened.signed, Verified)
        heads.append(opened.checkpoint.tree_head)
        read = TileNodeReader(files.__getitem__, size)
        assert root_hash(size, read) == heads[size].root_hash
        for older in range(1, size):
            verify_consistency(
                older=heads[older], newer=heads[size], proof=prove_consistency(older, size, read)
            )
        for index in range(size):
            verify_inclusion(
                tree_head=heads[size],
                leaf_index=index,
                leaf_hash=leaf_hash(entries[index]),
                proof=prove_inclusion(index, size, read),
            )


def test_tiles_for_size_70000_are_those_of_the_specification() -> None:
    tiles = list(tiles_for_size(BIG))
    rows = {
        level: [tile.width for tile in tiles if tile.level == level]
        for level in {tile.level for tile in tiles}
    }
    assert rows == {0: [256] * 273 + [112], 1: [256, 17], 2: [1], "entries": [256] * 273 + [112]}


def test_tiles_for_size_256_are_a_full_tile_and_its_root() -> None:
    assert [tile.path for tile in tiles_for_size(256)] == ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]
    assert list(tiles_for_size(0)) == []


def test_build_tiles_writes_exactly_the_tiles_of_the_size_full_ones_first(
    big_tiles: dict[Tile, bytes],
) -> None:
    assert set(big_tiles) == {tile for tile in tiles_for_size(BIG) if tile.level != "entries"}
    fullness = [tile.width == 256 for tile in big_tiles]
    assert fullness == sorted(fullness, reverse=True)
    assert all(len(data) == 32 * tile.width for tile, data in big_tiles.items())


def test_root_and_proofs_come_from_tiles_alone(big_leaves: list[bytes], big_tiles: dict[Tile, bytes]) -> None:
    read = TileNodeReader(big_tiles.__getitem__, BIG)
    head = Frontier().extend(big_leaves).tree_head()
    assert root_hash(BIG, read) == head.root_hash
    for index in (0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, BIG - 1):
        proof = prove_inclusion(index, BIG, read)
        verify_inclusion(tree_head=head, leaf_index=index, leaf_hash=big_leaves[index], proof=proof)
    for size in (1, 255, 256, 257, 65_535, 65_536, 65_537, BIG - 1):
        older = Frontier().extend(big_leaves[:size]).tree_head()
        verify_consistency(older=older, newer=head, proof=prove_consistency(size, BIG, read))


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(st.integers(0, 700), max_size=5))
def test_build_in_batches_equals_build_at_once(batches: list[int]) -> None:
    entries = [f"entry {n}".encode() for n in range(sum(batches))]
    leaves = [leaf_hash(entry) for entry in entries]
    files: dict[Tile, bytes] = {}
    size = 0
    for count in batches:
        batch = slice(size, size + count)
        files |= build_tiles(size, leaves[batch], files.__getitem__)
        files |= build_entry_bundles(size, entries[batch], files.__getitem__)
        size += count
        assert {tile: files[tile] for tile in tiles_for_size(size)} == (
            build_tiles(0, leaves[:size], refuse) | build_entry_bundles(0, entries[:size], refuse)
        )
    assert root_hash(size, TileNodeReader(files.__getitem__, size)) == naive_tree.mth(entries)


def test_build_tiles_of_nothing_reads_and_writes_nothing() -> None:
    assert build_tiles(300, [], refuse) == {}
    assert build_entry_bundles(300, [], refuse) == {}


def test_node_reader_reads_each_tile_once(big_tiles: dict[Tile, bytes]) -> None:
    reads: list[str] = []

    def read_tile(tile: Tile) -> bytes:
        reads.append(tile.path)
        return big_tiles[tile]

    read = TileNodeReader(read_tile, BIG)
    for index in (1000, 1001, 1020):
        prove_inclusion(index, BIG, read)
    assert sorted(reads) == ["tile/0/003", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17"]


@pytest.mark.parametrize("change", [-32, -1, 1, 32])
def test_node_reader_refuses_a_tile_of_another_length(big_tiles: dict[Tile, bytes], change: int) -> None:
    def read_tile(tile: Tile) -> bytes:
        data = big_tiles[tile]
        return data[:change] if change < 0 else data + bytes(change)

    with pytest.raises(FormatError, match=r"tile/0/003: expected 8192 bytes"):
        TileNodeReader(read_tile, BIG)(0, 1000)


@pytest.mark.parametrize(("level", "index"), [(0, BIG), (17, 0), (4, 4375), (0, -1)])
def test_node_reader_refuses_a_node_that_is_not_complete(
    big_tiles: dict[Tile, bytes], level: int, index: int
) -> None:
    with pytest.raises(ValueError, match="no complete node"):
        TileNodeReader(big_tiles.__getitem__, BIG)(level, index)


@given(
    level=st.integers(0, 63) | st.just("entries"),
    index=st.integers(0, (1 << 63) - 1),
    width=st.integers(1, 256),
)
def test_parse_tile_path_reads_what_tile_path_writes(level: int, index: int, width: int) -> None:
    tile = Tile(level=level, index=index, width=width)
    assert parse_tile_path(tile.path) == tile


def test_tile_path_groups_digits_in_threes() -> None:
    assert tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tile_path("entries", 5, 17) == "tile/entries/005.p/17"
    assert tile_path(2, 1000) == "tile/2/x001/000"


@pytest.mark.parametrize(("index", "width"), [(-1, 256), (0, 0), (0, 257)])
def test_tile_path_of_no_tile_is_refused(index: int, width: int) -> None:
    with pytest.raises(ValueError, match="no tile"):
        tile_path(0, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/X001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/../000",
        "tile/0/٠٠٠",
        "tile/0/000\n",
        "tile/0/" + "x001/" * 9 + "000",
    ],
)
def test_parse_tile_path_refuses(path: str) -> None:
    with pytest.raises(FormatError, match="tile path"):
        parse_tile_path(path)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_parse_entries_reads_what_encode_entries_writes(entries: list[bytes]) -> None:
    tile = Tile(level="entries", index=0, width=len(entries))
    assert parse_entries(encode_entries(entries), tile=tile) == entries


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "tile/entries/000.p/2, entry 0"),
        (b"\0", "tile/entries/000.p/2, entry 0"),
        (b"\0\1", "tile/entries/000.p/2, entry 0"),
        (b"\0\1a", "tile/entries/000.p/2, entry 1"),
        (b"\0\1a\0\2b", "tile/entries/000.p/2, entry 1"),
        (b"\0\1a\0\1b\0", "tile/entries/000.p/2, byte 6"),
        (b"\0\1a\0\1b\0\1c", "tile/entries/000.p/2, byte 6"),
    ],
)
def test_parse_entries_refuses(data: bytes, place: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_entries(data, tile=Tile(level="entries", index=0, width=2))
    assert caught.value.place == place


def test_encode_entries_refuses_an_entry_longer_than_its_length_field() -> None:
    assert len(encode_entries([bytes(65_535)])) == 65_537
    with pytest.raises(FormatError, match="entry 1: expected at most 65535 bytes"):
        encode_entries([b"", bytes(65_536)])
