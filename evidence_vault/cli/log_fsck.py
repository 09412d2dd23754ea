"""`evidence-vault log fsck`: read everything the vault has recorded and published again, and compare it.

0 all of it agrees · 70 something disagrees: the first such thing is named
"""

import argparse
import time

from evidence_vault.cli.home import add_home_argument
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.vault import build_vault
from evidence_vault.settings import load_settings
from evidence_vault.store.schema import require_current


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_home_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Check, and say what was read."""
    began = time.monotonic()
    vault = build_vault(load_settings(args.home))
    try:
        require_current(vault.database)
        checked = fsck(vault)
    finally:
        vault.database.dispose()
    print(f"{checked.events} events of {checked.subjects} subjects; {checked.pending} wait for their leaf")
    print(f"{checked.leaves} leaves, {checked.tree_heads} tree heads, {checked.checkpoints} checkpoints")
    print(f"{checked.files} public files, up to size {checked.published_size}")
    print(f"{checked.packed} deposits in packs begin where they should")
    print(f"all of it agrees; read in {time.monotonic() - began:.1f} s")
    return 0
