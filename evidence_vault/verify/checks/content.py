"""Row 2: whether the content is, byte for byte, what was deposited.

Compared with the digests in the item's event of seq 0, all of them: a second digest is there to outlive the
first. That the vault found its own copy damaged is told beside it. A file that somebody hands in is compared with
every item, by digest; its name says nothing.
"""

from collections.abc import Sequence

from evidence_vault.core.canonical import as_object, as_text
from evidence_vault.core.events import Event, Subject
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.reader import FileDigest
from evidence_vault.verify.report import Findings, HandedIn

ROW = 2


def check_content(
    bundle: Bundle, *, handed_in: Sequence[FileDigest], recorded: bool, findings: Findings
) -> tuple[HandedIn, ...]:
    """Compare carried contents and handed-in files with the deposit. recorded: row 4 passed for the record.

    A file that is none of the items says nothing about any of them: it is told beside them, and counts by itself.
    """
    matched: dict[int, list[str]] = {}  # by position: two files may bear one name
    compared, sealed = 0, 0
    for item in bundle.items:
        first = bundle.histories[Subject(kind="item", id=item)].get(0)
        if not isinstance(first, Event) or first.type != "ITEM_RECEIVED":
            findings.failed(ROW, "content.no-record", item, item=item)
            continue
        digests = _digests(first)
        if "commitment" in digests:
            sealed += 1
            findings.open(ROW, "content.commitment", item, item=item)
            continue
        compared += 1
        carried = bundle.contents[item]
        if carried is not None:
            _compare(carried, first, item=item, recorded=recorded, findings=findings)
        elif not handed_in:
            code = "content.never-deposited" if item in bundle.never_deposited else "content.withheld"
            findings.remark(ROW, code, item, item=item)
        for number, file in enumerate(handed_in):
            if file.hex("sha256") == digests["sha256"]:
                matched.setdefault(number, []).append(item)
                _compare(file, first, item=item, recorded=recorded, findings=findings)
        _remark_fixity(bundle, item, findings)
        if item in bundle.never_deposited and first.fields["mode"] == "content":
            findings.failed(ROW, "content.denied", item, item=item)
    for number, file in enumerate(handed_in):
        if number not in matched:
            code = "content.not-comparable" if sealed else "content.not-the-same"
            findings.remark(ROW, code, file.path, found=file.hex("sha256"), compared=compared, sealed=sealed)
    return tuple(
        HandedIn(
            name=file.path,
            sha256=bytes.fromhex(str(file.hex("sha256"))),
            size=file.size,
            items=tuple(matched.get(number, ())),
            compared=compared,
            sealed=sealed,
            recorded=recorded,
        )
        for number, file in enumerate(handed_in)
    )


def _remark_fixity(bundle: Bundle, item: str, findings: Findings) -> None:
    """What the vault itself found when it read the content again: its word, beside what was compared here."""
    history = bundle.histories[Subject(kind="item", id=item)]
    told = [link for _, link in sorted(history.items()) if isinstance(link, Event)]
    looks = [link for link in told if link.type in ("FIXITY_CHECKED", "FIXITY_FAILED")]
    for number, look in enumerate(looks):
        if look.type == "FIXITY_FAILED":
            after = "content.fixity-failed" if number == len(looks) - 1 else "content.fixity-failed-once"
            findings.remark(ROW, after, f"{item}/{look.seq}", item=item, cause=look.fields["cause"])


def _compare(file: FileDigest, received: Event, *, item: str, recorded: bool, findings: Findings) -> None:
    """One file against one item. Digests that the file was not hashed under are told and not compared."""
    digests = _digests(received)
    size, mode = received.fields["size"], received.fields["mode"]
    compared: list[str] = []
    wrong = False
    if size is not None and file.size != size:
        findings.failed(ROW, "content.size", file.path, item=item, expected=size, found=file.size)
        wrong = True
    for name, expected in digests.items():
        found = file.hex(name.replace("-", "_"))
        if found is None:
            findings.remark(ROW, "content.not-hashed", file.path, item=item, algorithm=name)
            continue
        compared.append(name)
        if found != expected:
            findings.failed(
                ROW, "content.digest", file.path, item=item, algorithm=name, expected=expected, found=found
            )
            wrong = True
    if not wrong and file.damage is None:
        code = "content.same" if mode == "content" else "content.same-digest"
        if not recorded:
            code = "content.same-unauthenticated"
        findings.passed(ROW, code, file.path, item=item, algorithms=", ".join(compared))


def _digests(received: Event) -> dict[str, str]:
    return {name: as_text(value) for name, value in as_object(received.fields["digests"]).items()}
