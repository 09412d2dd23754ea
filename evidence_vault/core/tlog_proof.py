"""An inclusion proof with its checkpoint, in one text file (C2SP tlog-proof).

    c2sp.org/tlog-proof@v1
    index 2
    T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=

    vault.example/log
    3
    Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=

    — vault.example/log 1j1dzFuE2IO9BNUMuwsOhonmluF54K+RhVLdTO1Jcs/zgOsc4LwkfU2sv5ZSLVPYLyBcKqU8sUCjIudYUgIc55a4xQc=

The leaf's index, the hashes from its sibling upwards, an empty line, the checkpoint's note byte for byte. This
one proves the entry `three`. A line `extra <base64>` may precede the index; nothing authenticates it, and files
of this project have none.

Invariant: `encode_tlog_proof(parse_tlog_proof(b)) == b`. Not checked here: whether the proof
proves anything (`merkle.verify_inclusion`) and what the note says (`checkpoint.open_checkpoint`).
"""

from anchors.values import value
from evidence_vault.core.notes import MAX_NOTE_BYTES
from evidence_vault.core.textfields import encode_base64, parse_base64, parse_decimal
from evidence_vault.errors import FormatError

HEADER = "c2sp.org/tlog-proof@v1"

MAX_HASHES = 63
"""Hashes in one proof: the height of a tree of 2^63 - 1 leaves."""

MAX_PROOF_BYTES = MAX_NOTE_BYTES + 16 * 1024
"""Bytes of one file: a note, 63 hashes (2.9 kB), and an extra line that a foreign log may add."""


@value
class TlogProof:
    """Leaf `index` (from 0) is in the tree of `checkpoint_note`, a note's bytes. hashes: 32 bytes each.

    extra: unauthenticated bytes of somebody else's application, or None.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint_note: bytes
    extra: bytes | None = None


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Parse a `.tlog-proof` file. Raises FormatError for anything that isn't exactly the format."""
    if len(data) > MAX_PROOF_BYTES:
        raise FormatError("tlog-proof", f"at most {MAX_PROOF_BYTES} bytes", f"{len(data)} bytes")
    head, gap, note = data.partition(b"\n\n")
    if not gap or not note:
        raise FormatError("tlog-proof", "a proof, an empty line, a checkpoint", data[-80:])
    if not head.isascii():
        raise FormatError("tlog-proof", "ASCII before the checkpoint", head)
    lines = head.decode("ascii").split("\n")
    if lines.pop(0) != HEADER:
        raise FormatError("tlog-proof line 1", HEADER, head[:80])
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = parse_base64("tlog-proof extra", lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise FormatError("tlog-proof index", "a line `index <decimal>`", lines[:1])
    index = parse_decimal("tlog-proof index", lines.pop(0).removeprefix("index "))
    if len(lines) > MAX_HASHES:
        raise FormatError("tlog-proof", f"at most {MAX_HASHES} hashes", len(lines))
    hashes = tuple(parse_base64(f"tlog-proof hash {n}", line, length=32) for n, line in enumerate(lines))
    return TlogProof(index=index, hashes=hashes, checkpoint_note=note, extra=extra)


def encode_tlog_proof(proof: TlogProof) -> bytes:
    """Encode a proof: the only spelling that `parse_tlog_proof` reads back as it."""
    lines = [HEADER]
    if proof.extra is not None:
        lines.append(f"extra {encode_base64(proof.extra)}")
    lines.append(f"index {proof.index}")
    lines.extend(encode_base64(value) for value in proof.hashes)
    return "\n".join(lines).encode("ascii") + b"\n\n" + proof.checkpoint_note
