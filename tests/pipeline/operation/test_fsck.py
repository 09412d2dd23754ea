"""A check of everything: clean for a vault that nobody touched, and for each thing that was, its name."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from evidence_vault.core.events import Subject
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.log.publish import publish
from evidence_vault.pipeline.log.sequence import sequence
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.vault import Vault, build_vault
from tests.pipeline.vaults import SetClock, deposit, deposit_small, new_vault, settings_for


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
    """A large and a small deposit; two checkpoints, at 10 leaves and at 300; 5 leaves more, 2 events that wait."""
    vault = new_vault(home)
    deposit(vault)
    deposit_small(vault)
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
    assert (checked.events, checked.subjects, checked.leaves, checked.pending) == (307, 4, 305, 2)
    assert (checked.tree_heads, checked.checkpoints, checked.published_size) == (3, 2, 300)
    assert checked.packed == 1
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


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a grown vault, to be copied."""
    vault = grown(tmp_path_factory.mktemp("fsck"))
    vault.database.dispose()
    return vault.settings.home


@pytest.fixture
def vault(story: Path, tmp_path: Path) -> Iterator[Vault]:
    """A copy of it, to be damaged."""
    shutil.copytree(story, tmp_path / "home")
    copy = build_vault(settings_for(tmp_path / "home"), clock=SetClock())
    yield copy
    copy.database.dispose()


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        pytest.param(lambda data: b"x" + data[1:], r"packs/\w+\.evp: expected a pack header", id="header"),
        pytest.param(lambda data: data[:8] + bytes(8) + data[16:], r"packs/\w+\.evp, byte 16", id="mark"),
        pytest.param(
            lambda data: data[:60], r"packs/\w+\.evp, byte 16: expected the record of it_", id="cut"
        ),
        pytest.param(lambda _: b"", r"packs/\w+\.evp: expected a pack header", id="empty"),
    ],
)
def test_fsck_names_a_pack_that_is_damaged(
    vault: Vault, damage: Callable[[bytes], bytes], named: str
) -> None:
    [pack] = (vault.settings.home / "packs").iterdir()
    pack.write_bytes(damage(pack.read_bytes()))
    with pytest.raises(IntegrityError, match=named):
        fsck(vault)


def test_fsck_names_a_pack_that_is_gone_and_one_that_is_none(vault: Vault) -> None:
    [pack] = (vault.settings.home / "packs").iterdir()
    other = pack.with_name("0" * 32 + ".evp")
    other.write_bytes(b"this is no pack, but long enough")  # no row knows of it
    with pytest.raises(IntegrityError, match=r"packs/0{32}\.evp: expected a pack header"):
        fsck(vault)
    other.unlink()
    pack.unlink()
    with pytest.raises(IntegrityError, match=rf"packs/{pack.name}: expected a pack, found No such file"):
        fsck(vault)
