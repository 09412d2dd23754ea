"""`evidence-vault key rotate log|receipt`: a new key takes over from an old one, and the log itself says so."""

import argparse

from evidence_vault.cli.home import add_home_argument
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.pipeline.log.rotation import rotate_key
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import build_vault
from evidence_vault.settings import load_settings
from evidence_vault.store.schema import require_current

_NEXT = {
    "log": "The next checkpoint is signed by both keys, and every later one by the new key alone; "
    "the vault need not be restarted.",
    "receipt": "Restart the vault: until then receipts are signed by the old key, which stays good for them.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="rotate")
    rotate = commands.add_parser("rotate", help="let a new key take over, for ever")
    rotate.add_argument("purpose", choices=("log", "receipt"), help="what the key signs")
    add_home_argument(rotate)


def run(args: argparse.Namespace) -> int:
    """Rotate, or go on where a rotation was left."""
    vault = build_vault(load_settings(args.home))
    try:
        require_current(vault.database)
        check_start(vault)
        done = rotate_key(vault, args.purpose)
    finally:
        vault.database.dispose()
    print("This rotation was begun before, and goes on." if done.begun_before else "KEY_ROTATED is recorded.")
    print(f"old {encode_vkey(done.old)}")
    print(f"new {encode_vkey(done.new)}")
    print(_NEXT[args.purpose])
    print("Then hand out `evidence-vault trust export` again: policies and witnesses must name the new key.")
    return 0
