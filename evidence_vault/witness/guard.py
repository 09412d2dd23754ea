"""The witness's memory: for each log the last checkpoint that it cosigned, in a file that is flushed.

    guards/<SHA-256 of the origin>.json   {"note":"<signed note, our line too>","origin":…,"root":…,"size":…,"v":1}

It moves *before* the cosignature leaves: a crash between the two loses a cosignature, which can be made again,
never the memory of one. Whoever puts an older file here makes the witness lie; there is no way back.
"""

import fcntl
import os
from pathlib import Path

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.core.canonical import as_integer, as_object, as_text, encode_canonical, parse_canonical
from evidence_vault.core.names import SHA256
from evidence_vault.core.notes import MAX_NOTE_BYTES
from evidence_vault.core.shapes import Integer, OneOf, Record, Text
from evidence_vault.core.tlog_witness import origin_name
from evidence_vault.durable import save_file
from evidence_vault.errors import ConfigError, IntegrityError

_GUARD = Record(
    {
        "v": OneOf((1,)),
        "origin": Text(max_chars=255, what="an origin"),
        "size": Integer(),
        "root": SHA256,
        "note": Text(max_chars=MAX_NOTE_BYTES, what="a signed note"),
    }
)
MAX_GUARD_BYTES = 2 * MAX_NOTE_BYTES


@value
class Cosigned:
    """A checkpoint that was cosigned: its head, and its note with our line."""

    tree_head: TreeHead
    note: bytes


class Guard:
    """The guards of one witness, for one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`. Raises ConfigError if another process does."""
        self._folder = folder / "guards"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ConfigError(str(folder), "another witness is running in this folder") from None

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._lock)

    def last(self, origin: str) -> Cosigned | None:
        """Return the last checkpoint of this log that was cosigned; none before the first."""
        path = self._path(origin)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        document = parse_canonical(raw, place=path.name, max_bytes=MAX_GUARD_BYTES)
        _GUARD.check(document, path.name)
        fields = as_object(document)
        if fields["origin"] != origin:
            raise IntegrityError(path.name, f"the guard of {origin}", "another log's")
        head = TreeHead(size=as_integer(fields["size"]), root_hash=bytes.fromhex(as_text(fields["root"])))
        return Cosigned(tree_head=head, note=as_text(fields["note"]).encode())

    def save(self, origin: str, cosigned: Cosigned) -> None:
        """Remember this checkpoint. Durable after return. Raises IntegrityError rather than go back or aside."""
        last, head = self.last(origin), cosigned.tree_head
        if last is not None:
            same = head.root_hash == last.tree_head.root_hash
            if head.size < last.tree_head.size or (head.size == last.tree_head.size and not same):
                raise IntegrityError(f"guard of {origin}", f"to grow from {last.tree_head.size}", head.size)
        guard = encode_canonical(
            {
                "v": 1,
                "origin": origin,
                "size": head.size,
                "root": head.root_hash.hex(),
                "note": cosigned.note.decode(),
            }
        )
        save_file(self._path(origin), guard, mode=0o600)

    def _path(self, origin: str) -> Path:
        return self._folder / f"{origin_name(origin)}.json"
