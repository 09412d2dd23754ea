"""A log that transparency-dev/tessera wrote: read by our code, and written by it, byte for byte."""

import json
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path

import pytest

from anchors.base import TreeHead
from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.merkle import (
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)
from evidence_vault.core.note_keys import parse_vkey
from evidence_vault.core.notes import Verified
from evidence_vault.core.tiles import Tile, build_entry_bundles, build_tiles, parse_tile_path, tiles_for_size
from evidence_vault.errors import FormatError
from evidence_vault.mirror.folder import MirrorFolder
from evidence_vault.mirror.follow import NOTHING_YET, check_growth, follow_once, open_head
from evidence_vault.mirror.source import TileFetcher
from tests.mirror.servers import serving_files


class Tessera:
    """The vectors: a checkpoint for each size, and all tiles and bundles."""

    def __init__(self, document: Mapping[str, object]) -> None:
        assert isinstance(document["tiles"], dict)
        assert isinstance(document["bundles"], dict)
        assert isinstance(document["checkpoints"], list)
        named = {**document["tiles"], **document["bundles"]}
        self.files = {str(path): b64decode(data) for path, data in named.items()}
        self.notes = [str(note).encode() for note in document["checkpoints"]]
        self.key = parse_vkey(str(document["vkey"]))

    def head(self, size: int) -> TreeHead:
        opened = open_checkpoint(self.notes[size], origin=self.key.name, trusted=[self.key])
        assert isinstance(opened.signed, Verified)
        return opened.checkpoint.tree_head


@pytest.fixture
def tessera(vectors: Path) -> Tessera:
    return Tessera(json.loads((vectors / "checkpoints" / "tessera-testdata-log.json").read_bytes()))


@pytest.mark.socket
def test_log_of_another_implementation_is_authenticated_at_every_size(
    tessera: Tessera, tmp_path: Path
) -> None:
    mirror, known, entries = MirrorFolder(tmp_path), NOTHING_YET, []
    with serving_files(tessera.files) as source:
        for size in range(1, len(tessera.notes)):
            shown = open_head(tessera.notes[size], [tessera.key])
            assert shown.head.size == size
            tiles = check_growth(mirror, TileFetcher(source), known=known, shown=shown)
            entries = tiles.read_entries(0)
            assert len(entries) == size
            for older in range(1, size):
                proof = prove_consistency(older, size, tiles.node)
                verify_consistency(older=tessera.head(older), newer=shown.head, proof=proof)
            for index, entry in enumerate(entries):
                path = prove_inclusion(index, size, tiles.node)
                verify_inclusion(
                    tree_head=shown.head, leaf_index=index, leaf_hash=leaf_hash(entry), proof=path
                )
            known = shown
    assert entries[:3] == [b"one", b"two", b"three"]


def test_our_files_for_the_same_leaves_are_theirs(tessera: Tessera) -> None:
    written: dict[str, bytes] = {}

    def read(tile: Tile) -> bytes:
        return written[tile.path]

    entries: list[bytes] = []
    for size in range(1, len(tessera.notes)):
        bundle = tessera.files[f"tile/entries/000.p/{size}"]
        entry = bundle[len(tessera.files.get(f"tile/entries/000.p/{size - 1}", b"")) + 2 :]
        new = build_tiles(size - 1, [leaf_hash(entry)], read) | build_entry_bundles(size - 1, [entry], read)
        written |= {tile.path: data for tile, data in new.items()}
        entries.append(entry)
        assert {parse_tile_path(path) for path in tessera.files} >= set(tiles_for_size(size))
    assert written == tessera.files


@pytest.mark.socket
def test_follow_keeps_only_logs_whose_entries_name_slots(tessera: Tessera, tmp_path: Path) -> None:
    mirror = MirrorFolder(tmp_path)
    mirror.pin([tessera.key])
    with (
        serving_files({**tessera.files, "checkpoint": tessera.notes[15]}) as source,
        pytest.raises(
            FormatError, match=r"tile/entries/000\.p/15, entry 0: .*logs of another kind are not followed"
        ),
    ):
        follow_once(mirror, source)
    assert mirror.checkpoint() is None
