"""`evidence-vault login NAME --save FILE`: begin a session, whose secret other commands take as their token.

    evidence-vault login first --save session --code     with the code that was handed out: chooses a password first
    evidence-vault deposit … --token-file session

Passwords and codes are asked for, or read from standard input, a line each; never taken from the command line.
"""

import argparse
import getpass
import json
import os
import sys
from pathlib import Path

from evidence_vault.cli.remote import DEFAULT_URL, Remote
from evidence_vault.cli.shown import shown
from evidence_vault.durable import save_file

JSON = {"Content-Type": "application/json"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("login", help="your login name")
    parser.add_argument("--role", help="the role to act in (default: the one you were given first)")
    parser.add_argument("--code", action="store_true", help="first choose a password, with a code")
    parser.add_argument(
        "--save",
        type=Path,
        metavar="FILE",
        required=True,
        help="write the session to a file only you can read",
    )
    parser.add_argument(
        "--url",
        default=os.environ.get("EVIDENCE_VAULT_URL", DEFAULT_URL),
        help=f"where the vault is (default: EVIDENCE_VAULT_URL, else {DEFAULT_URL})",
    )


def run(args: argparse.Namespace) -> int:
    """Log in."""
    vault = Remote(url=args.url, token="-")  # noqa: S106 - nobody's
    if args.code:
        code = _asked("Code (both halves, with a dot between): ")
        password = _asked("New password: ")
        _post(vault, "/v1/enrolments", {"code": code, "password": password})
    else:
        password = _asked("Password: ")
    opened = _post(vault, "/v1/sessions", {"login": args.login, "password": password, "role": args.role})
    save_file(args.save, (opened["secret"] + "\n").encode("ascii"), mode=0o600)
    roles = ", ".join(opened["roles"])
    print(
        f"You act as {shown(opened['role'])} (of {shown(roles)}) until {shown(opened['ends_at'])}; "
        f"the session is in {args.save}."
    )
    return 0


def _post(vault: Remote, path: str, body: dict[str, str | None]) -> dict[str, str]:
    answer = vault.post(path, json.dumps(body).encode("utf-8"), headers=JSON)
    return dict(answer.json()) if answer.body else {}


def _asked(prompt: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\n")
