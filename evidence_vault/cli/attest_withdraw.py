"""`evidence-vault attest withdraw ITEM SEQ --reason TEXT`: take one's own attestation back; both stay visible."""

import argparse
from typing import Any

from evidence_vault.cli.attesting import (
    add_key_arguments,
    add_signed_arguments,
    describe_signature,
    send,
    text_and_signature,
)
from evidence_vault.cli.remote import Remote, add_remote_arguments, remote_from
from evidence_vault.core.attestation import Withdrawal
from evidence_vault.errors import AccessRefused, ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("item", help="the item's id, it_…")
    parser.add_argument("seq", type=int, help="the event that recorded the attestation")
    parser.add_argument("--reason", metavar="TEXT", help="why; it stays beside the attestation")
    add_key_arguments(parser)
    add_signed_arguments(parser)
    add_remote_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Withdraw the attestation."""
    remote = remote_from(args)
    text, signature = text_and_signature(args, lambda: _withdrawal(remote, args))
    path = f"/v1/items/{args.item}/attestations/{args.seq}/withdrawal"
    view = send(remote, path, text, signature)
    print(f"\nRecorded as event {view['seq']} of {args.item}, {describe_signature(view['signature'])}.")
    return 0


def _withdrawal(remote: Remote, args: argparse.Namespace) -> Withdrawal:
    if not args.reason:
        raise ConfigError("--reason", "say why you take it back")
    attested = _find(remote, args.item, args.seq)
    return Withdrawal(
        origin=str(attested["statement"]["origin"]),
        item=args.item,
        attested_seq=args.seq,
        attested_sha256=bytes.fromhex(str(attested["event_sha256"])),
        statement_sha256=bytes.fromhex(str(attested["statement_sha256"])),
        reason=args.reason,
    )


def _find(remote: Remote, item: str, seq: int) -> dict[str, Any]:
    page = remote.get(f"/v1/items/{item}/attestations?from_seq={seq}&limit=1").json()["attestations"]
    if not page or page[0]["seq"] != seq:
        raise AccessRefused("withdraw", f"{item}/{seq}")
    found: dict[str, Any] = page[0]
    return found
