"""`evidence-vault case open | show | list | party | add | consent | access`: cases of a vault, over its API."""

import argparse

from evidence_vault.cli.asking import add_ask_arguments, ask, given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True)
    one = commands.add_parser("open", help="open a case")
    one.add_argument(
        "--forum", required=True, choices=("court", "arbitration", "mediation", "administrative", "internal")
    )
    one.add_argument("--jurisdiction", required=True, help="as in cn, or us-vt")
    one.add_argument("--confidentiality", choices=("open", "parties", "bench"), default="parties")
    one.add_argument("--mediation-only", action="store_true", help="kept from every other forum")
    one.add_argument("--number", help="kept apart from the events, as all words are")
    one.add_argument("--title")
    party = commands.add_parser("party", help="name a party, or give one its account")
    party.add_argument("case")
    party.add_argument("--side", required=True, help="claimant, respondent, third-party …")
    party.add_argument("--name")
    party.add_argument("--person", metavar="ACTOR")
    party.add_argument("--party", type=int, metavar="NUMBER", help="of the party that gets its account")
    add = commands.add_parser("add", help="put one's own item into a case")
    add.add_argument("case")
    add.add_argument("item")
    add.add_argument("--source")
    add.add_argument("--proves")
    add.add_argument("--copies", type=int)
    consent = commands.add_parser("consent", help="let items of a mediation be used in another case")
    consent.add_argument("case")
    consent.add_argument("--for-case", required=True)
    consent.add_argument("items", nargs="+", metavar="ITEM")
    show = commands.add_parser("show", help="parties, items and orders of a case")
    access = commands.add_parser("access", help="who saw what in a case, for its bench")
    for each in (show, access):
        each.add_argument("case")
    lister = commands.add_parser("list", help="the cases one has to do with")
    for each in (one, party, add, consent, show, access, lister):
        add_ask_arguments(each)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    match args.action:
        case "open":
            body = given(args, "forum", "jurisdiction", "confidentiality", "number", "title")
            ask(args, "/v1/cases", {**body, "mediation_only": args.mediation_only})
        case "party":
            ask(args, f"/v1/cases/{args.case}/parties", given(args, "side", "name", "person", "party"))
        case "add":
            ask(args, f"/v1/cases/{args.case}/items", given(args, "item", "source", "proves", "copies"))
        case "consent":
            ask(args, f"/v1/cases/{args.case}/consents", given(args, "for_case", "items"))
        case "show":
            ask(args, f"/v1/cases/{args.case}")
        case "access":
            ask(args, f"/v1/cases/{args.case}/access")
        case _:
            ask(args, "/v1/cases")
    return 0
