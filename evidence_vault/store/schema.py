"""The schema in the database: brought up to date by the migrations, from a wheel or from the source tree."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import evidence_vault
from evidence_vault.errors import ConfigError
from evidence_vault.store.session import Database


def upgrade(database: Database) -> None:
    """Run the migrations that the database lacks, in one transaction. Durable after return."""
    config = _config()
    with database.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def migrate(database: Database) -> tuple[str, str]:
    """Run the migrations that the database of a vault lacks; return the revisions before and after.

    Durable after return; a crash before means that nothing changed. Raises ConfigError where there is no vault,
    or one that only a newer version knows.
    """
    before = current(database)
    if before is None or before not in _known():
        require_current(database)  # says why not
    upgrade(database)
    return str(before), str(current(database))


def require_current(database: Database) -> None:
    """Raise ConfigError, which names the command that helps, unless the schema is the one this version knows."""
    head, found = ScriptDirectory.from_config(_config()).get_current_head(), current(database)
    if found == head:
        return
    if found is None:
        raise ConfigError("database_url", "there is no vault in it yet: run `evidence-vault init`")
    if found in _known():
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
        return MigrationContext.configure(session.connection()).get_current_revision()


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    package = Path(evidence_vault.__file__).parent
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            config = Config()
            config.set_main_option("script_location", str(folder).replace("%", "%%"))
            return config
    raise ConfigError("installation", "its migrations are missing")
