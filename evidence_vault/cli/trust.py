"""`evidence-vault trust export | add-tsa | add-notary | list | explain`: make a policy, read it, see what lacks.

export: the vault's own policy, for the operator to hand out. add-tsa: an authority's roots, each confirmed by its
fingerprint; add-notary: likewise the roots of notaries. list: whom a policy trusts. explain: whom a bundle names,
with fingerprints.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from evidence_vault.cli import trust_add, trust_notary
from evidence_vault.cli.home import add_home_argument
from evidence_vault.cli.known_authorities import known_text
from evidence_vault.cli.shown import shown_line
from evidence_vault.cli.trust_list import list_text
from evidence_vault.verify.contents import read_bundle
from evidence_vault.verify.explain import explain_trust
from evidence_vault.verify.reader import open_bundle
from evidence_vault.verify.trust import parse_policy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(
        dest="action", required=True, metavar="export|add-tsa|add-notary|list|explain"
    )
    export = commands.add_parser("export", help="write a trust.toml")
    add_home_argument(export)
    export.add_argument("-o", "--out", type=Path, metavar="FILE", help="where it goes (default: shown)")
    export.add_argument(
        "--tsa-groups", type=int, metavar="N", help="how many groups of authorities must agree"
    )
    export.add_argument("--anchors", type=int, metavar="N", default=1, help="how many networks (default: 1)")
    export.add_argument(
        "--known-blocks",
        action="store_true",
        help="name the blocks of our anchors as this vault has seen them; others should ask their own nodes",
    )

    trust_add.add_arguments(commands.add_parser("add-tsa", help="trust an authority's roots"))

    trust_notary.add_arguments(commands.add_parser("add-notary", help="trust the roots of notaries"))

    listed = commands.add_parser("list", help="say whom a policy trusts with time, and what it asks for")
    listed.add_argument("--trust", type=Path, metavar="FILE", help="the policy (default: the vault's own)")
    add_home_argument(listed)
    listed.add_argument(
        "--known", action="store_true", help="instead, public authorities that nobody here vouches for"
    )

    told = commands.add_parser("explain", help="say what a bundle would need to be trusted")
    told.add_argument("bundle", type=Path, metavar="BUNDLE")
    told.add_argument("--trust", type=Path, metavar="FILE", help="a policy that may name some of it")


def run(args: argparse.Namespace) -> int:
    """Write, extend or show a policy, or say what one would need."""
    match args.action:
        case "explain":
            return _explain(args)
        case "add-tsa":
            return trust_add.run(args)
        case "add-notary":
            return trust_notary.run(args)
        case "list":
            return _list(args)
        case _:
            return _export(args)


def _export(args: argparse.Namespace) -> int:
    from evidence_vault.cli.trust_export import (  # noqa: PLC0415 - who judges needs nothing of a vault
        export_policy,
    )

    text = export_policy(
        args.home, tsa_groups=args.tsa_groups, anchors=args.anchors, known_blocks=args.known_blocks
    )
    if args.out is None:
        print(text, end="")
        return 0
    args.out.write_text(text, "utf-8")
    print(f"The policy is in {args.out}. Compare its keys and roots with another source before you use it.")
    return 0


def _list(args: argparse.Namespace) -> int:
    if args.known:
        print(known_text(), end="")
        return 0
    if args.trust is None:
        from evidence_vault.cli.trust_export import export_policy  # noqa: PLC0415 - as above

        data = export_policy(args.home, tsa_groups=None, anchors=1, known_blocks=False).encode()
    else:
        data = args.trust.read_bytes()
    policy = parse_policy(data, name="the vault's own" if args.trust is None else str(args.trust))
    print(list_text(policy, now=datetime.now(UTC)), end="")
    return 0


def _explain(args: argparse.Namespace) -> int:
    data = b"version = 1\n" if args.trust is None else args.trust.read_bytes()
    policy = parse_policy(data, name="no policy" if args.trust is None else str(args.trust))
    with open_bundle(args.bundle) as files:
        needs = explain_trust(read_bundle(files), policy)
    for need in needs:
        print(f"{'known ' if need.known else 'LACKING'}  {need.kind}: {shown_line(need.name)}")
        print(f"         {shown_line(need.fingerprint)}")
    print("Compare each fingerprint with a source of your own. What a bundle says of itself proves nothing.")
    return 0
