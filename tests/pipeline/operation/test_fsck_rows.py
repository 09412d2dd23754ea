"""A check of everything: each row that somebody changed is named, on both engines.

As someone could who has SQLite's file, or owns PostgreSQL's tables and turns the database's own guards off.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.vault import Vault, build_vault
from tests.conftest import DATABASE_URL
from tests.pipeline.operation.test_fsck import grown
from tests.pipeline.vaults import SetClock, settings_for
from tests.postgres import PostgresServer

ROWS: list[tuple[str, str]] = [
    ("UPDATE events SET sha256 = zeroblob(32) WHERE id = 4", "public/tile/entries|root hash at size 10"),
    ("UPDATE events SET sha256 = zeroblob(32) WHERE id = 306", r"platform/\d+, SHA-256"),
    ("UPDATE events SET slot = zeroblob(32) WHERE id = 4", "public/tile/entries|root hash at size 10"),
    ("UPDATE events SET slot = zeroblob(32) WHERE id = 306", r"platform/\d+, slot"),
    ("UPDATE events SET raw = replaced(raw, 'outage', 'outagf') WHERE id = 5", r"platform/\d+, SHA-256"),
    ("UPDATE events SET type = 'VIEWED' WHERE id = 5", r"platform/\d+, type"),
    ("UPDATE events SET at = '2020-01-01 00:00:00.000000' WHERE id = 5", r"platform/\d+, at"),
    ("UPDATE events SET seq = seq + 1000 WHERE id = 307", r"platform/\d+, seq"),
    ("UPDATE events SET seq = 50000 WHERE id = 100", r"platform/\d+, seq"),
    ("DELETE FROM events WHERE id = 307", "head of platform"),
    ("DELETE FROM events WHERE id = 100", "leaves: expected indexes"),
    ("DELETE FROM leaves WHERE leaf_index = 304", "tree head|leaves"),
    ("DELETE FROM leaves WHERE leaf_index = 7", "leaves: expected indexes"),
    ("UPDATE leaves SET leaf_index = 305 WHERE leaf_index = 7", "leaves: expected indexes"),
    (
        "DELETE FROM leaves WHERE event_id = 8; UPDATE leaves SET event_id = 8 WHERE event_id = 6",
        "leaves: expected indexes",
    ),
    ("DELETE FROM pending_events WHERE event_id = 306", "neither"),
    ("INSERT INTO pending_events VALUES (9)", "both"),
    ("INSERT INTO pending_events VALUES (9999)", "pending_events"),
    ("DELETE FROM tree_heads WHERE size = 305", "tree head, epoch|newest recorded"),
    ("DELETE FROM tree_heads WHERE size = 10", "checkpoint 10, root hash"),
    ("UPDATE tree_heads SET root_hash = zeroblob(32) WHERE size = 10", "root hash at size 10"),
    ("UPDATE tree_heads SET root_hash = zeroblob(32) WHERE size = 305", "root hash at size 305"),
    ("UPDATE tree_heads SET epoch = 999 WHERE size = 10", "tree head of size 300"),
    ("UPDATE tree_heads SET size = 400 WHERE size = 305", "leaves: expected 400"),
    ("UPDATE tree_head SET size = 304", "tree head, size"),
    ("UPDATE tree_head SET root_hash = zeroblob(32)", "tree head, root hash"),
    ("UPDATE tree_head SET frontier = zeroblob(length(frontier))", "tree head, frontier"),
    ("UPDATE tree_head SET epoch = epoch + 1", "tree head, epoch"),
    ("UPDATE checkpoints SET note_sha256 = zeroblob(32) WHERE size = 10", "checkpoint 10, SHA-256"),
    ("UPDATE checkpoints SET note = replaced(note, '\n10', '\n11') WHERE size = 10", "signature"),
    (
        "UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = 300) WHERE size = 10",
        "checkpoint 10, size",
    ),
    ("DELETE FROM checkpoints WHERE size = 300", "public/checkpoint"),
    ("UPDATE subject_heads SET seq = seq + 1 WHERE subject_kind = 'platform'", "head of platform"),
    ("UPDATE subject_heads SET next_slot = zeroblob(32) WHERE subject_kind = 'item'", "head of it_"),
    ("DELETE FROM subject_heads WHERE subject_kind = 'log'", "head of log"),
    (
        "INSERT INTO subject_heads VALUES ('vault', 'vault', 0, zeroblob(32), zeroblob(32))",
        "head of vault",
    ),
    (
        "UPDATE packed_deposits SET position = position + 1",
        r"packs/\w+\.evp, byte 17: expected the record of it_",
    ),
    ("UPDATE packed_deposits SET position = -1", r"packs/\w+\.evp"),
    ("UPDATE packed_deposits SET pack = 'other'", r"packs/other\.evp: expected a pack"),
]
"""What is changed, and what must be named. `zeroblob` is SQLite's; `replaced(bytes, from, to)` is ours."""

POSTGRESQL_FUNCTIONS = (
    "CREATE FUNCTION zeroblob(n int) RETURNS bytea LANGUAGE sql AS $$ SELECT decode(repeat('00', n), 'hex') $$",
    "CREATE FUNCTION replaced(data bytea, old text, new text) RETURNS bytea LANGUAGE sql AS "
    "$$ SELECT convert_to(replace(convert_from(data, 'UTF8'), old, new), 'UTF8') $$",
)


@pytest.fixture(scope="module")
def sqlite_story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a grown vault, to be copied; nothing in its database refuses a change."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv(DATABASE_URL, raising=False)
        vault = grown(tmp_path_factory.mktemp("fsck"))
    fsck(vault)
    vault.database.dispose()
    with closing(sqlite3.connect(vault.settings.home / "vault.db")) as raw, raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
    return vault.settings.home


@pytest.fixture(scope="module")
def postgresql_story(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[Path]:
    """The same on PostgreSQL, where its database is called `grown`."""
    with postgres_server.database("grown", template="migrated") as url:
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv(DATABASE_URL, url)
            vault = grown(tmp_path_factory.mktemp("fsck"))
        fsck(vault)
        vault.database.dispose()
        with psycopg.connect(url, autocommit=True) as raw:
            tables = raw.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for statement in (
                *POSTGRESQL_FUNCTIONS,
                *(f"ALTER TABLE {t} DISABLE TRIGGER ALL" for (t,) in tables),
            ):
                raw.execute(statement.encode())
        yield vault.settings.home


@pytest.fixture
def vault(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    """A copy of it, to be damaged."""
    story: Path = request.getfixturevalue(f"{engine}_story")
    shutil.copytree(story, tmp_path / "home")
    if engine == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.execute("DROP DATABASE vault")
        server.execute("CREATE DATABASE vault TEMPLATE grown")
    copy = build_vault(settings_for(tmp_path / "home"), clock=SetClock())
    yield copy
    copy.database.dispose()


def change_rows(vault: Vault, engine: str, statements: list[str]) -> None:
    """Carry the statements out past the vault; each must find something."""
    vault.database.dispose()
    if engine == "postgresql":
        with psycopg.connect(vault.settings.database_dsn()) as server:
            assert all(server.execute(one.encode()).rowcount > 0 for one in statements)
        return
    with closing(sqlite3.connect(vault.settings.home / "vault.db")) as raw, raw:
        raw.execute("PRAGMA ignore_check_constraints=ON")
        raw.create_function("replaced", 3, lambda data, old, new: data.replace(old.encode(), new.encode()))
        assert all(raw.execute(one).rowcount > 0 for one in statements)


@pytest.mark.db
@pytest.mark.parametrize(("change", "named"), ROWS, ids=[change for change, _ in ROWS])
def test_fsck_names_a_row_that_was_changed(vault: Vault, engine: str, change: str, named: str) -> None:
    change_rows(vault, engine, change.split("; "))
    with pytest.raises(IntegrityError, match=named):
        fsck(vault)
