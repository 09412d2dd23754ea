"""`evidence-vault grant give | list | show | revoke | confirm | sign | access`: who may see what, over the API."""

import argparse

from evidence_vault.access.matrix import BENCH_ACTIONS, GRANTABLE
from evidence_vault.cli.asking import add_ask_arguments, ask, given
from evidence_vault.cli.remote import remote_from

ROLES = ("AT", "NO", "AP", "TI", "AM", "JU", "CL")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True)
    give = commands.add_parser("give", help="let somebody see items, or act in a case")
    give.add_argument("grantee", metavar="ACTOR")
    give.add_argument("items", nargs="*", metavar="ITEM", help="none: about the case as a whole")
    give.add_argument("--role", required=True, choices=ROLES)
    give.add_argument("--may", action="append", required=True, choices=(*GRANTABLE, *BENCH_ACTIONS))
    give.add_argument("--case")
    give.add_argument("--parent", metavar="GRANT", help="the grant that is given on")
    give.add_argument("--purpose", help="kept apart from the events")
    give.add_argument("--not-before", metavar="TIME", help="as in 2026-12-01T00:00:00Z")
    give.add_argument("--expires-at", metavar="TIME")
    give.add_argument("--view-limit", type=int)
    give.add_argument("--onward", action="store_true", help="the grantee may give part of it on")
    give.add_argument("--jurisdiction", help="of a foreign authority, as in us")
    lister = commands.add_parser("list", help="grants one received, or gave")
    lister.add_argument("--given", action="store_true")
    show = commands.add_parser("show", help="one grant as it stands")
    revoke = commands.add_parser("revoke", help="end a grant and all that was derived from it")
    revoke.add_argument("--reason")
    confirm = commands.add_parser("confirm", help="say again that its grantee is meant")
    sign = commands.add_parser("sign", help="sign the undertaking for a trade secret, after reading it")
    for each in (show, revoke, confirm, sign):
        each.add_argument("grant")
    sign.add_argument("item")
    sign.add_argument("--name", required=True, help="yours")
    sign.add_argument("--agreed", action="store_true", help="you have read the text; without, it is shown")
    access = commands.add_parser("access", help="who saw an item, when, and under which order")
    access.add_argument("item")
    for each in (give, lister, show, revoke, confirm, sign, access):
        add_ask_arguments(each)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    match args.action:
        case "give":
            names = ("grantee", "role", "items", "case", "parent", "purpose", "not_before", "expires_at")
            body = given(args, *names, "view_limit", "jurisdiction")
            ask(args, "/v1/grants", {**body, "actions": args.may, "onward": args.onward})
        case "list":
            ask(args, f"/v1/grants?side={'given' if args.given else 'received'}")
        case "show":
            ask(args, f"/v1/grants/{args.grant}")
        case "revoke":
            ask(args, f"/v1/grants/{args.grant}/revocation", given(args, "reason"))
        case "confirm":
            ask(args, f"/v1/grants/{args.grant}/confirmation", {})
        case "sign":
            _sign(args)
        case _:
            ask(args, f"/v1/items/{args.item}/access")
    return 0


def _sign(args: argparse.Namespace) -> None:
    text = remote_from(args).get("/v1/undertaking").json()
    if not args.agreed:
        print(text["text"])
        print("To sign it, run this again with --agreed.")
        return
    body = {**given(args, "item", "name"), "text_sha256": text["sha256"]}
    ask(args, f"/v1/grants/{args.grant}/undertakings", body)
