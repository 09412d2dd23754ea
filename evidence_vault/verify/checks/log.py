"""Row 4: the log. Recorded by this log, in this order, and the log only grew.

    (1) every checkpoint speaks of this log and this size, and a key of the policy signed it
    (2) neighbouring checkpoints are consistent: the later one only added leaves
    (3) every carried event is a leaf of the largest checkpoint, M, at an index that rises with its seq
    (4) leaf 0 is LOG_OPENED, and the log's own events name the keys that signed, each at its sizes (`log_keys`)
    (5) every event is of this origin, and of the class that the policy gives the log

A key that the policy doesn't name says nothing, so (1) is then INDETERMINATE; (2) to (4) are still computed, and
what contradicts itself is FAILED. Not checked here: whether the log holds more than the bundle shows.
"""

from collections.abc import Mapping
from itertools import pairwise

from anchors.base import TreeHead
from anchors.values import field, value
from evidence_vault.core import layout
from evidence_vault.core.events import Event, encode_leaf_entry, first_slot, next_slot
from evidence_vault.core.merkle import leaf_hash, verify_consistency, verify_inclusion
from evidence_vault.core.notes import Verified, verify_signatures
from evidence_vault.errors import VerificationError
from evidence_vault.verify.checks.added_log import check_note, find_added_heads
from evidence_vault.verify.checks.log_keys import check_keys, own_keys
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.parts import Position
from evidence_vault.verify.report import Findings
from evidence_vault.verify.trust import TrustedLog, TrustPolicy

ROW = 4


@value
class LogFacts:
    """What row 4 established, for the rows that stand on it.

    heads: tree head by size, of sealed checkpoints and of added ones proven to extend them.
    index: leaf index of each event whose inclusion was verified.
    authentic: every checkpoint is signed by a key of the policy. log_class: the policy's; None if unknown.
    signers: the policy's entry for the key that signed, by size of the checkpoint.
    witnesses: names of the policy's witnesses by size of the checkpoint they cosigned.
    """

    heads: Mapping[int, TreeHead]
    index: Mapping[Position, int]
    authentic: bool
    log_class: str | None
    logs: tuple[TrustedLog, ...]
    witnesses: Mapping[int, frozenset[str]]
    signers: Mapping[int, TrustedLog] = field(default_factory=dict)


def check_log(bundle: Bundle, policy: TrustPolicy, *, findings: Findings) -> LogFacts:
    """Check the log's part of the bundle against the policy's keys."""
    logs = tuple(log for log in policy.logs if log.origin == bundle.origin)
    if not logs:
        findings.open(ROW, "log.unknown", bundle.origin)
    signers: dict[int, TrustedLog] = {}
    for size, note in bundle.notes.items():
        signer = check_note(bundle.origin, size, note, logs, place=layout.note_path(size), findings=findings)
        if signer:
            signers[size] = signer
    authentic = signers.keys() == bundle.notes.keys()
    heads = {size: note.checkpoint.tree_head for size, note in bundle.notes.items()}
    _check_consistency(bundle, heads, findings=findings)
    index = _check_inclusion(bundle, heads, findings=findings)
    check_keys(bundle, signers, index, findings=findings)
    classes = {log.log_class for log in logs}
    log_class = classes.pop() if len(classes) == 1 else None
    _check_origin_and_class(bundle, log_class, findings=findings)
    facts = LogFacts(
        heads={**heads, **find_added_heads(bundle, logs, newest=heads[max(heads)], findings=findings)},
        index=index,
        authentic=authentic,
        log_class=log_class,
        logs=logs,
        signers=signers,
        witnesses=_check_witnesses(bundle, policy, findings=findings),
    )
    if authentic and not any(f.row == ROW and f.status == "FAILED" for f in findings.all):
        findings.passed(ROW, "log.recorded", bundle.origin, count=len(index), size=max(heads))
    return facts


def _check_consistency(bundle: Bundle, heads: Mapping[int, TreeHead], *, findings: Findings) -> None:
    """(2)."""
    for size1, size2 in pairwise(sorted(heads)):
        place = layout.consistency_path(size1, size2)
        proof = bundle.consistency.get((size1, size2))
        if proof is None:
            findings.failed(ROW, "log.no-consistency", place)
            continue
        try:
            verify_consistency(older=heads[size1], newer=heads[size2], proof=proof)
        except VerificationError as error:
            findings.error(ROW, error, place)


def _check_inclusion(
    bundle: Bundle, heads: Mapping[int, TreeHead], *, findings: Findings
) -> dict[Position, int]:
    """(3). The slot of an event comes from the nonce of the one before, so a gap can't be bridged."""
    newest = heads[max(heads)]
    index: dict[Position, int] = {}
    for subject, history in bundle.histories.items():
        item = subject.id if subject.kind == "item" else None
        following = first_slot(subject)
        expected, below = 0, -1
        for seq, link in sorted(history.items()):
            slot = following if seq == expected else None
            expected, following = seq + 1, next_slot(link.nonce)
            if slot is None:
                continue
            place = layout.inclusion_path(subject, seq)
            proof = bundle.inclusion.get((subject, seq))
            entry = encode_leaf_entry(link.sha256, slot)
            if proof is None:
                findings.failed(ROW, "log.no-inclusion", place, item=item)
                continue
            if proof.checkpoint_note != bundle.notes[max(heads)].raw:
                findings.failed(ROW, "log.other-checkpoint", place, item=item, expected=max(heads))
                continue
            try:
                verify_inclusion(
                    leaf_hash=leaf_hash(entry), leaf_index=proof.index, proof=proof.hashes, tree_head=newest
                )
            except VerificationError as error:
                findings.error(ROW, error, place, item=item)
                continue
            if proof.index <= below:
                findings.failed(ROW, "log.order", place, item=item, expected=f"> {below}", found=proof.index)
            below = proof.index
            index[subject, seq] = proof.index
    return index


def _check_origin_and_class(bundle: Bundle, log_class: str | None, *, findings: Findings) -> None:
    """(5). Nobody may show development evidence as real, or one log's event as another's."""
    for subject, history in bundle.histories.items():
        item = subject.id if subject.kind == "item" else None
        for seq, link in history.items():
            if not isinstance(link, Event):
                continue
            place = f"{subject.id}/{seq}"
            if link.origin != bundle.origin:
                findings.failed(
                    ROW, "log.event-origin", place, item=item, expected=bundle.origin, found=link.origin
                )
            if log_class is not None and link.env != log_class:
                findings.failed(ROW, "log.class", place, item=item, expected=log_class, found=link.env)


def _check_witnesses(bundle: Bundle, policy: TrustPolicy, *, findings: Findings) -> dict[int, frozenset[str]]:
    """Cosignatures by the policy's witnesses (C2SP tlog-cosignature). Strangers' lines are ignored.

    A key that the log names as its own watches nobody, also where the policy doesn't know it as the log's.
    """
    own = {key.public_key for key in own_keys(bundle)}
    names = {key: name for name, key in policy.witnesses.items() if key.public_key not in own}
    seen: dict[int, frozenset[str]] = {}
    for size, note in bundle.notes.items():
        try:
            verdict = verify_signatures(note.text, note.cosignatures, trusted=tuple(names))
        except VerificationError as error:
            findings.error(ROW, error, layout.cosigs_path(size))
            continue
        if isinstance(verdict, Verified):
            seen[size] = frozenset(names[signature.key] for signature in verdict.signatures)
    return seen
