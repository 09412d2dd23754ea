"""The engine: a server that may lose what it acknowledged is refused, and one that comes back is used again."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from evidence_vault.errors import ConfigError, IntegrityError, UnavailableError
from evidence_vault.pipeline.vault import build_vault
from evidence_vault.store import engine as engines
from evidence_vault.store.schema import require_current, upgrade
from evidence_vault.store.session import Database, serialize
from evidence_vault.workers.runner import timestamp_work
from tests.pipeline.running import run_once
from tests.pipeline.vaults import deposit, new_vault, settings_for
from tests.postgres import PostgresServer

postgresql = pytest.mark.db("postgresql")


@pytest.fixture
def own_server(postgres_programs: Path) -> Iterator[PostgresServer]:
    """A server that the test may stop."""
    server = PostgresServer(postgres_programs)
    yield server
    server.close()


def shown(database: Database, name: str) -> str:
    with database.write() as session:
        return str(session.scalar(text(f"SHOW {name}")))


@pytest.mark.parametrize("url", ["nosuch://user:hunter2@host/db", "mysql://user:hunter2@host/db", "hunter2"])
def test_database_url_that_is_wrong_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="database_url") as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)


@postgresql
def test_connection_that_fails_tells_no_password(postgres_server: PostgresServer) -> None:
    url = f"postgresql://postgres:hunter2@/no_such_database?host={postgres_server.folder}"
    with pytest.raises(UnavailableError) as caught:
        require_current(Database(url))
    assert "hunter2" not in str(caught.value)


@postgresql
@pytest.mark.parametrize(
    "where",
    [
        "ALTER DATABASE vault SET synchronous_commit = off",
        "ALTER ROLE careless SET synchronous_commit = off",
        "ALTER ROLE careless IN DATABASE vault SET synchronous_commit = off",
        None,
    ],
    ids=["database", "role", "role in database", "url"],
)
def test_synchronous_commit_off_is_refused_wherever_it_was_set(
    postgres_server: PostgresServer, tmp_path: Path, where: str | None
) -> None:
    postgres_server.execute("CREATE ROLE careless LOGIN SUPERUSER")
    url = postgres_server.url("vault").replace("postgres@", "careless@")
    try:
        require_current(Database(url))
        if where is None:
            url += "&options=-csynchronous_commit%3Doff"
        else:
            postgres_server.execute(where)
        with pytest.raises(ConfigError, match="synchronous_commit=off"):
            require_current(Database(url))
    finally:
        postgres_server.execute("DROP OWNED BY careless")
        postgres_server.execute("DROP ROLE careless")


def test_fsync_off_is_refused(own_server: PostgresServer) -> None:
    own_server.stop()
    own_server.start(fsync="off")
    with pytest.raises(ConfigError, match="fsync=off"):
        upgrade(Database(own_server.url("postgres")))


@postgresql
@pytest.mark.parametrize("setting", ["on", "local", "remote_write", "remote_apply"])
def test_synchronous_commit_stays_as_it_was_when_connected(tmp_path: Path, setting: str) -> None:
    url = f"{settings_for(tmp_path).database_dsn()}&options=-csynchronous_commit%3D{setting}"
    database = Database(url)
    assert shown(database, "synchronous_commit") == setting
    with database.read() as session:  # the role's setting changes, the open connection doesn't
        session.connection().exec_driver_sql("SET LOCAL synchronous_commit = off")
    assert shown(database, "synchronous_commit") == setting
    database.dispose()


@postgresql
def test_limits_of_a_session_are_set_and_the_url_wins_over_ours(tmp_path: Path) -> None:
    database = Database(f"{settings_for(tmp_path).database_dsn()}&application_name=mine")
    assert shown(database, "application_name") == "mine"
    assert shown(database, "idle_in_transaction_session_timeout") == "1min"
    assert shown(database, "lock_timeout") == "30s"
    database.dispose()


def test_server_that_went_away_and_came_back_is_used_again_by_itself(
    own_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_server.execute("CREATE DATABASE vault")
    monkeypatch.setenv("EVIDENCE_VAULT_DATABASE_URL", own_server.url("vault"))
    upgrading = Database(own_server.url("vault"))
    upgrade(upgrading)
    upgrading.dispose()
    vault = new_vault(tmp_path)
    kept = [deposit(vault, b"before")]

    def lose_the_server() -> None:  # as in a crash, in the middle of a transaction
        with vault.database.write() as session:
            session.execute(text("DELETE FROM pending_events"))
            own_server.stop()
            session.execute(text("SELECT 1"))

    with pytest.raises(UnavailableError) as caught:
        lose_the_server()
    assert caught.value.retry_after_s == 1.0
    for _ in range(2):
        with pytest.raises(UnavailableError):
            deposit(vault, b"while it is away")
        with pytest.raises(UnavailableError):
            run_once(vault, timestamp_work(vault))
    own_server.start()
    kept.append(deposit(vault, b"after"))
    run_once(vault, timestamp_work(vault))
    own_server.stop()
    own_server.start()
    kept.append(deposit(vault, b"after a restart that nobody saw"))
    run_once(vault, timestamp_work(vault))
    with vault.database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM items")) == len(kept)
        assert session.scalar(text("SELECT count(*) FROM pending_events")) == 0
        assert session.scalar(text("SELECT size FROM tree_head")) >= 5
    vault.database.dispose()


@postgresql
def test_standby_that_only_reads_is_unavailable_for_writes(tmp_path: Path) -> None:
    url = f"{settings_for(tmp_path).database_dsn()}&options=-cdefault_transaction_read_only%3Don"
    database = Database(url)
    with pytest.raises(UnavailableError, match="read-only"), database.write() as session:
        session.execute(text("DELETE FROM paces"))
    database.dispose()


@pytest.mark.db
def test_pool_that_is_used_up_is_unavailable_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("POOL_WAIT_S", 0.1),
        ("SQLITE_CONNECTIONS", 2),
        ("POSTGRES_KEPT", 1),
        ("POSTGRES_CONNECTIONS", 2),
    ):
        monkeypatch.setattr(engines, name, value)
    database = Database(settings_for(tmp_path).database_dsn())
    with database.read() as first, database.read() as second:
        assert first.scalar(text("SELECT 1")) == second.scalar(text("SELECT 1"))
        with pytest.raises(UnavailableError, match="in use"), database.read() as third:
            third.execute(text("SELECT 1"))
    with database.read() as again:
        assert again.scalar(text("SELECT 1")) == 1
    database.dispose()


@pytest.mark.db
def test_read_sees_one_snapshot(database: Database) -> None:
    count = text("SELECT count(*) FROM paces")
    with database.read() as reader:
        assert reader.scalar(count) == 0
        with database.write() as session:
            session.execute(
                text("INSERT INTO paces (target, free_at, failures) VALUES ('x', '2026-01-01', 0)")
            )
        assert reader.scalar(count) == 0
    with database.read() as reader:
        assert reader.scalar(count) == 1


@postgresql
def test_lock_that_another_holds_for_long_is_unavailable(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engines.POSTGRES_SESSION, "lock_timeout", "100ms")
    impatient = Database(database.engine.url.render_as_string(hide_password=False))
    with database.write() as session:
        serialize(session, "one")
        with impatient.write() as other:
            serialize(other, "two")
        with pytest.raises(UnavailableError, match="lock"), impatient.write() as other:
            serialize(other, "one")
    with impatient.write() as other:
        serialize(other, "one")
    impatient.dispose()


@postgresql
def test_transaction_that_idles_is_ended_so_that_its_locks_are_free(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engines.POSTGRES_SESSION, "idle_in_transaction_session_timeout", "100ms")
    vanished = Database(database.engine.url.render_as_string(hide_password=False))

    def idle() -> None:
        with vanished.write() as session:
            serialize(session, "one")
            with database.write() as other:  # waits, and gets it
                serialize(other, "one")
            session.execute(text("SELECT 1"))

    with pytest.raises(UnavailableError):
        idle()
    vanished.dispose()


@postgresql
def test_lost_race_is_tried_again_but_alone_it_is_a_fault(database: Database) -> None:
    insert = text("INSERT INTO paces (target, free_at, failures) VALUES ('x', '2026-01-01', 0)")
    with database.write() as session:
        session.execute(insert)
    with pytest.raises(UnavailableError, match="another transaction was first"), database.write() as session:
        session.execute(insert)
    with pytest.raises(IntegrityError), database.write(alone=True) as session:
        session.execute(insert)


@postgresql
def test_deadlock_is_a_lost_race_for_one_of_two(database: Database) -> None:
    with database.write() as session:
        insert = text("INSERT INTO paces (target, free_at, failures) VALUES (:target, '2026-01-01', 0)")
        session.execute(insert, [{"target": "a"}, {"target": "b"}])
    barrier, lost = threading.Barrier(2), []

    def lock(first: str, second: str) -> None:
        try:
            with database.write() as session:
                for target in (first, second):
                    session.execute(text("SELECT * FROM paces WHERE target = :t FOR UPDATE"), {"t": target})
                    if target == first:
                        barrier.wait(10)
        except UnavailableError as error:
            lost.append(error.reason)

    threads = [threading.Thread(target=lock, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert lost == ["another transaction was first"]


@postgresql
def test_role_without_rights_on_the_schema_can_run_a_vault(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    vault = new_vault(tmp_path)
    postgres_server.execute("CREATE ROLE runs LOGIN", database="vault")
    try:
        postgres_server.execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO runs; "
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO runs",
            database="vault",
        )
        url = postgres_server.url("vault").replace("postgres@", "runs@")
        settings = vault.settings.model_copy(update={"database_url": SecretStr(url)})
        served = build_vault(settings, clock=vault.clock, submitters=vault.submitters)
        require_current(served.database)
        deposit(served, b"x", idempotency_key="k")
        run_once(served, timestamp_work(served))
        with pytest.raises(Exception, match="must be owner"), served.database.write() as session:
            session.execute(text("ALTER TABLE events DISABLE TRIGGER ALL"))
        served.database.dispose()
    finally:
        postgres_server.execute("DROP OWNED BY runs", database="vault")
        postgres_server.execute("DROP ROLE runs")


def test_server_of_the_tests_ends_with_whoever_started_it(postgres_programs: Path) -> None:
    server = PostgresServer(postgres_programs)
    pid = int((server.folder / "pid").read_text())
    assert server._keeper is not None
    assert server._keeper.stdin is not None
    server._keeper.stdin.close()  # as the end of the process would
    until = time.monotonic() + 20
    while server.folder.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}/stat").exists()
    assert server._keeper.wait(10) == 0
