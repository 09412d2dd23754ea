"""The schema: migrations give what the models say, and the database itself keeps what must never change."""

import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import StatementError

from evidence_vault.errors import ConfigError, IntegrityError, UnavailableError
from evidence_vault.pipeline.log.publish import publish
from evidence_vault.pipeline.log.rotation import rotate_key
from evidence_vault.pipeline.log.sequence import sequence
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store import models, schema
from evidence_vault.store.columns import Base
from evidence_vault.store.pace_models import Pace
from evidence_vault.store.queries.revocation import add_evidence
from evidence_vault.store.schema import current, migrate, require_current, revisions, upgrade
from evidence_vault.store.session import Database
from evidence_vault.workers.runner import timestamp_work
from tests.pipeline.running import run_once
from tests.pipeline.vaults import deposit, new_vault, settings_for

pytestmark = pytest.mark.db

MIGRATIONS = Path(__file__).parents[2] / "migrations"

REFUSING = (*models.APPEND_ONLY, "checkpoints", "tree_head")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    vault = new_vault(tmp_path)
    deposit(vault)
    rotate_key(vault, "log")
    run_once(vault, timestamp_work(vault))
    with vault.database.write() as session:
        now, digest = vault.clock(), bytes(32)
        add_evidence(
            session,
            digest,
            sha256=digest,
            kind="crl",
            body=b"0",
            this_update=now,
            next_update=None,
            fetched_at=now,
        )
    return vault


@pytest.fixture
def created(engine: str, database: Database, tmp_path: Path) -> Iterator[Database]:
    """A second place on the same engine, with the tables as the models say, made without migrations."""
    if engine == "sqlite":
        second = Database(f"sqlite:///{tmp_path / 'created.db'}")
    else:
        _write(database, "CREATE SCHEMA created")
        url = database.engine.url.update_query_dict({"options": "-csearch_path=created"})
        second = Database(url.render_as_string(hide_password=False))
    Base.metadata.create_all(second.engine)
    yield second
    second.dispose()


def described(database: Database) -> dict[str, dict[str, object]]:
    """All that the database itself says of each table: columns, keys, constraints with their text, indexes."""
    found = inspect(database.engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], _default(column["default"]))
                for column in found.get_columns(table)
            },
            "primary key": found.get_pk_constraint(table),
            "foreign keys": _by_name(found.get_foreign_keys(table), drop="referred_schema"),
            "unique": _by_name(found.get_unique_constraints(table)),
            "checks": _by_name(found.get_check_constraints(table)),
            "indexes": _by_name(found.get_indexes(table)),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def _by_name(parts: Iterable[Any], *, drop: str = "") -> dict[str, dict[str, Any]]:
    return {part["name"]: {k: _plain(v) for k, v in part.items() if k != drop} for part in parts}


def _plain(found: Any) -> Any:
    """A condition of a partial index is an object that equals none but itself."""
    return {name: str(one) for name, one in found.items()} if isinstance(found, dict) else found


def _default(text: str | None) -> str | None:
    return None if text is None else text.replace("created.", "")  # a sequence in its schema


def triggers(database: Database) -> set[str]:
    with database.read() as session:
        if database.is_sqlite:
            return set(session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")))
        always = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
        return set(session.scalars(text(always)))


def test_migrations_and_models_describe_the_same_schema(database: Database, created: Database) -> None:
    upgrade(database)  # a second time is no change
    require_current(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    migrated = described(database)
    assert migrated == described(created)
    assert set(migrated) == set(Base.metadata.tables)
    checks = {c.name for t in Base.metadata.tables.values() for c in t.constraints if "ck_" in str(c.name)}
    assert checks == {name for table in migrated.values() for name in cast("dict[str, Any]", table["checks"])}


def test_every_table_that_must_refuse_has_its_triggers(database: Database) -> None:
    kinds = ["update", "delete"] + ([] if database.is_sqlite else ["delete_all"])
    assert triggers(database) == {f"{table}_refuse_{kind}" for table in REFUSING for kind in kinds}


def test_migrations_end_their_limits_with_their_transaction(engine: str, database: Database) -> None:
    if engine == "sqlite":
        return
    with database.read() as session:
        assert session.scalar(text("SHOW statement_timeout")) == "0"
        assert session.scalar(text("SHOW lock_timeout")) == "30s"


def test_upgrade_by_many_at_once_makes_one_schema(engine: str, tmp_path: Path) -> None:
    databases = [Database(settings_for(tmp_path).database_dsn()) for _ in range(4)]
    if engine == "postgresql":
        _write(databases[0], "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(upgrade, databases)) == [None] * 4
    require_current(databases[0])
    for database in databases:
        database.dispose()


def test_require_current_names_the_command_that_helps(database: Database) -> None:
    _write(database, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="only a newer version knows"):
        require_current(database)
    _write(
        database, "INSERT INTO alembic_version VALUES ('9998')"
    )  # as the branches of another version would
    for refused in (require_current, migrate):
        with pytest.raises(ConfigError, match="only a newer version knows"):
            refused(database)
    for nothing in ("DELETE FROM alembic_version", "DROP TABLE alembic_version"):
        _write(database, nothing)
        assert current(database) is None
        for refused in (require_current, migrate):
            with pytest.raises(ConfigError, match="run `evidence-vault init`"):
                refused(database)


def test_revisions_by_their_files_names_are_alembics_own(database: Database) -> None:
    ours = ScriptDirectory(str(MIGRATIONS))
    assert revisions() == tuple(reversed([one.revision for one in ours.walk_revisions()]))
    assert [ours.get_current_head()] == ours.get_heads() == [revisions()[-1]]
    with database.engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == current(database)


def test_migrate_brings_an_older_schema_to_the_newest_revision(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = revisions()[-1]
    new = f"{int(old) + 1:04}"
    newer = shutil.copytree(MIGRATIONS, tmp_path / "newer")
    (newer / "versions" / f"{new}_nothing.py").write_text(
        f'revision, down_revision = "{new}", "{old}"\n\n\ndef upgrade() -> None:\n    pass\n'
    )
    monkeypatch.setattr(schema, "_folder", lambda: newer)
    with pytest.raises(
        ConfigError, match=f"is at {old}, this version needs {new}: run `evidence-vault migrate`"
    ):
        require_current(database)
    assert migrate(database) == (old, new)
    require_current(database)
    assert migrate(database) == (new, new)


@pytest.mark.parametrize("table", models.APPEND_ONLY)
def test_append_only_tables_refuse_update_delete_and_truncate(vault: Vault, engine: str, table: str) -> None:
    column = {
        "events": "type",
        "leaves": "event_id",
        "tree_heads": "epoch",
        "revocation_evidence": "kind",
    }.get(table, "name")
    statements = [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"]
    if engine == "postgresql":
        replica = "SET LOCAL session_replication_role = replica; "
        statements += [f"TRUNCATE {table} CASCADE", replica + statements[0], replica + statements[1]]
    else:
        statements += [f"REPLACE INTO {table} SELECT * FROM {table}"]
    with vault.database.read() as session:
        assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() > 0
    for statement in statements:
        with pytest.raises(IntegrityError, match=f"{table} refuses"):
            _write(vault.database, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoints SET note = {byte}",
        "UPDATE checkpoints SET published_at = NULL",
        "DELETE FROM checkpoints",
        "UPDATE tree_head SET size = size - 1, epoch = epoch + 1",
        "UPDATE tree_head SET size = size + 1, epoch = epoch + 2",
        "UPDATE tree_head SET root_hash = {digest}",
        "DELETE FROM tree_head",
        "INSERT INTO tree_head (id, size, root_hash, epoch, frontier) VALUES (2, 0, {digest}, 0, {byte})",
        "UPDATE items SET sha256 = {byte}",
        "UPDATE items SET sha256 = NULL",
        "UPDATE items SET mode = 'other'",
        "INSERT INTO leaves (leaf_index, event_id) VALUES (99, 99999)",
        "INSERT INTO leaves (leaf_index, event_id) SELECT 99, event_id FROM leaves LIMIT 1",
        "INSERT INTO leaves (leaf_index, event_id) VALUES (-1, 1)",
    ],
)
def test_database_refuses_what_would_break_an_invariant(vault: Vault, engine: str, statement: str) -> None:
    literals = {
        "sqlite": {"byte": "x'00'", "digest": "zeroblob(32)"},
        "postgresql": {"byte": "decode('00', 'hex')", "digest": "decode(repeat('00', 32), 'hex')"},
    }[engine]
    with pytest.raises(IntegrityError):
        _write(vault.database, statement.format(**literals))


def test_write_whose_body_fails_leaves_nothing(tmp_path: Path, engine: str) -> None:
    vault = new_vault(tmp_path)
    with pytest.raises(IntegrityError):
        _write(
            vault.database,
            "INSERT INTO paces (target, free_at, failures) VALUES ('x', '2026-01-01', 0)",
            "INSERT INTO leaves (leaf_index, event_id) VALUES (-1, 1)",
        )
    with vault.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM paces")).scalar_one() == 0
    delete = text("DELETE FROM pending_events")
    if engine == "sqlite":
        with vault.database.read() as session:
            session.execute(delete)  # a reader's changes are lost
    else:
        with pytest.raises(UnavailableError, match="read-only"), vault.database.read() as session:
            session.execute(delete)
    assert sequence(vault) == 2
    assert publish(vault) is not None


def test_naive_times_are_refused_and_aware_ones_come_back_aware(vault: Vault) -> None:
    with vault.database.read() as session:
        [event, *_] = session.query(models.Event).all()
        assert event.at == vault.clock()
        assert event.at.tzinfo is UTC
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - on purpose
    with pytest.raises(StatementError), vault.database.write() as session:
        session.add(Pace(target="x", free_at=naive))


def _write(database: Database, *statements: str) -> None:
    with database.write(alone=True) as session:
        for statement in statements:
            session.execute(text(statement))
