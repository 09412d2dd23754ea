"""`evidence-vault user …`: persons and their roles. The first two administrators by the operator, all else by them.

    first-admin    at the vault's machine: makes an administrator, while there are fewer than two
    add, list      a person; all persons
    propose        a role, a reset, a login at a provider: waits for a second administrator
    proposals, confirm, refuse
    end-role, disable

All but the first are done over HTTP, as the administrator whose session or token is given.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from evidence_vault.cli.home import add_home_argument
from evidence_vault.cli.remote import Remote, add_remote_arguments, remote_from
from evidence_vault.cli.shown import shown

JSON = {"Content-Type": "application/json"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    first = commands.add_parser(
        "first-admin", help="make one of the first two administrators, at the machine"
    )
    first.add_argument("name", help="his name: kept in the vault, in events only as a digest")
    first.add_argument("--login", required=True, help="what he logs in as")
    add_home_argument(first)

    add = commands.add_parser("add", help="add a person")
    add.add_argument("name")
    add.add_argument("--login", help="what he logs in as; none for a login at a provider")
    add.add_argument("--organisation", metavar="ID", help="whom he belongs to")
    add.add_argument("--rights-holder", action="store_true", help="give him this role and a code")
    lister = commands.add_parser("list", help="show all persons")
    propose = commands.add_parser("propose", help="propose what takes a second administrator")
    propose.add_argument("person", help="his id")
    what = propose.add_mutually_exclusive_group(required=True)
    what.add_argument("--role", help="AT NO AP TI AM JU CL AU AD")
    what.add_argument("--reset", action="store_true", help="a new password, by a code in two halves")
    what.add_argument("--link", nargs=2, metavar=("ISSUER", "SUBJECT"), help="a login at a provider")
    propose.add_argument("--licence", help="number, of an attorney, notary or appraiser")
    propose.add_argument("--jurisdiction", help="of the licence, like cn-31")
    proposals = commands.add_parser("proposals", help="show what waits for a second administrator")
    confirm = commands.add_parser("confirm", help="confirm what another administrator proposed")
    refuse = commands.add_parser("refuse", help="refuse it, or withdraw your own")
    for one in (confirm, refuse):
        one.add_argument("proposal", help="its id")
    end = commands.add_parser("end-role", help="take a role from a person")
    disable = commands.add_parser("disable", help="let a person act no more")
    for one in (end, disable):
        one.add_argument("person", help="his id")
    end.add_argument("role")
    for one in (propose, end, disable):
        one.add_argument("--reason", required=True, help="one line; in the event as a disclosure")
    disable.add_argument("--home", type=Path, help="at the vault's machine, as its operator")
    for one in (add, lister, propose, proposals, confirm, refuse, end, disable):
        add_remote_arguments(one)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    if args.action == "first-admin" or getattr(args, "home", None) is not None:
        from evidence_vault.cli import user_here  # noqa: PLC0415 - loads the vault, a second

        return user_here.run(args)
    vault = remote_from(args)
    match args.action:
        case "add":
            _add(vault, args)
        case "list":
            _list(vault)
        case "propose":
            _propose(vault, args)
        case "proposals":
            for one in vault.get("/v1/proposals").json()["proposals"]:
                what = " ".join(str(one[name]) for name in ("role", "issuer", "subject") if one[name])
                print(shown(f"{one['id']}  {one['kind']} {what}  {one['person_id']} {one['person_name']}"))
        case "confirm":
            _tell_half(_post(vault, f"/v1/proposals/{args.proposal}/confirm"), "Done.")
        case "refuse":
            _post(vault, f"/v1/proposals/{args.proposal}/refuse")
            print("It stays undone.")
        case "end-role":
            _post(vault, f"/v1/people/{args.person}/roles/{args.role}/end", {"reason": args.reason})
            print("What spoke for him in this role has ended.")
        case _:  # disable, as an administrator
            _post(vault, f"/v1/people/{args.person}/disable", {"reason": args.reason})
            print("He can act no more; his sessions and tokens have ended.")
    return 0


def _add(vault: Remote, args: argparse.Namespace) -> None:
    wish = {"name": args.name, "login": args.login, "organisation_id": args.organisation}
    person = _post(vault, "/v1/people", wish)
    print(f"{shown(args.name)} is {person['id']}.")
    if args.rights_holder:
        _post(vault, f"/v1/people/{person['id']}/roles", {"role": "RH"})
        if args.login is not None:
            code = _post(vault, f"/v1/people/{person['id']}/code")["code"]
            print(f"Code to choose a password with, told once: {code}")


def _list(vault: Remote) -> None:
    after = ""
    while True:
        page = vault.get(f"/v1/people?limit=100{after}").json()
        for one in page["persons"]:
            roles = ",".join(role["role"] for role in one["roles"] if role["ended_at"] is None) or "no role"
            state = "disabled" if one["disabled_at"] else roles
            print(shown(f"{one['id']}  {state}  {one['name']}"))
        if page["next"] is None:
            return
        after = f"&after={page['next']}"


def _propose(vault: Remote, args: argparse.Namespace) -> None:
    wish: dict[str, Any] = {"person_id": args.person, "reason": args.reason, "kind": "reset"}
    if args.role is not None:
        wish |= {"kind": "role", "role": args.role}
        wish |= {"licence_number": args.licence, "jurisdiction": args.jurisdiction}
    elif args.link is not None:
        wish |= {"kind": "link", "issuer": args.link[0], "subject": args.link[1]}
    done = _post(vault, "/v1/proposals", wish)
    _tell_half(done, f"Proposed as {done['id']}; another administrator confirms it.")


def _tell_half(done: Any, text: str) -> None:
    print(text)
    if done["half"] is not None:
        print(f"Your half of the code, told once, for the person alone: {done['half']}")


def _post(vault: Remote, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = vault.post(path, b"" if body is None else json.dumps(body).encode("utf-8"), headers=JSON)
    return answer.json() if answer.body else None
