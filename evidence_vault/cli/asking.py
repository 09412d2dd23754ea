"""Commands that ask one thing of the API and show its answer, as JSON that other programs can read too."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from evidence_vault.cli.remote import add_remote_arguments, remote_from
from evidence_vault.cli.shown import shown
from evidence_vault.core.names import ACTOR_ID
from evidence_vault.errors import FormatError


def add_ask_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how the vault is found, and for whom a lawyer acts."""
    add_remote_arguments(parser)
    parser.add_argument("--on-behalf-of", metavar="ACTOR", help="the holder for whom you act, as his lawyer")
    parser.add_argument(
        "--once", metavar="KEY", help="the same command with the same key again is not done again"
    )


def ask(args: argparse.Namespace, path: str, body: Mapping[str, Any] | None = None) -> None:
    """GET the path, or POST the body to it, and print what comes back. Raises what `Remote` does."""
    remote = remote_from(args)
    headers = {}
    if args.on_behalf_of is not None:
        ACTOR_ID.check(args.on_behalf_of, "--on-behalf-of")
        headers["On-Behalf-Of"] = args.on_behalf_of
    if body is None:
        if args.once is not None:
            raise FormatError("--once", "a command that changes something", args.once)
        answer = remote.get(path, headers=headers)
    else:
        answer = remote.post_once(path, dict(body), headers=headers, key=args.once)
    if answer.body:
        print(shown(json.dumps(answer.json(), indent=2, ensure_ascii=False)))
    else:
        print("Done.")


def given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return those of the arguments that were given, by name."""
    return {name: value for name in names if (value := getattr(args, name)) is not None}
