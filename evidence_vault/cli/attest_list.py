"""`evidence-vault attest list ITEM`: who attested what of an item, and what was withdrawn."""

import argparse
from collections.abc import Iterator
from typing import Any

from evidence_vault.cli.attesting import describe_signature
from evidence_vault.cli.remote import Remote, add_remote_arguments, remote_from
from evidence_vault.cli.shown import shown_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("item", help="the item's id, it_…")
    add_remote_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show them, oldest first."""
    count = 0
    for one in _all(remote_from(args), args.item):
        count += 1
        said = one["statement"]
        print(f"event {one['seq']}, {one['at']}, {one['role']} {one['actor']}")
        print(f"  {describe_signature(one['signature'])}")
        print(f"  result {said['result']}, as of event {said['head']['seq']}")
        for each in said["examined"]:
            print(f"  examined  {shown_line(each['what'])}: {shown_line(each['how'])}")
        for what in said["not_examined"]:
            print(f"  not       {shown_line(what)}")
        if said["remark"]:
            print(f"  remark    {shown_line(said['remark'])}")
        if one["withdrawn"]:
            back = one["withdrawn"]
            print(f"  WITHDRAWN by event {back['seq']}, {back['at']}: {shown_line(back['reason'])}")
            print(f"  {describe_signature(back['signature'])}")
    print(f"{count} attestation(s). Under a trust policy of your own, `verify` judges them in a bundle.")
    return 0


def _all(remote: Remote, item: str) -> Iterator[dict[str, Any]]:
    from_seq: int | None = 0
    while from_seq is not None:
        page = remote.get(f"/v1/items/{item}/attestations?from_seq={from_seq}").json()
        yield from page["attestations"]
        from_seq = page["next"]
