"""A log made again from its entries: every tile as it must be, and the root at any size on the way.

One pass, in memory that doesn't grow: of each level only the unfinished tile is held, which is also the right edge
of the tree, so that each node is hashed once. Who compares what comes out with files, or the root with a signed
head, has read all there is.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from anchors.base import TreeHead
from evidence_vault.core.merkle import Frontier, leaf_hash
from evidence_vault.core.tiles import WIDTH, Tile, encode_entries, tile_root


class Replay:
    """A tree that grows from nothing."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []
        self._rows: list[list[bytes]] = [[]]
        self.size = 0
        """How many entries were appended."""

    def frontier(self) -> Frontier:
        """Return the right edge as it is now: each unfinished tile has its part of it."""
        edges = [Frontier().extend(row).hashes for row in reversed(self._rows)]
        return Frontier(size=self.size, hashes=tuple(chain.from_iterable(edges)))

    def tree_head(self) -> TreeHead:
        """Return size and root as they are now."""
        return self.frontier().tree_head()

    def append(self, entries: Sequence[bytes]) -> Iterator[tuple[Tile, bytes]]:
        """Append entries; yield every tile and bundle that this fills, lower levels first. Exhaust it."""
        at = 0
        while at < len(entries):
            part = entries[at : at + WIDTH - len(self._entries)]
            at += len(part)
            self._entries += part
            self._rows[0] += [leaf_hash(entry) for entry in part]
            self.size += len(part)
            if len(self._entries) == WIDTH:
                yield Tile(level="entries", index=self.size // WIDTH - 1), encode_entries(self._entries)
                self._entries = []
                yield from self._filled()

    def partial(self) -> Iterator[tuple[Tile, bytes]]:
        """Yield the partial tiles and the partial bundle at the size that is now."""
        if self._entries:
            width = len(self._entries)
            yield Tile(level="entries", index=self.size // WIDTH, width=width), encode_entries(self._entries)
        for level, row in enumerate(self._rows):
            if row:
                index = (self.size >> 8 * level) // WIDTH
                yield Tile(level=level, index=index, width=len(row)), b"".join(row)

    def _filled(self) -> Iterator[tuple[Tile, bytes]]:
        level = 0
        while len(self._rows[level]) == WIDTH:
            data = b"".join(self._rows[level])
            yield Tile(level=level, index=(self.size >> 8 * level) // WIDTH - 1), data
            self._rows[level] = []
            level += 1
            if level == len(self._rows):
                self._rows.append([])
            self._rows[level].append(tile_root(data))
