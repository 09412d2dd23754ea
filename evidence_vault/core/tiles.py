"""The log as static files: tiles of hashes and bundles of entries (C2SP tlog-tiles).

    tile/0/x001/x234/067          256 leaf hashes: of the leaves from 1234067·256 on
    tile/1/004.p/17               17 hashes, each the root of a full tile of level 0; as yet 17, hence partial
    tile/entries/x001/x234/067    the 256 entries behind the first of these, each after its uint16 length

A hash in a tile of level L is the root over 256^L leaves; a tile therefore stands for a complete subtree of
height 8, whose inner nodes are computed and not stored. A full tile never changes. A partial one is a prefix
of the full one to come, and a log serves exactly those that belong to the sizes of its checkpoints.

Pure: files are read through a function that is passed in, and what must be written is returned. Not checked
here: that tiles agree with each other and with a checkpoint. Who reads them recomputes the root from them
(`merkle.root_hash` with a `TileNodeReader`), or proves and verifies.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

from anchors.values import value
from evidence_vault.core.merkle import node_hash
from evidence_vault.errors import FormatError

HEIGHT = 8
"""Levels of the Merkle tree that one tile spans."""

WIDTH = 1 << HEIGHT
"""Hashes in a full tile, entries in a full bundle."""

MAX_ENTRY_BYTES = (1 << 16) - 1
"""Bytes of one entry: its length is a uint16."""

_PATH = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?",
    re.ASCII,
)


@value
class Tile:
    """One file of the log: `index` counts from 0 within `level`; `width` hashes or entries, 256 if full."""

    level: int | Literal["entries"]
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where the file lies, relative to the log's prefix."""
        return tile_path(self.level, self.index, self.width)


TileReader = Callable[[Tile], bytes]
"""Reads one file, whole: the bytes of exactly this tile or bundle. Lengths are checked here."""


def tile_path(level: int | Literal["entries"], index: int, width: int = WIDTH) -> str:
    """Return the path of a tile or entry bundle. The one place where paths are built. C2SP tlog-tiles."""
    if index < 0 or not 1 <= width <= WIDTH:
        raise ValueError(f"no tile of index {index} and width {width}")
    groups = f"{index % 1000:03d}"
    while index := index // 1000:
        groups = f"x{index % 1000:03d}/{groups}"
    return f"tile/{level}/{groups}" + ("" if width == WIDTH else f".p/{width}")


def parse_tile_path(path: str) -> Tile:
    """Parse a path that `tile_path` would write. Raises FormatError for every other spelling."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise FormatError("tile path", "tile/<level>/<index>[.p/<width>]", path)
    tile = Tile(
        level="entries" if match[1] == "entries" else int(match[1]),
        index=int(match[2].replace("x", "").replace("/", "")),
        width=int(match[3] or WIDTH),
    )
    if tile.width > WIDTH or tile.path != path:  # `.p/256` and needless leading groups end here
        raise FormatError("tile path", "the shortest spelling, width below 256", path)
    return tile


def tiles_for_size(size: int) -> Iterator[Tile]:
    """Yield every tile, level by level, and every entry bundle of a tree of `size` leaves."""
    level = 0
    while count := size >> HEIGHT * level:
        yield from _row(level, count)
        level += 1
    yield from _row("entries", size)


def tiles_at_edge(size: int) -> Iterator[Tile]:
    """Yield the last tile of each level and the last entry bundle of a tree of `size` leaves."""
    level = 0
    while count := size >> HEIGHT * level:
        index = (count - 1) // WIDTH
        yield Tile(level=level, index=index, width=count - WIDTH * index)
        level += 1
    if size:
        index = (size - 1) // WIDTH
        yield Tile(level="entries", index=index, width=size - WIDTH * index)


def width_at(size: int, level: int | Literal["entries"], index: int) -> int:
    """Return how many hashes or entries this file has in a tree of `size` leaves; 0 or less: there is none."""
    count = size if level == "entries" else size >> HEIGHT * level
    return min(WIDTH, count - WIDTH * index)


def tile_root(data: bytes) -> bytes:
    """Return the hash that stands for a full tile in the tile one level up, 32 bytes."""
    return _subtree([data[at : at + 32] for at in range(0, len(data), 32)])[HEIGHT][0]


def build_tiles(old_size: int, leaf_hashes: Sequence[bytes], read: TileReader) -> dict[Tile, bytes]:
    """Return the tiles to write after appending `leaf_hashes` (32 bytes each) to a tree of `old_size` leaves.

    Full tiles come first, so that whoever writes in order never shows a partial tile over missing ones. Of
    the old tree only the partial tiles of its right edge are read.
    """
    full: dict[Tile, bytes] = {}
    partial: dict[Tile, bytes] = {}
    level, new = 0, list(leaf_hashes)
    while new:
        first, width = divmod(old_size >> HEIGHT * level, WIDTH)
        if width:
            new = _hashes(Tile(level=level, index=first, width=width), read) + new
        roots = []
        for index, start in enumerate(range(0, len(new), WIDTH), first):
            row = new[start : start + WIDTH]
            tile = Tile(level=level, index=index, width=len(row))
            if tile.width == WIDTH:
                full[tile] = b"".join(row)
                roots.append(_subtree(row)[HEIGHT][0])
            else:
                partial[tile] = b"".join(row)
        level, new = level + 1, roots
    return full | partial


def build_entry_bundles(old_size: int, entries: Sequence[bytes], read: TileReader) -> dict[Tile, bytes]:
    """Return the bundles to write after appending `entries` to a log of `old_size`; full ones first."""
    first, width = divmod(old_size, WIDTH)
    new = list(entries)
    if new and width:
        old = Tile(level="entries", index=first, width=width)
        new = parse_entries(read(old), tile=old) + new
    rows = (
        (index, new[start : start + WIDTH]) for index, start in enumerate(range(0, len(new), WIDTH), first)
    )
    return {Tile(level="entries", index=index, width=len(row)): encode_entries(row) for index, row in rows}


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Encode an entry bundle: each entry after its length, a big-endian uint16. Raises FormatError."""
    parts = []
    for number, entry in enumerate(entries):
        if len(entry) > MAX_ENTRY_BYTES:
            raise FormatError(f"entry {number}", f"at most {MAX_ENTRY_BYTES} bytes", f"{len(entry)} bytes")
        parts += [len(entry).to_bytes(2), entry]
    return b"".join(parts)


def parse_entries(data: bytes, *, tile: Tile) -> list[bytes]:
    """Parse the entry bundle `tile`, which holds exactly `tile.width` entries. Raises FormatError."""
    entries, at = [], 0
    for number in range(tile.width):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if at + 2 > len(data) or end > len(data):
            raise FormatError(
                f"{tile.path}, entry {number}", "a complete entry", f"the end at byte {len(data)}"
            )
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data):
        raise FormatError(
            f"{tile.path}, byte {at}", f"the end after {tile.width} entries", data[at : at + 16]
        )
    return entries


def cut_tile(full: Tile, data: bytes, width: int) -> bytes:
    """Return the partial tile that is the beginning of a full one. Raises FormatError."""
    if full.level == "entries":
        return encode_entries(parse_entries(data, tile=full)[:width])
    return data[: 32 * width]


class TileNodeReader:
    """Reads the nodes of a tree of `size` leaves from its tiles: the `read` of everything in `merkle`.

    A tile is read once and its inner nodes are computed once, as long as it is among the last `cached_tiles`
    (at most 45 kB each). Raises FormatError for a tile of a wrong length, ValueError for a node that isn't
    complete in this tree, and whatever the tile reader raises.
    """

    def __init__(self, read: TileReader, size: int, *, cached_tiles: int = 256) -> None:
        self._read = read
        self._size = size
        self._nodes = lru_cache(maxsize=cached_tiles)(self._load)

    def __call__(self, level: int, index: int) -> bytes:
        """Return one complete node, 32 bytes."""
        if index < 0 or index + 1 << level > self._size:
            raise ValueError(f"no complete node ({level}, {index}) in a tree of size {self._size}")
        tile_level, height = divmod(level, HEIGHT)
        tile_index, offset = divmod(index, WIDTH >> height)
        return self._nodes(tile_level, tile_index)[height][offset]

    def _load(self, level: int, index: int) -> list[list[bytes]]:
        width = width_at(self._size, level, index)
        return _subtree(_hashes(Tile(level=level, index=index, width=width), self._read))


def _row(level: int | Literal["entries"], count: int) -> Iterator[Tile]:
    full, width = divmod(count, WIDTH)
    for index in range(full):
        yield Tile(level=level, index=index)
    if width:
        yield Tile(level=level, index=full, width=width)


def _hashes(tile: Tile, read: TileReader) -> list[bytes]:
    data = read(tile)
    if len(data) != 32 * tile.width:
        raise FormatError(tile.path, f"{32 * tile.width} bytes", f"{len(data)} bytes")
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def _subtree(row: list[bytes]) -> list[list[bytes]]:
    """Compute the complete nodes over the hashes of one tile: heights 0 to 8 above it, left to right."""
    heights = [row]
    for _ in range(HEIGHT):
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=False)]
        heights.append(row)
    return heights
