"""Creating a vault: once, wherever it was left, and never over another."""

from pathlib import Path

import pytest

from evidence_vault.core.canonical import as_list, as_object
from evidence_vault.core.events import LOG, parse_event
from evidence_vault.core.names import LogClass
from evidence_vault.errors import ConfigError
from evidence_vault.service import create
from evidence_vault.service.compose import open_vault
from evidence_vault.service.create import create_home
from evidence_vault.store.queries import events

pytestmark = pytest.mark.socket


def test_create_home_development_is_complete(tmp_path: Path) -> None:
    made = create_home(tmp_path / "vault", port=18999)
    assert made.opened
    assert made.settings.origin.startswith("development/")
    vault = open_vault(made.settings)
    with vault.database.read() as session:
        opened = parse_event(events.events_of(session, LOG)[0].raw)
    assert (opened.type, opened.env) == ("LOG_OPENED", "development")
    (anchor,) = as_list(opened.fields["anchors"])
    assert as_object(anchor)["contract"] == made.settings.networks[0].contract
    vault.database.dispose()
    for path in (tmp_path / "vault" / "keys").glob("*.key"):
        assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "vault").stat().st_mode & 0o077 == 0


def test_create_home_twice_refused(tmp_path: Path) -> None:
    create_home(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "keys").iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match="a vault already"):
        create_home(tmp_path)
    assert before == {path: path.read_bytes() for path in (tmp_path / "keys").iterdir() if path.is_file()}


def test_create_home_after_a_crash_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(create, "open_log", crash)
        with pytest.raises(KeyboardInterrupt):
            create_home(tmp_path)
    keys = {path.name: path.read_bytes() for path in (tmp_path / "keys").glob("*.key")}
    assert create_home(tmp_path).opened
    assert keys == {path.name: path.read_bytes() for path in (tmp_path / "keys").glob("*.key")}


def test_create_home_production_waits_for_its_settings(tmp_path: Path) -> None:
    made = create_home(tmp_path, log_class="production", origin="vault.example/log")
    assert not made.opened
    assert not (tmp_path / "keys").exists()
    with pytest.raises(ConfigError, match="authorities: name at least one"):
        create_home(tmp_path)
    root = create_home(tmp_path / "d", port=1).settings.authorities[0].load_roots_pem(tmp_path / "d")
    with made.settings_file.open("a") as file:
        file.write(
            '[[authorities]]\nname = "a"\ngroup = "g"\nurl = "https://tsa.example/"\n'
            f"roots_pem = '''\n{root}'''\n"
        )
    done = create_home(tmp_path)
    assert done.opened
    assert (done.settings.origin, done.settings.log_class) == ("vault.example/log", "production")
    assert not (tmp_path / "development").exists()


@pytest.mark.parametrize(
    ("log_class", "origin"),
    [
        ("production", None),
        ("test", "development/x"),
        ("production", "Vault"),
        ("development", "vault.example/log"),
    ],
)
def test_create_home_origin_that_does_not_fit_refused(
    tmp_path: Path, log_class: LogClass, origin: str | None
) -> None:
    with pytest.raises(ConfigError, match="origin"):
        create_home(tmp_path, log_class=log_class, origin=origin)


def test_create_home_class_for_a_home_with_settings_refused(tmp_path: Path) -> None:
    create_home(tmp_path)
    with pytest.raises(ConfigError, match="edit it instead"):
        create_home(tmp_path, log_class="test", origin="vault.example/log")
