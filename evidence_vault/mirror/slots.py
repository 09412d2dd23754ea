"""Which leaf has which slot: the index by which a second entry with a slot is seen at once.

Made from the mirror's own entries and made again from them if it is lost; so it needs no trust and no backup.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from anchors.values import value
from evidence_vault.errors import IntegrityError, UnavailableError

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS slots (slot BLOB PRIMARY KEY, leaf_index INTEGER NOT NULL) WITHOUT ROWID"
)


@value
class Repeat:
    """Two leaves with one slot: two histories of one subject. first < second, leaf indexes."""

    slot: bytes
    first: int
    second: int


class SlotIndex:
    """The slots of the leaves [0, covered)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def covered(self) -> int:
        """Return up to which leaf the slots are known."""
        (newest,) = self._connection.execute("SELECT value FROM covered").fetchone()
        return int(newest)

    def add(self, first_index: int, slots: Sequence[bytes]) -> list[Repeat]:
        """Note the slots of the leaves from `first_index` on, which is what is covered so far.

        Returns those that another leaf has. One transaction: after a crash all are noted or none.
        """
        if first_index != self.covered():
            raise IntegrityError("slots", f"leaf {self.covered()} next", first_index)
        repeats = []
        with self._connection:
            for index, slot in enumerate(slots, first_index):
                try:
                    self._connection.execute("INSERT INTO slots VALUES (?, ?)", (slot, index))
                except sqlite3.IntegrityError:
                    repeats.append(Repeat(slot=slot, first=self._index_of(slot), second=index))
            self._connection.execute("UPDATE covered SET value = ?", (first_index + len(slots),))
        return repeats

    def forget_from(self, size: int) -> None:
        """Drop the slots of leaves from `size` on: they were seen, but no checkpoint over them was kept."""
        if self.covered() > size:
            with self._connection:
                self._connection.execute("DELETE FROM slots WHERE leaf_index >= ?", (size,))
                self._connection.execute("UPDATE covered SET value = ?", (size,))

    def _index_of(self, slot: bytes) -> int:
        (index,) = self._connection.execute("SELECT leaf_index FROM slots WHERE slot = ?", (slot,)).fetchone()
        return int(index)


@contextmanager
def open_slots(path: Path) -> Iterator[SlotIndex]:
    """Open the index, an empty one if there is none or what is there is no index."""
    try:
        connection = _connect(path)
    except sqlite3.DatabaseError:
        for file in path.parent.glob(path.name + "*"):  # it is derived: begin anew
            file.unlink()
        connection = _connect(path)
    with closing(connection):
        try:
            yield SlotIndex(connection)
        except sqlite3.Error as error:
            raise UnavailableError(path.name, str(error)) from None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose the last steps, never mix them
        with connection:
            connection.execute(_SCHEMA)
            connection.execute("CREATE TABLE IF NOT EXISTS covered (value INTEGER NOT NULL)")
            connection.execute("INSERT INTO covered SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM covered)")
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection
