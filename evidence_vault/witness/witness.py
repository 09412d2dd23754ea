"""A witness of logs: it cosigns a checkpoint only if the log grew from the one it cosigned before.

`Witness.add_checkpoint` (C2SP tlog-witness), the first step that fails decides the answer:

    (1) the request is of the protocol's form                                             400
    (2) the log is one that this witness watches                                          404
    (3) a key that is known for it has signed the checkpoint, and none has wrongly        403
    (4) `old` is no larger than the checkpoint, whose empty tree is the empty tree        400
    (5) `old` is the size that was cosigned last (0: none)                                409, with that size
    (6) equal sizes have equal roots                                                      409
    (7) the consistency proof holds; where `old` is 0 it is empty                         422
    (8) whoever audits has read everything up to this checkpoint, and it agrees           422
    (9) the guard is flushed, and then the cosignature leaves

What fails at (6) to (8) was signed by the log: it is kept as evidence, for it may prove a second history. What is
deliberately not checked: whether the log's statements are true, and how old the checkpoint is.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.core.checkpoint import Checkpoint, parse_checkpoint
from evidence_vault.core.merkle import EMPTY_ROOT, verify_consistency
from evidence_vault.core.note_keys import SignatureType, VerifierKey, verifier_key
from evidence_vault.core.notes import (
    Note,
    NoteSignature,
    Verified,
    cosign,
    encode_note,
    encode_signatures,
    verify_note,
)
from evidence_vault.core.tlog_witness import (
    SIZE_TYPE,
    WitnessRequest,
    encode_size,
    origin_name,
    parse_request,
)
from evidence_vault.durable import save_file
from evidence_vault.errors import FormatError, UnavailableError, VerificationError
from evidence_vault.witness.guard import Cosigned, Guard

LOG = logging.getLogger("evidence_vault.witness")
TEXT = "text/plain; charset=utf-8"

MAX_EVIDENCE_FILES = 200
"""A log that lies once is proven to; one that lies a thousand times must not fill the disk."""

WAIT_S = 5.0
"""For the request before, of the same log: an audit of much may take longer than a log waits."""

Audit = Callable[[TreeHead, bytes], None]
"""Reads all that a checkpoint (head, note) covers. Raises VerificationError for what the log did wrong, and
UnavailableError for what can't be read now."""


@value
class Answer:
    """What the protocol answers: an HTTP status, a type and a body."""

    status: int
    body: bytes
    content_type: str = TEXT


@value
class WatchedLog:
    """A log by its origin, with every key that may sign for it; audit: none, or who reads it whole."""

    origin: str
    keys: tuple[VerifierKey, ...]
    audit: Audit | None = None


class Witness:
    """One witness: a name, a key, the logs it watches, and its guard."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        private_key: Ed25519PrivateKey,
        logs: Sequence[WatchedLog],
        guard: Guard,
        clock: Callable[[], int],
    ) -> None:
        """clock: POSIX seconds, above 0."""
        self._folder, self._guard, self._clock = folder, guard, clock
        self._name, self._private_key = name, private_key
        self._logs: Mapping[str, WatchedLog] = {log.origin: log for log in logs}
        self._steps = {log.origin: threading.Lock() for log in logs}

    @property
    def verifier_key(self) -> VerifierKey:
        """The key that logs and policies are given."""
        return verifier_key(self._name, SignatureType.COSIGNATURE_V1, self._private_key)

    def latest(self, origin_sha256: str) -> bytes | None:
        """Return the last note of a log that was cosigned, with our line; by SHA-256 of its origin, in hex."""
        for origin in self._logs:
            if origin_name(origin) == origin_sha256 and (last := self._guard.last(origin)):
                return last.note
        return None

    def add_checkpoint(self, data: bytes) -> Answer:
        """Answer a request. Durable before return: the guard of what was cosigned."""
        # (1) Strict forms first: nothing below looks at bytes again.
        try:
            request, note = parse_request(data)
            checkpoint = parse_checkpoint(note.text, allow_extensions=True)
        except FormatError as error:
            return _says(400, str(error))
        # (2) Nothing is remembered for logs that nobody asked this witness to watch.
        log = self._logs.get(checkpoint.origin)
        if log is None:
            return _says(404, "this witness does not watch that log")
        # (3) Only the log itself can move its guard, or anybody could run it ahead.
        try:
            if not isinstance(verify_note(note, trusted=log.keys), Verified):
                return _says(403, "no signature by a key that is known for this log")
        except VerificationError as error:
            return _says(403, str(error))
        # (4) As early as it can be known, before anything is locked.
        head = checkpoint.tree_head
        if request.old_size > head.size or (head.size == 0) != (head.root_hash == EMPTY_ROOT):
            return _says(400, "the old size is larger than the checkpoint, or its root is not its size's")
        # Two requests at once could each be right, and together roll back.
        if not self._steps[log.origin].acquire(timeout=WAIT_S):
            return _says(503, "still busy with the request before")
        try:
            return self._cosign(request, note, checkpoint, log)
        finally:
            self._steps[log.origin].release()

    def _cosign(self, request: WitnessRequest, note: Note, checkpoint: Checkpoint, log: WatchedLog) -> Answer:
        """Steps (5) to (9), one at a time for each log."""
        head, last = checkpoint.tree_head, self._guard.last(log.origin)
        older = last.tree_head if last else TreeHead(size=0, root_hash=EMPTY_ROOT)
        # (5) The guard decides what is compared, never the request.
        if request.old_size != older.size:
            return Answer(status=409, body=encode_size(older.size), content_type=SIZE_TYPE)
        try:
            # (6) Two roots at one size: nothing else proves a fork so shortly.
            if last is not None and head.size == older.size and head.root_hash != older.root_hash:
                self._keep(request.checkpoint, last, checkpoint, "another root at the same size")
                return _says(409, f"another root was cosigned at size {head.size}")
            # (7) From nothing everything grows: first contact takes no proof.
            _check_growth(older, head, request.proof)
            # (8) A log can grow and still hold what no log may: two entries for one slot.
            if log.audit is not None:
                log.audit(head, request.checkpoint)
        except VerificationError as error:
            self._keep(request.checkpoint, last, checkpoint, str(error))
            return _says(422, str(error))
        except UnavailableError as error:
            return _says(503, f"can't read what this checkpoint covers: {error}")
        # (9) A crash after the save: the same request is answered with 409, and the next one with a new line.
        line = cosign(
            note.text, name=self._name, private_key=self._private_key, timestamp=max(1, self._clock())
        )
        self._guard.save(log.origin, Cosigned(tree_head=head, note=_with_line(note, log, line)))
        LOG.info("cosigned", extra={"target": log.origin, "size": head.size})
        return Answer(status=200, body=encode_signatures([line]))

    def _keep(self, refused: bytes, last: Cosigned | None, checkpoint: Checkpoint, why: str) -> None:
        """Keep both notes, signed by the log, side by side."""
        LOG.critical(
            "refused to cosign",
            extra={"target": checkpoint.origin, "size": checkpoint.tree_head.size, "error": why},
        )
        folder = self._folder / "evidence"
        folder.mkdir(exist_ok=True)
        digest = hashlib.sha256(refused + (last.note if last else b"")).hexdigest()[:32]
        if (folder / f"{digest}.refused").exists() or sum(1 for _ in folder.iterdir()) >= MAX_EVIDENCE_FILES:
            return
        if last is not None:
            save_file(folder / f"{digest}.cosigned", last.note)
        save_file(folder / f"{digest}.refused", refused)


def posix_seconds() -> int:
    """Return the time of the machine."""
    return int(time.time())


def _check_growth(older: TreeHead, head: TreeHead, proof: Sequence[bytes]) -> None:
    if older.size:
        verify_consistency(older=older, newer=head, proof=proof)
    elif proof:
        raise VerificationError("consistency proof from size 0", "no hashes", len(proof))


def _with_line(note: Note, log: WatchedLog, line: NoteSignature) -> bytes:
    """The note as others should see it: the lines by the log's own keys, and ours."""
    known = {(key.name, key.key_id) for key in log.keys}
    own = tuple(one for one in note.signatures if (one.name, one.key_id) in known)
    return encode_note(Note(text=note.text, signatures=(*own, line)))


def _says(status: int, text: str) -> Answer:
    return Answer(status=status, body=f"{text}\n".encode("utf-8", "replace"))
