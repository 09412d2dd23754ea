"""`evidence-vault log follow URL --dir DIR`: keep a mirror of a log, and know at once if it does more than grow.

0 the mirror is up to date · 2 the log signed a contradiction, proof kept · 3 an answer that doesn't fit itself,
which proves nothing · 69 no answer; and the codes of every command
"""

import argparse
import time
from pathlib import Path

from evidence_vault.cli.logs import source_of
from evidence_vault.cli.shown import shown
from evidence_vault.core.note_keys import encode_vkey, parse_vkey
from evidence_vault.errors import FormatError, UnavailableError, VerificationError
from evidence_vault.exits import UNAVAILABLE
from evidence_vault.mirror.evidence import LogMisbehaved
from evidence_vault.mirror.folder import MirrorFolder
from evidence_vault.mirror.follow import Growth, follow_once
from evidence_vault.mirror.pinning import pin_keys
from evidence_vault.mirror.recheck import recheck
from evidence_vault.mirror.source import Source

MISBEHAVED, UNFIT = 2, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("log", metavar="URL", help="the log's prefix, such as https://vault.example/v1/log")
    parser.add_argument("--dir", required=True, type=Path, metavar="DIR", help="where the mirror is kept")
    parser.add_argument(
        "--vkey",
        action="append",
        default=[],
        metavar="KEY",
        help="the log's key, from somebody you trust; else the server's is pinned at first use",
    )
    parser.add_argument(
        "--recheck",
        choices=("mirror", "log"),
        help="read everything again that the mirror is complete up to, here or at the log's server, and end",
    )
    often = parser.add_mutually_exclusive_group()
    often.add_argument("--once", action="store_true", help="look once and end")
    often.add_argument("--every", type=_seconds, default=60.0, metavar="S", help="look every S seconds (60)")


def run(args: argparse.Namespace) -> int:
    """Follow until stopped, or once."""
    source = source_of(args.log)
    mirror = MirrorFolder(args.dir)
    if pin_keys(mirror, source, [parse_vkey(text) for text in args.vkey]):
        for key in mirror.pinned_keys():
            print(f"pinned at first use: {shown(encode_vkey(key))}")
        print("This shows whose log it is only once you compare it with a key that came another way.")
    for folder in mirror.evidence():
        print(f"evidence against this log, from before: {folder}")
    if args.recheck:
        return _recheck(mirror, source if args.recheck == "log" else None)
    while True:
        code = look(mirror, source)
        if args.once or code == MISBEHAVED:
            return code
        time.sleep(args.every)


def look(mirror: MirrorFolder, source: Source) -> int:
    """Look once, say what was found, and return the exit code for it."""
    try:
        growth = follow_once(mirror, source)
    except LogMisbehaved as error:
        print(f"THE LOG CONTRADICTS ITSELF: {shown(str(error))}\nproof: {error.evidence}", flush=True)
        return MISBEHAVED
    except (VerificationError, FormatError) as error:
        print(f"an answer that does not fit itself: {shown(str(error))}", flush=True)
        return _unproved(mirror, UNFIT)
    except UnavailableError as error:
        print(f"no answer: {shown(str(error))}", flush=True)
        return _unproved(mirror, UNAVAILABLE)
    print(_line(growth), flush=True)
    return 0


def _recheck(mirror: MirrorFolder, source: Source | None) -> int:
    try:
        complete = recheck(mirror, source)
    except (VerificationError, FormatError) as error:
        print(f"does not fit the checkpoint that it was complete up to: {shown(str(error))}")
        return UNFIT
    except UnavailableError as error:
        print(f"no answer: {shown(str(error))}")
        return UNAVAILABLE
    print(f"all of it fits size {complete.head.size}, root {complete.head.root_hash.hex()}")
    return 0


def _unproved(mirror: MirrorFolder, code: int) -> int:
    for path in mirror.unproved():
        print(f"signed, and not shown to fit what is known for lack of its tiles; kept: {path}", flush=True)
    return code


def _line(growth: Growth) -> str:
    state = f"complete as of size {growth.after.size}, root {growth.after.root_hash.hex()}"
    if growth.shown.size < growth.after.size:
        return f"{state}; the server showed an older checkpoint, of size {growth.shown.size}, which fits"
    if growth.before == growth.after:
        return f"{state}; nothing new"
    return f"{state}; {growth.after.size - growth.before.size} new leaves"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0.1 to 86400")
    return seconds
