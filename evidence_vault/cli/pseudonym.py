"""`evidence-vault pseudonym NAME --save FILE`: a name to deposit under, behind which only an order finds you.

    evidence-vault pseudonym "Source 7" --save source7 --token-file session
    evidence-vault deposit … --token-file source7

The file is the only way to what is deposited under the name: nobody can make a second one.
"""

import argparse
import json
from pathlib import Path

from evidence_vault.cli.remote import add_remote_arguments, remote_from
from evidence_vault.cli.shown import shown
from evidence_vault.durable import save_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("name", help="to be known by")
    parser.add_argument("--days", type=int, default=365, help="how long its token is good (default: 365)")
    parser.add_argument(
        "--save",
        type=Path,
        metavar="FILE",
        required=True,
        help="write its token to a file only you can read",
    )
    add_remote_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Take a pseudonym, in the session that the token file holds."""
    body = json.dumps({"name": args.name, "days": args.days}).encode("utf-8")
    made = remote_from(args).post("/v1/me/pseudonyms", body, headers={"Content-Type": "application/json"})
    found = made.json()
    save_file(args.save, (found["secret"] + "\n").encode("ascii"), mode=0o600)
    print(f"{shown(found['actor_id'])}: its token is in {args.save}. Keep it: there is no other way to it.")
    return 0
