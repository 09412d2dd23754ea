"""A log as a source shows it now, for whoever holds an older checkpoint of it: others, and what joins them.

    (1) the newest note is a checkpoint of this log; a named key signed it, or `is_signed` says that none did
    (2) its tiles hash to its root, and say themselves what the root was at the size that is held: another one is a
        fork, and nothing of this source is used
    (3) the note of any other size states the root that these tiles have there

What comes out is not believed for that: a verifier reads note and proof again, under keys that it trusts.
"""

from collections.abc import Collection, Sequence

from anchors.base import TreeHead
from evidence_vault.core import layout
from evidence_vault.core.authentic import AuthenticTiles
from evidence_vault.core.checkpoint import OpenedCheckpoint, open_checkpoint, shown_note_path
from evidence_vault.core.merkle import prove_consistency, root_hash
from evidence_vault.core.note_keys import VerifierKey
from evidence_vault.core.notes import MAX_NOTE_BYTES, Note, Verified, encode_note
from evidence_vault.errors import FormatError, UnavailableError, VerificationError
from evidence_vault.mirror.source import Source, TileFetcher, fetch_checkpoint


class LaterLog:
    """The log of `origin`, whose checkpoint `held` is at hand. keys: such as the log's own events name.

    Raises VerificationError for a fork and for what doesn't fit itself, FormatError for what is no log,
    UnavailableError for no answer and for a source that ends before `held`.
    """

    def __init__(self, source: Source, *, origin: str, held: TreeHead, keys: Sequence[VerifierKey]) -> None:
        self._source, self._origin, self._held, self._keys = source, origin, held, keys
        # (1) whose it is
        newest = self._open(fetch_checkpoint(source))
        self.newest = newest.checkpoint.tree_head
        self.is_signed = isinstance(newest.signed, Verified)
        self._notes: dict[int, bytes | None] = {self.newest.size: self._own_note(newest)}
        if self.newest.size < held.size:
            raise UnavailableError(
                source.name, f"shows {self.newest.size} leaves, and {held.size} are known: it is behind"
            )
        # (2) the history that is known
        self._read = AuthenticTiles(self.newest, TileFetcher(source)).node
        self._require_root(held)

    def note(self, size: int) -> bytes | None:
        """Return the note of this size, with the log's own line alone; None if the source doesn't show it.

        Raises VerificationError for one of another history.
        """
        if size not in self._notes:
            raw = None
            if 0 < size <= self.newest.size:
                raw = self._source.fetch(shown_note_path(size), max_bytes=MAX_NOTE_BYTES)
            self._notes[size] = None if raw is None else self._own_note(self._open(raw, size))
        return self._notes[size]

    def head(self, size: int) -> TreeHead | None:
        """Return the tree head of a size whose note is shown. Raises as `note`."""
        if self.note(size) is None:
            return None
        return TreeHead(size=size, root_hash=root_hash(size, self._read))

    def files(self, sizes: Collection[int]) -> dict[str, bytes]:
        """Return notes of these sizes and the proofs that join them to what is held, by their paths in a bundle.

        Larger ones each to the one before, smaller ones to the held one.
        """
        files: dict[str, bytes] = {}
        before = self._held.size
        for size in sorted(sizes):
            note = self.note(size)
            if note is None or size == self._held.size:
                continue
            files[layout.note_path(size, added=True)] = note
            ends = (size, self._held.size) if size < self._held.size else (before, size)
            files[layout.consistency_path(*ends, added=True)] = layout.encode_consistency(
                prove_consistency(*ends, self._read)
            )
            before = max(before, size)
        return files

    def _open(self, raw: bytes, size: int | None = None) -> OpenedCheckpoint:
        """(3), for a note that should be of `size`."""
        opened = open_checkpoint(raw, origin=self._origin, trusted=self._keys)
        if size is not None:
            if opened.checkpoint.tree_head.size != size:
                raise FormatError(shown_note_path(size), f"size {size}", opened.checkpoint.tree_head.size)
            self._require_root(opened.checkpoint.tree_head)
        return opened

    def _require_root(self, head: TreeHead) -> None:
        root = root_hash(head.size, self._read)
        if root != head.root_hash:
            raise VerificationError(
                f"root hash at size {head.size} of {self._source.name}", head.root_hash, root
            )

    def _own_note(self, opened: OpenedCheckpoint) -> bytes:
        """The note as a bundle carries it. At a rotation both keys have a line, the older one's is the note's."""
        lines = tuple(line for line in opened.note.signatures if line.name == self._origin)
        known = tuple(line for key in self._keys for line in lines if line.key_id == key.key_id)
        if not lines:
            raise FormatError("checkpoint", f"a line by {self._origin}", "none")
        return encode_note(Note(text=opened.note.text, signatures=(known or lines)[:1]))
