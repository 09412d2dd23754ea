"""Tiles from a stranger, each believed only when a signed tree head commits to it (C2SP tlog-tiles).

    right edge of the tree ── hashes to    ──► the root hash of the head
    a full tile            ── hashes to    ──► its hash in the tile one level up
    an entry bundle        ── leaf hashes  ──► the tile of level 0

The partial tiles of a size are exactly its right edge: each of their hashes goes into the root, so that one
comparison authenticates all of them. Every other tile hangs below one that is already believed. Nothing is
returned before it is authenticated, and memory is bounded by the cache (8 kB a tile).

Not checked here: who signed the head, and what the entries say.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from anchors.base import TreeHead
from evidence_vault.core.merkle import leaf_hash, root_hash
from evidence_vault.core.tiles import (
    WIDTH,
    Tile,
    TileNodeReader,
    TileReader,
    parse_entries,
    tile_root,
    tiles_at_edge,
    width_at,
)
from evidence_vault.errors import FormatError, VerificationError

KeptTiles = Callable[[Tile], bytes | None]
"""Reads a copy of a tile or bundle, none if there is none. A bad copy counts as none."""


class AuthenticTiles:
    """The tiles and entries of one tree, as its head commits to them: a kept copy if it is good, else read."""

    def __init__(
        self, tree_head: TreeHead, read: TileReader, *, kept: KeptTiles | None = None, cached_tiles: int = 64
    ) -> None:
        self.tree_head = tree_head
        self._read = read
        self._kept = kept or (lambda _tile: None)
        self._edge: dict[int, bytes] | None = None
        self._full: Callable[[int, int], bytes] = lru_cache(maxsize=cached_tiles)(self._read_full)
        self.node = TileNodeReader(self.read_tile, tree_head.size)
        """Reads a node for `merkle.root_hash`, `prove_inclusion`, `prove_consistency`."""

    def tile(self, level: int, index: int) -> Tile:
        """Return the name of a tile of this tree, with the width that it has here."""
        return Tile(level=level, index=index, width=width_at(self.tree_head.size, level, index))

    def read_tile(self, tile: Tile) -> bytes:
        """Return the hashes of a tile of this tree: `32 * tile.width` bytes. A `TileReader`.

        Raises FormatError for a tile of a wrong length, VerificationError for one that the head doesn't commit
        to, ValueError for one that this tree doesn't have, and whatever the reader raises.
        """
        if tile.level == "entries" or tile != self.tile(tile.level, tile.index):
            raise ValueError(f"{tile.path} is no tile of a tree of size {self.tree_head.size}")
        if tile.width == WIDTH:
            return self._full(tile.level, tile.index)
        if self._edge is None:
            self._edge = self._read_edge()
        return self._edge[tile.level]

    def read_entries(self, index: int) -> list[bytes]:
        """Return the entries of bundle `index`, each the preimage of its leaf hash. Raises as `read_tile`."""
        hashes = self.read_tile(self.tile(0, index))
        bundle = Tile(level="entries", index=index, width=len(hashes) // 32)
        kept = self._kept(bundle)
        if kept is not None:
            try:
                return _matching_entries(bundle, kept, hashes)
            except (FormatError, VerificationError):  # our own copy is damaged: it is read anew
                pass
        return _matching_entries(bundle, self._read(bundle), hashes)

    def _read_edge(self) -> dict[int, bytes]:
        """Read all partial tiles and compare what they hash to with the head's root."""
        wanted = [tile for tile in tiles_at_edge(self.tree_head.size) if tile.width < WIDTH]
        tiles = [tile for tile in wanted if tile.level != "entries"]
        kept = {int(tile.level): self._kept(tile) or b"" for tile in tiles}
        if (
            all(len(kept[int(t.level)]) == 32 * t.width for t in tiles)
            and self._root(kept) == self.tree_head.root_hash
        ):
            return kept
        edge = {int(tile.level): _checked(tile, self._read(tile)) for tile in tiles}
        if (root := self._root(edge)) != self.tree_head.root_hash:
            raise VerificationError(
                f"root hash of the partial tiles at size {self.tree_head.size}",
                self.tree_head.root_hash,
                root,
            )
        return edge

    def _root(self, edge: Mapping[int, bytes]) -> bytes:
        return root_hash(
            self.tree_head.size, TileNodeReader(lambda tile: edge[int(tile.level)], self.tree_head.size)
        )

    def _read_full(self, level: int, index: int) -> bytes:
        tile = self.tile(level, index)
        above, place = divmod(index, WIDTH)
        parent = self.read_tile(self.tile(level + 1, above))
        expected = parent[32 * place : 32 * place + 32]
        kept = self._kept(tile)
        if kept is not None and len(kept) == 32 * WIDTH and tile_root(kept) == expected:
            return kept
        data = _checked(tile, self._read(tile))
        found = tile_root(data)
        if found != expected:
            raise VerificationError(f"root hash of {tile.path}", expected, found)
        return data


def _checked(tile: Tile, data: bytes) -> bytes:
    if len(data) != 32 * tile.width:
        raise FormatError(tile.path, f"{32 * tile.width} bytes", f"{len(data)} bytes")
    return data


def _matching_entries(bundle: Tile, data: bytes, hashes: bytes) -> list[bytes]:
    """Parse a bundle and compare each entry with its leaf hash."""
    entries = parse_entries(data, tile=bundle)
    found = b"".join(map(leaf_hash, entries))
    if found != hashes:
        wrong = next(at for at in range(0, len(hashes), 32) if found[at : at + 32] != hashes[at : at + 32])
        raise VerificationError(
            f"leaf hash of {bundle.path}, entry {wrong // 32}",
            hashes[wrong : wrong + 32],
            found[wrong : wrong + 32],
        )
    return entries
