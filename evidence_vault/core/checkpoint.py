"""Checkpoints: the signed note in which a log states its tree head (C2SP tlog-checkpoint).

    vault.example/log
    3
    Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=

    — vault.example/log 1j1dzFuE2IO9BNUMuwsOhonmluF54K+RhVLdTO1Jcs/zgOsc4LwkfU2sv5ZSLVPYLyBcKqU8sUCjIudYUgIc55a4xQc=

Origin (which log), decimal tree size, base64 root hash, an empty line, the log's signature. This one is valid
for `vault.example/log+d63d5dcc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4`.

Extension lines may follow the root hash in the generic format. A log of this project never writes one, because
nobody audits them, and its reader refuses them; only a reader of other people's logs asks for them by name.

Invariant: `encode_checkpoint(parse_checkpoint(t)) == t`. Not checked here: consistency with any other checkpoint.
"""

from collections.abc import Sequence

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.core.merkle import EMPTY_ROOT
from evidence_vault.core.note_keys import VerifierKey
from evidence_vault.core.notes import Note, Unverified, Verified, parse_note, verify_note
from evidence_vault.core.textfields import encode_base64, parse_base64, parse_decimal
from evidence_vault.errors import FormatError, VerificationError


@value
class Checkpoint:
    """What a log says: after `tree_head.size` entries its root hash is `tree_head.root_hash`."""

    origin: str
    tree_head: TreeHead
    extensions: tuple[str, ...] = ()


@value
class OpenedCheckpoint:
    """A checkpoint whose note was parsed, with what its signatures showed.

    signed: `Unverified` if no trusted key signed; then the checkpoint is only what a stranger wrote.
    """

    checkpoint: Checkpoint
    note: Note
    signed: Verified | Unverified


def open_checkpoint(data: bytes, *, origin: str, trusted: Sequence[VerifierKey]) -> OpenedCheckpoint:
    """Parse and check the note `data`, a checkpoint of the log `origin`, against the keys the caller trusts.

    (1) The bytes are a note, and its text a checkpoint without extension lines: else FormatError.
    (2) It speaks of this log, and of nothing but the empty root at size 0: else VerificationError.
    (3) No trusted key has signed it wrongly: else VerificationError.
    """
    # (1) Strict forms first: nothing below looks at bytes again.
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    # (2) A key may sign for several logs; without this, one log's head could pass as another's.
    if checkpoint.origin != origin:
        raise VerificationError("checkpoint origin", origin, checkpoint.origin)
    if checkpoint.tree_head.size == 0 and checkpoint.tree_head.root_hash != EMPTY_ROOT:
        raise VerificationError("root hash of the empty tree", EMPTY_ROOT, checkpoint.tree_head.root_hash)
    # (3) No trusted key among the signers is not an error but a result.
    return OpenedCheckpoint(checkpoint=checkpoint, note=note, signed=verify_note(note, trusted=trusted))


def parse_checkpoint(text: str, *, allow_extensions: bool = False) -> Checkpoint:
    """Parse a checkpoint's note text, LF included. Raises FormatError. C2SP tlog-checkpoint.

    allow_extensions: read a foreign log's further lines instead of refusing them.
    """
    *lines, rest = text.split("\n")
    if rest or len(lines) < 3:
        raise FormatError("checkpoint", "three lines that each end in LF", text)
    if "" in lines:
        raise FormatError(f"checkpoint line {lines.index('') + 1}", "a line that isn't empty", "")
    origin, size, root, *extensions = lines
    if extensions and not allow_extensions:
        raise FormatError("checkpoint line 4", "no extension lines", extensions[0])
    tree_head = TreeHead(
        size=parse_decimal("checkpoint size", size),
        root_hash=parse_base64("checkpoint root hash", root, length=32),
    )
    return Checkpoint(origin=origin, tree_head=tree_head, extensions=tuple(extensions))


def encode_checkpoint(checkpoint: Checkpoint) -> str:
    """Encode the note text to be signed. Raises FormatError for what `parse_checkpoint` would refuse."""
    root = encode_base64(checkpoint.tree_head.root_hash)
    lines = (checkpoint.origin, str(checkpoint.tree_head.size), root, *checkpoint.extensions)
    text = "".join(f"{line}\n" for line in lines)
    if parse_checkpoint(text, allow_extensions=bool(checkpoint.extensions)) != checkpoint:
        raise FormatError("checkpoint", "fields that each fill one line", text)
    return text


def shown_note_path(size: int) -> str:
    """Return where a log of ours, or a mirror, shows the note of this size: a folder has at most a thousand."""
    return f"checkpoints/{size // 1_000_000:03d}/{size // 1000 % 1000:03d}/{size}.note"
