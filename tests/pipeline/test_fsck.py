"""A check of everything: clean for a vault that nobody touched, and for each thing that was, its name."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from evidence_vault.core.events import Subject
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.fsck import fsck
from evidence_vault.pipeline.publish import publish
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.sequence import sequence
from evidence_vault.pipeline.vault import Vault, build_vault
from tests.pipeline.vaults import SetClock, deposit, new_vault, settings_for


def note_much(vault: Vault, count: int) -> None:
    with vault.database.write() as session:
        system = system_actor(session)
        for number in range(count):
            fields = {
                "incident": f"i-{number}",
                "kind": "outage",
                "began_at": "2026-11-22T00:00:00.000Z",
                "ended_at": None,
                "summary": "",
            }
            subject = Subject(kind="platform", id="platform")
            draft = Draft(subject=subject, type="INCIDENT_NOTED", actor=system, fields=fields)
            append_event(vault, session, draft)


def grown(home: Path) -> Vault:
    """Two checkpoints, one at 10 leaves and one at 300; 5 leaves more, and 2 events that wait."""
    vault = new_vault(home)
    deposit(vault)
    for target in (10, 300, 305, 307):
        note_much(vault, target - fsck_events(vault))
        while target < 307 and sequence(vault):
            pass
        if target <= 300:
            publish(vault)
    return vault


def fsck_events(vault: Vault) -> int:
    with vault.database.read() as session:
        return int(session.execute(text("SELECT count(*) FROM events")).scalar_one())


@pytest.mark.db
def test_fsck_of_an_untouched_vault_counts_everything(tmp_path: Path) -> None:
    checked = fsck(grown(tmp_path))
    assert (checked.events, checked.subjects, checked.leaves, checked.pending) == (307, 3, 305, 2)
    assert (checked.tree_heads, checked.checkpoints, checked.published_size) == (3, 2, 300)
    # Two full files and the partial ones of 300, and of 10 those that stand beside a full one.
    assert checked.files == 2 + 3 + 2


@pytest.mark.db
def test_fsck_of_a_new_vault_is_clean(tmp_path: Path) -> None:
    checked = fsck(new_vault(tmp_path))
    assert (checked.leaves, checked.files, checked.published_size) == (0, 0, 0)
    assert checked.events == checked.pending > 0


FILES: list[tuple[str, str]] = [
    ("tile/0/000", r"public/tile/0/000"),
    ("tile/0/000.p/10", r"public/tile/0/000\.p/10"),
    ("tile/0/001.p/44", r"public/tile/0/001\.p/44"),
    ("tile/1/000.p/1", r"public/tile/1/000\.p/1"),
    ("tile/entries/000", r"public/tile/entries/000"),
    ("tile/entries/000.p/10", r"tile/entries/000\.p/10|public/tile/entries/000\.p/10"),
    ("tile/entries/001.p/44", r"public/tile/entries/001\.p/44"),
    ("checkpoints/000/000/10.note", r"public/checkpoints/000/000/10\.note"),
    ("checkpoints/000/000/300.note", r"public/checkpoints/000/000/300\.note"),
    ("checkpoint", "note|signature"),
]


@pytest.mark.parametrize(("path", "named"), FILES, ids=[path for path, _ in FILES])
def test_fsck_names_a_public_file_that_was_changed(vault: Vault, path: str, named: str) -> None:
    file = vault.public.folder / path
    data = file.read_bytes()
    file.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    with pytest.raises(IntegrityError, match=named):
        fsck(vault)
    if ".p/10" not in path:  # older partial tiles may be gone, nothing else may
        file.unlink()
        with pytest.raises(IntegrityError, match=r"public/"):
            fsck(vault)


def test_fsck_names_an_older_checkpoint_put_in_place_of_the_newest(vault: Vault) -> None:
    (vault.public.folder / "checkpoint").write_bytes(vault.public.note_path(10).read_bytes())
    with pytest.raises(IntegrityError, match="published checkpoint of size 300"):
        fsck(vault)


def guard(home: Path, old: bytes, new: bytes) -> None:
    path = home / "keys" / "log.guard"
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda home: guard(home, b'"size":300', b'"size":10'), "log.guard: expected at least"),
        (lambda home: guard(home, b'"size":300', b'"size":301'), "log.guard"),
        (lambda home: guard(home, b'"root":"', b'"root":"00'), "log.guard.root"),
        (lambda home: (home / "keys" / "log.guard").unlink(), "log.guard"),
    ],
)
def test_fsck_names_the_guard(vault: Vault, damage: Callable[[Path], None], named: str) -> None:
    damage(vault.settings.home)
    with pytest.raises(IntegrityError, match=named):
        fsck(vault)


ROWS: list[tuple[str, str]] = [
    ("UPDATE events SET sha256 = zeroblob(32) WHERE id = 4", "public/tile/entries|root hash at size 10"),
    ("UPDATE events SET sha256 = zeroblob(32) WHERE id = 306", r"platform/\d+, SHA-256"),
    ("UPDATE events SET slot = zeroblob(32) WHERE id = 4", "public/tile/entries|root hash at size 10"),
    ("UPDATE events SET slot = zeroblob(32) WHERE id = 306", r"platform/\d+, slot"),
    (
        "UPDATE events SET raw = CAST(replace(raw, 'outage', 'outagf') AS BLOB) WHERE id = 5",
        r"platform/\d+, SHA-256",
    ),
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
        "UPDATE OR REPLACE leaves SET event_id = 8 WHERE event_id = 6",
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
    (
        "UPDATE checkpoints SET note = CAST(replace(CAST(note AS TEXT), char(10) || '10', char(10) || '11')"
        " AS BLOB) WHERE size = 10",
        "signature",
    ),
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
]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a grown vault, to be copied; its database's own guards against changes are gone."""
    vault = grown(tmp_path_factory.mktemp("fsck"))
    with vault.database.migrating() as connection:
        for (name,) in connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).all():
            connection.execute(text(f"DROP TRIGGER {name}"))
    vault.database.dispose()
    return vault.settings.home


@pytest.fixture
def vault(story: Path, tmp_path: Path) -> Iterator[Vault]:
    """A copy of it, to be damaged."""
    shutil.copytree(story, tmp_path / "home")
    copy = build_vault(settings_for(tmp_path / "home"), clock=SetClock())
    yield copy
    copy.database.dispose()


@pytest.mark.parametrize(("change", "named"), ROWS, ids=[change for change, _ in ROWS])
def test_fsck_names_a_row_that_was_changed(vault: Vault, change: str, named: str) -> None:
    """As someone could who has the database's file."""
    vault.database.dispose()
    with closing(sqlite3.connect(vault.settings.home / "vault.db")) as raw, raw:
        raw.execute("PRAGMA ignore_check_constraints=ON")
        assert raw.execute(change).rowcount > 0
    with pytest.raises(IntegrityError, match=named):
        fsck(vault)


@pytest.mark.db("postgresql")
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE events SET raw = raw || '\\x20'::bytea WHERE id = 5", r"platform/\d+, SHA-256"),
        ("DELETE FROM pending_events WHERE event_id = (SELECT max(id) FROM events)", "neither"),
        ("UPDATE tree_heads SET root_hash = decode(repeat('00', 32), 'hex') WHERE size = 10", "size 10"),
    ],
    ids=["event", "queue", "head"],
)
def test_fsck_names_a_row_that_was_changed_in_postgresql(tmp_path: Path, change: str, named: str) -> None:
    """As the tables' owner could, who turns the database's own guards off."""
    vault = grown(tmp_path)
    fsck(vault)
    with vault.database.migrating() as connection:
        for table in ("events", "pending_events", "tree_heads"):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        assert connection.execute(text(change)).rowcount == 1
    with pytest.raises(IntegrityError, match=named):
        fsck(vault)
