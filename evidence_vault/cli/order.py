"""`evidence-vault order register | show | return | revoke | access | reveal`: orders of a court, over the API."""

import argparse
from datetime import UTC, datetime

from evidence_vault.cli.asking import add_ask_arguments, ask, given
from evidence_vault.core.names import encode_time
from evidence_vault.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True)
    register = commands.add_parser("register", help="register an order of the court in its case")
    register.add_argument("case")
    register.add_argument("items", nargs="+", metavar="ITEM")
    register.add_argument("--court", required=True)
    register.add_argument(
        "--lawyer", action="append", required=True, metavar="ACTOR:LICENCE", help="repeat for several"
    )
    register.add_argument("--issued-at", metavar="TIME", default=encode_time(datetime.now(UTC)))
    register.add_argument("--expires-at", metavar="TIME")
    register.add_argument("--number")
    register.add_argument("--officer")
    register.add_argument("--purpose")
    register.add_argument("--respondent", metavar="ACTOR")
    register.add_argument("--view-limit", type=int)
    register.add_argument(
        "--reveals", action="store_true", default=None, help="it asks who stands behind pseudonyms"
    )
    back = commands.add_parser("return", help="tell the court what came of it")
    back.add_argument("--asked", type=int, required=True)
    back.add_argument("--produced", nargs="*", default=[], metavar="ITEM")
    back.add_argument("--refused", nargs="*", default=[], metavar="ITEM")
    back.add_argument("--not-found", type=int, default=0)
    back.add_argument("--note")
    show = commands.add_parser("show", help="one order as it stands")
    revoke = commands.add_parser("revoke", help="end it before its time")
    revoke.add_argument("--reason")
    access = commands.add_parser("access", help="who saw what under it, and when")
    reveal = commands.add_parser("reveal", help="learn who deposited an item under a pseudonym, as its court")
    for each in (show, back, revoke, access, reveal):
        each.add_argument("order")
    reveal.add_argument("item")
    for each in (register, show, back, revoke, access, reveal):
        add_ask_arguments(each)


def run(args: argparse.Namespace) -> int:
    """Do what was asked. Raises ConfigError for a lawyer without a licence."""
    match args.action:
        case "register":
            names = (
                "case",
                "items",
                "court",
                "issued_at",
                "expires_at",
                "number",
                "officer",
                "purpose",
                "reveals",
            )
            body = given(args, *names, "respondent", "view_limit")
            ask(
                args,
                "/v1/orders",
                {**body, "lawyers": [_lawyer(text) for text in args.lawyer]},
            )
        case "return":
            body = given(args, "asked", "produced", "refused", "not_found", "note")
            ask(args, f"/v1/orders/{args.order}/return", body)
        case "reveal":
            ask(args, f"/v1/orders/{args.order}/revelations", given(args, "item"))
        case "show":
            ask(args, f"/v1/orders/{args.order}")
        case "revoke":
            ask(args, f"/v1/orders/{args.order}/revocation", given(args, "reason"))
        case _:
            ask(args, f"/v1/orders/{args.order}/access")
    return 0


def _lawyer(text: str) -> dict[str, str]:
    person, _, licence = text.partition(":")
    if not licence:
        raise ConfigError("--lawyer", "an actor id, a colon, and the licence number of the order")
    return {"person": person, "licence": licence}
