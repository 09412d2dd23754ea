"""Follow a log: take its newest checkpoint only if it extends all that was seen before, and copy what is new.

    (1) the note is a checkpoint of the pinned log, signed by a pinned key
    (2) the larger of it and the newest one before extends the smaller: the smaller's root is recomputed from
        tiles that the larger's root commits to. If it differs that is a fork: notes and proof are kept.
        If the tiles don't come, two notes of two sizes prove nothing yet: the note waits, and is judged in (7).
        The first note of all must show the tree that it ends: nobody is held to a size that is only a number
    (3) from now on the log is held to it, whatever happens below
    (4) every new tile and entry is authenticated against it, and only then written
    (5) no slot stands twice: a second entry with a slot is a second history of one subject
    (6) the mirror says that it is complete up to it
    (7) notes that were signed, and whose tiles were withheld, are compared with what is known now

Durable after return: everything up to the returned head. A crash before (3) means: nothing was seen. A crash after
it means: the next run goes on, held to the same note, and fetches only what is not here yet.

Server and network may lie, stall or send anything: what they send is authenticated, or changes nothing here.
"""

from collections.abc import Sequence

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.core.authentic import AuthenticTiles
from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.events import parse_leaf_entry
from evidence_vault.core.merkle import EMPTY_ROOT, root_hash
from evidence_vault.core.note_keys import VerifierKey
from evidence_vault.core.notes import Verified
from evidence_vault.core.tiles import HEIGHT, WIDTH, Tile, encode_entries
from evidence_vault.errors import ConfigError, FormatError, UnavailableError, VerificationError
from evidence_vault.mirror.evidence import LogMisbehaved, fork_evidence, repeat_evidence
from evidence_vault.mirror.folder import MirrorFolder
from evidence_vault.mirror.slots import Repeat, open_slots
from evidence_vault.mirror.source import Source, TileFetcher, fetch_checkpoint

AHEAD_BUNDLES = 64
"""Entry bundles that are fetched before they are checked: bounds memory (2 MB)."""


MAX_LEAVES = 1 << 40
"""A trillion: more than any log has or any mirror holds (71 TB of our entries). A larger size is refused, whoever
signed it; its note is kept."""


@value
class SignedHead:
    """A tree head and the note that states it, whose signature was checked; before the first: size 0, no note."""

    head: TreeHead
    note: bytes


NOTHING_YET = SignedHead(head=TreeHead(size=0, root_hash=EMPTY_ROOT), note=b"")


@value
class Growth:
    """What one look at a log found: the mirror was complete at `before` and is at `after` now.

    shown: what the source showed; smaller than `after` if it was an older checkpoint, which fits.
    """

    before: TreeHead
    after: TreeHead
    shown: TreeHead


def follow_once(mirror: MirrorFolder, source: Source) -> Growth:
    """Bring the mirror, whose keys are pinned, up to what the source shows now.

    Raises LogMisbehaved with evidence for a fork or a slot that stands twice; VerificationError or FormatError
    for an answer that doesn't fit itself, which proves nothing against the log; UnavailableError for no answer;
    ConfigError if no key is pinned or another process follows into this folder.
    """
    with mirror.one_follower():
        keys = mirror.pinned_keys()
        known = held_head(mirror, keys)
        # (1) A checkpoint of this log, signed by a key that was pinned before.
        shown = open_head(fetch_checkpoint(source), keys)
        # (2) It fits what was seen before.
        fetcher = TileFetcher(source)
        try:
            _require_possible(shown.head)
            tiles = check_growth(mirror, fetcher, known=known, shown=shown)
        except LogMisbehaved:
            raise
        except (VerificationError, FormatError, UnavailableError):
            mirror.keep_unproved(shown.head.size, shown.note)
            raise
        # (3) At one size the newest note counts too: it may have come to bear more cosignatures.
        if shown.head.size >= known.head.size and shown.note != known.note:
            mirror.hold_to(shown.head.size, shown.note)
            known = shown
        complete = _opened(mirror.checkpoint(), keys)
        # (4) and (5) The slots go first, so that a crash leaves no repeat unseen: they are noted again.
        repeats = _copy_entries(mirror, fetcher, tiles, start=complete.head.size)
        _copy_upper_tiles(mirror, tiles, start=complete.head.size)
        for repeat in repeats:
            mirror.keep_evidence("slot", repeat.second, repeat_evidence(repeat, known.note, tiles))
        # (6) Only now may a reader of the mirror rely on it.
        if complete.note != known.note:
            mirror.complete(known.head.size, known.note)
        if repeats:
            raise LogMisbehaved(
                f"slot {repeats[0].slot.hex()}",
                f"one leaf, {repeats[0].first}",
                f"another, {repeats[0].second}",
                evidence=mirror.evidence_path,
            )
        # (7) Attack: a second history is signed and shown once, and nobody gets its tiles.
        for path in mirror.unproved():
            waiting = open_head(path.read_bytes(), keys)
            if waiting.head.size <= known.head.size:
                check_growth(mirror, fetcher, known=known, shown=waiting)
                path.unlink()
        return Growth(before=complete.head, after=known.head, shown=shown.head)


def open_head(note: bytes, keys: Sequence[VerifierKey]) -> SignedHead:
    """Return the head that a note states. Raises FormatError, or VerificationError unless one of `keys` signed."""
    if not keys:
        raise ConfigError("mirror", "pinned to no key yet")
    opened = open_checkpoint(note, origin=keys[0].name, trusted=keys)
    if not isinstance(opened.signed, Verified):
        raise VerificationError(
            "signature of the checkpoint",
            f"one by {', '.join(f'{key.name}+{key.key_id.hex()}' for key in keys)}",
            ", ".join(f"{line.name}+{line.key_id.hex()}" for line in opened.note.signatures),
        )
    return SignedHead(head=opened.checkpoint.tree_head, note=note)


def held_head(mirror: MirrorFolder, keys: Sequence[VerifierKey]) -> SignedHead:
    """Return the newest head that the log is held to. Raises as `open_head`."""
    return _opened(mirror.newest(), keys)


def check_growth(
    mirror: MirrorFolder, fetcher: TileFetcher, *, known: SignedHead, shown: SignedHead
) -> AuthenticTiles:
    """Check that one of two signed heads extends the other; return the tiles of the larger one.

    Raises LogMisbehaved for a fork, with notes and proof kept; else as `AuthenticTiles.read_tile`.
    """
    older, newer = sorted((known, shown), key=lambda signed: signed.head.size)
    tiles = AuthenticTiles(newer.head, fetcher, kept=mirror.read)
    if older.head.size == 0 < newer.head.size:
        # Attack, or a slip of the log's: held to a size without a tree, a mirror could never go on.
        tiles.read_tile(tiles.tile(0, (newer.head.size - 1) // WIDTH))
    # These nodes hash to the newer root: it says itself what the root of the older size was.
    same_size = older.head.size == newer.head.size
    root = newer.head.root_hash if same_size else root_hash(older.head.size, tiles.node)
    if root != older.head.root_hash:
        files = fork_evidence(older.head, newer.head, notes=(older.note, newer.note), tiles=tiles, root=root)
        raise LogMisbehaved(
            f"root hash at size {older.head.size}",
            older.head.root_hash.hex(),
            root.hex(),
            evidence=mirror.keep_evidence("fork", older.head.size, files),
        )
    return tiles


def _require_possible(head: TreeHead) -> None:
    if head.size > MAX_LEAVES:
        raise FormatError("size of the checkpoint", f"at most {MAX_LEAVES}", head.size)


def _opened(note: bytes | None, keys: Sequence[VerifierKey]) -> SignedHead:
    return NOTHING_YET if note is None else open_head(note, keys)


def _copy_entries(
    mirror: MirrorFolder, fetcher: TileFetcher, tiles: AuthenticTiles, *, start: int
) -> list[Repeat]:
    """Write the leaf tiles and entries that a mirror complete up to `start` lacks; return repeated slots."""
    size = tiles.tree_head.size
    repeats: list[Repeat] = []
    with open_slots(mirror.slots_path) as slots:
        slots.forget_from(start)
        known = slots.covered()
        for first in range(known // WIDTH, -(-size // WIDTH) if known < size else 0, AHEAD_BUNDLES):
            indexes = range(first, min(first + AHEAD_BUNDLES, -(-size // WIDTH)))
            bundles = [Tile(level="entries", index=i, width=tiles.tile(0, i).width) for i in indexes]
            wanted = [*(tiles.tile(0, i) for i in indexes), *bundles]
            fetcher.fetch_ahead(tile for tile in wanted if mirror.read(tile) is None)
            found: list[bytes] = []
            for bundle in bundles:
                entries = tiles.read_entries(bundle.index)
                _keep(mirror, tiles.tile(0, bundle.index), tiles.read_tile(tiles.tile(0, bundle.index)))
                _keep(mirror, bundle, encode_entries(entries))
                found += [
                    _slot(entry, f"{bundle.path}, entry {number}") for number, entry in enumerate(entries)
                ]
            fresh = found[known - first * WIDTH :]
            repeats += slots.add(known, fresh)
            known += len(fresh)
    return repeats


def _slot(entry: bytes, place: str) -> bytes:
    """Return the slot that a vault's entry names; what another kind of log holds can't be watched for repeats."""
    try:
        return parse_leaf_entry(entry, place=place)[1]
    except FormatError as error:
        expected = (
            f"an entry of an Evidence Vault's log, {error.expected}; logs of another kind are not followed"
        )
        raise FormatError(place, expected, error.found) from None


def _copy_upper_tiles(mirror: MirrorFolder, tiles: AuthenticTiles, *, start: int) -> None:
    """Write the tiles above the leaf tiles that a mirror complete up to `start` lacks."""
    level = 1
    while start < tiles.tree_head.size and (count := tiles.tree_head.size >> HEIGHT * level):
        for index in range((start >> HEIGHT * level) // WIDTH, -(-count // WIDTH)):
            tile = tiles.tile(level, index)
            _keep(mirror, tile, tiles.read_tile(tile))
        level += 1


def _keep(mirror: MirrorFolder, tile: Tile, data: bytes) -> None:
    if mirror.read(tile) != data:
        mirror.write(tile, data)
