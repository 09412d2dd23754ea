"""Rows of a table, many in one statement, without what SQLAlchemy does for each of them.

    _PENDING = Rows(PendingEvent, "event_id")
    _PENDING.insert(connection, [(1,), (2,)])         INSERT INTO pending_events (event_id) VALUES (?), (?)

For the few statements that every deposit waits for: compiling, looking up and filling in an `insert()` takes
longer than the database takes for it. Names and types are the models'; values go to the driver as parameters.
Nothing is filled in that isn't given: a column that isn't named has the database's default, or is null.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from evidence_vault.store.columns import Base, table
from evidence_vault.store.driver import plain, run

MAX_PARAMETERS = 30_000
"""Of one statement; SQLite takes 32,766, PostgreSQL 65,535."""

AMONG = 500
"""Keys that one query asks for: few enough for any plan, and one statement for the cache."""

_Process = Callable[[Any], Any]


class Rows:
    """Inserts rows into one table, always the same columns."""

    def __init__(
        self, model: type[Base], *columns: str, returning: Sequence[str] = (), skip_known: bool = False
    ) -> None:
        """columns: in the order of the rows' values. skip_known: leave a row whose place is taken as it is."""
        self._table, self._names = table(model), columns
        known = {column.name for column in self._table.columns}
        assert known >= {*columns, *returning}, f"{self._table.name} has no such column"
        self._begin = f"INSERT INTO {self._table.name} ({', '.join(columns)}) VALUES "  # noqa: S608 - our names
        self._end = " ON CONFLICT DO NOTHING" if skip_known else ""
        self._returning = f" RETURNING {', '.join(returning)}" if returning else ""
        self._processes: dict[str, list[tuple[int, _Process]]] = {}

    def insert(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> list[tuple[Any, ...]]:
        """Insert these rows; return the columns to return, of those that were inserted, in any order."""
        found: list[tuple[Any, ...]] = []
        at_once = MAX_PARAMETERS // len(self._names)
        for start in range(0, len(rows), at_once):
            part = [self._prepared(row, connection.dialect) for row in rows[start : start + at_once]]
            found += run(connection, self._statement(len(part)), tuple(chain.from_iterable(part)))
        return found

    def _statement(self, rows: int) -> str:
        row = f"({', '.join('?' * len(self._names))})"
        return f"{self._begin}{', '.join([row] * rows)}{self._end}{self._returning}"

    def _prepared(self, row: tuple[object, ...], dialect: Dialect) -> Sequence[object]:
        """Give the values the form that the driver takes, as SQLAlchemy would."""
        processes = self._processes.get(dialect.name)
        if processes is None:
            found = [plain(self._table.columns[name].type, dialect) for name in self._names]
            processes = [(i, process) for i, process in enumerate(found) if process is not None]
            self._processes[dialect.name] = processes
        assert len(row) == len(self._names)
        values = list(row)
        for i, process in processes:
            values[i] = process(values[i])
        return values


def among(
    session: Session,
    column: InstrumentedAttribute[str],
    keys: Iterable[str],
    *conditions: ColumnElement[bool],
) -> set[str]:
    """Return which of these keys a row that meets the conditions has in this column, which has an index."""
    found: set[str] = set()
    rest = list(keys)
    for start in range(0, len(rest), AMONG):
        found.update(
            session.scalars(select(column).where(column.in_(rest[start : start + AMONG]), *conditions))
        )
    return found
