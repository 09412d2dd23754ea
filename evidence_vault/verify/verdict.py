"""The verdict on an item: the floor that no policy can lower, then the policy's requirements.

TOTAL-FAILED if any row failed. TOTAL-PASSED only if the floor and every requirement are met by what passed; what
is NOT PRESENT or INDETERMINATE meets nothing. Passing with development evidence has a name of its own.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from anchors.values import value
from evidence_vault.core import layout
from evidence_vault.core.events import Subject
from evidence_vault.core.names import NETWORK_CLASSES
from evidence_vault.verify.checks.anchor_facts import AnchorFact
from evidence_vault.verify.checks.log import LogFacts
from evidence_vault.verify.checks.times import Timeline
from evidence_vault.verify.checks.tokens import TokenFact
from evidence_vault.verify.report import (
    ROWS,
    WORST_FIRST,
    Bounds,
    Findings,
    HandedIn,
    ItemReport,
    Row,
    Stamper,
    Status,
    Verdict,
    passed_verdict,
)
from evidence_vault.verify.trust import TrustPolicy

FLOOR = (1, 2, 3, 4, 8)
"""Rows that must pass for every item, whatever the policy says. Row 2 passes only if a content was compared:
a policy that doesn't ask for content can't lower that."""


@value
class Facts:
    """What the checks established, for the verdict."""

    findings: Findings
    log: LogFacts
    tokens: tuple[TokenFact, ...]
    anchors: tuple[AnchorFact, ...]
    timeline: Timeline
    bounds: tuple[Bounds, ...]
    cut_size: int | None
    complete_size: int | None = None
    files: tuple[HandedIn, ...] = ()


def judge_all(items: Sequence[ItemReport], files: Sequence[HandedIn]) -> Verdict:
    """The worst of the items; and a file that is none of them never ends in a passed verdict, whatever they are."""
    found = {item.verdict for item in items}
    found |= {Verdict.TOTAL_FAILED for file in files if file.status is Status.FAILED}
    found |= {Verdict.INDETERMINATE for file in files if file.status is Status.INDETERMINATE}
    return next(verdict for verdict in WORST_FIRST if verdict in found)


def judge_item(item: str, policy: TrustPolicy, facts: Facts, *, at: datetime) -> ItemReport:
    """The verdict on one item: any FAILED row fails it; what is unmet keeps it from passing."""
    rows = tuple(facts.findings.row(number, item) for number in ROWS)
    subject = Subject(kind="item", id=item)
    index = facts.log.index.get((subject, 0))
    record = None if index is None else facts.timeline.record_time(index)
    groups = () if index is None else facts.timeline.groups_on(index)
    anchors = _counting_anchors(facts, index)
    unmet = tuple(_unmet(item, policy, facts, rows=rows, at=at))
    on_content = {
        layout.timestamp_folder(*fact.position)
        for fact in facts.tokens
        if fact.position[0] == subject and fact.covers is None
    }
    own = [source for source in facts.timeline.tokens if source.place in on_content]
    if any(row.status is Status.FAILED for row in rows):
        verdict = Verdict.TOTAL_FAILED
    elif unmet:
        verdict = Verdict.INDETERMINATE
    else:
        verdict = passed_verdict(_classes(facts, subject, index, anchors))
    return ItemReport(
        item=item,
        verdict=verdict,
        rows=rows,
        record_time=record.latest if record else None,
        record_groups=groups,
        content_time=facts.timeline.content_time(own),
        stampers=tuple(_stampers(facts, subject, index)),
        anchors=tuple(
            f"{anchor.network} ({NETWORK_CLASSES[anchor.chain_class]}), block {anchor.block_number}"
            for anchor in anchors
        ),
        bounds=tuple(bound for bound in facts.bounds if bound.subject == item),
        unmet=unmet,
    )


def _unmet(
    item: str, policy: TrustPolicy, facts: Facts, *, rows: Sequence[Row], at: datetime
) -> Iterable[str]:
    """The floor first, then the policy's requirements, as keys of texts."""
    status = {row.number: row.status for row in rows}
    for number in FLOOR:
        if number == 2 and status[2] is Status.NOT_PRESENT:
            yield "no-content-compared"
        elif status[number] is not Status.PASSED:
            yield f"row-{number}"
    if status[10] is not Status.PASSED:
        yield "row-10"
    index = facts.log.index.get((Subject(kind="item", id=item), 0))
    if index is None:
        return
    require = policy.require
    if len(facts.timeline.groups_on(index)) < max(1, require.tsa_groups):
        yield "tsa-groups"
    anchors = _counting_anchors(facts, index)
    if len({anchor.network for anchor in anchors}) < require.anchors:
        yield "anchors"
    witnesses = {name for size, names in facts.log.witnesses.items() if size > index for name in names}
    if len(witnesses) < require.witnesses:
        yield "witnesses"
    if require.full_chain and not chain_is_full(anchors, index):
        yield "full-chain"
    size = facts.cut_size
    if size is None or size <= index:
        yield "cut"
    cut = facts.timeline.record_time(size - 1) if size else None
    if policy.max_age is not None and (cut is None or at - cut.latest > policy.max_age):
        yield "too-old"


def _counting_anchors(facts: Facts, index: int | None) -> list[AnchorFact]:
    """Anchors that cover the deposit and passed rows 6 and 7."""
    return [
        anchor for anchor in facts.anchors if anchor.confirmed and index is not None and anchor.size > index
    ]


def chain_is_full(anchors: Sequence[AnchorFact], index: int) -> bool:
    """Whether every anchor since the item's first one is here: each names the one before it on its network."""
    sizes: dict[str, list[int]] = {}
    linked = [(one.size, one.prev_size, one.network) for one in anchors if one.prev_size is not None]
    whole = bool(linked)
    for size, prev_size, network in sorted(linked):
        before = sizes.setdefault(network, [])
        whole = whole and (prev_size in before or (not before and prev_size <= index))
        before.append(size)
    return whole


def _own_tokens(facts: Facts, subject: Subject, index: int | None) -> list[TokenFact]:
    """Tokens on the item, and on checkpoints that hold its deposit."""
    return [
        fact
        for fact in facts.tokens
        if (fact.position[0] == subject if fact.covers is None else index is not None and fact.covers > index)
    ]


def _stampers(facts: Facts, subject: Subject, index: int | None) -> list[Stamper]:
    """Who made them, by name; one authority twice only if its status changed between two of its tokens."""
    found = {
        Stamper(
            name=fact.token.authority,
            group=fact.token.group,
            tsa_class=fact.token.tsa_class,
            qualification=fact.qualification,
        )
        for fact in _own_tokens(facts, subject, index)
    }
    return sorted(found, key=lambda one: (one.name, one.qualification.status, str(one.qualification.issued)))


def _classes(
    facts: Facts, subject: Subject, index: int | None, anchors: Sequence[AnchorFact]
) -> Iterable[str | None]:
    """The classes of everything that the verdict or a time beside it stands on."""
    yield facts.log.log_class
    for fact in _own_tokens(facts, subject, index):
        yield fact.token.tsa_class
    for anchor in anchors:
        yield anchor.chain_class
