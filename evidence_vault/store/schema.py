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


def require_current(database: Database) -> None:
    """Raise ConfigError, which names the command that helps, unless the schema is the one this version knows."""
    scripts = ScriptDirectory.from_config(_config())
    known, head = {script.revision for script in scripts.walk_revisions()}, scripts.get_current_head()
    found = current(database)
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
        return MigrationContext.configure(session.connection()).get_current_revision()


def _config() -> Config:
    package = Path(evidence_vault.__file__).parent
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            config = Config()
            config.set_main_option("script_location", str(folder).replace("%", "%%"))
            return config
    raise ConfigError("installation", "its migrations are missing")
