"""Row 4, with a mirror of the log: complete as of size N, so that nothing in the log was left out of the bundle.

    (1) the mirror's checkpoint is of this log, and a key of the policy signed it for its size
    (2) all entries are there, and hash to its root
    (3) at the size of M they hash to the root of the bundle's M: one history. Two signed ones are a fork
    (4) no slot of a carried event stands anywhere but at that event's leaf
    (5) the slot after the newest carried event of a subject stands nowhere: nothing about it came later

A mirror that can't be used says nothing, so (1) and (2) are INDETERMINATE, and so is one that ends before M. A
later event is no fault: handing out is an event. Nothing of the mirror but its entries and its checkpoint is read.
"""

from anchors.base import TreeHead
from anchors.values import field, value
from evidence_vault.core.checkpoint import Checkpoint, open_checkpoint
from evidence_vault.core.events import Subject, first_slot, next_slot, parse_leaf_entry
from evidence_vault.core.merkle import EMPTY_ROOT, Frontier, leaf_hash
from evidence_vault.core.notes import Verified
from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.verify.checks.log import ROW, LogFacts
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.mirror import LogMirror
from evidence_vault.verify.parts import Position
from evidence_vault.verify.report import Findings


@value
class Scan:
    """What one pass over the entries gave: the heads at two sizes, and where each wanted slot stands."""

    newest: TreeHead
    at_bundle: TreeHead
    places: dict[bytes, list[int]] = field(default_factory=dict)


def check_mirror(mirror: LogMirror, bundle: Bundle, log: LogFacts, *, findings: Findings) -> int | None:
    """Return the size up to which the bundle's subjects are shown complete; None if the mirror shows nothing."""
    place = str(mirror.folder.name)
    size = max(bundle.notes)
    try:
        # (1) Whose it is.
        stated = _open(mirror, bundle.origin, log)
        if stated is None:
            findings.open(ROW, "mirror.unsigned", place)
            return None
        if stated.tree_head.size < size:
            findings.open(ROW, "mirror.shorter", place, expected=f">= {size}", found=stated.tree_head.size)
            return None
        # (2) What it holds is what was signed.
        carried, following = _slots(bundle)
        scan = _scan(mirror, stated.tree_head.size, size, {*carried, *following})
    except FormatError as error:
        findings.open(ROW, "mirror.unreadable", error.place, expected=error.expected, found=error.found)
        return None
    except VerificationError as error:
        findings.open(ROW, "mirror.unreadable", place, expected=error.expected, found=error.found)
        return None
    if scan.newest != stated.tree_head:
        findings.open(
            ROW, "mirror.damaged", place, expected=stated.tree_head.root_hash, found=scan.newest.root_hash
        )
        return None
    # (3) Attack: one history for the court, another one for the world.
    ours = bundle.notes[size].checkpoint.tree_head.root_hash
    if scan.at_bundle.root_hash != ours:
        if size in log.signers:
            findings.failed(ROW, "mirror.fork", place, expected=scan.at_bundle.root_hash, found=ours)
        else:
            findings.open(ROW, "mirror.other-history", place, expected=scan.at_bundle.root_hash, found=ours)
        return None
    _check_carried(carried, scan, log, findings=findings)
    _check_following(following, scan, stated.tree_head.size, findings=findings)
    return stated.tree_head.size


def _open(mirror: LogMirror, origin: str, log: LogFacts) -> Checkpoint | None:
    """(1). Returns what the mirror's checkpoint says, if a key of the policy signed it."""
    opened = open_checkpoint(mirror.note(), origin=origin, trusted=list({one.key for one in log.logs}))
    size = opened.checkpoint.tree_head.size
    if not isinstance(opened.signed, Verified):
        return None
    keys = {signature.key for signature in opened.signed.signatures}
    good = any(
        one.key in keys and one.from_size <= size <= (size if one.last_size is None else one.last_size)
        for one in log.logs
    )
    return opened.checkpoint if good else None


def _slots(bundle: Bundle) -> tuple[dict[bytes, Position], dict[bytes, Subject]]:
    """The slots of carried events, and of each subject the one that its next event would take."""
    carried: dict[bytes, Position] = {}
    following: dict[bytes, Subject] = {}
    for subject, history in bundle.histories.items():
        slot = first_slot(subject)
        for seq, link in sorted(history.items()):
            carried[slot] = (subject, seq)
            slot = next_slot(link.nonce)
        following[slot] = subject
    return carried, following


def _scan(mirror: LogMirror, size: int, bundle_size: int, wanted: set[bytes]) -> Scan:
    """Read all entries once; memory does not grow with them."""
    frontier, at_bundle = Frontier(), TreeHead(size=0, root_hash=EMPTY_ROOT)
    places: dict[bytes, list[int]] = {}
    for entries in mirror.entries(size):
        for number, entry in enumerate(entries):
            _, slot = parse_leaf_entry(entry, place=f"leaf {frontier.size + number}")
            if slot in wanted:
                places.setdefault(slot, []).append(frontier.size + number)
        hashes = [leaf_hash(entry) for entry in entries]
        cut = bundle_size - frontier.size
        if 0 < cut <= len(hashes):
            at_bundle = frontier.extend(hashes[:cut]).tree_head()
        frontier = frontier.extend(hashes)
    return Scan(newest=frontier.tree_head(), at_bundle=at_bundle, places=places)


def _check_carried(carried: dict[bytes, Position], scan: Scan, log: LogFacts, *, findings: Findings) -> None:
    """(4). Attack: two histories of one subject in one log, of which the bundle shows the nicer one."""
    for slot, (subject, seq) in carried.items():
        own = log.index.get((subject, seq))
        others = [index for index in scan.places.get(slot, []) if index != own]
        if others:
            findings.failed(
                ROW,
                "mirror.second-entry",
                f"{subject.id}/{seq}",
                item=subject.id if subject.kind == "item" else None,
                expected="—" if own is None else own,
                found=", ".join(map(str, others[:8])),
            )


def _check_following(following: dict[bytes, Subject], scan: Scan, size: int, *, findings: Findings) -> None:
    """(5)."""
    for slot, subject in following.items():
        item = subject.id if subject.kind == "item" else None
        found = scan.places.get(slot)
        if found:
            findings.remark(ROW, "mirror.went-on", subject.id, item=item, index=found[0], size=size)
        elif item is not None:
            findings.passed(ROW, "mirror.complete", subject.id, item=item, size=size)
