"""What everyone may read: tiles, entry bundles and checkpoints as static files (C2SP tlog-tiles).

    checkpoint                             the newest signed note, with the cosignatures that are there
    tile/0/x001/x234/067[.p/17]            hashes; tile/entries/… the entries behind them
    checkpoints/001/234/1234067.note       every signed note, with exactly one signature line
    checkpoints/001/234/1234067.cosigs     the lines of others under it: absent while there are none, and grows

A note or tile that was published never changes; writing other bytes under its name is refused. All but
`checkpoint` can be made again from the database; `checkpoint` is what the database is checked against at start.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evidence_vault.core.checkpoint import shown_note_path
from evidence_vault.core.notes import NoteSignature, encode_signatures
from evidence_vault.core.tiles import Tile
from evidence_vault.durable import make_folder, save_file
from evidence_vault.errors import IntegrityError


class PublicLog:
    """The folder that a static file server may hand out as it is."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, making it if it is missing."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read_tile(self, tile: Tile) -> bytes:
        """Return a tile or an entry bundle. Raises IntegrityError if it is missing."""
        try:
            return (self.folder / tile.path).read_bytes()
        except FileNotFoundError:
            raise IntegrityError(tile.path, "a published tile", "no such file") from None

    def write_tile(self, tile: Tile, data: bytes) -> None:
        """Publish a tile or an entry bundle. Durable after return; the same bytes again are no change."""
        self._write_once(self.folder / tile.path, data)

    def write_note(self, size: int, note: bytes) -> None:
        """Publish the signed note of this size. Durable after return; the same bytes again are no change."""
        self._write_once(self.note_path(size), note)

    def note_path(self, size: int) -> Path:
        """Return where the signed note of this size lies."""
        return self.folder / shown_note_path(size)

    def write_cosignatures(self, size: int, lines: Sequence[NoteSignature]) -> None:
        """Publish the lines of others under the note of this size, all that there are. Durable after return."""
        path = self.note_path(size).with_suffix(".cosigs")
        if lines and not (path.is_file() and path.read_bytes() == encode_signatures(lines)):
            save_file(path, encode_signatures(lines))

    def write_checkpoint(self, note: bytes, lines: Sequence[NoteSignature] = ()) -> None:
        """Make `note` the newest checkpoint: the moment of publication. Durable after return.

        lines: cosignatures, which follow the log's own signature (C2SP tlog-checkpoint).
        """
        save_file(self.folder / "checkpoint", note + (encode_signatures(lines) if lines else b""))

    def checkpoint(self) -> bytes | None:
        """Return the newest published note; none before the first."""
        path = self.folder / "checkpoint"
        return path.read_bytes() if path.is_file() else None

    def note_sizes(self, *, above: int) -> Iterator[int]:
        """Yield the sizes of the notes that lie here, ascending, of those above a size."""
        for folder in _numbered(self.folder / "checkpoints"):
            if (int(folder.name) + 1) * 1_000_000 > above:
                for inner in _numbered(folder):
                    notes = [path.stem for path in inner.glob("*.note") if path.stem.isdigit()]
                    yield from sorted(int(stem) for stem in notes if int(stem) > above)

    def note(self, size: int) -> tuple[bytes, bytes]:
        """Return the note of this size and the lines of others under it; both empty where there is none."""
        path = self.note_path(size)
        beside = path.with_suffix(".cosigs")
        note, lines = (p.read_bytes() if p.is_file() else b"" for p in (path, beside))
        return note, lines

    @contextmanager
    def one_publisher(self) -> Iterator[None]:
        """Keep other threads and processes of this machine from publishing at the same time."""
        descriptor = os.open(
            self.folder.with_name(f".{self.folder.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write_once(self, path: Path, data: bytes) -> None:
        if path.is_file():
            if path.read_bytes() != data:
                raise IntegrityError(
                    str(path.relative_to(self.folder)), "the bytes published before", "other"
                )
            return
        make_folder(path.parent)
        save_file(path, data)


def _numbered(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.isdigit()) if folder.is_dir() else []
