"""Statements past SQLAlchemy mean what they would through it, and so do their errors."""

import pytest
from sqlalchemy import exc as sql_errors
from sqlalchemy import text
from sqlalchemy.orm import Session

from evidence_vault.errors import IntegrityError, UnavailableError
from evidence_vault.store.driver import run
from evidence_vault.store.session import Database, part_of

pytestmark = pytest.mark.db

ADD = (
    "INSERT INTO actors (id, kind, name, created_at, trusted_since) "
    "VALUES (?, 'person', ?, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
)


def test_run_parameters_are_values_and_rows_come_back(database: Database) -> None:
    with database.write() as session:
        assert run(session.connection(), ADD, ("a", "'; % --")) == []
        assert run(session.connection(), "SELECT id, name FROM actors WHERE id = ?", ("a",)) == [
            ("a", "'; % --")
        ]
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM actors")) == 1


def test_run_is_part_of_the_transaction(database: Database) -> None:
    def add_and_fail() -> None:
        with database.write() as session:
            run(session.connection(), ADD, ("a", "A"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM actors")) == 0


def test_run_what_a_constraint_refuses_is_an_integrity_error(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        run(session.connection(), ADD, ("a", None))


def test_run_what_a_constraint_refuses_undoes_its_part_alone(database: Database) -> None:
    def add_two(session: Session) -> None:
        with part_of(session):
            run(session.connection(), ADD, ("b", "B"))
            run(session.connection(), ADD, ("c", None))

    with database.write() as session:
        run(session.connection(), ADD, ("a", "A"))
        with pytest.raises(IntegrityError):
            add_two(session)
    with database.read() as session:
        assert run(session.connection(), "SELECT id FROM actors") == [("a",)]


def test_run_error_names_no_value(database: Database) -> None:
    with database.engine.connect() as connection, pytest.raises(sql_errors.DBAPIError) as caught:
        run(connection, ADD, ("hunter2", None))
    assert caught.value.statement is None
    assert caught.value.params is None


@pytest.mark.db("postgresql")
def test_run_connection_that_is_lost_is_thrown_away(database: Database) -> None:
    with pytest.raises(UnavailableError), database.write() as session:
        run(session.connection(), "SELECT pg_terminate_backend(pg_backend_pid())")
    with database.write() as session:
        assert run(session.connection(), "SELECT 1") == [(1,)]


@pytest.mark.db("postgresql")
def test_run_connection_that_is_lost_in_a_part_is_unavailable(database: Database) -> None:
    with pytest.raises(UnavailableError), database.write() as session, part_of(session):
        run(session.connection(), "SELECT pg_terminate_backend(pg_backend_pid())")
