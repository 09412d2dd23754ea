"""`evidence-vault objection record | answer | list`: what is held against an item, and what was said to it."""

import argparse

from evidence_vault.cli.asking import add_ask_arguments, ask, given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True)
    record = commands.add_parser("record", help="object to an item, or record for the bench that a party did")
    answer = commands.add_parser("answer", help="answer, withdraw your own, or decide as the bench")
    lister = commands.add_parser("list", help="objections and answers side by side")
    for each in (record, answer, lister):
        each.add_argument("item")
    record.add_argument("--ground", required=True, choices=("authenticity", "legality", "relevance"))
    record.add_argument(
        "--period",
        choices=("before-anchoring", "since-anchoring"),
        help="of which time the authenticity is disputed",
    )
    record.add_argument("--case", help="in which it is raised; the bench always names one")
    record.add_argument("--party", type=int, metavar="NUMBER", help="whose, where the bench records it")
    record.add_argument("text", help="kept apart from the events")
    answer.add_argument("seq", type=int, help="of the event that recorded the objection")
    answer.add_argument("outcome", choices=("answered", "withdrawn", "upheld", "rejected"))
    answer.add_argument("--text", help="kept apart from the events")
    for each in (record, answer, lister):
        add_ask_arguments(each)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    objections = f"/v1/items/{args.item}/objections"
    match args.action:
        case "record":
            ask(args, objections, given(args, "ground", "period", "case", "party", "text"))
        case "answer":
            ask(args, f"{objections}/{args.seq}/answers", given(args, "outcome", "text"))
        case _:
            ask(args, objections)
    return 0
