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


def settings_file(home: Path | None) -> Path:
    """Return where the settings of the vault in `home` are, or would be."""
    from evidence_vault.settings import (  # noqa: PLC0415 - takes what only a vault needs; others have none
        FILE_NAME,
        default_home,
    )

    return (home or default_home()).expanduser().absolute() / FILE_NAME
