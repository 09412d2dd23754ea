"""A log for witnesses to watch, held in memory; and a witness beside it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchors.base import TreeHead
from evidence_vault.core.checkpoint import Checkpoint, encode_checkpoint
from evidence_vault.core.note_keys import SignatureType, VerifierKey, verifier_key
from evidence_vault.core.notes import Note, encode_note, sign_note
from evidence_vault.core.tlog_witness import encode_request
from evidence_vault.witness.folder import open_witness
from evidence_vault.witness.witness import Audit, WatchedLog, Witness
from tests.core.naive_tree import mth, subproof

ORIGIN = "vault.example/log"


class MemoryLog:
    """Leaves by name; the same names give the same tree."""

    def __init__(self, leaves: Sequence[str], *, origin: str = ORIGIN, seed: bytes = b"l" * 32) -> None:
        self.leaves = [name.encode() for name in leaves]
        self.origin, self.private_key = origin, Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def key(self) -> VerifierKey:
        return verifier_key(self.origin, SignatureType.ED25519, self.private_key)

    def head(self, size: int) -> TreeHead:
        return TreeHead(size=size, root_hash=mth(self.leaves[:size]))

    def note(self, size: int, head: TreeHead | None = None) -> bytes:
        text = encode_checkpoint(Checkpoint(origin=self.origin, tree_head=head or self.head(size)))
        line = sign_note(text, name=self.origin, private_key=self.private_key)
        return encode_note(Note(text=text, signatures=(line,)))

    def request(self, old: int, size: int, *, proof: Sequence[bytes] | None = None) -> bytes:
        if proof is None:
            proof = subproof(old, self.leaves[:size], True) if 0 < old < size else []
        return encode_request(old_size=old, proof=proof, checkpoint=self.note(size))


def witness_of(
    folder: Path, *logs: MemoryLog, audit: Audit | None = None, name: str | None = "witness.example/w1"
) -> AbstractContextManager[Witness]:
    watched = [WatchedLog(origin=log.origin, keys=(log.key,), audit=audit) for log in logs]
    return open_witness(folder, name=name, logs=watched)
