"""Boards: what the process that does the work knows, for all processes that answer: memory that a fork shares.

    board = Board(64 << 10)        made before the fork, and written where it was made
    board.write(["a reason"])      read whole by every process, from the next moment on

Two rooms take turns and one byte says which of them counts, so nobody ever waits: neither for a writer that is
interrupted nor for one that was killed. A checksum tells a reader that the writer was back in his room already.
"""

import json
import mmap
import os
import threading
import zlib
from collections.abc import Iterator, MutableMapping

from evidence_vault.core.canonical import Json

_HEAD_BYTES = 8
"""Length and CRC-32 of a document, before it."""


class Board:
    """One document of JSON."""

    def __init__(self, room_bytes: int) -> None:
        """Begin blank. room_bytes: of the largest document; the system gives only what is used."""
        self._memory = mmap.mmap(-1, 1 + 2 * (_HEAD_BYTES + room_bytes))
        self._room_bytes = room_bytes
        self._writer = os.getpid()
        self._lock = threading.Lock()

    @property
    def is_blank(self) -> bool:
        """Whether nothing was ever written."""
        return self._memory[0] == 0

    @property
    def is_ours(self) -> bool:
        """Whether this process is the one that writes."""
        return os.getpid() == self._writer

    def fits(self, document: Json) -> bool:
        """Whether it can be written."""
        return len(_encode(document)) <= self._room_bytes

    def write(self, document: Json) -> None:
        """Put this in the place of what is there. Only where the board was made; see `fits`."""
        data = _encode(document)
        assert self.is_ours
        assert len(data) <= self._room_bytes
        with self._lock:
            room = 2 if self._memory[0] == 1 else 1
            at = self._start(room)
            head = len(data).to_bytes(4) + zlib.crc32(data).to_bytes(4)
            self._memory[at : at + len(head) + len(data)] = head + data
            self._memory[0] = room

    def read(self) -> Json:
        """Return the document; None while it is blank."""
        while room := self._memory[0]:
            at = self._start(room)
            head = self._memory[at : at + _HEAD_BYTES]
            begin = at + _HEAD_BYTES
            data = self._memory[begin : begin + int.from_bytes(head[:4])]
            if data and zlib.crc32(data) == int.from_bytes(
                head[4:]
            ):  # nothing has the sum 0, as a blank room
                found: Json = json.loads(data)
                return found
        return None

    def _start(self, room: int) -> int:
        return 1 + (room - 1) * (_HEAD_BYTES + self._room_bytes)


class Notes(MutableMapping[str, Json]):
    """Documents by name on a board, some hundreds. What doesn't fit any more is not noted."""

    def __init__(self, room_bytes: int = 64 << 10) -> None:
        self._board = Board(room_bytes)
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Json:
        """Return what is noted."""
        return self._all()[name]

    def __setitem__(self, name: str, document: Json) -> None:
        """Note it."""
        with self._lock:
            noted = {**self._all(), name: document}
            if self._board.fits(noted):
                self._board.write(noted)

    def __delitem__(self, name: str) -> None:
        """Strike it out."""
        with self._lock:
            noted = self._all()
            del noted[name]
            self._board.write(noted)

    def __iter__(self) -> Iterator[str]:
        """Yield the names, as they are noted now."""
        return iter(self._all())

    def __len__(self) -> int:
        """Return how many are noted."""
        return len(self._all())

    def _all(self) -> dict[str, Json]:
        found = self._board.read()
        return found if isinstance(found, dict) else {}


def _encode(document: Json) -> bytes:
    return json.dumps(document).encode()
