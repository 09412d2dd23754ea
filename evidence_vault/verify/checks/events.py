"""Row 3: the events. No gap, no change, nothing cut off up to the export, nothing slipped in.

    (1) every history runs from seq 0 without a gap; each event stands where its own subject and seq say
    (2) each event names the digest of the one before
    (3) disclosures are those whose digests the event holds
    (4) the newest event of each item is the EXPORTED of this bundle; it seals parts.txt and the cut
    (5) parts.txt lists exactly the files that are there, with their digests

The chain alone would let its own author rewrite it: that it was recorded in this form is row 4.
"""

from collections.abc import Iterator, Mapping

from evidence_vault.core import layout
from evidence_vault.core.canonical import as_object
from evidence_vault.core.disclosures import open_disclosures
from evidence_vault.core.events import Event, Subject
from evidence_vault.errors import VerificationError
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.parts import Position, Redacted
from evidence_vault.verify.report import Findings

ROW = 3


def check_events(bundle: Bundle, *, findings: Findings) -> None:
    """Check chains, disclosures and seal."""
    for subject, history in bundle.histories.items():
        item = subject.id if subject.kind == "item" else None
        whole = _check_chain(subject, history, item=item, findings=findings)
        _check_disclosures(bundle, subject, history, item=item, findings=findings)
        if whole and subject.kind == "item":
            findings.passed(ROW, "events.chain", subject.id, item=item, count=len(history))
    sealed = _check_seal(bundle, findings=findings)
    _check_parts(bundle, sealed=sealed, findings=findings)


def _check_chain(
    subject: Subject, history: Mapping[int, Event | Redacted], *, item: str | None, findings: Findings
) -> bool:
    """(1) and (2). An unknown type is chained like any other, but what it says can't be judged."""
    good = True
    previous: Event | Redacted | None = None
    expected = 0
    for seq, link in sorted(history.items()):
        place = f"{subject.id}/{seq}"
        if seq != expected:
            findings.failed(ROW, "events.gap", f"{subject.id}/{expected}", item=item)
            previous, good = None, False
        expected = seq + 1
        if link.seq != seq or (isinstance(link, Event) and link.subject != subject):
            found = f"{link.subject.id}/{link.seq}" if isinstance(link, Event) else str(link.seq)
            findings.failed(ROW, "events.misplaced", place, item=item, expected=place, found=found)
            good = False
        if isinstance(link, Event):
            if previous is not None and link.prev != previous.sha256:
                findings.failed(
                    ROW, "events.prev", place, item=item, expected=previous.sha256, found=link.prev or "null"
                )
                good = False
            if not link.known:
                findings.open(ROW, "events.unknown-type", place, item=item, type=link.type)
        previous = link
    return good


def _check_disclosures(
    bundle: Bundle,
    subject: Subject,
    history: Mapping[int, Event | Redacted],
    *,
    item: str | None,
    findings: Findings,
) -> None:
    """(3). Values that stay undisclosed are counted: a reader should know that there are some."""
    hidden = 0
    for seq, link in history.items():
        if not isinstance(link, Event):
            hidden += 1
            continue
        place = f"{subject.id}/{seq}"
        texts = bundle.disclosures.get((subject, seq), ())
        try:
            opened = open_disclosures(link, texts, place=place)
            hidden += len(link.disclosure_digests) - len(opened)
        except VerificationError as error:
            findings.error(ROW, error, place, item=item)
    if hidden:
        findings.remark(ROW, "events.undisclosed", subject.id, item=item, count=hidden)


def _check_seal(bundle: Bundle, *, findings: Findings) -> set[str]:
    """(4). Returns the paths of this bundle's EXPORTED events, which parts.txt can't list."""
    sealed: set[str] = set()
    cuts: set[tuple[object, object]] = set()
    for subject, history in bundle.histories.items():
        exported = [
            link
            for link in history.values()
            if isinstance(link, Event) and link.type == "EXPORTED" and link.fields["bundle"] == bundle.id
        ]
        item = subject.id if subject.kind == "item" else None
        if not exported:
            if item:
                findings.open(ROW, "events.not-sealed", subject.id, item=item)
            continue
        sealed.update(layout.event_path(subject, link.seq) for link in exported)
        if len(exported) > 1 or exported[0].seq != max(history):
            findings.failed(ROW, "events.after-seal", subject.id, item=item)
            continue
        seal = exported[0]
        place = f"{subject.id}/{seal.seq}"
        cut = as_object(seal.fields["cut"])
        cuts.add((cut["size"], cut["root"]))
        if seal.fields["parts_sha256"] != bundle.parts_sha256.hex():
            findings.failed(
                ROW,
                "events.parts-changed",
                place,
                item=item,
                expected=seal.fields["parts_sha256"],
                found=bundle.parts_sha256,
            )
            continue
        note = bundle.notes.get(int(str(cut["size"])))
        root = note.checkpoint.tree_head.root_hash.hex() if note else "no such checkpoint"
        if root != cut["root"]:
            findings.failed(ROW, "events.cut", place, item=item, expected=cut["root"], found=root)
        elif item:
            findings.passed(ROW, "events.sealed", place, item=item, size=cut["size"])
    if len(cuts) > 1:
        findings.failed(ROW, "events.cuts-differ", bundle.id, found=len(cuts), expected=1)
    return sealed


def _check_parts(bundle: Bundle, *, sealed: set[str], findings: Findings) -> None:
    """(5). A file in neither set could be anything: somebody put it there after the seal."""
    there = {path: digest for path, digest in bundle.sealed.items() if path not in sealed}
    for path in sorted(there.keys() - bundle.parts.keys()):
        findings.failed(ROW, "parts.unlisted", path)
    for path in sorted(bundle.parts.keys() - there.keys()):
        findings.failed(ROW, "parts.missing", path)
    for path in sorted(there.keys() & bundle.parts.keys()):
        if there[path] != bundle.parts[path]:
            findings.failed(ROW, "parts.digest", path, expected=bundle.parts[path], found=there[path])


def cut_size(bundle: Bundle) -> int | None:
    """Return the size of the cut that the seal names, if the items agree on one."""
    sizes = {
        as_object(link.fields["cut"])["size"]
        for history in bundle.histories.values()
        for link in history.values()
        if isinstance(link, Event) and link.type == "EXPORTED" and link.fields["bundle"] == bundle.id
    }
    size = sizes.pop() if len(sizes) == 1 else None
    return size if isinstance(size, int) else None


def events_in_place(bundle: Bundle, *types: str) -> Iterator[tuple[Position, Event]]:
    """Yield the events of these types, each with the position that is its own; a misplaced one failed (1)."""
    for subject, history in bundle.histories.items():
        for seq, link in sorted(history.items()):
            if isinstance(link, Event) and link.type in types and (link.subject, link.seq) == (subject, seq):
                yield (subject, seq), link
