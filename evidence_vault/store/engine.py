"""The two engines, set up so that a commit that returned is on the disk, and a lost peer is noticed.

    sqlite+pysqlite:///PATH                  WAL, synchronous=FULL; a write begins with BEGIN IMMEDIATE
    postgresql://USER:PASSWORD@HOST/NAME     READ COMMITTED; fsync and synchronous_commit are looked at in every
                                             new connection, and the latter is then pinned for it

PostgreSQL keeps an acknowledged commit through a crash of its machine. Through the loss of that machine only if
a standby is synchronous (`synchronous_standby_names`, and `synchronous_commit` not `local`): docs/operations.md.
Nothing that shares connections between sessions, such as a pooler by transaction, may stand in between.
"""

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy import exc as sql_errors

from evidence_vault.errors import ConfigError

WRITES = "evidence_vault_writes"
"""The execution option of a connection that is going to write."""

SQLITE_BUSY_MS = 30_000
"""How long a SQLite write waits for another process's; a checkpoint of the WAL takes well under a second."""

SQLITE_WAL_PAGES = 4096
"""16 MiB of write-ahead log before it is copied into the file, with three flushes: a page that deposits touch again
and again is copied once. Readers look pages up in it, which stays quick."""

SQLITE_CONNECTIONS = 64
"""At most; each API thread and worker uses one at a time."""

POSTGRES_KEPT, POSTGRES_CONNECTIONS = 10, 30
"""Connections kept, and at most: three processes fit into PostgreSQL's usual hundred."""

POOL_WAIT_S = 10.0
"""How long a thread waits for a connection before it says that the database is not available."""

POSTGRES_SESSION = {
    "lock_timeout": "30s",  # as SQLite's: who waits longer should say so instead of waiting on
    "idle_in_transaction_session_timeout": "60s",  # a machine that vanished holds no lock longer than this
    "client_connection_check_interval": "10s",  # nor a query that nobody waits for
    "client_encoding": "UTF8",
    "timezone": "UTC",
}

POSTGRES_PEER = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "application_name": "evidence-vault",
}
"""A server whose machine vanished without a word is noticed within a minute (libpq; seconds, the last but one
milliseconds). What the URL says wins."""

NOT_DURABLE = "off"


def make_engine(dsn: str) -> Engine:
    """Return the engine for an SQLAlchemy URL; nothing is opened yet. Raises ConfigError, quoting no URL.

    A connection that it opens later raises ConfigError if the server would lose commits.
    """
    try:
        url = make_url(dsn)
        match url.get_backend_name():
            case "sqlite":
                return _sqlite(url)
            case "postgresql":
                return _postgresql(url)
            case _:
                raise ConfigError(
                    "database_url", "begins with postgresql:// or sqlite:///; it names no other"
                )
    except (sql_errors.ArgumentError, sql_errors.NoSuchModuleError, ImportError) as error:
        # The message may quote the URL, and the URL may hold a password.
        raise ConfigError("database_url", f"not usable ({type(error).__name__})") from None


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        pool_size=SQLITE_CONNECTIONS,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        connect_args={"check_same_thread": False, "timeout": SQLITE_BUSY_MS / 1000},
    )
    # Many rows are one statement here as they are on PostgreSQL: between two statements a thread loses its turn,
    # and gets it back milliseconds later.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we begin transactions ourselves; the driver begins none
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"wal_autocheckpoint={SQLITE_WAL_PAGES}",
        "foreign_keys=ON",
        f"busy_timeout={SQLITE_BUSY_MS}",
        "trusted_schema=OFF",
        "recursive_triggers=ON",  # or INSERT OR REPLACE would delete where the schema refuses DELETE
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(
        url,
        pool_size=POSTGRES_KEPT,
        max_overflow=POSTGRES_CONNECTIONS - POSTGRES_KEPT,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,  # after a restart of the server nobody is answered with its broken connections
        isolation_level="READ COMMITTED",
        connect_args={name: value for name, value in POSTGRES_PEER.items() if name not in url.query},
    )
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_postgresql(connection: Any, _record: object) -> None:
    """Refuse a server that acknowledges what it may lose; pin what it promises for this session.

    Asked in the session itself: the settings may come from the server, the database, the role, or the URL.
    """
    connection.autocommit = True  # or what is set here would end with a transaction
    for name in ("fsync", "synchronous_commit"):
        [value] = connection.execute(f"SHOW {name}").fetchone()
        if value == NOT_DURABLE:
            connection.close()
            raise ConfigError(
                "database_url", f"PostgreSQL runs with {name}=off: it would lose what was acknowledged"
            )
    pinned = {**POSTGRES_SESSION, "synchronous_commit": value}
    connection.execute("; ".join(f"SET {name} = '{setting}'" for name, setting in pinned.items()))
    connection.autocommit = False
