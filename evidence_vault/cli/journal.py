"""What a run of `deposit` remembers, so that the same command again goes on where it stopped.

    {"run":"5f0c…","v":1}                                                         first line
    {"path":"a/b.png","size":12,"mtime_ns":…,"item":"it_…","receipt":"a/b.png.it_….receipt.json"}
    {"path":"film.mkv","sha256":"…","upload":"/v1/uploads/up_…"}                  a large file, under way

One file for each FILE or FOLDER named, by its absolute path, the vault's address and the options; gone when all
of it is deposited, so that the command given once more deposits once more. A file's idempotency key follows from
the run, its path and its digest: two equal files are two items, one file sent twice is one, whatever of the
journal a power cut has taken.
"""

import fcntl
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evidence_vault.durable import flush_folder
from evidence_vault.errors import ConfigError

FLUSH_EVERY_LINES = 100


def default_state() -> Path:
    """Return where runs are remembered (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "evidence-vault" / "deposits"


class Journal:
    """The memory of one run; held by this process until it is closed."""

    def __init__(self, folder: Path, root: Path, *, about: Mapping[str, object]) -> None:
        """Open it, or begin one. about: what makes it another run: address and options. Raises ConfigError."""
        named = json.dumps([str(root.absolute()), about], sort_keys=True)
        self._path = (
            folder / f"{hashlib.sha256(named.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.jsonl"
        )
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = self._path.open("a+b", buffering=0)
        except OSError as error:
            raise ConfigError("--state", f"{error.filename}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ConfigError("deposit", "the same is being deposited by another process") from None
        self._lock, self._unflushed = threading.Lock(), 0
        self.done: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self._run = self._read() or self._begin()

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it go; it stays for the next run."""
        self._file.close()

    def key(self, path: str, sha256: bytes) -> str:
        """Return the idempotency key of a file in this run."""
        text = json.dumps([self._run, path, sha256.hex()])
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def add(self, line: Mapping[str, object], *, flush: bool = False) -> None:
        """Append a line; every hundredth is flushed, and those that say so."""
        raw = json.dumps(line).encode() + b"\n"
        with self._lock:
            self._file.write(raw)
            self._note(dict(line))
            self._unflushed += 1
            if flush or self._unflushed >= FLUSH_EVERY_LINES:
                os.fsync(self._file.fileno())
                self._unflushed = 0

    def finish(self) -> None:
        """Forget the run: all of it is deposited."""
        self._path.unlink(missing_ok=True)

    def _begin(self) -> str:
        run = secrets.token_hex(16)
        self._file.truncate(0)
        self.add({"v": 1, "run": run}, flush=True)
        flush_folder(self._path.parent)  # a run whose name a power cut took would send everything again
        return run

    def _read(self) -> str | None:
        """Read what an earlier run left; a line that a crash cut short, and what follows, is cut off."""
        self._file.seek(0)
        raw, whole, run = self._file.read(), 0, None
        for line in raw.splitlines(keepends=True):
            try:
                entry = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                entry = None
            if not isinstance(entry, dict) or (whole == 0 and entry.get("v") != 1):
                break
            whole += len(line)
            run = run or str(entry["run"])
            self._note(entry)
        self._file.truncate(whole)
        return run

    def _note(self, entry: dict[str, Any]) -> None:
        if "item" in entry:
            self.done[str(entry["path"])] = entry
        elif "upload" in entry:
            self.uploads[str(entry["path"])] = entry
