"""A log in memory that does what it is told, honest or not, and the sources that show it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence_vault.core.checkpoint import Checkpoint, encode_checkpoint
from evidence_vault.core.events import encode_leaf_entry
from evidence_vault.core.merkle import Frontier, leaf_hash
from evidence_vault.core.note_keys import SignatureType, verifier_key
from evidence_vault.core.notes import Note, encode_note, sign_note
from evidence_vault.core.tiles import Tile, build_entry_bundles, build_tiles
from evidence_vault.mirror.folder import MirrorFolder

ORIGIN = "log.example/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
VKEY = verifier_key(ORIGIN, SignatureType.ED25519, KEY)


def entry(number: int, *, slot: int | None = None, history: int = 0) -> bytes:
    """The entry of leaf `number`; another `history` has other events in the same slots."""
    slot_number = number if slot is None else slot
    return encode_leaf_entry(
        history.to_bytes(16) + number.to_bytes(16), (slot_number + 1_000_000 * history).to_bytes(32)
    )


def entries(count: int, *, start: int = 0, history: int = 0) -> list[bytes]:
    return [entry(number, history=history) for number in range(start, count)]


def published(leaves: Sequence[bytes]) -> dict[str, bytes]:
    """The tiles and bundles of a log of these leaves, by path; partial ones only at its size."""
    files: dict[Tile, bytes] = build_entry_bundles(0, leaves, _nothing)
    files |= build_tiles(0, [leaf_hash(leaf) for leaf in leaves], _nothing)
    return {tile.path: data for tile, data in files.items()}


def signed(leaves: Sequence[bytes], *, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> bytes:
    """The checkpoint of a log of these leaves."""
    head = Frontier().extend([leaf_hash(leaf) for leaf in leaves]).tree_head()
    text = encode_checkpoint(Checkpoint(origin=origin, tree_head=head))
    return encode_note(Note(text=text, signatures=(sign_note(text, name=origin, private_key=key),)))


class Served:
    """What a server shows now: files by path, of which a test may change any."""

    name = "https://log.example/log"

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.before: Callable[[str], None] = lambda _path: None
        if leaves:
            self.show(leaves)

    def show(self, leaves: Sequence[bytes]) -> None:
        """Publish a log of these leaves and its checkpoint."""
        self.files |= {**published(leaves), "checkpoint": signed(leaves)}

    def fetch(self, path: str, *, max_bytes: int) -> bytes | None:
        self.before(path)
        self.asked.append(path)
        data = self.files.get(path)
        assert data is None or len(data) <= max_bytes or "big" in path
        return data


def pinned(folder: Path) -> MirrorFolder:
    """A mirror that knows the log's key."""
    mirror = MirrorFolder(folder)
    mirror.pin([VKEY])
    return mirror


def _nothing(tile: Tile) -> bytes:
    raise AssertionError(f"{tile} was read from an empty log")
