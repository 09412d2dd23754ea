"""The log's signer: it refuses to sign a second history, whatever the database says.

Beside the key lies the guard: a flushed file with the last size and root that were signed.

    {"origin":"vault.example/log","root":"c6b1…","size":42,"v":1}

It moves *before* the signature leaves: a crash between the two loses a signature, which can be made again,
never the memory of one. Without the guard nothing is signed, until an operator has rebuilt it from what is
published, anchored and witnessed; a restored backup then causes an outage, not a fork.

While a rotation is under way there are two keys, and the caller says which one signs: the log's own events decide
that, not the files. Both are read anew each time, so a running vault follows a rotation without a restart.

Deliberately not checked here: that the new tree contains the old one. The publisher recomputes the root from
the tiles it is about to show; the guard is the last line when that failed.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchors.base import TreeHead
from evidence_vault.core.canonical import encode_canonical, parse_canonical
from evidence_vault.core.checkpoint import Checkpoint, encode_checkpoint
from evidence_vault.core.merkle import EMPTY_ROOT
from evidence_vault.core.names import ORIGIN, SHA256
from evidence_vault.core.note_keys import SignatureType, VerifierKey, encode_vkey, verifier_key
from evidence_vault.core.notes import Note, NoteSignature, encode_note, sign_note
from evidence_vault.core.shapes import Integer, OneOf, Record
from evidence_vault.durable import save_file
from evidence_vault.errors import ConfigError, FormatError, IntegrityError, ReadOnly
from evidence_vault.signer.keys import load_ed25519, next_key_path

_GUARD = Record({"v": OneOf((1,)), "origin": ORIGIN, "size": Integer(), "root": SHA256})
MAX_GUARD_BYTES = 1024


class LogSigner:
    """Signs the checkpoints of one log."""

    def __init__(self, *, origin: str, key_path: Path, guard_path: Path) -> None:
        """Use this key for this origin. Raises ConfigError if it can't be read. The guard is read when signing."""
        self.origin = origin
        self._key_path = key_path
        self._guard_path = guard_path
        load_ed25519(key_path)

    @property
    def verifier_key(self) -> VerifierKey:
        """The public key that others trust for this log."""
        return self._public(load_ed25519(self._key_path))

    @property
    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """The key, and the one that is to take over, if there is one."""
        return tuple(self._public(key) for key in self._private_keys())

    def ensure_empty_guard(self) -> None:
        """Write the guard of the empty log, unless it is there. Raises ConfigError if it guards leaves."""
        if not self._guard_path.exists():
            self._save(TreeHead(size=0, root_hash=EMPTY_ROOT))
        elif self.guarded_head().size:
            raise ConfigError(self._guard_path.name, "this key has signed a log before; a log begins once")

    def guarded_head(self) -> TreeHead:
        """Return the last head that was signed. Raises ReadOnly if the guard is missing."""
        try:
            raw = self._guard_path.read_bytes()
        except FileNotFoundError:
            raise ReadOnly(
                f"the signer's guard {self._guard_path.name} is missing; "
                "`evidence-vault log adopt` rebuilds it from what was published, anchored and witnessed"
            ) from None
        guard = parse_canonical(raw, place=self._guard_path.name, max_bytes=MAX_GUARD_BYTES)
        _GUARD.check(guard, self._guard_path.name)
        match guard:
            case {"origin": str(origin), "size": int(size), "root": str(root)} if origin == self.origin:
                return TreeHead(size=size, root_hash=bytes.fromhex(root))
        raise IntegrityError(self._guard_path.name, f"the guard of {self.origin}", "another log's")

    def adopt(self, head: TreeHead) -> None:
        """Make this head the guard: the largest that others may have seen, as an operator vouches.

        Durable after return. Raises IntegrityError if a guard is here that remembers more, or another root.
        """
        with self.one_at_a_time():
            with suppress(ReadOnly, FormatError):  # missing, or damaged: it remembers nothing
                last = self.guarded_head()
                if head.size < last.size or (head.size == last.size and head != last):
                    raise IntegrityError(self._guard_path.name, f"a head of at least {last}", head)
            self._save(head)

    def sign(self, head: TreeHead, *, key: VerifierKey) -> bytes:
        """Return the signed note of this head: exactly one signature line, the same bytes each time.

        The head must have been read back after its commit; key: the one that the log names for this size.
        Raises ReadOnly without a guard or that key, IntegrityError for a smaller size than was signed before, or
        another root at the same size.
        """
        with self.one_at_a_time():
            private_key = self._private_key(key)
            last = self.guarded_head()
            if head.size < last.size:
                raise IntegrityError("log signer", f"a tree of at least {last.size} leaves", head.size)
            if head.size == last.size and head.root_hash != last.root_hash:
                raise IntegrityError(
                    f"log signer, size {head.size}", last.root_hash.hex(), head.root_hash.hex()
                )
            if head != last:
                self._save(head)  # a crash after this line: the head is remembered, its signature made again
            text = encode_checkpoint(Checkpoint(origin=self.origin, tree_head=head))
            line = sign_note(text, name=self.origin, private_key=private_key)
            return encode_note(Note(text=text, signatures=(line,)))

    def countersign(self, head: TreeHead, *, successor: VerifierKey) -> NoteSignature:
        """Return the line of the key that takes over, under the head that was signed last and no other."""
        with self.one_at_a_time():
            if head != (last := self.guarded_head()):
                raise IntegrityError("log signer, head to countersign", last, head)
            text = encode_checkpoint(Checkpoint(origin=self.origin, tree_head=head))
            return sign_note(text, name=self.origin, private_key=self._private_key(successor))

    def _private_keys(self) -> Iterator[Ed25519PrivateKey]:
        yield load_ed25519(self._key_path)
        if next_key_path(self._key_path).exists():
            yield load_ed25519(next_key_path(self._key_path))

    def _private_key(self, wanted: VerifierKey) -> Ed25519PrivateKey:
        for key in self._private_keys():
            if self._public(key) == wanted:
                return key
        raise ReadOnly(f"the log names the key {encode_vkey(wanted)}, whose file is not in the keys folder")

    def _public(self, key: Ed25519PrivateKey) -> VerifierKey:
        return verifier_key(self.origin, SignatureType.ED25519, key)

    def _save(self, head: TreeHead) -> None:
        guard = encode_canonical(
            {"v": 1, "origin": self.origin, "size": head.size, "root": head.root_hash.hex()}
        )
        save_file(self._guard_path, guard, mode=0o600)

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Hold the guard against other threads and processes on this machine."""
        lock = self._guard_path.with_name(self._guard_path.name + ".lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
