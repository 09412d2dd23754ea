"""The schema: migrations give what the models say, and the database itself keeps what must never change."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import StatementError
from sqlalchemy.schema import CreateTable

from evidence_vault.errors import ConfigError, IntegrityError, UnavailableError
from evidence_vault.pipeline.publish import publish
from evidence_vault.pipeline.rotation import rotate_key
from evidence_vault.pipeline.sequence import sequence
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store import models
from evidence_vault.store.columns import Base
from evidence_vault.store.schema import require_current, upgrade
from evidence_vault.store.session import Database
from evidence_vault.workers.runner import run_once, timestamp_work
from tests.pipeline.vaults import deposit, new_vault


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    vault = new_vault(tmp_path)
    deposit(vault)
    rotate_key(vault, "log")
    run_once(vault, timestamp_work(vault))
    return vault


def test_migrations_and_models_describe_the_same_schema(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(ConfigError, match="run `init`"):
        require_current(database)
    upgrade(database)
    upgrade(database)  # a second time is no change
    require_current(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        checks = (
            connection.execute(text("SELECT sql FROM sqlite_master WHERE type = 'table'")).scalars().all()
        )
    wanted = {c.name for t in Base.metadata.tables.values() for c in t.constraints if "ck_" in str(c.name)}
    assert wanted
    for name in wanted:  # autogenerate does not compare CHECK constraints
        assert any(f"{name}" in sql for sql in checks), name


@pytest.mark.parametrize("table", models.APPEND_ONLY)
def test_append_only_tables_refuse_update_and_delete(vault: Vault, table: str) -> None:
    column = {"events": "type", "leaves": "event_id", "tree_heads": "epoch"}.get(table, "name")
    for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
        with vault.database.read() as session:
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() > 0
        with pytest.raises(IntegrityError, match=f"{table} refuses"), vault.database.write() as session:
            session.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoints SET note = x'00'",
        "UPDATE checkpoints SET published_at = NULL",
        "DELETE FROM checkpoints",
        "UPDATE tree_head SET size = size - 1, epoch = epoch + 1",
        "UPDATE tree_head SET size = size + 1, epoch = epoch + 2",
        "UPDATE tree_head SET root_hash = zeroblob(32)",
        "DELETE FROM tree_head",
        "INSERT INTO tree_head (id, size, root_hash, epoch, frontier) VALUES (2, 0, zeroblob(32), 0, x'')",
        "UPDATE items SET sha256 = x'00'",
        "UPDATE items SET sha256 = NULL",
        "UPDATE items SET mode = 'other'",
        "INSERT INTO leaves (leaf_index, event_id) VALUES (99, 99999)",
        "INSERT INTO leaves (leaf_index, event_id) SELECT 99, event_id FROM leaves LIMIT 1",
        "INSERT INTO leaves (leaf_index, event_id) VALUES (-1, 1)",
    ],
)
def test_database_refuses_what_would_break_an_invariant(vault: Vault, statement: str) -> None:
    with pytest.raises(IntegrityError), vault.database.write() as session:
        session.execute(text(statement))


def test_schema_compiles_for_postgresql_without_sqlite_types() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    written = [str(CreateTable(t).compile(dialect=dialect)) for t in Base.metadata.sorted_tables]
    assert len(written) == len(Base.metadata.tables)
    assert "BYTEA" in "".join(written)
    assert "id BIGSERIAL NOT NULL" in "".join(written)


def test_write_whose_body_fails_leaves_nothing(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    with pytest.raises(UnavailableError, match="no such table"):
        _write(
            vault.database, "INSERT INTO paces VALUES ('x', '2026-01-01')", "INSERT INTO nowhere VALUES (1)"
        )
    with vault.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM paces")).scalar_one() == 0
        session.execute(text("DELETE FROM pending_events"))  # a reader's changes are lost
    assert sequence(vault) == 2
    assert publish(vault) is not None


def test_naive_times_are_refused_and_aware_ones_come_back_aware(vault: Vault) -> None:
    with vault.database.read() as session:
        [event, *_] = session.query(models.Event).all()
        assert event.at == vault.clock()
        assert event.at.tzinfo is UTC
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - on purpose
    with pytest.raises(StatementError), vault.database.write() as session:
        session.add(models.Pace(target="x", free_at=naive))


def test_database_url_that_is_wrong_is_named_without_its_password() -> None:
    with pytest.raises(ConfigError, match="database_url") as caught:
        Database("nosuch://user:hunter2@host/db")
    assert "hunter2" not in str(caught.value)


def _write(database: Database, *statements: str) -> None:
    with database.write() as session:
        for statement in statements:
            session.execute(text(statement))
