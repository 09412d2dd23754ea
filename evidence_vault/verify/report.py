"""The report: what was checked, what came out, in the words of ETSI EN 319 102-1. Data only; texts are in `texts`.

A finding is one result of one check at one place. A row gathers the findings of one check for one item. A status
never says more than was checked: NOT PRESENT and INDETERMINATE are no success.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from anchors.values import field, value
from evidence_vault.core.canonical import Json
from evidence_vault.errors import VerificationError
from evidence_vault.verify.trusted_lists import Qualification


class Status(StrEnum):
    """What came out of a check. REMARK is no result: it informs and changes nothing."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"
    NOT_PRESENT = "NOT PRESENT"
    REMARK = "REMARK"


class Verdict(StrEnum):
    """What the whole comes to."""

    TOTAL_PASSED = "TOTAL-PASSED"
    TOTAL_FAILED = "TOTAL-FAILED"
    INDETERMINATE = "INDETERMINATE"
    UNREADABLE = "UNREADABLE"
    DEVELOPMENT_PASSED = "DEVELOPMENT-PASSED"


EXIT_CODES: Mapping[Verdict, int] = {
    Verdict.TOTAL_PASSED: 0,
    Verdict.TOTAL_FAILED: 2,
    Verdict.INDETERMINATE: 3,
    Verdict.UNREADABLE: 4,
    Verdict.DEVELOPMENT_PASSED: 5,
}

WORST_FIRST = (
    Verdict.UNREADABLE,
    Verdict.TOTAL_FAILED,
    Verdict.INDETERMINATE,
    Verdict.DEVELOPMENT_PASSED,
    Verdict.TOTAL_PASSED,
)

ROWS = range(1, 12)


def passed_verdict(classes: Iterable[str | None]) -> Verdict:
    """Return what passing is called for evidence of these classes."""
    return Verdict.DEVELOPMENT_PASSED if "development" in set(classes) else Verdict.TOTAL_PASSED


MAX_SHOWN = 100
"""Findings of one status that a row shows of one item, and of what concerns all: a hostile bundle of 100,000 files
and 1,000 items could otherwise ask for a report of terabytes. How many more there are is said."""


@value
class Finding:
    """One result: which row, what came out, where, and the text's key with its values.

    item: the item it is about; None where it concerns all. expected, found: what a check compared, as text.
    """

    row: int
    status: Status
    code: str
    place: str
    item: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    expected: str | None = None
    found: str | None = None


@value
class Row:
    """One check for one item."""

    number: int
    status: Status
    findings: tuple[Finding, ...]


@value
class Person:
    """Who acted, as the event says; name, holder: as other events of the bundle name him and whom he acts for."""

    id: str
    role: str
    auth: str
    on_behalf_of: str | None
    name: str | None = None
    holder: str | None = None


@value
class Told:
    """What an event tells, beside its type and time; `story` says where it comes from.

    order: under which it was, or which it is about. fields: the type's own; of an unknown type none. disclosures:
    personal values that travel, by name; undisclosed: how many more the event holds digests of.
    """

    actor: Person
    result: str
    basis: str | None
    grant: str | None
    case: str | None
    order: str | None
    order_number: str | None
    fields: Mapping[str, Json]
    disclosures: Mapping[str, str]
    undisclosed: int


@value
class Bounds:
    """Between which times an event was logged, and what it says itself. None: not bounded on that side.

    told: None for a redacted event.
    """

    subject: str
    seq: int
    type: str
    at: datetime | None
    not_before: datetime | None
    not_after: datetime | None
    told: Told | None = None


@value
class CaseReport:
    """A case that travels with its items. exported: sealed with them, up to its newest event; else as of the cut.

    redacted: events of which this reader may know that they are there. left_out: items that the case names, as far
    as that may be seen, and that are not in this bundle.
    """

    case: str
    exported: bool
    redacted: int
    left_out: tuple[str, ...]
    bounds: tuple[Bounds, ...]


@value
class HandedIn:
    """A file that somebody handed in, and what it was compared with: by SHA-256 with every item that has one.

    items: those whose deposit has this digest. compared: with how many it was compared; sealed: items of which only
    a commitment is known, so that they can't be. recorded: row 4 passed for what it was compared with.
    """

    name: str
    sha256: bytes
    size: int
    items: tuple[str, ...]
    compared: int
    sealed: int
    recorded: bool

    @property
    def status(self) -> Status:
        """PASSED: the same as an item, if row 2 of that passed. FAILED: no item's. Else it can't be said."""
        if self.items:
            return Status.PASSED
        return Status.INDETERMINATE if self.sealed else Status.FAILED


@value
class Stamper:
    """An authority whose tokens stand behind an item, and what trusted lists say of it at their time."""

    name: str
    group: str
    tsa_class: str
    qualification: Qualification


@value
class ItemReport:
    """The verdict on one item. record_time: it existed by then; cut_time: unchanged until then, as far as seen.

    content_time: tokens on the content itself; stands apart and never fills in for the record time.
    stampers: whose tokens cover the item or its record, each status once.
    unmet: the requirements that no passed row meets, as text keys.
    """

    item: str
    verdict: Verdict
    rows: tuple[Row, ...]
    record_time: datetime | None
    record_groups: tuple[str, ...]
    content_time: datetime | None
    stampers: tuple[Stamper, ...]
    anchors: tuple[str, ...]
    bounds: tuple[Bounds, ...]
    unmet: tuple[str, ...]


@value
class Report:
    """What one verification of one bundle came to.

    complete_size: up to where a mirror of the log showed what the items' histories come to; None without one.
    """

    verdict: Verdict
    bundle: str | None
    origin: str | None
    log_class: str | None
    items: tuple[ItemReport, ...]
    cut_size: int | None
    cut_time: datetime | None
    at: datetime
    policy_name: str
    policy_sha256: bytes
    verifier_version: str
    ran_by: str | None = None
    unreadable: Finding | None = None
    complete_size: int | None = None
    cases: tuple[CaseReport, ...] = ()
    files: tuple[HandedIn, ...] = ()

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ends with this report."""
        return EXIT_CODES[self.verdict]


class Findings:
    """Collects findings while the checks run; nothing is ever skipped in silence."""

    def __init__(self) -> None:
        self.all: list[Finding] = []
        self._shown: dict[tuple[int, str | None], list[tuple[int, Finding]]] = {}
        self._counts: dict[tuple[int, str | None], Counter[Status]] = {}

    def add(
        self, row: int, status: Status, code: str, place: str, *, item: str | None = None, **values: object
    ) -> None:
        """Note one result. `expected` and `found` among the values are shown as such."""
        texts = {name: _text(value) for name, value in values.items()}
        expected, found = texts.pop("expected", None), texts.pop("found", None)
        finding = Finding(
            row=row,
            status=status,
            code=code,
            place=place,
            item=item,
            values=texts,
            expected=expected,
            found=found,
        )
        self.extend([finding])

    def extend(self, findings: Iterable[Finding]) -> None:
        """Note what another collection found."""
        for finding in findings:
            key = (finding.row, finding.item)
            counts = self._counts.setdefault(key, Counter())
            counts[finding.status] += 1
            if counts[finding.status] <= MAX_SHOWN:
                self._shown.setdefault(key, []).append((len(self.all), finding))
            self.all.append(finding)

    def passed(self, row: int, code: str, place: str, *, item: str | None = None, **values: object) -> None:
        """Note that a check passed."""
        self.add(row, Status.PASSED, code, place, item=item, **values)

    def failed(self, row: int, code: str, place: str, *, item: str | None = None, **values: object) -> None:
        """Note that something is wrong."""
        self.add(row, Status.FAILED, code, place, item=item, **values)

    def open(self, row: int, code: str, place: str, *, item: str | None = None, **values: object) -> None:
        """Note that the material at hand doesn't suffice."""
        self.add(row, Status.INDETERMINATE, code, place, item=item, **values)

    def remark(self, row: int, code: str, place: str, *, item: str | None = None, **values: object) -> None:
        """Note something that a reader should know and that changes nothing."""
        self.add(row, Status.REMARK, code, place, item=item, **values)

    def error(self, row: int, error: VerificationError, place: str, *, item: str | None = None) -> None:
        """Note a VerificationError as a failure."""
        self.failed(
            row, "mismatch", place, item=item, check=error.check, expected=error.expected, found=error.found
        )

    def row(self, number: int, item: str | None) -> Row:
        """Return the row of one item: its own findings, and those that concern all."""
        keys = [(number, one) for one in dict.fromkeys((None, item))]
        # In the order in which they were found: what concerns all stands among the item's own.
        mine = tuple(
            f for _, f in heapq.merge(*(self._shown.get(key, ()) for key in keys), key=lambda p: p[0])
        )
        counts = sum((self._counts[key] for key in keys if key in self._counts), Counter[Status]())
        if more := counts.total() - len(mine):
            remark = Finding(
                row=number, status=Status.REMARK, code="more", place="", values={"count": str(more)}
            )
            mine = (*mine, remark)
        for status in (Status.FAILED, Status.INDETERMINATE, Status.PASSED):
            if counts[status]:
                return Row(number=number, status=status, findings=mine)
        return Row(number=number, status=Status.NOT_PRESENT, findings=mine)


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
