"""`evidence-vault verify`: reads bundles, a trust policy and the clock; prints reports; ends with an exit code.

The only part of the verifier that has a clock: the given time is `--at`, or now. It opens no socket.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from anchors.values import replace
from evidence_vault.errors import ConfigError, FormatError
from evidence_vault.exits import USAGE
from evidence_vault.verify.escaping import escape
from evidence_vault.verify.headers_files import AnyHeaders, parse_any_headers
from evidence_vault.verify.mirror import LogMirror
from evidence_vault.verify.reader import FileDigest
from evidence_vault.verify.render import render_text, report_json
from evidence_vault.verify.report import EXIT_CODES, WORST_FIRST, Report
from evidence_vault.verify.trust import MAX_POLICY_BYTES, parse_policy
from evidence_vault.verify.verifier import verify_path

MAX_HEADERS_BYTES = 16 * 1024 * 1024
HANDED_IN_ALGORITHMS = ("sha256", "sha512", "sha3_256", "sm3")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "bundles", nargs="+", type=Path, metavar="BUNDLE", help="a bundle: zip or unpacked folder"
    )
    parser.add_argument(
        "--trust", required=True, type=Path, metavar="FILE", help="whom you trust: a trust.toml"
    )
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a file to compare with the items",
    )
    parser.add_argument(
        "--headers",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="from `evidence-vault headers fetch`",
    )
    parser.add_argument(
        "--log",
        type=Path,
        metavar="DIR",
        help="a mirror that `log follow` keeps: was anything left out, up to its size?",
    )
    parser.add_argument(
        "--at", type=_time, metavar="TIME", help="judge as of this time (default: now), ISO 8601"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--lang", choices=("zh", "en"), default="en", help="language of the report")


def run(args: argparse.Namespace) -> int:
    """Verify every bundle and return the worst exit code of 4 > 2 > 3 > 5 > 0; 64 where the call can't be used."""
    at = args.at or datetime.now(UTC)
    try:
        policy = parse_policy(_read(args.trust, MAX_POLICY_BYTES), name=args.trust.name)
        headers = [_headers(path) for path in args.headers]
        handed_in = [_digest(path) for path in args.file]
        mirror = None if args.log is None else LogMirror(folder=args.log)
        reports = [
            replace(
                verify_path(path, policy, at=at, handed_in=handed_in, headers=headers, mirror=mirror),
                ran_by=_person(),
            )
            for path in args.bundles
        ]
    except (OSError, ConfigError) as error:
        print(f"evidence-vault verify: {escape(str(error))}", file=sys.stderr)
        return USAGE
    _print(reports, as_json=args.json, lang=args.lang)
    there = {report.verdict for report in reports}
    return EXIT_CODES[next(verdict for verdict in WORST_FIRST if verdict in there)]


def _print(reports: Sequence[Report], *, as_json: bool, lang: str) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal without Chinese still gets its verdict
        sys.stdout.reconfigure(errors="backslashreplace")
    if as_json:
        documents = [report_json(report) for report in reports]
        json.dump(documents[0] if len(documents) == 1 else documents, sys.stdout, ensure_ascii=True, indent=2)
        print()
        return
    sys.stdout.write("\n".join(render_text(report, lang=lang) for report in reports))


def _read(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ConfigError(str(path), f"at most {max_bytes} bytes")
    return data


def _headers(path: Path) -> AnyHeaders:
    try:
        return parse_any_headers(_read(path, MAX_HEADERS_BYTES))
    except FormatError as error:
        raise ConfigError(str(path), f"not a headers file: {error}") from None


def _digest(path: Path) -> FileDigest:
    digest = FileDigest(path.name, HANDED_IN_ALGORITHMS)
    with path.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            digest.update(chunk)
    return digest


def _person() -> str:
    """Who runs this, as the environment says: part of the report, no proof of anything.

    The user database is not asked, for that may open a socket.
    """
    name = next(
        (os.environ[key] for key in ("LOGNAME", "USER", "USERNAME") if os.environ.get(key)), "unknown"
    )
    return f"{name} on {os.uname().nodename}" if hasattr(os, "uname") else name


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no ISO 8601 time, such as 2030-01-01T00:00:00Z"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
