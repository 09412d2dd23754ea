"""`evidence-vault attest ITEM`: examine, read the statement, sign it here, hand it in.

The vault reads its stored bytes again in your view; the text to be signed is shown whole, with what you examined
and what you didn't; your key signs it on this machine. What was signed elsewhere (`attest prepare`) is handed in
with --statement and --p7s.
"""

import argparse
from typing import Any

from evidence_vault.cli.attesting import (
    add_key_arguments,
    add_signed_arguments,
    add_statement_arguments,
    compose,
    describe_signature,
    send,
    text_and_signature,
)
from evidence_vault.cli.remote import add_remote_arguments, remote_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("item", help="the item's id, it_…")
    add_statement_arguments(parser)
    add_key_arguments(parser)
    add_signed_arguments(parser)
    add_remote_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Attest the item."""
    remote = remote_from(args)
    text, signature = text_and_signature(args, lambda: compose(remote, args))
    _tell(args.item, send(remote, f"/v1/items/{args.item}/attestations", text, signature))
    return 0


def _tell(item: str, view: dict[str, Any]) -> None:
    print(f"\nRecorded as event {view['seq']} of {item}, {describe_signature(view['signature'])}.")
    print(f"To take it back: evidence-vault attest withdraw {item} {view['seq']} --reason …")
