"""A mirror of the log, as `log follow` keeps it, read anew and whole.

It is believed only as far as a key of the policy signed what its entries hash to (`checks.mirror`). Any folder in
the layout of C2SP tlog-tiles will do.
"""

from collections.abc import Iterator
from pathlib import Path

from anchors.values import value
from evidence_vault.core.notes import MAX_NOTE_BYTES
from evidence_vault.core.tiles import WIDTH, Tile, cut_tile, parse_entries, width_at
from evidence_vault.errors import FormatError

MAX_BUNDLE_BYTES = WIDTH * 67
"""256 entries of 65 bytes, each after its length: a log of this project has no longer ones."""


@value
class LogMirror:
    """The folder of a mirror."""

    folder: Path

    def note(self) -> bytes:
        """Return the newest checkpoint that the mirror is complete up to. Raises FormatError if there is none."""
        return self._read("checkpoint", MAX_NOTE_BYTES, "a mirror with a checkpoint")

    def entries(self, size: int) -> Iterator[list[bytes]]:
        """Yield all entries up to `size`, a bundle at a time. Raises FormatError for a missing or bad bundle."""
        for index in range(-(-size // WIDTH)):
            tile = Tile(level="entries", index=index, width=width_at(size, "entries", index))
            full = Tile(level="entries", index=index)
            if tile != full and not (self.folder / tile.path).is_file():
                # The mirror has grown since its checkpoint was read here: the full bundle begins with it.
                data = cut_tile(full, self._read(full.path, MAX_BUNDLE_BYTES, "an entry bundle"), tile.width)
            else:
                data = self._read(tile.path, MAX_BUNDLE_BYTES, "an entry bundle")
            yield parse_entries(data, tile=tile)

    def _read(self, path: str, max_bytes: int, expected: str) -> bytes:
        try:
            with (self.folder / path).open("rb") as file:
                data = file.read(max_bytes + 1)
        except OSError as error:
            raise FormatError(path, expected, error.strerror) from None
        if len(data) > max_bytes:
            raise FormatError(path, f"at most {max_bytes} bytes", "more")
        return data
