"""`evidence-vault log adopt`: rebuild the signer's guard from everything that was shown of the log. Offline.

0 adopted, or nothing to do · 70 something that was shown disagrees with the database: nothing was changed ·
77 not confirmed; and the codes of every command
"""

import argparse
import sys

from evidence_vault.cli.home import add_home_argument
from evidence_vault.cli.offline import offline_vault
from evidence_vault.cli.shown import shown
from evidence_vault.pipeline.operation.adopt import Adoption, adopt, plan_adoption

REFUSED = 77


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_home_argument(parser)
    parser.add_argument("--yes", action="store_true", help="don't ask: whoever says so vouches for it")


def run(args: argparse.Namespace) -> int:
    """Adopt, once the operator has said yes."""
    with offline_vault(args.home) as vault:
        adoption = plan_adoption(vault)
        _print_plan(adoption)
        if not adoption.is_needed:
            print("the guard is right: nothing to do")
            return 0
        if not (args.yes or _is_confirmed(adoption)):
            print("not confirmed: nothing was changed")
            return REFUSED
        adopt(vault, adoption)
    print(f"the guard is now {adoption.head.size} leaves, root {adoption.head.root_hash.hex()}")
    return 0


def _print_plan(adoption: Adoption) -> None:
    for one in adoption.seen:
        print(f"{shown(one.what)}: {one.head.size} leaves, root {one.head.root_hash.hex()}")
    before = "missing or damaged" if adoption.before is None else f"{adoption.before.size} leaves"
    print(f"the guard: {before}; to be adopted: {adoption.head.size} leaves")


def _is_confirmed(adoption: Adoption) -> bool:
    print(
        "Adopt this only if nobody outside holds a newer checkpoint of this log: witnesses, mirrors, chains, "
        "bundles in somebody's hands. Going on from less writes a second history."
    )
    if not sys.stdin.isatty():
        return False
    return input(f"Type the number of leaves ({adoption.head.size}) to adopt: ") == str(adoption.head.size)
