"""`evidence-vault receipt show | check FILE`: what a deposit receipt promises, and whether it was kept.

check: 0 kept · 2 broken: a signed proof of misbehaviour · 3 not yet, or it can't be told · 69 no answer
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from evidence_vault.cli.logs import source_of
from evidence_vault.cli.shown import shown
from evidence_vault.core.names import encode_time
from evidence_vault.core.note_keys import VerifierKey
from evidence_vault.core.receipt import MAX_RECEIPT_BYTES, Receipt, parse_receipt, verify_receipt
from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.mirror.promise import Promise, check_promise
from evidence_vault.verify.trust import parse_policy

BROKEN, UNDECIDED = 2, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="show|check")
    show = commands.add_parser("show", help="read a receipt")
    check = commands.add_parser("check", help="see whether the log holds what the receipt promises")
    check.add_argument("--log", required=True, metavar="URL|DIR", help="the log's prefix, or a mirror of it")
    check.add_argument("file", type=Path, help="the receipt")
    check.add_argument("--trust", type=Path, required=True, metavar="FILE", help="whose keys: a trust.toml")
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
    keys = [log.receipt_key for log in logs if log.receipt_key]
    if not keys:
        raise FormatError(str(args.trust), f"a receipt_vkey for {event.origin}")
    verify_receipt(receipt, trusted=list(dict.fromkeys(keys)))
    print(f"signature good, by {shown(receipt.note.signatures[0].name)}")
    return _check(receipt, args.log, [log.key for log in logs]) if args.action == "check" else 0


def _check(receipt: Receipt, place: str, keys: Sequence[VerifierKey]) -> int:
    """Look for the event in the log, and say what became of the promise."""
    now = datetime.now(UTC)
    judged = (
        f"(promised by {encode_time(receipt.log_by)}; judged by this machine's clock, {encode_time(now)})"
    )
    try:
        answer = check_promise(receipt, source_of(place), list(dict.fromkeys(keys)), now=now)
    except (VerificationError, FormatError) as error:
        print(f"an answer of the log that does not fit itself: {shown(str(error))}")
        return UNDECIDED
    size = f"the log's checkpoint of size {answer.head.size}"
    match answer.promise:
        case Promise.KEPT:
            print(f"KEPT: the event is leaf {answer.leaf_index}, in {size}")
            return 0
        case Promise.WAITING:
            print(f"NOT YET: the event is not in {size}, and the promised time has not come; ask again then")
            print(judged)
            return UNDECIDED
        case Promise.REPLACED:
            print(f"BROKEN: leaf {answer.leaf_index} of {size} holds another event in this one's place")
        case Promise.BROKEN:
            print(f"BROKEN: the promised time has passed and the event is not in {size}")
            print(judged)
    print("To show it: this receipt, which the vault signed, and a mirror of the log (`log follow`) with the")
    print("checkpoint below, time-stamped now: whoever reads its entries finds no such leaf.")
    print(shown(answer.note.decode()), end="")
    return BROKEN
