"""The development chain's database: bytes to bytes in one SQLite file, changed only by whole blocks.

Durable after `commit`: everything written since the last one (WAL, synchronous=FULL). A crash before it
leaves the chain at the block before. One process at a time: the file stays locked until `close` or the end of
the process.
"""

import sqlite3
from pathlib import Path

from eth.db.backends.base import BaseDB

from anchors.errors import ConfigError


class BlockStore(BaseDB):  # type: ignore[misc]  # see mypy's settings: py-evm is Any
    """The key-value store that py-evm wants, over one transaction that `commit` or `rollback` ends."""

    def __init__(self, path: Path) -> None:
        """Open or create `path`; ConfigError if another process has it open."""
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
            )
        except sqlite3.OperationalError as error:
            self._connection.close()
            raise ConfigError("development chain folder", f"{path.name} can't be opened: {error}") from error

    def commit(self) -> None:
        """Make all writes durable."""
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN IMMEDIATE")

    def rollback(self) -> None:
        """Forget all writes since the last commit."""
        self._connection.execute("ROLLBACK")
        self._connection.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Forget what was not committed, and let go of the file."""
        self._connection.execute("ROLLBACK")
        self._connection.close()

    def __getitem__(self, key: bytes) -> bytes:
        row = self._connection.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO entries VALUES (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        if not self._connection.execute("DELETE FROM entries WHERE key = ?", (key,)).rowcount:
            raise KeyError(key)

    def _exists(self, key: bytes) -> bool:
        return self._connection.execute("SELECT 1 FROM entries WHERE key = ?", (key,)).fetchone() is not None
