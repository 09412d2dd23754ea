"""What the `attest` commands share: a statement of the vault's facts and a person's words, shown first.

    vault ──► origin, head, digests ─┐
    person ─► examined, not, result ─┴─► statement.txt ──► shown, escaped ──► signed here ──► vault

The private key is read on this machine and goes nowhere; passphrases come from a prompt or a file, never from the
command line, where other users of the machine could read them.
"""

import argparse
import base64
import getpass
import hashlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anchors.rfc3161.certificate import encode_chain, parse_chain
from anchors.values import value
from evidence_vault.cli.remote import Remote
from evidence_vault.cli.shown import shown, shown_line
from evidence_vault.core.attestation import (
    Attestation,
    Withdrawal,
    encode_statement,
    parse_statement,
)
from evidence_vault.errors import ConfigError, Conflict, FormatError, VerificationError
from evidence_vault.signer.documents import sign_detached
from evidence_vault.signer.key_files import (
    FileSigner,
    PassphraseNeeded,
    load_pem_signer,
    load_pkcs12_signer,
)
from evidence_vault.signer.pem import parse_signature

MAX_BYTES = 256 * 1024
"""Of a statement, signature or chain in a file."""

PREFIX = "  │ "


@value
class Signature:
    """What goes with a statement: DER, and certificates, PEM; both empty where it is unsigned."""

    der: bytes | None
    chain: bytes = b""


def add_statement_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what a person says about an item."""
    parser.add_argument(
        "--examined",
        action="append",
        default=[],
        metavar="WHAT=HOW",
        help="what you examined, and how; repeat it",
    )
    parser.add_argument(
        "--not-examined", action="append", default=[], metavar="WHAT", help="what you did not; repeat it"
    )
    parser.add_argument(
        "--result", choices=("matches", "differs", "inconclusive"), default="matches", help="default: matches"
    )
    parser.add_argument("--remark", default="", metavar="TEXT")
    parser.add_argument("--case", metavar="CASE", help="the case it is for, cs_…")
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="the file as you have it: its SHA-256 must be the item's"
    )
    parser.add_argument(
        "--no-rehash", action="store_true", help="don't let the vault read its stored bytes again"
    )


def add_key_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare with what a person signs."""
    parser.add_argument("--key", type=Path, metavar="FILE", help="your private key, PEM; it stays here")
    parser.add_argument(
        "--certificates", type=Path, metavar="FILE", help="your certificate and those above it, PEM"
    )
    parser.add_argument("--pkcs12", type=Path, metavar="FILE", help="key and certificates in one file")
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="its first line opens the key (default: asked for)",
    )
    parser.add_argument("--pss", action="store_true", help="an RSA key signs with RSASSA-PSS")
    parser.add_argument(
        "--unsigned", action="store_true", help="without a certificate; it will say so for ever"
    )
    parser.add_argument("--yes", action="store_true", help="you have read the text already: don't ask")


def add_signed_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what was signed elsewhere."""
    parser.add_argument("--statement", type=Path, metavar="FILE", help="what was signed elsewhere")
    parser.add_argument(
        "--p7s", type=Path, metavar="FILE", help="its detached CMS signature, DER or PEM (with --statement)"
    )
    parser.add_argument(
        "--chain", type=Path, metavar="FILE", help="certificates that the signature doesn't hold, PEM"
    )


def compose(remote: Remote, args: argparse.Namespace) -> Attestation:
    """Compare what the person has, let the vault read its bytes again, and state the item as it then stands.

    A file that is another is told before the vault reads anything, and no event says that it did.
    """
    examined = [_pair(text) for text in args.examined]
    facts = _draft(remote, args.item)
    digests = _digests(facts)
    own = [] if args.file is None else [_compare(args.file, digests, result=args.result)]
    if not args.no_rehash:
        examined += _rehash(remote, args.item, result=args.result)
        facts = _draft(remote, args.item)
        if _digests(facts) != digests:  # else his file was compared with another item's
            raise VerificationError("the vault's answer", digests, _digests(facts))
    examined += own
    if not examined:
        raise ConfigError("--examined", "say what you examined, and how: WHAT=HOW")
    return Attestation(
        origin=str(facts["origin"]),
        item=args.item,
        case=args.case,
        head_seq=int(facts["head"]["seq"]),
        head_sha256=bytes.fromhex(str(facts["head"]["event_sha256"])),
        digests=digests,
        examined=tuple(examined),
        not_examined=tuple(args.not_examined),
        result=args.result,
        remark=args.remark,
    )


def _draft(remote: Remote, item_id: str) -> dict[str, Any]:
    facts: dict[str, Any] = remote.get(f"/v1/items/{item_id}/attestation-draft").json()
    if facts["item"] != item_id:
        raise VerificationError("the vault's answer", item_id, facts["item"])
    return facts


def _digests(facts: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(digest) for name, digest in facts["digests"].items()}


def show_statement(text: bytes) -> None:
    """Print what a statement says, and the very text that is signed; nothing in it is hidden or acts."""
    match parse_statement(text):
        case Attestation() as said:
            print(f"about     {said.item} of {said.origin}, as of event {said.head_seq}")
            print(f"case      {said.case or 'none'}")
            for name, digest in sorted(said.digests.items()):
                print(f"{name:<9} {digest}")
            for what, how in said.examined:
                print(f"examined  {shown_line(what)}: {shown_line(how)}")
            for what in said.not_examined:
                print(f"not       {shown_line(what)}")
            print(f"result    {said.result}")
            print(f"remark    {shown_line(said.remark) or 'none'}")
        case Withdrawal() as said:
            print(f"withdraws event {said.attested_seq} of {said.item} of {said.origin}")
            print(f"reason    {shown_line(said.reason)}")
    print(f"\nThe text, SHA-256 {hashlib.sha256(text).hexdigest()}:")
    for line in shown(text.decode("utf-8")).split("\n"):
        print(PREFIX + line)


def sign_or_not(text: bytes, args: argparse.Namespace) -> Signature:
    """Ask the person, and sign here. Raises Conflict for a no."""
    signer = None if args.unsigned else load_signer(args)
    if signer is None:
        print("\nUnsigned: on the vault's word alone that you were signed in.")
    else:
        print(f"\nSigned by {shown_line(signer.certificate.subject_text)},")
        print(f"       of {shown_line(signer.certificate.issuer_text)}")
    if not args.yes and input("Is this what you state? Type yes: ").strip().lower() != "yes":
        raise Conflict("attest", "not confirmed; nothing was signed or sent")
    if signer is None:
        return Signature(der=None)
    at = datetime.now(UTC)
    return Signature(der=sign_detached(text, signer, at=at), chain=encode_chain(signer.chain))


def load_signer(args: argparse.Namespace) -> FileSigner:
    """Return the signer that the arguments name, asking for a passphrase where one is needed."""
    if (args.pkcs12 is None) == (args.key is None) or (args.key is None) != (args.certificates is None):
        raise ConfigError("attest", "sign with --key and --certificates, or --pkcs12; or say --unsigned")
    passphrase = None if args.passphrase_file is None else _first_line(args.passphrase_file)
    try:
        return _load(args, passphrase)
    except PassphraseNeeded:
        if not sys.stdin.isatty():
            raise
        return _load(args, getpass.getpass("Passphrase of the key: ").encode("utf-8"))


def read_signed(args: argparse.Namespace) -> tuple[bytes, Signature]:
    """Return a statement and its signature as they were made elsewhere. Raises FormatError."""
    if args.statement is None or args.p7s is None:
        raise ConfigError("attest", "--statement and --p7s go together")
    chain = b"" if args.chain is None else _read(args.chain)
    parse_chain(chain)
    return _read(args.statement), Signature(
        der=parse_signature(_read(args.p7s), place=str(args.p7s)), chain=chain
    )


def text_and_signature(
    args: argparse.Namespace, state: Callable[[], Attestation | Withdrawal]
) -> tuple[bytes, Signature]:
    """Return what is handed in: what was signed elsewhere, shown, or what `state` says, shown and signed here."""
    if args.statement is not None or args.p7s is not None:
        text, signature = read_signed(args)
        show_statement(text)
        return text, signature
    text = encode_and_show(state())
    return text, sign_or_not(text, args)


def send(remote: Remote, path: str, text: bytes, signature: Signature) -> dict[str, Any]:
    """Hand a statement in; return what the vault says it recorded, which must be this very text."""
    body = {
        "statement": base64.b64encode(text).decode("ascii"),
        "signature": None if signature.der is None else base64.b64encode(signature.der).decode("ascii"),
        "chain": signature.chain.decode("ascii") or None,
    }
    view: dict[str, Any] = remote.post_once(path, body).json()
    digest = hashlib.sha256(text).hexdigest()
    if view["statement_sha256"] != digest:
        raise VerificationError("what the vault recorded", digest, view["statement_sha256"])
    return view


def describe_signature(view: dict[str, Any]) -> str:
    """Return who signed, as the vault tells it."""
    match view["status"]:
        case "trusted":
            return f"signed by {shown_line(view['signer'])}, under a root that this vault knows"
        case "unknown-root":
            return f"signed by {shown_line(view['signer'])}; THIS VAULT DOESN'T KNOW THE ROOT"
        case _:
            return "UNSIGNED: on the vault's word alone"


def _load(args: argparse.Namespace, passphrase: bytes | None) -> FileSigner:
    if args.pkcs12 is not None:
        return load_pkcs12_signer(args.pkcs12, passphrase=passphrase, pss=args.pss)
    return load_pem_signer(args.key, args.certificates, passphrase=passphrase, pss=args.pss)


def _rehash(remote: Remote, item_id: str, *, result: str) -> list[tuple[str, str]]:
    print("The vault reads its stored bytes again …", flush=True)
    try:
        found = remote.post(f"/v1/items/{item_id}/fixity-checks", patience_s=3600.0).json()
    except Conflict:
        print("  it holds no content of this item, only its digests")
        return []
    intact = found["result"] == "intact"
    said = "what was deposited" if intact else "NOT WHAT WAS DEPOSITED"
    print(f"  {said}: SHA-256 {shown_line(str(found['found_sha256']))} (event {found['seq']})")
    if not intact and result == "matches":
        raise ConfigError(
            "--result", "the stored bytes are not what was deposited: say differs or inconclusive"
        )
    return [
        ("stored content", f"read again by the vault in my view: {found['result']}, event {found['seq']}")
    ]


def _compare(path: Path, digests: dict[str, str], *, result: str) -> tuple[str, str]:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    print(f"Your file has the SHA-256 {found}")
    if "sha256" not in digests:
        raise ConfigError("--file", "the item is a commitment: open it first")
    if digests["sha256"] != found and result == "matches":
        raise VerificationError("--file", digests["sha256"], found)
    if digests["sha256"] != found:
        return "a file of my own", f"hashed by me: its SHA-256 is {found}, not the item's"
    return "a file of my own", "hashed by me: the SHA-256 is the item's"


def _pair(text: str) -> tuple[str, str]:
    what, equals, how = text.partition("=")
    if not equals or not what.strip() or not how.strip():
        raise ConfigError("--examined", f"WHAT=HOW, not {shown_line(text)}")
    return what.strip(), how.strip()


def _first_line(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise ConfigError(str(path), "others may read it; chmod 600")
    return _read(path).split(b"\n")[0].rstrip(b"\r")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise FormatError(str(path), f"at most {MAX_BYTES} bytes", "more")
    return data


def encode_and_show(statement: Attestation | Withdrawal) -> bytes:
    """Return statement.txt after it was shown. Raises FormatError for words that don't fit it."""
    text = encode_statement(statement)
    show_statement(text)
    return text
