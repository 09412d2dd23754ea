"""Statements past SQLAlchemy: the few that every deposit waits for take longer in it than in the database.

    rows = run(connection, "SELECT id FROM actors WHERE id = ?", ("ac_…",))

In the transaction of the connection, with SQLAlchemy's errors. Values are what the driver takes: see `plain`.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, LargeBinary
from sqlalchemy import exc as sql_errors
from sqlalchemy.types import TypeEngine


def run(connection: Connection, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Run a statement, its parameters marked with `?`; return its rows, if it has any.

    The text is the caller's own and has no other `?` or `%`. Raises sqlalchemy.exc.DBAPIError.
    """
    dialect = connection.dialect
    if dialect.paramstyle != "qmark":
        statement = _marked(statement)
    driver = connection.connection
    cursor = driver.cursor()
    try:
        dialect.do_execute(cursor, statement, parameters)
        has_rows: bool = cursor.description is not None
        return list(cursor.fetchall()) if has_rows else []
    except dialect.loaded_dbapi.Error as error:
        is_lost = dialect.is_disconnect(error, driver, cursor)
        if is_lost:
            connection.invalidate(error)
        raise sql_errors.DBAPIError.instance(
            None, None, error, dialect.loaded_dbapi.Error, connection_invalidated=is_lost, dialect=dialect
        ) from error
    finally:
        cursor.close()


def plain(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what makes a value of this type one that the driver takes; none: it takes it as it is, as bytes."""
    if isinstance(kind, LargeBinary):
        return None
    return kind.dialect_impl(dialect).bind_processor(dialect)


@cache
def _marked(statement: str) -> str:
    return statement.replace("?", "%s")
