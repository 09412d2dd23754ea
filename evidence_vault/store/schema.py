"""The schema in the database: brought up to date by the migrations, from a wheel or from the source tree.

Most who ask are only told whether it is current: Alembic, 8 MB with what it brings, is loaded to migrate.
"""

from pathlib import Path

from sqlalchemy import inspect, text

import evidence_vault
from evidence_vault.errors import ConfigError
from evidence_vault.store.session import Database


def upgrade(database: Database) -> None:
    """Run the migrations that the database lacks, in one transaction. Durable after return."""
    from alembic import command  # noqa: PLC0415 - see above: what it loads
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    with database.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def migrate(database: Database) -> tuple[str, str]:
    """Run the migrations that the database of a vault lacks; return the revisions before and after.

    Durable after return; a crash before means that nothing changed. Raises ConfigError where there is no vault,
    or one that only a newer version knows.
    """
    before = current(database)
    if before is None or before not in revisions():
        require_current(database)  # says why not
    upgrade(database)
    return str(before), str(current(database))


def require_current(database: Database) -> None:
    """Raise ConfigError, which names the command that helps, unless the schema is the one this version knows."""
    known, found = revisions(), current(database)
    head = known[-1]
    if found == head:
        return
    if found is None:
        raise ConfigError("database_url", "there is no vault in it yet: run `evidence-vault init`")
    if found in known:
        raise ConfigError(
            "database_url",
            f"its schema is at {found}, this version needs {head}: run `evidence-vault migrate`",
        )
    raise ConfigError(
        "database_url", f"its schema is at {found}, which only a newer version knows: this one knows {head}"
    )


def current(database: Database) -> str | None:
    """Return the revision that the database is at; none if it never had a schema of ours."""
    with database.read() as session:
        if not inspect(session.connection()).has_table("alembic_version"):
            return None
        # Our migrations are one line, and so they leave one row. Several are a newer version's branches: unknown.
        return ", ".join(session.scalars(text("SELECT version_num FROM alembic_version"))) or None


def revisions() -> tuple[str, ...]:
    """Return what this version knows, oldest first: each migration's file is `{revision}_{what it does}.py`."""
    return tuple(sorted(path.name.partition("_")[0] for path in (_folder() / "versions").glob("[0-9]*.py")))


def _folder() -> Path:
    package = Path(evidence_vault.__file__).parent
    for folder in (package / "migrations", package.parent / "migrations"):
        if any((folder / "versions").glob("[0-9]*.py")):
            return folder
    raise ConfigError("installation", "its migrations are missing")
