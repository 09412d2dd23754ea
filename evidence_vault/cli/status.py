"""`evidence-vault status ITEM`: how far an item has come, and what comes next."""

import argparse
from typing import Any

from evidence_vault.cli.remote import add_remote_arguments, remote_from
from evidence_vault.cli.shown import shown

_WORDS = {
    "received": "received and durable",
    "timestamped": "content time-stamped",
    "logged": "in the log",
    "dated": "log time-stamped",
    "anchored": "anchored in a block",
    "final": "block is final",
}
_MARKS = {"done": "✓", "waiting": "…", "off": "–"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("item", help="the item's id, it_…")
    add_remote_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the item's stages."""
    item = remote_from(args).get(f"/v1/items/{args.item}").json()
    name = item["file_name"]
    print(f"{item['id']}  {item['state']}" + (f"  {shown(name)}" if name else ""))
    if item["sha256"]:
        print(f"  sha256 {item['sha256']}" + ("" if item["size"] is None else f", {item['size']} bytes"))
    for stage in item["stages"]:
        print(f"  {_MARKS[stage['state']]} {_WORDS[stage['name']]}{_facts(stage)}")
        for one in stage.get("trouble", []):
            again = f", again at {one['next_at']}" if one["next_at"] else ""
            print(f"      {one['authority']}: {shown(one['reason'])} ({one['failures']} failures{again})")
    print(shown(item["next"]))
    return 0


def _facts(stage: dict[str, Any]) -> str:
    facts = [
        stage["at"],
        f"by {', '.join(stage['by'])}" if stage["by"] else None,
        f"leaf {stage['leaf_index']}" if stage["leaf_index"] is not None else None,
        f"checkpoint {stage['checkpoint']}" if stage["checkpoint"] is not None else None,
        f"waiting for {', '.join(stage['awaited'])}" if stage["awaited"] else None,
        f"expected about {stage['next_at']}" if stage["next_at"] else None,
        "not used by this vault" if stage["state"] == "off" else None,
    ]
    there = [fact for fact in facts if fact]
    return f": {shown('; '.join(there))}" if there else ""
