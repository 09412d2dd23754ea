"""Vaults for tests: real database, files and keys; a clock to set, and authorities that answer."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from sqlalchemy import select
from sqlalchemy.orm import Session

from anchors.base import AnchorProof, Progress, Statement
from evidence_vault.authority_settings import TimestampAuthority
from evidence_vault.core.names import encode_id
from evidence_vault.pipeline.intake.deposit import begin_deposit, deposit_content
from evidence_vault.pipeline.intake.deposited import Deposited
from evidence_vault.pipeline.intake.orphans import ORPHAN_AFTER, set_orphans_aside
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.operation.opening import create_keys, open_log
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.settings import Settings
from evidence_vault.store.blobs import PARTS
from evidence_vault.store.models import Checkpoint, Upload
from evidence_vault.store.queries import actors
from evidence_vault.store.schema import upgrade
from evidence_vault.store.session import Database

OWNER = EventActor(id=encode_id("ac", b"o" * 16), role="RH", auth="token")


@dataclass(slots=True)
class SetClock:
    """A clock that stands until it is moved."""

    now: datetime = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(slots=True)
class FakeAuthority:
    """A submitter that answers at once, or fails as told. It never looks at what it stamps."""

    kind: str = "rfc3161"
    failures: list[Exception] = field(default_factory=list)
    asked: list[Statement] = field(default_factory=list)
    prepared: int = 0
    before_answer: Callable[[], None] = lambda: None

    def prepare(self, statement: Statement) -> Progress:
        self.prepared += 1
        return Progress(kind=self.kind, state="PREPARED", data={"request": statement.sha256.hex()})

    def advance(self, statement: Statement, progress: Progress) -> Progress | AnchorProof:
        assert progress.data == {"request": statement.sha256.hex()}
        self.asked.append(statement)
        self.before_answer()
        if self.failures:
            raise self.failures.pop(0)
        return AnchorProof(
            kind=self.kind,
            parts={
                "request.tsq": b"q" + statement.sha256,
                "response.tsr": b"r" + statement.sha256,
                "chain.pem": b"pem",
            },
        )


def authority(name: str) -> TimestampAuthority:
    return TimestampAuthority(
        name=name, group=f"{name}-group", url="http://127.0.0.1:1/tsa", roots_pem="-", log_class="development"
    )


def settings_for(home: Path, names: tuple[str, ...] = ("tsa",), **changes: object) -> Settings:
    return Settings.model_validate({"authorities": [authority(n) for n in names], **changes}).model_copy(
        update={"home": home}
    )


def new_vault(
    home: Path,
    *,
    clock: Callable[[], datetime] | None = None,
    submitters: Mapping[str, FakeAuthority] | None = None,
    **changes: object,
) -> Vault:
    """Make a vault in `home`, open its log, and add the owner of everything."""
    submitters = {"tsa": FakeAuthority()} if submitters is None else submitters
    settings = settings_for(home, tuple(submitters), **changes)
    create_keys(settings, random=secrets.token_bytes)
    if settings.database_url is None:  # else the test's marker `db` has made one
        (home / "vault.db").write_bytes(_empty_database())
    vault = build_vault(settings, clock=clock or SetClock(), submitters={"timestamp": dict(submitters)})
    open_log(vault, anchors=[])
    with vault.database.write() as session:
        actors.add_actor(session, actor_id=OWNER.id, name="Owner", role="RH", at=vault.clock())
    return vault


@lru_cache(maxsize=1)
def _empty_database() -> bytes:
    """Return a migrated SQLite file: migrating takes longer than most tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "vault.db"
        database = Database(f"sqlite:///{path}")
        upgrade(database)
        database.dispose()
        return path.read_bytes()


def reopened(vault: Vault) -> Vault:
    """Return the same vault as a new process would find it."""
    vault.database.dispose()
    return build_vault(vault.settings, clock=vault.clock, submitters=vault.submitters)


def take_backup(vault: Vault) -> Callable[[], None]:
    """Copy the database as it stands; return what puts the copy in its place. Reopen the vault after each."""
    url = vault.database.engine.url
    vault.database.dispose()
    if url.get_backend_name() == "sqlite":
        home = vault.settings.home
        files = {path: path.read_bytes() for path in home.glob("vault.db*")}

        def restore_files() -> None:
            vault.database.dispose()
            for path in home.glob("vault.db*"):
                path.unlink()
            for path, data in files.items():
                path.write_bytes(data)

        return restore_files
    server = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS backup")
        admin.execute("CREATE DATABASE backup TEMPLATE vault")

    def restore_database() -> None:
        vault.database.dispose()
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute("DROP DATABASE vault WITH (FORCE)")
            admin.execute("CREATE DATABASE vault TEMPLATE backup")

    return restore_database


def deposit(vault: Vault, content: bytes = b"evidence", **wish: object) -> Deposited:
    with begin_deposit(vault, Wish(actor=OWNER, **wish)) as one:  # type: ignore[arg-type]
        for start in range(0, len(content), 300_000):
            one.write(content[start : start + 300_000])
        return one.commit()


def deposit_small(vault: Vault, content: bytes = b"evidence", **wish: object) -> Deposited:
    return deposit_content(vault, Wish(actor=OWNER, **wish), content)  # type: ignore[arg-type]


DOORS = {"streamed": deposit, "small": deposit_small}
"""The two ways in: content that comes piece by piece, and content that is there at once."""


def look_everywhere(vault: Vault, *, now: datetime) -> list[str]:
    """Set orphans of the whole store aside, as the keeper does in an hour; return their ids."""
    if not vault.gate.reasons:
        vault.blobs.sweep_incoming(older_than_s=ORPHAN_AFTER.total_seconds(), now_s=now.timestamp())
    return [one for part in range(PARTS) for one in set_orphans_aside(vault, now=now, part=part)]


def published_sizes(session: Session) -> list[int]:
    """Return the sizes of the published checkpoints, ascending."""
    statement = select(Checkpoint.size).where(Checkpoint.published_at.is_not(None)).order_by(Checkpoint.size)
    return list(session.scalars(statement))


def noted(vault: Vault, state: str) -> list[str]:
    """Return the ids of the uploads about which this is written down."""
    with vault.database.read() as session:
        return list(session.scalars(select(Upload.item_id).where(Upload.state == state)))
