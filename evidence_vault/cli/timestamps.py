"""`evidence-vault timestamps retry [ITEM]`: ask authorities again that refused for good.

A refusal ends a job, because the same request would be refused again. Once what was wrong is mended (a policy in
the settings, a contract with the authority), this asks with a new request: for one item, or for everything that was
refused; of one authority, or of all. What the items' history says of the refusal stays.

The vault may be running; it goes to work within seconds.
"""

import argparse
from datetime import UTC, datetime

from evidence_vault.cli.home import add_home_argument
from evidence_vault.cli.shown import shown
from evidence_vault.errors import ConfigError
from evidence_vault.settings import load_settings
from evidence_vault.store.queries import job_batches
from evidence_vault.store.schema import require_current
from evidence_vault.store.session import Database

KIND = "timestamp"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="retry")
    retry = commands.add_parser("retry", help="ask authorities again that refused for good")
    retry.add_argument("item", nargs="?", help="the item's id, it_…; without it, all that was refused")
    retry.add_argument("--authority", metavar="NAME", help="only this one (default: all of the settings)")
    add_home_argument(retry)


def run(args: argparse.Namespace) -> int:
    """Let the jobs be done again, and say how many. Raises ConfigError for an authority that isn't there."""
    settings = load_settings(args.home)
    names = [authority.name for authority in settings.authorities]
    if args.authority is not None:
        if args.authority not in names:
            raise ConfigError("--authority", f"none of the settings: {', '.join(names)}")
        names = [args.authority]
    database = Database(settings.database_dsn())
    try:
        require_current(database)
        with database.write() as session:
            again = job_batches.retry_failed(session, KIND, names, subject_id=args.item, at=datetime.now(UTC))
    finally:
        database.dispose()
    for name in sorted(again):
        print(f"{shown(name)} is asked again for {again[name]}")
    if not again:
        print("nothing was refused" + (f" for {shown(args.item)}" if args.item else ""))
    return 0
