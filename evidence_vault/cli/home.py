"""Where the vault is, for every command that works in its folder."""

import argparse
from pathlib import Path


def add_home_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--home`; without it the settings say where (EVIDENCE_VAULT_HOME)."""
    parser.add_argument("--home", type=Path, help="the vault's folder (default: EVIDENCE_VAULT_HOME)")


def add_home_position(parser: argparse.ArgumentParser) -> None:
    """Declare the folder as the one thing that the command is about."""
    parser.add_argument(
        "home", nargs="?", type=Path, help="the vault's folder (default: EVIDENCE_VAULT_HOME)"
    )
