"""`evidence-vault trust add-tsa`: let an authority's roots be trusted, each confirmed by its fingerprint.

    roots file ──► shown: subject, fingerprint, validity, algorithms ──► --sha256 for each ──► policy or settings

Nothing becomes trusted without its fingerprint on the command line: whoever types it has seen it elsewhere. The
table goes to the end of the file, whose comments stay; the whole is parsed before it is written, so that what a
policy refuses (one key in two groups, two spellings of one group) is refused here. A certificate that may issue
nothing is trusted for itself alone, and a key of an algorithm that the policy refuses by now is anybody's: both
take a reason, which is written beside the root.
"""

import argparse
import hashlib
import os
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from anchors.rfc3161.algorithms import signature_hash
from anchors.rfc3161.certificate import Certificate, encode_chain, extension_of, load_certificate
from anchors.rfc3161.verdict import TsaTrust, refused_from
from anchors.values import value
from evidence_vault.cli.home import add_home_argument, settings_file
from evidence_vault.cli.shown import shown_line
from evidence_vault.core.names import LogClass
from evidence_vault.durable import changing, save_file
from evidence_vault.errors import ConfigError, FormatError
from evidence_vault.verify.conflicts import check_authorities
from evidence_vault.verify.pem import parse_pem_chain
from evidence_vault.verify.trust import REFUSED_BY_DEFAULT, parse_policy

MAX_ROOTS_BYTES = 1024 * 1024
"""A file of roots; real ones have 1 to 3 kB each."""


@value
class Existing:
    """Where the roots go: the file, what it already trusts, and what it refuses."""

    path: Path
    text: str
    authorities: Sequence[TsaTrust]
    refused: dict[str, date]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("roots", type=Path, metavar="ROOTS", help="the authority's roots, PEM or DER")
    parser.add_argument("--trust", type=Path, metavar="FILE", help="the policy they go to (made if missing)")
    add_home_argument(parser)
    parser.add_argument(
        "--url", help="with --home: where requests are posted; makes an [[authorities]] table"
    )
    parser.add_argument("--name", required=True, help="how reports call the authority")
    parser.add_argument("--group", required=True, help="who runs the root: one group counts once")
    parser.add_argument("--class", dest="tsa_class", choices=get_args(LogClass), default="production")
    parser.add_argument(
        "--policy", action="append", default=[], metavar="OID", help="an accepted policy (default: any)"
    )
    parser.add_argument(
        "--sha256",
        action="append",
        default=[],
        metavar="HEX",
        help="fingerprint of a root, from another source",
    )
    parser.add_argument(
        "--reason", help="why a certificate that is no CA's, or weak by now, is trusted all the same"
    )


def run(args: argparse.Namespace) -> int:
    """Show the roots; add them if each is confirmed. Raises ConfigError, FormatError."""
    if (args.trust is None) == (args.url is None):
        raise ConfigError(
            "add-tsa", "give --trust FILE for a policy, or --url URL for the vault's own settings"
        )
    path = args.trust if args.trust is not None else settings_file(args.home)
    with changing(path.resolve().parent):  # another who adds at this moment is read after he has written
        return _add(args)


def _add(args: argparse.Namespace) -> int:
    existing = _policy(args.trust) if args.trust is not None else _settings(args.home)
    roots = [load_certificate(der) for der in dict.fromkeys(read_roots(args.roots))]
    print(f"{shown_line(args.name)}, group {shown_line(args.group)}, class {args.tsa_class}:")
    for root in roots:
        print("\n".join(describe_root(root)))
    for root in roots:
        _refuse_doubtful(root, existing, reason=args.reason)
        _refuse_known(root, existing)
    if not confirmed(roots, args.sha256):
        return 64
    text = existing.text.rstrip("\n") + "\n\n" + _table(args, roots)
    _check_whole(args, existing, roots, text)
    save(existing.path, text.encode())
    print(f"Added to {existing.path}." + (" Restart the vault." if args.trust is None else ""))
    return 0


def save(path: Path, data: bytes) -> None:
    """Write the file whole; who may read it, and whose it is, stays as it was, whoever calls."""
    before = path.stat() if path.exists() else None
    save_file(path, data, mode=0o644 if before is None else before.st_mode & 0o777)
    if before is not None:
        if (before.st_uid, before.st_gid) != (path.stat().st_uid, path.stat().st_gid):
            os.chown(path, before.st_uid, before.st_gid)
        path.chmod(before.st_mode & 0o777)  # the umask is the caller's


def describe_root(root: Certificate) -> list[str]:
    """Return what a person compares: subject, fingerprint, validity, algorithms."""
    key = root.public_key.name if root.public_key else "a key of an unknown kind"
    signed = signature_hash(root.signature_algorithm) or "unknown"
    return [
        f"  {shown_line(root.subject_text)}",
        f"    sha256 {fingerprint(root)}",
        f"    valid  {root.not_before:%Y-%m-%d} to {root.not_after:%Y-%m-%d}",
        f"    {'root' if root.issuer == root.subject else f'issued by {shown_line(root.issuer_text)}'}"
        f"{'' if may_issue(root) else ', may issue nothing'}; {key}, signed over {signed}",
    ]


def fingerprint(root: Certificate) -> str:
    """SHA-256 of the certificate, hex."""
    return hashlib.sha256(root.der).hexdigest()


def read_roots(path: Path) -> Sequence[bytes]:
    """PEM as people have it, with text around the blocks and any line ends, or one DER certificate."""
    with path.open("rb") as file:
        data = file.read(MAX_ROOTS_BYTES + 1)
    if len(data) > MAX_ROOTS_BYTES:
        raise FormatError(str(path), f"at most {MAX_ROOTS_BYTES} bytes", "more")
    with suppress(FormatError):  # a SEQUENCE begins with the digit 0, and so may text before a PEM block
        return [load_certificate(data).der]
    try:
        return [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(data)]
    except ValueError as error:
        raise FormatError(str(path), "certificates, PEM or DER", str(error)) from None


def _policy(path: Path) -> Existing:
    path = path.resolve()  # a link stays one
    text = read_text(path) if path.exists() else "version = 1\n"
    policy = parse_policy(text.encode(), name=str(path))
    return Existing(path=path, text=text, authorities=policy.authorities, refused=dict(policy.refused))


def read_text(path: Path) -> str:
    """Return the file as it is, line ends included. Raises ConfigError."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), f"not UTF-8: {error}") from None


def _settings(home: Path | None) -> Existing:
    named = settings_file(home)
    path = named.resolve()
    text = read_text(path)
    return Existing(
        path=path, text=text, authorities=_own(text, path, named.parent), refused=dict(REFUSED_BY_DEFAULT)
    )


def _own(text: str, path: Path, folder: Path) -> list[TsaTrust]:
    """The authorities of a vault's settings, as a policy would name them."""
    from evidence_vault.settings import parse_settings  # noqa: PLC0415 - a policy needs nothing of a vault

    try:
        settings = parse_settings(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"not a TOML file: {error}") from None
    return [
        TsaTrust(
            name=one.name,
            group=one.group,
            roots=parse_pem_chain((one.load_roots_pem(folder).strip() + "\n").encode(), place=one.name),
            tsa_class=one.log_class,
        )
        for one in settings.authorities
    ]


def may_issue(root: Certificate) -> bool:
    """Whether it says that it is an authority's."""
    basics = extension_of(root, x509.BasicConstraints)
    return basics is not None and basics.value.ca


def _refuse_doubtful(root: Certificate, existing: Existing, *, reason: str | None) -> None:
    if reason is not None:
        return
    if not may_issue(root):
        raise ConfigError(
            "ROOTS", f"{root.subject_text} is no CA's certificate: give its issuer's, or say --reason why"
        )
    since = refused_from(root.public_key.name, existing.refused) if root.public_key else None
    if root.public_key is None or (since is not None and since <= datetime.now(UTC)):
        raise ConfigError("ROOTS", f"{root.subject_text}: its key proves nothing by now; say --reason why")


def _refuse_known(root: Certificate, existing: Existing) -> None:
    """By its key, which may stand in several certificates."""
    for authority in existing.authorities:
        if any(load_certificate(der).key_octets == root.key_octets for der in authority.roots):
            raise ConfigError(
                "ROOTS",
                f"{root.subject_text}: its key is trusted already, as {authority.name} of {authority.group}",
            )


def confirmed(roots: Sequence[Certificate], given: Sequence[str]) -> bool:
    """Whether the fingerprint of each was given; if not, says what to do. Raises ConfigError for one of none."""
    said = {one.lower().replace(":", "").replace(" ", "") for one in given}
    known = {fingerprint(root) for root in roots}
    if strange := said - known:
        raise ConfigError("--sha256", f"{min(strange)} is the fingerprint of none of these roots")
    if said != known:
        print("Nothing was added. Compare each fingerprint with what the authority publishes, on another way")
        print("than the file came; then repeat the command with --sha256 and the fingerprint, for each root.")
    return said == known


def _table(args: argparse.Namespace, roots: Sequence[Certificate]) -> str:
    lines = [f"# {_one_line(one)}" for one in (args.reason or "").splitlines()]
    pem = encode_chain(tuple(root.der for root in roots)).decode()
    if args.trust is None:
        lines += ["[[authorities]]", f"name = {quoted(args.name)}", f"group = {quoted(args.group)}"]
        lines += [f"url = {quoted(args.url)}", f"log_class = {quoted(args.tsa_class)}"]
        lines += [f"policy = {quoted(oid)}" for oid in args.policy]
        return "\n".join([*lines, f'roots_pem = """\n{pem}"""']) + "\n"
    lines += ["[[tsa]]", f"name = {quoted(args.name)}", f"group = {quoted(args.group)}"]
    lines += [f"class = {quoted(args.tsa_class)}"]
    lines += [f"policies = [{', '.join(map(quoted, args.policy))}]"] if args.policy else []
    return "\n".join([*lines, f'roots = ["""\n{pem}"""]']) + "\n"


def _check_whole(
    args: argparse.Namespace, existing: Existing, roots: Sequence[Certificate], text: str
) -> None:
    """The file as it will be, read as its reader reads it."""
    if _folded(args.name) in map(_folded, (one.name for one in existing.authorities)):
        raise ConfigError("--name", f"{args.name} is there already")
    if args.trust is not None:
        parse_policy(text.encode(), name=str(existing.path))
        return
    own = _own(text, existing.path, settings_file(args.home).parent)
    try:
        check_authorities(own)
    except FormatError as error:
        raise ConfigError(error.place, f"expected {error.expected}, found {error.found!r}") from None
    assert {root.der for root in roots} <= {der for one in own for der in one.roots}


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def quoted(text: str) -> str:
    """A TOML basic string. Raises ConfigError for what would not be one line of text."""
    return '"' + _one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ConfigError("add-tsa", f"one line of text, not {text!r}")
    return text
