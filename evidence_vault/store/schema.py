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
    """Raise ConfigError unless the schema is exactly the one that this version knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with database.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != head:
        raise ConfigError("database_url", f"its schema is at {found}, this version needs {head}: run `init`")


def _config() -> Config:
    package = Path(evidence_vault.__file__).parent
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            config = Config()
            config.set_main_option("script_location", str(folder).replace("%", "%%"))
            return config
    raise ConfigError("installation", "its migrations are missing")
