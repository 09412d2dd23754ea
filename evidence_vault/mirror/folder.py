"""The mirror's folder: the log's files where a static server would look for them, and the follower's own beside.

    checkpoint                        the newest note up to which everything is here; replaced last
    tile/…                            tiles and entry bundles (C2SP tlog-tiles)
    checkpoints/001/234/1234067.note  every signed note that was seen and fits, byte for byte as it came
    follow/vkey                       the keys that this mirror is pinned to, one a line
    follow/newest                     the newest note that fits: the log is held to it before its files are here
    follow/slots.sqlite3              made from the entries, and made again if it is lost
    follow/unproved/<size>-<n>.note   signed notes whose tiles did not come: judged as soon as they can be
    follow/lock
    evidence/<kind>-<size>-<n>/       what the log signed and can't both be true

Whatever stands here was authenticated before it was written. A file is whole or absent after a crash of the
process; after a power cut, what `checkpoint` covers is on the disk: all is flushed before it is replaced.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from evidence_vault.core.checkpoint import shown_note_path
from evidence_vault.core.note_keys import VerifierKey, encode_vkey, parse_vkey
from evidence_vault.core.notes import MAX_NOTE_BYTES
from evidence_vault.core.tiles import WIDTH, Tile, tiles_at_edge
from evidence_vault.durable import flush_folder, save_file, storage_errors
from evidence_vault.errors import ConfigError
from evidence_vault.mirror.source import read_file, tile_bytes

MAX_VKEYS_BYTES = 64 * 1024

MAX_UNPROVED = 100
"""Notes that wait to be judged: one is enough to prove a fork, and a server must not fill the disk."""


class MirrorFolder:
    """One log's mirror."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, making it if it is missing."""
        self.folder = folder
        self._own = folder / "follow"
        self._own.mkdir(parents=True, exist_ok=True)

    @property
    def slots_path(self) -> Path:
        """Where the index of slots lies."""
        return self._own / "slots.sqlite3"

    @property
    def evidence_path(self) -> Path:
        """Where evidence against the log lies."""
        return self.folder / "evidence"

    @contextmanager
    def one_follower(self) -> Iterator[None]:
        """Keep other processes out. Raises ConfigError if one follows into this folder already."""
        descriptor = os.open(self._own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(str(self.folder), "another process follows into this folder") from None
            yield
        finally:
            os.close(descriptor)

    def pinned_keys(self) -> list[VerifierKey]:
        """Return the keys this mirror is pinned to; none before the first use. Raises FormatError."""
        text = read_file(self._own / "vkey", max_bytes=MAX_VKEYS_BYTES)
        return [] if text is None else [parse_vkey(line) for line in text.decode("utf-8").splitlines()]

    def pin(self, keys: Sequence[VerifierKey]) -> None:
        """Keep these keys for every later use. Durable after return."""
        save_file(self._own / "vkey", "".join(f"{encode_vkey(key)}\n" for key in keys).encode())

    def checkpoint(self) -> bytes | None:
        """Return the newest note up to which everything is here."""
        return read_file(self.folder / "checkpoint", max_bytes=MAX_NOTE_BYTES)

    def newest(self) -> bytes | None:
        """Return the newest note that the log is held to."""
        return read_file(self._own / "newest", max_bytes=MAX_NOTE_BYTES)

    def hold_to(self, size: int, note: bytes) -> None:
        """Hold the log to this note from now on. Durable after return."""
        path = self.note_path(size)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            save_file(path, note)
        save_file(self._own / "newest", note)

    def keep_unproved(self, size: int, note: bytes) -> None:
        """Keep a signed note that could not be compared with the newest one yet. Durable after return."""
        kept = self.unproved()
        if len(kept) < MAX_UNPROVED and not any(path.read_bytes() == note for path in kept):
            folder = self._own / "unproved"
            folder.mkdir(exist_ok=True)
            number = next(n for n in range(1, MAX_UNPROVED + 1) if not (folder / f"{size}-{n}.note").exists())
            save_file(folder / f"{size}-{number}.note", note)

    def unproved(self) -> list[Path]:
        """Return where the notes lie that wait to be judged."""
        return sorted((self._own / "unproved").glob("*.note"))

    def note_path(self, size: int) -> Path:
        """Return where the first note that was seen of this size lies."""
        return self.folder / shown_note_path(size)

    def read(self, tile: Tile) -> bytes | None:
        """Return a tile or an entry bundle as it lies here; None if it doesn't."""
        return read_file(self.folder / tile.path, max_bytes=tile_bytes(tile))

    def write(self, tile: Tile, data: bytes) -> None:
        """Write a tile or an entry bundle whole; not yet flushed."""
        path = self.folder / tile.path
        with storage_errors(tile.path):
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{path.name}.new")
            aside.write_bytes(data)
            aside.replace(path)

    def complete(self, size: int, note: bytes) -> None:
        """Say that everything up to this note is here, after flushing it. Durable after return.

        Partial tiles that neither this note nor the one before needs go, so that readers of the one before
        are not disturbed.
        """
        with storage_errors("mirror"):
            os.sync()
        save_file(self.folder / "checkpoint", note)
        for tile in tiles_at_edge(size):
            self._drop_older(tile)

    def keep_evidence(self, kind: str, size: int, files: Mapping[str, bytes]) -> Path:
        """Write evidence into a folder of its own, whole or not at all. Durable after return."""
        self.evidence_path.mkdir(exist_ok=True)
        number = 1
        while (folder := self.evidence_path / f"{kind}-{size}-{number}").exists():
            if {path.name: path.read_bytes() for path in folder.iterdir()} == dict(files):
                return folder
            number += 1
        aside = self.evidence_path / ".new"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        for name, data in files.items():
            save_file(aside / name, data)
        aside.rename(folder)
        flush_folder(self.evidence_path)
        return folder

    def evidence(self) -> list[Path]:
        """Return the folders of all evidence, sorted."""
        if not self.evidence_path.is_dir():
            return []
        return sorted(path for path in self.evidence_path.iterdir() if not path.name.startswith("."))

    def _drop_older(self, tile: Tile) -> None:
        """Keep the two largest widths of a partial tile; those of the tile before go when it is full."""
        folder = (self.folder / tile.path).parent
        if tile.width < WIDTH and folder.is_dir():
            widths = sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())
            for width in widths[:-2]:
                (folder / str(width)).unlink()
        if tile.index:
            full = self.folder / Tile(level=tile.level, index=tile.index - 1).path
            shutil.rmtree(full.with_name(full.name + ".p"), ignore_errors=True)
