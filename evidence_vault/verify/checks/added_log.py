"""Row 4: who signed a checkpoint; and checkpoints under proof/added, each believed only for what it proves itself.

    (1) it is a checkpoint of this log and of the size that its file name says, signed by a key of the policy
    (2) a consistency proof joins it to M, the largest sealed one, or to one that was joined so before

Whoever joins M and is larger extends what was sealed; whoever is smaller is a state that it passed through, such as
the one that a later anchor links to. What doesn't hold is told, and counts for nothing: anybody may add.
"""

from collections.abc import Mapping, Sequence

from anchors.base import TreeHead
from evidence_vault.core import layout
from evidence_vault.core.merkle import verify_consistency
from evidence_vault.core.notes import Verified, verify_signatures
from evidence_vault.errors import VerificationError
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.parts import LogNote
from evidence_vault.verify.report import Findings
from evidence_vault.verify.trust import TrustedLog

ROW = 4


def find_added_heads(
    bundle: Bundle, logs: tuple[TrustedLog, ...], *, newest: TreeHead, findings: Findings
) -> dict[int, TreeHead]:
    """Return the tree heads that hold, by size; say of all others why not. newest: of M."""
    joined, used = {newest.size: newest}, set[tuple[int, int]]()
    later = [size for size in sorted(bundle.added_notes) if size > newest.size]
    earlier = [size for size in sorted(bundle.added_notes, reverse=True) if size <= newest.size]
    for size in (*later, *earlier):
        place = layout.note_path(size, added=True)
        if size in bundle.notes:
            findings.remark(ROW, "log.added-open", place, reason="the bundle holds this checkpoint sealed")
            continue
        # (1) the note itself
        note, aside = bundle.added_notes[size], Findings()
        signer = check_note(bundle.origin, size, note, logs, place=place, findings=aside)
        if signer is None or aside.all:
            findings.remark(ROW, "log.added-open", place, reason=_told(aside))
            continue
        # (2) the way to M
        sizes, reason = _join(note.checkpoint.tree_head, joined, bundle.added_consistency)
        reason = reason or f"no consistency proof joins it to {layout.note_path(newest.size)}"
        if sizes is None:
            findings.remark(ROW, "log.added-open", place, reason=reason)
            continue
        joined[size] = note.checkpoint.tree_head
        used.add(sizes)
        findings.remark(ROW, "log.added", place, size=size, newest=newest.size)
    for sizes in sorted(bundle.added_consistency.keys() - used):
        place = layout.consistency_path(*sizes, added=True)
        findings.remark(ROW, "log.added-open", place, reason="no checkpoint that counts needs it")
    return joined


def _join(
    head: TreeHead,
    joined: Mapping[int, TreeHead],
    proofs: Mapping[tuple[int, int], Sequence[bytes]],
) -> tuple[tuple[int, int] | None, str]:
    """The sizes of the proof that joins `head` to one that holds; else None, and what is wrong with others."""
    reason = ""
    for other in joined.values():
        older, newer = sorted((head, other), key=lambda one: one.size)
        sizes = older.size, newer.size
        if sizes not in proofs:
            continue
        try:
            verify_consistency(older=older, newer=newer, proof=proofs[sizes])
        except VerificationError as error:
            reason = f"{layout.consistency_path(*sizes, added=True)}: {error}"
        else:
            return sizes, ""
    return None, reason


def _told(aside: Findings) -> str:
    """What is wrong with the note itself, in few words; nothing was found where the policy names no such log."""
    words = {
        "log.origin": "it is another log's",
        "log.size": "its size is not that of its file name",
        "log.unknown-key": "no key of the policy signed it",
        "log.key-range": "the key that signed it was not the log's at this size",
    }
    for finding in aside.all:
        return words.get(finding.code) or finding.values.get("check") or finding.code
    return "the policy does not name this log"


def check_note(
    origin: str,
    size: int,
    note: LogNote,
    logs: tuple[TrustedLog, ...],
    *,
    place: str,
    findings: Findings,
) -> TrustedLog | None:
    """Return the policy's entry for the key that signed, if one did at a size it may."""
    if note.checkpoint.origin != origin:
        findings.failed(ROW, "log.origin", place, expected=origin, found=note.checkpoint.origin)
    if note.checkpoint.tree_head.size != size:
        findings.failed(ROW, "log.size", place, expected=size, found=note.checkpoint.tree_head.size)
    try:
        verdict = verify_signatures(note.text, note.signatures, trusted=[log.key for log in logs])
    except VerificationError as error:
        findings.error(ROW, error, place)
        return None
    if not isinstance(verdict, Verified):
        if logs:
            findings.open(ROW, "log.unknown-key", place, found=note.signatures[0].name)
        return None
    named = [log for log in logs if log.key == verdict.signatures[0].key]
    for log in named:
        if log.from_size <= size and (log.last_size is None or size <= log.last_size):
            return log
    ranges = ", ".join(f"{log.from_size}–{'' if log.last_size is None else log.last_size}" for log in named)
    findings.failed(ROW, "log.key-range", place, expected=ranges, found=size)
    return None
