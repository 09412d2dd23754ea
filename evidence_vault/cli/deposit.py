"""`evidence-vault deposit FILE…|FOLDER…`: each digest is computed here before anything is sent.

The receipt is kept beside the file, for a folder in `FOLDER.receipts` (or in `--receipts DIR`): it is the vault's
signed promise, and the depositor's proof if the vault breaks it.

Whatever breaks off, the vault, the connection or this program: the same command again goes on where it stopped
and deposits nothing twice (see `journal`). In a folder every file is an item, equal ones too; symbolic links and
what is no file are passed over, and counted.
"""

import argparse
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from evidence_vault.cli.journal import Journal, default_state
from evidence_vault.cli.meter import Meter
from evidence_vault.cli.remote import Remote, add_remote_arguments, remote_from
from evidence_vault.cli.sending import (
    PATIENCE_S,
    Kept,
    LocalFile,
    Way,
    deposit_file,
    read_local,
    receipt_name,
)
from evidence_vault.cli.shown import shown
from evidence_vault.errors import (
    AccessRefused,
    ConfigError,
    EvidenceError,
    UnavailableError,
)
from evidence_vault.exits import USAGE

JOBS = 8
"""Files on their way at once: the vault commits them together."""

__all__ = ["add_arguments", "deposit_file", "read_local", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE|FOLDER", help="what to deposit")
    parser.add_argument(
        "--hash-only", action="store_true", help="send the digest and the size, not the content"
    )
    parser.add_argument("--secret", action="store_true", help="a trade secret: kept as such")
    parser.add_argument("--note", help="a note to keep with the item; a personal value, erasable")
    parser.add_argument(
        "--receipts", type=Path, metavar="DIR", help="where receipts go (default: beside the file)"
    )
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="where an unfinished run is remembered (default: XDG state)"
    )
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_S, metavar="SECONDS", help="ask a silent vault for so long"
    )
    add_remote_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Deposit what is named, in turn; the worst exit code of all."""
    remote = remote_from(args)
    worst = 0
    for root in args.files:
        about = {"url": remote.url, "hash": args.hash_only, "secret": args.secret, "note": args.note}
        with Journal(args.state or default_state(), root, about=about) as journal:
            work = Work(remote, args, journal, root)
            code = work.folder() if root.is_dir() else work.file()
            if code == 0:
                journal.finish()
            worst = max(worst, code)
    return worst


class Work:
    """One FILE or FOLDER of the command line."""

    def __init__(self, remote: Remote, args: argparse.Namespace, journal: Journal, root: Path) -> None:
        self._remote, self._args, self._journal, self._root = remote, args, journal, root

    def file(self) -> int:
        """Deposit one file, and tell all about it."""
        local = read_local(self._root)
        print(f"{shown(str(self._root))}")
        print(f"  sha256   {local.sha256.hex()}  (computed here, {local.size} bytes)")
        kept = self._send(local, "", self._args.receipts or self._root.absolute().parent, quiet=False)
        print(f"  item     {kept.item_id}")
        print("  digests  agree: the vault has the same, and so has its signed receipt")
        print(f"  receipt  {shown(str(kept.receipt_file))}")
        print(
            f"  promise  in the log by {kept.receipt.log_by:%Y-%m-%d %H:%M:%S} UTC; nothing to do until then"
        )
        return 0

    def folder(self) -> int:
        """Deposit every file in a folder, several at once, and tell the sum."""
        root = self._root.absolute()
        receipts = (self._args.receipts or root.with_name(root.name + ".receipts")).absolute()
        if receipts.is_relative_to(root):
            raise ConfigError(
                "--receipts", "is in the folder that is deposited: the next run would deposit it too"
            )
        total = sum(1 for path in _walk(root) if _is_file(path))
        meter, counts = Meter("depositing", total), {"now": 0, "before": 0, "failed": 0, "passed over": 0}
        worst = 0
        for path, outcome in self._outcomes(root, receipts):
            if isinstance(outcome, str):
                counts[outcome] += 1
            else:
                counts["failed"] += 1
                code, text = _explain(outcome)
                worst = max(worst, code)
                print(f"{shown(str(path))}: {text}", file=sys.stderr)
            meter(counts["now"] + counts["before"] + counts["failed"])
        left = total - counts["now"] - counts["before"] - counts["failed"]
        print(
            f"{shown(str(self._root))}: {total} files: {counts['now']} deposited now, {counts['before']} before, "
            f"{counts['failed']} failed, {left} not tried; {counts['passed over']} passed over (no files)"
        )
        print(f"  receipts  {shown(str(receipts))}")
        if worst:
            print("  the same command again goes on with what is left")
        return worst

    def _outcomes(self, root: Path, receipts: Path) -> Iterator[tuple[Path, "str | Exception"]]:
        """Yield each path with "now", "before", "passed over", or the error. Memory holds only a few files."""
        stop = threading.Event()

        def one(path: Path) -> str:
            return "stopped" if stop.is_set() else self._one(root, path, receipts)

        running: list[tuple[Path, Future[str]]] = []
        with ThreadPoolExecutor(max_workers=JOBS, thread_name_prefix="deposit") as pool:
            try:
                for path in _walk(root):
                    if not _is_file(path):
                        yield path, "passed over"
                        continue
                    running.append((path, pool.submit(one, path)))
                    if len(running) >= 4 * JOBS:
                        yield from _ended(*running.pop(0), stop)
                    if stop.is_set():
                        break
                for path, future in running:
                    yield from _ended(path, future, stop)
            except BaseException:  # interrupted: what is under way ends, the rest isn't begun
                stop.set()
                raise

    def _one(self, root: Path, path: Path, receipts: Path) -> str:
        name, status = os.fspath(path.relative_to(root)), path.stat()
        into = receipts / path.relative_to(root).parent
        before = self._journal.done.get(name)
        if before and (before["size"], before["mtime_ns"]) == (status.st_size, status.st_mtime_ns):
            kept = into / receipt_name(path.name, before["item"])
            if kept.is_file() and kept.stat().st_size:
                return "before"
        local = read_local(path, quiet=True)
        self._send(local, name, into, quiet=True)
        return "now"

    def _send(self, local: LocalFile, name: str, receipts: Path, *, quiet: bool) -> Kept:
        sha256 = local.sha256.hex()
        under_way = self._journal.uploads.get(name)
        upload = under_way["upload"] if under_way and under_way["sha256"] == sha256 else None
        way = Way(
            key=self._journal.key(name, local.sha256),
            hash_only=self._args.hash_only,
            secret=self._args.secret,
            note=self._args.note,
            upload=upload,
            began=lambda begun: self._journal.add(
                {"path": name, "sha256": sha256, "upload": begun}, flush=True
            ),
            patience_s=self._args.patience,
            quiet=quiet,
        )
        kept = deposit_file(self._remote, local, way, receipts=receipts)
        self._journal.add(
            {"path": name, "size": local.size, "mtime_ns": local.mtime_ns, "item": kept.item_id}
        )
        return kept


def _ended(
    path: Path, future: "Future[str]", stop: threading.Event
) -> Iterator[tuple[Path, "str | Exception"]]:
    """Yield what became of a file; a refusal or a silent vault stops the rest."""
    error = future.exception()
    if error is None:
        if future.result() != "stopped":
            yield path, future.result()
        return
    if not isinstance(error, EvidenceError | OSError):
        raise error
    if isinstance(error, AccessRefused | UnavailableError):
        stop.set()
    yield path, error


def _walk(folder: Path) -> Iterator[Path]:
    """Yield all that lies in a folder and below, in order; links are named and not followed."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        else:
            yield Path(entry.path)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _explain(error: Exception) -> tuple[int, str]:
    from evidence_vault.cli.main import explain  # noqa: PLC0415 - it imports commands by name

    if isinstance(error, EvidenceError):
        return explain(error)
    return USAGE, str(error)
