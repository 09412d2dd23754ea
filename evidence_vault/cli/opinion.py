"""`evidence-vault opinion seal | list | unseal`: a technical investigator's opinion, sealed to the bench of a case.

The opinion is deposited first, as any file is, with the token of the technical investigator.
"""

import argparse

from evidence_vault.cli.asking import add_ask_arguments, ask, given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True)
    seal = commands.add_parser("seal", help="let the bench of a case see an opinion that you deposited")
    lister = commands.add_parser("list", help="the opinions given in a case, for its bench")
    unseal = commands.add_parser("unseal", help="open an opinion to the parties, as judge or arbitrator")
    unseal.add_argument("--reason", help="kept apart from the events")
    for each in (seal, lister, unseal):
        each.add_argument("case")
    for each in (seal, unseal):
        each.add_argument("item")
    seal.add_argument("--about", action="append", metavar="ITEM", help="an item it is on; repeat for several")
    for each in (seal, lister, unseal):
        add_ask_arguments(each)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    opinions = f"/v1/cases/{args.case}/opinions"
    match args.action:
        case "seal":
            ask(args, opinions, given(args, "item", "about"))
        case "unseal":
            ask(args, f"{opinions}/{args.item}/unsealing", given(args, "reason"))
        case _:
            ask(args, opinions)
    return 0
