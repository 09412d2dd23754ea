"""`evidence-vault attest prepare ITEM -o statement.txt`: the statement for signing elsewhere, and how.

For keys on cards and in services that this program doesn't speak to: any tool that makes a detached CMS signature
with CAdES-B attributes will do.
"""

import argparse
import shlex
from pathlib import Path

from evidence_vault.cli.attesting import add_statement_arguments, compose, encode_and_show
from evidence_vault.cli.remote import add_remote_arguments, remote_from
from evidence_vault.durable import create_flushed
from evidence_vault.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("item", help="the item's id, it_…")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", required=True, help="where the text goes")
    add_statement_arguments(parser)
    add_remote_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the statement, byte for byte as it is to be signed."""
    if args.out.exists():
        raise ConfigError("--out", f"{args.out} is there already")
    text = encode_and_show(compose(remote_from(args), args))
    create_flushed(args.out, text)
    out = shlex.quote(str(args.out))
    print(f"\nIt is in {args.out}. Don't change a byte of it. To sign it with openssl:")
    print("  openssl cms -sign -cades -binary -outform DER -signer CERT.pem -inkey KEY.pem \\")
    print(f"    -in {out} -out {out}.p7s")
    print(f"Then: evidence-vault attest {args.item} --statement {out} --p7s {out}.p7s")
    return 0
