"""`evidence-vault export ITEM | --case CASE -o FILE`: ask for a bundle, wait, fetch it, and compare its digest."""

import argparse
import hashlib
import sys
import time
from pathlib import Path
from typing import Any

from evidence_vault.api.fields import parse_repr_digest
from evidence_vault.cli.meter import Meter
from evidence_vault.cli.remote import Remote, add_remote_arguments, remote_from, wait_until
from evidence_vault.cli.shown import shown
from evidence_vault.errors import ConfigError, Conflict, VerificationError

ASK_EVERY_S = 0.3
SAY_WHY_AFTER_S = 5.0
"""Most bundles are there sooner."""

WAIT_AT_MOST_S = 3600.0
"""A bundle waits for the next checkpoint that has tokens; on a busy production vault that is minutes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("item", nargs="?", help="the item's id, it_…")
    parser.add_argument(
        "--case", metavar="CASE_ID", help="a case, with all of its items that you may export, in one bundle"
    )
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", required=True, help="where the bundle goes")
    add_remote_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Fetch a bundle of the item or the case as it stands."""
    if (args.item is None) == (args.case is None):
        raise ConfigError("export", "an item, or a case with --case")
    remote = remote_from(args)
    of = f"/v1/items/{args.item}" if args.case is None else f"/v1/cases/{args.case}"
    view = fetch_bundle(remote, of, args.out)
    print(f"{shown(str(args.out))}  {view['size']} bytes, bundle {view['id']}")
    if view["case"] is not None:
        left_out = f"; {view['left_out']} of the case are not in it" if view["left_out"] else ""
        print(f"case {view['case']}, {len(view['items'])} item(s){left_out}")
    print("It proves what is in it, not who made it or that it is true. Anyone can check it, offline:")
    print(f"  evidence-vault verify {shown(str(args.out))} --trust trust.toml")
    return 0


def fetch_bundle(remote: Remote, of: str, out: Path) -> dict[str, Any]:
    """Ask for a bundle, wait for it, save it whole or not at all; return what the vault says of it.

    of: the item or the case, as a path of the API.
    """
    export_id = remote.post_once(f"{of}/exports", None).json()["id"]
    view: dict[str, Any] = {}
    said, began = None, time.monotonic()

    def is_ready() -> bool:
        nonlocal said
        view.update(remote.get(f"/v1/exports/{export_id}").json())
        if view["reason"] not in (None, said) and time.monotonic() - began > SAY_WHY_AFTER_S:
            said = view["reason"]
            print(f"bundle {export_id}: {shown(said)}", file=sys.stderr)
        if view["state"] == "FAILED":
            raise Conflict("export", str(view["reason"]))
        return bool(view["state"] == "VERIFIED")

    wait_until(is_ready, every_s=ASK_EVERY_S, at_most_s=WAIT_AT_MOST_S, what="the bundle")
    aside = out.with_name(f".{out.name}.part")
    try:
        with aside.open("wb") as file:
            headers = remote.download(
                f"/v1/exports/{export_id}/bundle", file, progress=Meter("receiving", view["size"])
            )
        expected = parse_repr_digest(headers.get("repr-digest", ""))["sha-256"]
        with aside.open("rb") as written:
            found = hashlib.file_digest(written, "sha256").digest()
        if found != expected:
            raise VerificationError("the bundle that arrived", expected, found)
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
    return view
