"""Sessions: one reader or writer at a time per `with`, the same on SQLite and PostgreSQL.

    with database.read() as session: ...     a snapshot; never commits
    with database.write() as session: ...    one transaction; commits at the end, rolls back on any error

A commit that returned has reached the disk (`store.engine` sees to it). SQLite lets one writer in at a time:
a write begins with BEGIN IMMEDIATE, so that it never finds its snapshot stale halfway, and within the process
a lock makes writers queue instead of polling the file. On PostgreSQL writers run side by side; what must not is
under the lock of a row (or `serialize`), and who loses a race is told to try again.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection, func, select
from sqlalchemy import exc as sql_errors
from sqlalchemy.orm import Session, sessionmaker

from evidence_vault.errors import FormatError, IntegrityError, StorageFull, UnavailableError
from evidence_vault.store.driver import run
from evidence_vault.store.engine import WRITES, make_engine

UNIQUE_VIOLATION = "23505"
LOST_A_RACE = {UNIQUE_VIOLATION, "40001", "40P01"}
"""PostgreSQL's codes for a unique violation, a serialization failure and a deadlock: between transactions that
run at the same time, trying again is the answer. SQLite has one writer, so there it is a fault."""

DISK_FULL = {"53100"}
STANDBY = {"25006"}
"""A write on a server that only reads: after a fail-over, the one that was first."""


class Database:
    """The one way to the database."""

    def __init__(self, dsn: str) -> None:
        """Open it lazily. dsn: an SQLAlchemy URL. Raises ConfigError for one that can't be used."""
        self.engine = make_engine(dsn)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._write_sessions = sessionmaker(
            self.engine.execution_options(**{WRITES: True}), autoflush=False, expire_on_commit=False
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
    def write(self, *, alone: bool = False) -> Iterator[Session]:
        """Yield a session in one transaction.

        alone: a lock that it takes first keeps everybody else from the rows it inserts, so that a row which is
        there already is a fault of the store and no lost race.
        Durable after the `with` ends without an error. If the commit itself raises, the outcome is unknown.
        """
        with _translated(alone=alone), self._one_writer(), self._write_sessions.begin() as session:
            yield session

    def within(self, session: Session) -> "Database":
        """Return this database as whoever works inside of `session`'s transaction is to see it."""
        return _Within(self, session)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Yield a connection in one transaction; no other process migrates meanwhile."""
        with _translated(), self._one_writer(), self.engine.connect() as connection:
            writing = connection.execution_options(**{WRITES: True})
            with writing.begin():
                serialize(writing, "migrations")
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


class _Within(Database):
    """A transaction that is under way: what is read and written here is read and written in it.

    Nothing is durable before its owner commits. What is raised must reach him, for nothing is undone here.
    """

    def __init__(self, whole: Database, session: Session) -> None:
        self.engine, self.is_sqlite, self._session = whole.engine, whole.is_sqlite, session

    @contextmanager
    def read(self) -> Iterator[Session]:
        yield self._session

    @contextmanager
    def write(self, *, alone: bool = False) -> Iterator[Session]:
        with _translated(alone=alone):
            yield self._session
            self._session.flush()


@contextmanager
def part_of(session: Session) -> Iterator[None]:
    """A part of a transaction that fails by itself: what it raises undoes the part, and the rest goes on.

    The part is statements; it loads and changes no objects.
    """
    connection = session.connection()
    with _translated(), ExitStack() as undo:
        run(connection, "SAVEPOINT part")
        undo.callback(_undo_part, connection)
        yield
        undo.pop_all()
        run(connection, "RELEASE SAVEPOINT part")


def _undo_part(connection: Connection) -> None:
    if not connection.invalidated:  # else there is nothing left to undo
        run(connection, "ROLLBACK TO SAVEPOINT part")
        run(connection, "RELEASE SAVEPOINT part")


def serialize(session: Session | Connection, name: str) -> None:
    """Wait until no other transaction works under this name, and keep others out until this one ends.

    For what must be read and written together where no row exists yet to lock. SQLite has one writer anyway.
    """
    engine = session.get_bind() if isinstance(session, Session) else session.engine
    if engine.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        session.execute(select(func.pg_advisory_xact_lock(number)))


@contextmanager
def _translated(*, alone: bool = False) -> Iterator[None]:
    """Give database errors our names: an odd value, a broken constraint, a lost race, a full disk, an outage."""
    try:
        yield
    except sql_errors.TimeoutError:
        raise UnavailableError("database", "all connections are in use", retry_after_s=1.0) from None
    except sql_errors.DBAPIError as error:
        code, reason = getattr(error.orig, "sqlstate", None), str(error.orig)
        if code in LOST_A_RACE and not (alone and code == UNIQUE_VIOLATION):
            raise UnavailableError("database", "another transaction was first", retry_after_s=0.1) from None
        if isinstance(error, sql_errors.DataError):
            raise FormatError("request", "what a database can hold: no NUL", None) from None
        if isinstance(error, sql_errors.IntegrityError):
            raise IntegrityError("database", "its constraints hold", reason) from error
        if code in DISK_FULL or "disk is full" in reason or "No space left" in reason:
            raise StorageFull("database") from None
        if isinstance(error, sql_errors.OperationalError) or error.connection_invalidated or code in STANDBY:
            raise UnavailableError("database", reason, retry_after_s=1.0) from None
        raise
