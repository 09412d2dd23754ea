"""What of `evidence-vault user` the operator does at the vault's machine, without an administrator."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence_vault.cli.shown import shown
from evidence_vault.pipeline.people.people import first_administrator, operator_disables
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.settings import load_settings
from evidence_vault.store.schema import require_current


def run(args: argparse.Namespace) -> int:
    """Make a first administrator, or disable a person."""
    with _vault(args.home) as vault:
        if args.action == "first-admin":
            person_id, code = first_administrator(vault, name=args.name, login=args.login)
            print(f"{shown(args.name)} is {person_id}, administrator by your word alone; the log says so.")
            print(f"Code to choose a password with, told once: {code}")
            print(f"  evidence-vault login {shown(args.login)} --code --save FILE")
        else:
            operator_disables(vault, person_id=args.person, reason=args.reason)
            print("He can act no more, by your word alone; the log says so.")
    return 0


@contextmanager
def _vault(home: Path | None) -> Iterator[Vault]:
    vault = build_vault(load_settings(home))
    try:
        require_current(vault.database)
        yield vault
    finally:
        vault.database.dispose()
