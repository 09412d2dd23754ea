"""Sessions: one reader or writer at a time per `with`, the same on SQLite and PostgreSQL.

    with database.read() as session: ...     a snapshot; never commits
    with database.write() as session: ...    one transaction; commits at the end, rolls back on any error

SQLite runs in WAL mode with `synchronous=FULL`: a commit that returned has reached the disk. A write begins
with BEGIN IMMEDIATE, so that it never finds its snapshot stale halfway; within the process a lock lets one
writer in at a time, so that they queue instead of polling the file.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy import exc as sql_errors
from sqlalchemy.orm import Session, sessionmaker

from evidence_vault.errors import ConfigError, IntegrityError, StorageFull, UnavailableError

BUSY_TIMEOUT_MS = 30_000
"""How long a SQLite write waits for another process's; a checkpoint of the WAL takes well under a second."""

POOL_SIZE = 32
"""Connections kept; each API thread and worker uses one at a time."""

_WRITES = "evidence_vault_writes"

_LOST_A_RACE = {"23505", "40001", "40P01"}
"""PostgreSQL's codes for a unique violation, a serialization failure and a deadlock: between transactions that
run at the same time, trying again is the answer. SQLite has one writer, so there it is a fault."""


class Database:
    """The one way to the database."""

    def __init__(self, dsn: str) -> None:
        """Open it lazily. dsn: an SQLAlchemy URL. Raises ConfigError for one that can't be used."""
        self.engine = _create_engine(dsn)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._write_sessions = sessionmaker(
            self.engine.execution_options(**{_WRITES: True}), autoflush=False, expire_on_commit=False
        )
        readers = (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )
        self._read_sessions = sessionmaker(readers, autoflush=False, expire_on_commit=False)
        self._write_lock = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session on one consistent snapshot. What it changes is lost."""
        with _translated(), self._read_sessions() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Yield a session in one transaction.

        Durable after the `with` ends without an error. If the commit itself raises, the outcome is unknown.
        """
        with _translated(), self._one_writer(), self._write_sessions.begin() as session:
            yield session

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Yield a connection in one transaction."""
        with _translated(), self._one_writer(), self.engine.connect() as connection:
            writing = connection.execution_options(**{_WRITES: True})
            with writing.begin():
                yield writing

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        with self._write_lock:
            yield


def _create_engine(dsn: str) -> Engine:
    try:
        url = make_url(dsn)
        if url.get_backend_name() == "sqlite":
            engine = create_engine(
                url,
                pool_size=POOL_SIZE,
                max_overflow=POOL_SIZE,
                connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
            )
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(
            url, pool_size=POOL_SIZE, max_overflow=POOL_SIZE, isolation_level="READ COMMITTED"
        )
    except (sql_errors.ArgumentError, sql_errors.NoSuchModuleError, ImportError) as error:
        # The message may quote the URL, and the URL may hold a password.
        raise ConfigError("database_url", f"not usable ({type(error).__name__})") from None


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we begin transactions ourselves; the driver begins none
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "trusted_schema=OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    """Give database errors our names: a broken constraint, a full disk, an outage."""
    try:
        yield
    except sql_errors.IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) in _LOST_A_RACE:
            raise UnavailableError("database", "another transaction was first", retry_after_s=0.1) from None
        raise IntegrityError("database", "its constraints hold", str(error.orig)) from error
    except sql_errors.DBAPIError as error:
        reason = str(error.orig)
        if getattr(error.orig, "sqlstate", None) in _LOST_A_RACE:
            raise UnavailableError("database", "another transaction was first", retry_after_s=0.1) from None
        if "disk is full" in reason or "No space left" in reason:
            raise StorageFull("database") from None
        if isinstance(error, sql_errors.OperationalError) or error.connection_invalidated:
            raise UnavailableError("database", reason, retry_after_s=1.0) from None
        raise
