"""Where a log's files come from: its public address, or a folder. Nothing that comes from there is believed here.

A reply is bounded in size and time before it is looked at. 404 is an answer, not a failure: a partial tile may be
gone once the full one is there (C2SP tlog-tiles), and then the full one is cut.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

from anchors.base import HttpReader
from anchors.values import value
from evidence_vault.core.events import LEAF_ENTRY_BYTES
from evidence_vault.core.notes import MAX_NOTE_BYTES
from evidence_vault.core.tiles import WIDTH, Tile, cut_tile
from evidence_vault.errors import TooLarge, UnavailableError

CHECKPOINT = "checkpoint"

TIMEOUT_S = 30.0
"""For one file; the largest honest one, a full entry bundle, has 17 kB."""

AT_ONCE = 8
"""Requests at a time; a static file server takes far more."""


class Source(Protocol):
    """Reads the files of one log by their path below its prefix."""

    @property
    def name(self) -> str:
        """How reports call it."""
        ...

    def fetch(self, path: str, *, max_bytes: int) -> bytes | None:
        """Return a whole file; None if there is none. Raises UnavailableError, also for a longer one."""
        ...


@value
class HttpSource:
    """A log at its URL prefix, such as `https://vault.example/v1/log`."""

    url: str
    client: HttpReader
    timeout_s: float = TIMEOUT_S

    @property
    def name(self) -> str:
        """The prefix."""
        return self.url

    def fetch(self, path: str, *, max_bytes: int) -> bytes | None:
        """GET one file. 404 and 410 say that there is none; every other status but 200 is a failure."""
        reply = self.client.get(
            f"{self.url.rstrip('/')}/{path}", headers={}, max_bytes=max_bytes, timeout_s=self.timeout_s
        )
        if reply.status in (404, 410):
            return None
        if reply.status != 200:
            raise UnavailableError(self.url, f"answered {reply.status} for {path}")
        return reply.body


@value
class FolderSource:
    """A log in a folder: another mirror, or what a vault publishes."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.folder)

    def fetch(self, path: str, *, max_bytes: int) -> bytes | None:
        """Read one file."""
        return read_file(self.folder / path, max_bytes=max_bytes)


def read_file(path: Path, *, max_bytes: int) -> bytes | None:
    """Return a whole file; None if there is none. Raises TooLarge, and OSError for what can't be read."""
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(data) > max_bytes:
        raise TooLarge(path.name, max_bytes)
    return data


def fetch_checkpoint(source: Source) -> bytes:
    """Return the newest note. Raises UnavailableError if there is none."""
    note = source.fetch(CHECKPOINT, max_bytes=MAX_NOTE_BYTES)
    if note is None:
        raise UnavailableError(source.name, "has no checkpoint")
    return note


def fetch_tile(source: Source, tile: Tile) -> bytes:
    """Return a tile or an entry bundle. Raises UnavailableError if neither it nor the full one is there."""
    data = source.fetch(tile.path, max_bytes=tile_bytes(tile))
    if data is None and tile.width < WIDTH:
        full = Tile(level=tile.level, index=tile.index)
        data = source.fetch(full.path, max_bytes=tile_bytes(full))
        if data is not None:
            return cut_tile(full, data, tile.width)
    if data is None:
        raise UnavailableError(source.name, f"has no {tile.path}")
    return data


def tile_bytes(tile: Tile) -> int:
    """Return the length that an honest file has: the most that is read of any."""
    return tile.width * (2 + LEAF_ENTRY_BYTES if tile.level == "entries" else 32)


class TileFetcher:
    """Reads tiles and entry bundles from a source, many at a time where the caller knows what comes next."""

    def __init__(self, source: Source) -> None:
        """Read from `source`."""
        self.source = source
        self._ahead: dict[Tile, bytes] = {}

    def __call__(self, tile: Tile) -> bytes:
        """Return a tile or bundle. Raises as `fetch_tile`. A `TileReader`."""
        data = self._ahead.pop(tile, None)
        return fetch_tile(self.source, tile) if data is None else data

    def fetch_ahead(self, tiles: Iterable[Tile]) -> None:
        """Fetch these now and hold them until each is read once. Raises as `fetch_tile`."""
        wanted = list(tiles)
        if len(wanted) <= 1:
            return
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
            fetched = pool.map(partial(fetch_tile, self.source), wanted)
            self._ahead = dict(zip(wanted, fetched, strict=True))
