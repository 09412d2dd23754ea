"""`evidence-vault receipt show FILE`: what a deposit receipt promises, and with `--trust` who signed it."""

import argparse
from pathlib import Path

from evidence_vault.cli.shown import shown
from evidence_vault.core.names import encode_time
from evidence_vault.core.receipt import MAX_RECEIPT_BYTES, parse_receipt, verify_receipt
from evidence_vault.errors import FormatError
from evidence_vault.verify.trust import parse_policy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="show")
    show = commands.add_parser("show", help="read a receipt")
    show.add_argument("file", type=Path, help="the receipt, as `deposit` kept it")
    show.add_argument("--trust", type=Path, metavar="FILE", help="check its signature under this trust.toml")


def run(args: argparse.Namespace) -> int:
    """Print the receipt."""
    with args.file.open("rb") as file:
        raw = file.read(MAX_RECEIPT_BYTES + 1)
    receipt = parse_receipt(raw)
    event = receipt.event
    digests = event.fields["digests"]
    assert isinstance(digests, dict)
    print(f"item      {event.subject.id}")
    print(f"log       {shown(event.origin)} ({event.env})")
    for name, digest in sorted(digests.items()):
        print(f"{name:<9} {digest}")
    print(f"size      {'not stated' if event.fields['size'] is None else event.fields['size']}")
    print(f"received  {encode_time(event.at)}, says the vault")
    print(f"promise   in the log by {encode_time(receipt.log_by)}")
    if args.trust is None:
        print("signature not checked: give --trust FILE to check it")
        return 0
    policy = parse_policy(args.trust.read_bytes(), name=args.trust.name)
    logs = [log for log in policy.logs if log.origin == event.origin]
    keys = list({key for log in logs for key in (log.receipt_key, *log.former_receipt_keys) if key})
    if not keys:
        raise FormatError(str(args.trust), f"a receipt_vkey for {event.origin}")
    verify_receipt(receipt, trusted=keys)
    print(f"signature good, by {shown(receipt.note.signatures[0].name)}")
    return 0
