"""The anchor proofs of a bundle, gathered by kind: a `.json` each, and an `.ots` beside those of OpenTimestamps.

What kind a proof is it says itself; each kind reads the rest. A sealed part that is malformed or alone makes the
bundle unreadable; one under proof/added is left out, and told.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

from anchors.opentimestamps.proof import KIND as OPENTIMESTAMPS
from anchors.values import value
from evidence_vault.core import layout
from evidence_vault.core.canonical import parse_canonical
from evidence_vault.core.events import Subject
from evidence_vault.core.layout import Part
from evidence_vault.errors import FormatError
from evidence_vault.verify.reader import MAX_PROOF_BYTES

MAX_ANCHORS = 1_000
"""In one bundle: each costs hashing, about 1 to 20 ms."""

MAX_ANCHOR_BYTES = 12 * 1024 * 1024
"""All anchor proofs together, some 3,500: our own Keccak-256 takes half a minute for so much."""


@value
class AnchorPart:
    """The proof of an anchored checkpoint, and where it stands: the recording event, or a running number if added.

    ots: the `.ots` beside it; None if there is none.
    """

    position: tuple[Subject, int]
    data: bytes
    kind: str
    added: bool
    ots: bytes | None = None


Aside = Callable[[str, layout.Path], AbstractContextManager[None]]
"""Where a part is read: what is malformed under proof/added is noted and left out, else it is raised."""


def gather_anchors(
    paths: Iterable[tuple[str, layout.Path]], raw: Mapping[str, bytes], *, aside: Aside
) -> list[AnchorPart]:
    """Return the proofs. Raises FormatError."""
    found: list[AnchorPart] = []
    beside = {path: meaning for path, meaning in paths if meaning.part is Part.OPENTIMESTAMPS}
    left = MAX_ANCHOR_BYTES
    for path, meaning in paths:
        if meaning.part is not Part.ANCHOR or meaning.subject is None:
            continue
        with aside(path, meaning):
            ots = path.removesuffix(".json") + ".ots"
            size = len(raw[path]) + len(raw.get(ots, b""))
            if size > left:
                raise FormatError(path, f"anchor proofs of at most {MAX_ANCHOR_BYTES} bytes together")
            left -= size
            document = parse_canonical(raw[path], place=path, max_bytes=MAX_PROOF_BYTES)
            kind = document.get("kind") if isinstance(document, dict) else None
            if not isinstance(kind, str):
                raise FormatError(path, "an object with a kind", kind)
            stamp = raw[ots] if kind == OPENTIMESTAMPS and ots in beside else None
            if stamp is not None:
                del beside[ots]
            position = meaning.subject, meaning.seq
            found.append(
                AnchorPart(position=position, data=raw[path], kind=kind, added=meaning.added, ots=stamp)
            )
    for path, meaning in beside.items():
        with aside(path, meaning):
            raise FormatError(path, f"an anchor of the kind {OPENTIMESTAMPS} beside it")
    return found
