"""`evidence-vault status [ITEM]`: how far an item has come, and what comes next; or how the vault is doing.

ready
witness court: up to date, cosigned size 1042, answered 2026-11-22T16:37:00.000Z
witness notary: behind, cosigned size 977, answered 2026-11-21T08:00:12.345Z
authority one: answers, last 2026-11-22T16:36:59.002Z
network hoodi (TEST NETWORK): chain 560048, the sender's money lasts 31.4 days

A pack that can't be read is named before these, as `damaged: …`.
"""

import argparse
from typing import Any

from evidence_vault.cli.remote import Remote, add_remote_arguments, remote_from
from evidence_vault.cli.shown import shown, shown_line
from evidence_vault.core.names import NETWORK_CLASSES
from evidence_vault.exits import UNAVAILABLE

_WORDS = {
    "received": "received and durable",
    "timestamped": "content time-stamped",
    "logged": "in the log",
    "dated": "log time-stamped",
    "anchored": "anchored in a block",
    "final": "block is final",
}
_STANDINGS = {
    "waiting": "nothing sent yet",
    "sent": "sent, in no block yet",
    "promised": "promised by {by} since {since}, in no block yet",
    "included": "in a block, not final yet",
    "final": "final",
    "lost": "LOST, being anchored again",
}
_MARKS = {"done": "✓", "waiting": "…", "off": "–"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "item", nargs="?", help="the item's id, it_…; without it, the vault and its witnesses"
    )
    add_remote_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the item's stages, or how the vault is doing; then 69 if it takes nothing in."""
    if args.item is None:
        return _show_vault(Remote(url=args.url, token="-").readiness())  # noqa: S106 - it asks for none
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
        for one in stage.get("networks", []):
            print(f"      {shown_line(_anchor(one))}")
        for one in stage.get("lost", []):
            where = f"checkpoint {one['checkpoint']} on {shown(one['network'])}"
            print(f"      LOST: {where} is on its chain no more, noted at {one['at']}")
    print(shown(item["next"]))
    if item.get("warning"):
        print(f"WARNING: {shown(item['warning'])}")
    return 0


def _show_vault(vault: dict[str, Any]) -> int:
    print("ready" if vault["ready"] else "takes nothing in")
    for reason in vault["reasons"]:
        print(f"  {shown(reason)}")
    for reason in vault.get("damaged", []):
        print(f"  damaged: {shown(reason)}")
    for one in vault["witnesses"]:
        print(f"  witness {shown(one['name'])}: {shown(_witness(one))}")
    for one in vault["authorities"]:
        print(f"  authority {shown(one['name'])}: {shown(_authority(one))}")
    for one in vault["networks"]:
        print(f"  network {shown_line(_network(one))}")
    for one in vault.get("incidents", []):
        print(f"  incident {shown_line(one)}")
    failing = (vault.get("fixity") or {}).get("failing")
    if failing:
        print(f"  contents not sound: {failing}; see `evidence-vault fixity show`")
    return 0 if vault["ready"] else UNAVAILABLE


def _witness(one: dict[str, Any]) -> str:
    if one["size"] is None:
        return "behind, has cosigned nothing yet" if one["behind"] else "nothing to cosign yet"
    where = "behind, cosigned" if one["behind"] else "up to date, cosigned"
    return f"{where} size {one['size']}, answered {one['answered_at']}"


def _authority(one: dict[str, Any]) -> str:
    facts = [
        "answers" if one["answering"] else "not answering" if one["answered_at"] else "has not answered yet",
        f"last {one['answered_at']}" if one["answered_at"] else None,
        f"asked again at {one['next_at']}" if one["next_at"] else None,
    ]
    return ", ".join(fact for fact in facts if fact)


def _network(one: dict[str, Any]) -> str:
    facts = [
        None if one["in_log"] else "the log does not name it: run `evidence-vault chain add`",
        None if one["lasts_days"] is None else f"the sender's money lasts {one['lasts_days']} days",
        "LOW BALANCE" if one["low_balance"] else None,
    ]
    said = "; ".join(fact for fact in facts if fact) or "in use"
    return f"{one['name']} ({NETWORK_CLASSES[one['chain_class']]}): chain {one['chain_id']}, {said}"


def _anchor(one: dict[str, Any]) -> str:
    facts = [
        _STANDINGS[one["state"]].format(by=", ".join(one["by"]), since=one["since"]),
        None if one["checkpoint"] is None else f"checkpoint {one['checkpoint']}",
    ]
    said = ", ".join(fact for fact in facts if fact)
    return f"{one['network']} ({NETWORK_CLASSES[one['network_class']]}): {said}"


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
