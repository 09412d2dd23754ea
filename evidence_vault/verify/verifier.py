"""Bundle + trust policy + a given time → a report. No network, no database, no clock of its own.

    (1)  form: the bundle was read (`contents.read_bundle`); what is no bundle raises FormatError
    (2)  content against the item's deposit
    (3)  events: chain, disclosures, seal
    (4)  log: checkpoints, consistency, inclusion
    (5)  RFC 3161 tokens           needs (6) and (7): a block can show that an expired token existed in time
    (6)  anchors: consistent with a block H
    (7)  H is on the chain and final
    (8)  times: between which of them each event was logged
    (9)  attestations
    (10) algorithms
    (11) platform statement and incidents
    then the verdict, item by item: the floor that no policy can lower, and the policy's requirements

What is trusted is in the policy and the headers files; nothing inside the bundle is trusted because it is inside.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from anchors.ethereum.headers import HeadersFile
from evidence_vault import __version__
from evidence_vault.core import layout
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_time
from evidence_vault.errors import ConfigError, FormatError
from evidence_vault.verify.checks.anchors import AnchorFact, check_anchors
from evidence_vault.verify.checks.attestations import check_attestations
from evidence_vault.verify.checks.content import check_content
from evidence_vault.verify.checks.events import check_events, cut_size
from evidence_vault.verify.checks.log import LogFacts, check_log
from evidence_vault.verify.checks.platform import check_algorithms, check_platform
from evidence_vault.verify.checks.times import Timeline, build_timeline, check_times
from evidence_vault.verify.checks.tokens import TokenFact, check_tokens
from evidence_vault.verify.contents import Bundle, read_bundle
from evidence_vault.verify.reader import BundleFiles, FileDigest, open_bundle
from evidence_vault.verify.report import (
    ROWS,
    WORST_FIRST,
    Bounds,
    Finding,
    Findings,
    ItemReport,
    Report,
    Row,
    Status,
    Verdict,
)
from evidence_vault.verify.trust import TrustPolicy

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Given times that can be asked about: far enough from the ends of the calendar to reckon with."""

FLOOR = (1, 2, 3, 4, 8)
"""Rows that must pass for every item, whatever the policy says. Row 2 passes only if a content was compared:
a policy that doesn't ask for content can't lower that."""

DEVELOPMENT = "development"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the checks established, for the verdict."""

    findings: Findings
    log: LogFacts
    tokens: tuple[TokenFact, ...]
    anchors: tuple[AnchorFact, ...]
    timeline: Timeline
    bounds: tuple[Bounds, ...]


def verify_path(
    path: Path,
    policy: TrustPolicy,
    *,
    at: datetime,
    handed_in: Sequence[FileDigest] = (),
    headers: Sequence[HeadersFile] = (),
) -> Report:
    """Verify the bundle in a zip or folder. Never raises FormatError: an unreadable bundle is a verdict.

    at: the given time, aware. handed_in: digests of files to compare with the items. OSError passes through.
    Raises ConfigError for a given time that can't be reckoned with.
    """
    try:
        with open_bundle(path) as files:
            return verify_files(files, policy, at=at, handed_in=handed_in, headers=headers)
    except FormatError as error:
        return unreadable_report(error, policy, at=at)


def verify_files(
    files: BundleFiles,
    policy: TrustPolicy,
    *,
    at: datetime,
    handed_in: Sequence[FileDigest] = (),
    headers: Sequence[HeadersFile] = (),
) -> Report:
    """Verify a bundle's files. Raises FormatError for an unreadable one, ConfigError as `verify_path` does."""
    if not EARLIEST <= at <= LATEST:
        raise ConfigError("given time", f"from {EARLIEST:%Y} to {LATEST:%Y}")
    # (1) form
    bundle = read_bundle(files)
    facts = run_checks(bundle, policy, at=at, handed_in=handed_in, headers=headers)
    items = tuple(_judge_item(bundle, item, policy, facts, at=at) for item in bundle.items)
    size = cut_size(bundle)
    cut = facts.timeline.record_time(size - 1) if size else None
    return _report(
        policy,
        at=at,
        verdict=next(v for v in WORST_FIRST if any(item.verdict is v for item in items)),
        bundle=bundle,
        log_class=facts.log.log_class,
        items=items,
        cut_size=size,
        cut_time=cut.time if cut else None,
    )


def unreadable_report(error: FormatError, policy: TrustPolicy, *, at: datetime) -> Report:
    """Return the report on a bundle that can't be read: row 1, and nothing else was looked at."""
    finding = Finding(
        row=1,
        status=Status.FAILED,
        code="form.unreadable",
        place=error.place,
        expected=error.expected,
        found=_shown(error.found),
    )
    return _report(policy, at=at, verdict=Verdict.UNREADABLE, unreadable=finding)


def run_checks(
    bundle: Bundle,
    policy: TrustPolicy,
    *,
    at: datetime,
    handed_in: Sequence[FileDigest],
    headers: Sequence[HeadersFile],
) -> Facts:
    """Run every check on a readable bundle and return what they found. All run, whatever the first one says."""
    findings = Findings()
    findings.passed(1, "form.complete", bundle.id, count=len(bundle.sealed))
    for damage in bundle.damage:
        findings.failed(
            damage.row,
            "mismatch",
            damage.path,
            check=damage.check,
            expected=damage.expected,
            found=damage.found,
            item=_item_of(damage.path, bundle.items),
        )
    # (2) content
    check_content(bundle, handed_in=handed_in, findings=findings)
    # (3) events
    check_events(bundle, findings=findings)
    # (4) log
    log = check_log(bundle, policy, findings=findings)
    # (6) and (7) anchors
    anchors = check_anchors(bundle, policy, at=at, log=log, headers=headers, findings=findings)
    # (5) tokens
    tokens = check_tokens(bundle, policy, at=at, log=log, blocks=anchors, findings=findings)
    # (8) times
    timeline = build_timeline(tokens, anchors, policy)
    bounds = check_times(bundle, policy, log=log, timeline=timeline, findings=findings)
    _check_log_keys_in_time(bundle, log, timeline, at=at, findings=findings)
    # (9) attestations
    check_attestations(bundle, policy, at=at, timeline=timeline, log=log, findings=findings)
    # (10) algorithms
    check_algorithms(policy, at=at, findings=findings)
    # (11) platform
    first = [log.index.get((Subject(kind="item", id=item), 0)) for item in bundle.items]
    times = [timeline.record_time(index) for index in first if index is not None]
    check_platform(
        bundle, record_time=min((source.time for source in times if source), default=None), findings=findings
    )
    return Facts(findings=findings, log=log, tokens=tokens, anchors=anchors, timeline=timeline, bounds=bounds)


def _check_log_keys_in_time(
    bundle: Bundle, log: LogFacts, timeline: Timeline, *, at: datetime, findings: Findings
) -> None:
    """A log key that the policy trusts only up to a time: the cut it signed must provably be older.

    What the cut holds, later checkpoints only extend (row 4), whoever signs them.
    """
    size = cut_size(bundle)
    signer = log.signers.get(size) if size else None
    if size is None or signer is None or signer.not_after is None or at <= signer.not_after:
        return
    cut = timeline.record_time(size - 1)
    if cut is None or cut.time > signer.not_after:
        found = encode_time(cut.time) if cut else "—"
        findings.open(
            4,
            "log.key-expired",
            layout.note_path(size),
            expected=f"<= {encode_time(signer.not_after)}",
            found=found,
        )


def _judge_item(bundle: Bundle, item: str, policy: TrustPolicy, facts: Facts, *, at: datetime) -> ItemReport:
    """The verdict on one item: any FAILED row fails it; what is unmet keeps it from passing."""
    rows = tuple(facts.findings.row(number, item) for number in ROWS)
    subject = Subject(kind="item", id=item)
    index = facts.log.index.get((subject, 0))
    record = None if index is None else facts.timeline.record_time(index)
    groups = () if index is None else facts.timeline.groups_on(index)
    anchors = _counting_anchors(facts, index)
    unmet = tuple(_unmet(bundle, item, policy, facts, rows=rows, at=at))
    content_times = [
        fact.token.gen_time for fact in facts.tokens if fact.position[0] == subject and fact.covers is None
    ]
    if any(row.status is Status.FAILED for row in rows):
        verdict = Verdict.TOTAL_FAILED
    elif unmet:
        verdict = Verdict.INDETERMINATE
    elif _uses_development(facts, subject, index, anchors):
        verdict = Verdict.DEVELOPMENT_PASSED
    else:
        verdict = Verdict.TOTAL_PASSED
    return ItemReport(
        item=item,
        verdict=verdict,
        rows=rows,
        record_time=record.time if record else None,
        record_groups=groups,
        content_time=min(content_times, default=None),
        anchors=tuple(
            f"{anchor.network} ({anchor.chain_class}), block {anchor.block_number}" for anchor in anchors
        ),
        bounds=tuple(bound for bound in facts.bounds if bound.subject == item),
        unmet=unmet,
    )


def _unmet(
    bundle: Bundle, item: str, policy: TrustPolicy, facts: Facts, *, rows: Sequence[Row], at: datetime
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
    if require.full_chain and not _chain_is_full(anchors, index):
        yield "full-chain"
    size = cut_size(bundle)
    if size is None or size <= index:
        yield "cut"
    cut = facts.timeline.record_time(size - 1) if size else None
    if policy.max_age is not None and (cut is None or at - cut.time > policy.max_age):
        yield "too-old"


def _counting_anchors(facts: Facts, index: int | None) -> list[AnchorFact]:
    """Anchors that cover the deposit and passed rows 6 and 7."""
    return [
        anchor for anchor in facts.anchors if anchor.confirmed and index is not None and anchor.size > index
    ]


def _chain_is_full(anchors: Sequence[AnchorFact], index: int) -> bool:
    """Whether every anchor since the item's first one is here: each names the one before it on its network."""
    sizes: dict[str, list[int]] = {}
    whole = bool(anchors)
    for anchor in sorted(anchors, key=lambda anchor: anchor.size):
        before = sizes.setdefault(anchor.network, [])
        whole = whole and (anchor.prev_size in before or (not before and anchor.prev_size <= index))
        before.append(anchor.size)
    return whole


def _uses_development(
    facts: Facts, subject: Subject, index: int | None, anchors: Sequence[AnchorFact]
) -> bool:
    """Whether anything that the verdict or a time beside it stands on is of the class development."""
    tokens = [
        fact
        for fact in facts.tokens
        if (fact.position[0] == subject if fact.covers is None else index is not None and fact.covers > index)
    ]
    return (
        facts.log.log_class == DEVELOPMENT
        or any(fact.token.tsa_class == DEVELOPMENT for fact in tokens)
        or any(anchor.chain_class == DEVELOPMENT for anchor in anchors)
    )


def _shown(found: object) -> str | None:
    """What was there instead, cut to a line: bytes as hex."""
    match found:
        case None:
            return None
        case bytes():
            return found[:60].hex()
        case _:
            return str(found)[:200]


def _item_of(path: str, items: Sequence[str]) -> str | None:
    """The item whose content a path is; None for what concerns all."""
    folder = path.split("/")[1] if path.startswith("data/") else None
    return folder if folder in items else None


def _report(
    policy: TrustPolicy,
    *,
    at: datetime,
    verdict: Verdict,
    bundle: Bundle | None = None,
    log_class: str | None = None,
    items: tuple[ItemReport, ...] = (),
    cut_size: int | None = None,
    cut_time: datetime | None = None,
    unreadable: Finding | None = None,
) -> Report:
    return Report(
        verdict=verdict,
        bundle=bundle.id if bundle else None,
        origin=bundle.origin if bundle else None,
        log_class=log_class,
        items=items,
        cut_size=cut_size,
        cut_time=cut_time,
        at=at,
        policy_name=policy.name,
        policy_sha256=policy.sha256,
        verifier_version=__version__,
        unreadable=unreadable,
    )
