"""The words of the witness protocol: a request to cosign a checkpoint, and a witness's size (C2SP tlog-witness).

    old 20852014
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
    ⏎
    example.com/behind-the-sofa
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
    ⏎
    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE…

The first empty line divides what is asked from the checkpoint, a signed note. The answer is signature lines; or,
where the witness remembers another size than `old`, that size.

Invariant: `encode_request(parse_request(b)) == b`. Not checked here: anything but the form.
"""

import hashlib
from collections.abc import Sequence

from anchors.values import value
from evidence_vault.core.notes import Note, parse_note
from evidence_vault.core.textfields import encode_base64, parse_base64, parse_decimal
from evidence_vault.errors import FormatError

PATH = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"

MAX_REQUEST_BYTES = 64 * 1024
"""63 lines of proof are 3 kB; the rest is room for the signature lines of other witnesses."""

MAX_PROOF_LINES = 63
"""C2SP tlog-witness: what a tree of 2^63 leaves needs."""


@value
class WitnessRequest:
    """What a log asks. old_size: of the checkpoint that it believes was cosigned last; proof: 32 bytes each."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: bytes


def encode_request(*, old_size: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Encode the body of a request; `checkpoint` is the signed note, byte for byte."""
    lines = (f"old {old_size}", *(encode_base64(node) for node in proof))
    return "".join(f"{line}\n" for line in lines).encode("ascii") + b"\n" + checkpoint


def parse_request(data: bytes) -> tuple[WitnessRequest, Note]:
    """Return the request and its note. Raises FormatError."""
    if len(data) > MAX_REQUEST_BYTES:
        raise FormatError("request", f"at most {MAX_REQUEST_BYTES} bytes", len(data))
    head, gap, checkpoint = data.partition(b"\n\n")
    if not gap or not head.isascii():
        raise FormatError("request", "lines, an empty line, a checkpoint")
    first, *lines = head.decode("ascii").split("\n")
    if not first.startswith("old "):
        raise FormatError("request, line 1", "old <size>", first[:40])
    if len(lines) > MAX_PROOF_LINES:
        raise FormatError("request", f"at most {MAX_PROOF_LINES} lines of proof", len(lines))
    request = WitnessRequest(
        old_size=parse_decimal("request, old size", first.removeprefix("old ")),
        proof=tuple(
            parse_base64(f"request, line {number}", line, length=32) for number, line in enumerate(lines, 2)
        ),
        checkpoint=checkpoint,
    )
    return request, parse_note(checkpoint)


def encode_size(size: int) -> bytes:
    """Encode the answer to a wrong old size."""
    return f"{size}\n".encode("ascii")


def parse_size(data: bytes) -> int:
    """Return the size in such an answer. Raises FormatError."""
    if not data.isascii() or not data.endswith(b"\n"):
        raise FormatError("size of the witness", "a decimal and LF", data[:40])
    return parse_decimal("size of the witness", data[:-1].decode("ascii"))


def origin_name(origin: str) -> str:
    """Return a log's name in paths, as `/<name>/checkpoint` of a witness: SHA-256 of its origin, in hex."""
    return hashlib.sha256(origin.encode()).hexdigest()
