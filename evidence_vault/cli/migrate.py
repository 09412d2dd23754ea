"""`evidence-vault migrate [HOME]`: bring the database's schema to what this version needs; all or nothing."""

import argparse

from evidence_vault.cli.home import add_home_position
from evidence_vault.settings import load_settings
from evidence_vault.store.schema import migrate
from evidence_vault.store.session import Database


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_home_position(parser)


def run(args: argparse.Namespace) -> int:
    """Migrate, and say from where to where."""
    database = Database(load_settings(args.home).database_dsn())
    try:
        before, after = migrate(database)
    finally:
        database.dispose()
    print(f"The schema is at {after}." + ("" if before == after else f" It was at {before}."))
    return 0
