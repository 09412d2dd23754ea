"""Read a log whole again, from anywhere, and compare it with a head that was signed before.

A log's server may rewrite a file that every follower has read already, and a disk may rot: neither is seen by who
fetches only what is new. Here each tile and entry up to the head is read and authenticated, and every note that
was kept must state the root of its size.
"""

from evidence_vault.core.authentic import AuthenticTiles
from evidence_vault.core.merkle import root_hash
from evidence_vault.core.tiles import HEIGHT, WIDTH, Tile
from evidence_vault.errors import UnavailableError, VerificationError
from evidence_vault.mirror.folder import MirrorFolder
from evidence_vault.mirror.follow import AHEAD_BUNDLES, SignedHead, open_head
from evidence_vault.mirror.source import FolderSource, Source, TileFetcher


def recheck(mirror: MirrorFolder, source: Source | None = None) -> SignedHead:
    """Compare all files of the mirror, or of `source`, with the head that the mirror is complete up to.

    Raises VerificationError or FormatError for the first one that doesn't fit, UnavailableError for one that is
    missing, or if the mirror is complete up to nothing yet.
    """
    with mirror.one_follower():
        note = mirror.checkpoint()
        if note is None:
            raise UnavailableError(str(mirror.folder), "has no checkpoint yet: follow first")
        keys = mirror.pinned_keys()
        complete = open_head(note, keys)
        fetcher = TileFetcher(source or FolderSource(folder=mirror.folder))
        tiles = AuthenticTiles(complete.head, fetcher)
        _read_all(tiles, fetcher)
        for path in sorted((mirror.folder / "checkpoints").rglob("*.note")):
            kept = open_head(path.read_bytes(), keys)
            if kept.head.size > complete.head.size:
                continue
            root = root_hash(kept.head.size, tiles.node)
            if path != mirror.note_path(kept.head.size) or root != kept.head.root_hash:
                raise VerificationError(f"root hash of {path.name}", root, kept.head.root_hash)
    return complete


def _read_all(tiles: AuthenticTiles, fetcher: TileFetcher) -> None:
    """Read each tile, the highest level first, and each bundle; memory does not grow with them."""
    size, level = tiles.tree_head.size, 0
    while size >> HEIGHT * (level + 1):
        level += 1
    for above in range(level, 0, -1):
        for index in range(-(-(size >> HEIGHT * above) // WIDTH)):
            tiles.read_tile(tiles.tile(above, index))
    bundles = -(-size // WIDTH)
    for first in range(0, bundles, AHEAD_BUNDLES):
        indexes = range(first, min(first + AHEAD_BUNDLES, bundles))
        hashes = [tiles.tile(0, index) for index in indexes]
        entries = [Tile(level="entries", index=tile.index, width=tile.width) for tile in hashes]
        fetcher.fetch_ahead([*(tile for tile in hashes if tile.width == WIDTH), *entries])
        for index in indexes:
            tiles.read_entries(index)
