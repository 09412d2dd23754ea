"""`evidence-vault hold place | release | list | retentions`: what keeps content from being erased, over the API."""

import argparse

from evidence_vault.cli.asking import add_ask_arguments, ask, given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True)
    place = commands.add_parser("place", help="keep the content of an item, or of all items of a case")
    place.add_argument("--case", help="as the bench of this case")
    place.add_argument(
        "--retention", action="store_true", default=None, help="until a date; nobody can release it"
    )
    place.add_argument("--until", metavar="TIME", help="as in 2036-12-01T00:00:00Z")
    place.add_argument("--reference", help="a number of yours")
    release = commands.add_parser("release", help="end a hold of your own, or of your bench")
    lister = commands.add_parser("list", help="what keeps an item's content, and whether that ends soon")
    mine = commands.add_parser("retentions", help="the retentions of your own items, the next to end first")
    place.add_argument("subject", help="it_… or cs_…")
    release.add_argument("subject", help="it_… or cs_…")
    release.add_argument("seq", type=int, help="of the event that placed it")
    lister.add_argument("item")
    for each in (place, release):
        each.add_argument("--reason", help="kept apart from the events")
    for each in (place, release, lister, mine):
        add_ask_arguments(each)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    match args.action:
        case "place":
            body = given(args, "case", "retention", "until", "reason", "reference")
            ask(args, f"{_subject(args.subject)}/holds", body)
        case "release":
            ask(args, f"{_subject(args.subject)}/holds/{args.seq}/release", given(args, "reason"))
        case "list":
            ask(args, f"/v1/items/{args.item}/holds")
        case _:
            ask(args, "/v1/retentions")
    return 0


def _subject(text: str) -> str:
    return f"/v1/{'cases' if text.startswith('cs_') else 'items'}/{text}"
