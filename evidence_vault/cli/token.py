"""`evidence-vault token create | list | revoke`: for the operator, on the vault's own machine."""

import argparse
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.cli.home import add_home_argument
from evidence_vault.cli.shown import shown
from evidence_vault.identity.actors import list_tokens, revoke_token
from evidence_vault.pipeline.people.people import make_program
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.settings import load_settings
from evidence_vault.store.schema import require_current
from evidence_vault.store.session import Database

DEFAULT_DAYS = 365


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="create|list|revoke")
    create = commands.add_parser("create", help="make a program and a token, which is shown once")
    create.add_argument("--name", required=True, help="who it is for: kept in the vault, never in an event")
    create.add_argument(
        "--role",
        default="RH",
        help="RH rights holder (default); any other stands in the log as the operator's word",
    )
    create.add_argument(
        "--scope",
        action="append",
        choices=ALL_SCOPES,
        help="what it is good for; repeat for several (default: all)",
    )
    create.add_argument(
        "--days", type=int, default=DEFAULT_DAYS, help=f"how long it is good (default: {DEFAULT_DAYS})"
    )
    create.add_argument("--save", type=Path, metavar="FILE", help="write it to a file only you can read")
    lister = commands.add_parser("list", help="show all tokens, without their secrets")
    revoke = commands.add_parser("revoke", help="end a token")
    revoke.add_argument("id", help="its id from `token list`, or the first 8 digits of it")
    for one in (create, lister, revoke):
        add_home_argument(one)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    vault = build_vault(load_settings(args.home))
    try:
        require_current(vault.database)
        if args.action == "create":
            _create(vault, args)
        else:
            {"list": _list, "revoke": _revoke}[args.action](vault.database, args)
    finally:
        vault.database.dispose()
    return 0


def _create(vault: Vault, args: argparse.Namespace) -> None:
    token, facts = make_program(
        vault,
        name=args.name,
        role=args.role,
        scopes=args.scope or ALL_SCOPES,
        life=timedelta(days=args.days),
    )
    if args.save is not None:
        descriptor = os.open(args.save, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
        print(f"Token {facts.id} for {args.name} is in {args.save}; it can't be shown again.")
    else:
        print(token)


def _list(database: Database, args: argparse.Namespace) -> None:
    del args
    now = datetime.now(UTC)
    for facts in list_tokens(database):
        if facts.revoked_at is not None:
            state = f"revoked {facts.revoked_at:%Y-%m-%d}"
        elif facts.expires_at is not None and facts.expires_at <= now:
            state = f"expired {facts.expires_at:%Y-%m-%d}"
        else:
            state = f"good until {facts.expires_at:%Y-%m-%d}" if facts.expires_at else "good, no end"
        print(f"{facts.id}  {facts.role}  {','.join(facts.scopes)}  {state}  {shown(facts.label)}")


def _revoke(database: Database, args: argparse.Namespace) -> None:
    facts = revoke_token(database, args.id, now=datetime.now(UTC))
    print(f"Token {facts.id} for {shown(facts.label)} is revoked.")
