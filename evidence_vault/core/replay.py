"""A log made again from its entries: every tile as it must be, and the root at any size on the way.

One pass, in memory that doesn't grow: of each level only the unfinished tile is held. Who compares what comes out
with files, or the root with a signed head, has read all there is.
"""

from collections.abc import Iterator, Sequence

from anchors.base import TreeHead
from evidence_vault.core.merkle import Frontier, leaf_hash
from evidence_vault.core.tiles import WIDTH, Tile, encode_entries, tile_root


class Replay:
    """A tree that grows from nothing."""

    def __init__(self) -> None:
        self.frontier = Frontier()
        self._entries: list[bytes] = []
        self._rows: list[list[bytes]] = [[]]

    @property
    def size(self) -> int:
        """How many entries were appended."""
        return self.frontier.size

    def tree_head(self) -> TreeHead:
        """Return size and root as they are now."""
        return self.frontier.tree_head()

    def append(self, entries: Sequence[bytes]) -> Iterator[tuple[Tile, bytes]]:
        """Append entries; yield every tile and bundle that this fills, lower levels first. Exhaust it."""
        at = 0
        while at < len(entries):
            part = entries[at : at + WIDTH - len(self._entries)]
            at += len(part)
            hashes = [leaf_hash(entry) for entry in part]
            self.frontier = self.frontier.extend(hashes)
            self._entries += part
            self._rows[0] += hashes
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
