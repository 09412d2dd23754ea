"""`evidence-vault trust add-notary`: let roots of notaries be trusted, each confirmed by its fingerprint.

As `add-tsa` does it, for whoever judges (--trust FILE) or for the vault's own settings (--home): nothing becomes
trusted without its fingerprint on the command line. The roots go to the file's one [notary] table; the file is read
again as its reader reads it, and what else it says must be as before, or nothing is written.
"""

import argparse
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anchors.rfc3161.certificate import Certificate, encode_chain, load_certificate
from evidence_vault.cli.home import add_home_argument, settings_file
from evidence_vault.cli.trust_add import confirmed, describe_root, may_issue, read_roots, read_text, save
from evidence_vault.errors import ConfigError
from evidence_vault.verify.pem import certificates_of
from evidence_vault.verify.trust import parse_policy

_ROOTS = re.compile(r"^\[notary\][ \t]*\r?\n(?:(?!\[)[^\n]*\n)*?roots[ \t]*=[ \t]*\[", re.MULTILINE)
_TABLE = re.compile(r"^\[notary\][ \t]*\r?\n", re.MULTILINE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("roots", type=Path, metavar="ROOTS", help="the authority's roots, PEM or DER")
    parser.add_argument("--trust", type=Path, metavar="FILE", help="the policy they go to (made if missing)")
    add_home_argument(parser)
    parser.add_argument(
        "--sha256", action="append", default=[], metavar="HEX", help="fingerprint, from another source"
    )


def run(args: argparse.Namespace) -> int:
    """Show the roots; add them if each is confirmed. Raises ConfigError, FormatError."""
    if args.trust is not None:
        path = args.trust.resolve()
        text = read_text(path) if path.exists() else "version = 1\n"
    else:
        path = settings_file(args.home).resolve()
        text = read_text(path)
    roots = [load_certificate(der) for der in dict.fromkeys(read_roots(args.roots))]
    print("Notaries' roots:")
    for root in roots:
        print("\n".join(describe_root(root)))
    _refuse(roots, _roots_in(text, path))
    if not confirmed(roots, args.sha256):
        return 64
    added = _with(text, roots)
    _check_whole(path, text, added, roots, is_policy=args.trust is not None)
    save(path, added.encode())
    print(f"Added to {path}." + (" Restart the vault." if args.trust is None else ""))
    return 0


def _refuse(roots: Sequence[Certificate], known: Sequence[bytes]) -> None:
    keys = {load_certificate(der).key_octets for der in known}
    for root in roots:
        if not may_issue(root):
            raise ConfigError("ROOTS", f"{root.subject_text} is no CA's certificate: give its issuer's")
        if root.key_octets in keys:
            raise ConfigError("ROOTS", f"{root.subject_text}: its key is trusted already")


def _with(text: str, roots: Sequence[Certificate]) -> str:
    """The text with the roots in its [notary] table, or in one at its end."""
    pems = "".join(f'"""\n{encode_chain((root.der,)).decode()}""",\n' for root in roots)
    if found := _ROOTS.search(text):
        return f"{text[: found.end()]}\n{pems}{text[found.end() :]}"
    if found := _TABLE.search(text):
        return f"{text[: found.end()]}roots = [\n{pems}]\n{text[found.end() :]}"
    return text.rstrip("\n") + f"\n\n[notary]\nroots = [\n{pems}]\n"


def _check_whole(
    path: Path, before: str, after: str, roots: Sequence[Certificate], *, is_policy: bool
) -> None:
    """The file as it will be, read as its reader reads it; only the roots may have become more."""
    if is_policy:
        parse_policy(after.encode(), name=str(path))
    else:
        from evidence_vault.settings import parse_settings  # noqa: PLC0415 - a policy needs nothing of a vault

        parse_settings(_document(after, path))
    old, new = _document(before, path), _document(after, path)
    wanted = {root.der for root in roots} | set(_roots_in(before, path))
    same = {**old, "notary": _rest(old)} == {**new, "notary": _rest(new)}
    if not same or set(_roots_in(after, path)) != wanted:
        raise ConfigError(str(path), "its [notary] table is written in a way that only you can extend")


def _document(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"not a TOML file: {error}") from None


def _rest(document: dict[str, Any]) -> dict[str, Any]:
    table = document.get("notary", {})
    return (
        {name: value for name, value in table.items() if name != "roots"} if isinstance(table, dict) else {}
    )


def _roots_in(text: str, path: Path) -> tuple[bytes, ...]:
    table = _document(text, path).get("notary", {})
    roots = table.get("roots", []) if isinstance(table, dict) else []
    return certificates_of([str(one) for one in roots]) if isinstance(roots, list) else ()
