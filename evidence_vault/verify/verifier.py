"""Bundle + trust policy + a given time → a report. No network, no database, no clock of its own.

    (1)  form: the bundle was read (`contents.read_bundle`); what is no bundle raises FormatError
    (2)  content against the item's deposit
    (3)  events: chain, disclosures, seal
    (4)  log: checkpoints, consistency, inclusion; with a mirror of it, that nothing was left out
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

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from anchors.values import replace
from evidence_vault import __version__
from evidence_vault.core import layout
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_time
from evidence_vault.errors import ConfigError, FormatError
from evidence_vault.verify.checks.anchors import check_anchors, remark_younger
from evidence_vault.verify.checks.attestations import check_attestations
from evidence_vault.verify.checks.content import check_content
from evidence_vault.verify.checks.events import check_events, cut_size
from evidence_vault.verify.checks.log import LogFacts, check_log
from evidence_vault.verify.checks.mirror import check_mirror
from evidence_vault.verify.checks.platform import check_algorithms, check_platform
from evidence_vault.verify.checks.times import Timeline, build_timeline, check_times
from evidence_vault.verify.checks.tokens import check_tokens
from evidence_vault.verify.contents import Bundle, read_bundle, row_of_added
from evidence_vault.verify.headers_files import AnyHeaders
from evidence_vault.verify.mirror import LogMirror
from evidence_vault.verify.reader import BundleFiles, FileDigest, open_bundle
from evidence_vault.verify.report import (
    CaseReport,
    Finding,
    Findings,
    HandedIn,
    ItemReport,
    Report,
    Status,
    Verdict,
)
from evidence_vault.verify.story import report_cases, tell_story
from evidence_vault.verify.trust import TrustPolicy
from evidence_vault.verify.verdict import Facts, judge_all, judge_item

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Given times that can be asked about: far enough from the ends of the calendar to reckon with."""


def verify_path(
    path: Path,
    policy: TrustPolicy,
    *,
    at: datetime,
    handed_in: Sequence[FileDigest] = (),
    headers: Sequence[AnyHeaders] = (),
    mirror: LogMirror | None = None,
) -> Report:
    """Verify the bundle in a zip or folder. Never raises FormatError: an unreadable bundle is a verdict.

    at: the given time, aware. handed_in: digests of files to compare with the items. mirror: of the log, to see
    whether anything was left out. OSError passes through.
    Raises ConfigError for a given time that can't be reckoned with.
    """
    try:
        with open_bundle(path) as files:
            return verify_files(files, policy, at=at, handed_in=handed_in, headers=headers, mirror=mirror)
    except FormatError as error:
        return unreadable_report(error, policy, at=at)


def verify_files(
    files: BundleFiles,
    policy: TrustPolicy,
    *,
    at: datetime,
    handed_in: Sequence[FileDigest] = (),
    headers: Sequence[AnyHeaders] = (),
    mirror: LogMirror | None = None,
) -> Report:
    """Verify a bundle's files. Raises FormatError for an unreadable one, ConfigError as `verify_path` does."""
    if not EARLIEST <= at <= LATEST:
        raise ConfigError("given time", f"from {EARLIEST:%Y} to {LATEST:%Y}")
    # (1) form
    bundle = read_bundle(files)
    facts = run_checks(bundle, policy, at=at, handed_in=handed_in, headers=headers, mirror=mirror)
    items = tuple(judge_item(item, policy, facts, at=at) for item in bundle.items)
    size = facts.cut_size
    cut = facts.timeline.record_time(size - 1) if size else None
    return _report(
        policy,
        at=at,
        verdict=judge_all(items, facts.files),
        bundle=bundle,
        log_class=facts.log.log_class,
        items=items,
        cut_size=size,
        cut_time=cut.latest if cut else None,
        complete_size=facts.complete_size,
        cases=report_cases(bundle, facts.bounds),
        files=facts.files,
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
    headers: Sequence[AnyHeaders],
    mirror: LogMirror | None = None,
) -> Facts:
    """Run every check on a readable bundle and return what they found. All run, whatever the first one says."""
    findings = Findings()
    findings.passed(1, "form.complete", bundle.id, count=len(bundle.sealed))
    for path, error in bundle.spoiled.items():
        findings.remark(row_of_added(path), "added.malformed", path, reason=str(error))
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
    # (3) events
    check_events(bundle, findings=findings)
    # (4) log
    log = check_log(bundle, policy, findings=findings)
    complete_size = None if mirror is None else check_mirror(mirror, bundle, log, findings=findings)
    # (2) content; after the log, which says whether the record it is compared with is authentic
    recorded = findings.row(4, None).status is Status.PASSED
    files_handed_in = check_content(bundle, handed_in=handed_in, recorded=recorded, findings=findings)
    # (6) and (7) anchors
    anchors = check_anchors(bundle, policy, at=at, log=log, headers=headers, findings=findings)
    remark_younger(bundle.items, anchors, log=log, findings=findings)
    # (5) tokens
    tokens = check_tokens(bundle, policy, at=at, log=log, blocks=anchors, findings=findings)
    # (8) times
    timeline = build_timeline(tokens, anchors, policy)
    told = tell_story(bundle, log.index)
    bounds = tuple(
        replace(bound, told=told.get((bound.subject, bound.seq)))
        for bound in check_times(bundle, policy, log=log, timeline=timeline, findings=findings)
    )
    _check_log_keys_in_time(bundle, log, timeline, at=at, findings=findings)
    # (9) attestations
    check_attestations(bundle, policy, at=at, timeline=timeline, log=log, findings=findings)
    # (10) algorithms
    check_algorithms(policy, at=at, findings=findings)
    # (11) platform
    first = [log.index.get((Subject(kind="item", id=item), 0)) for item in bundle.items]
    times = [timeline.record_time(index) for index in first if index is not None]
    check_platform(
        bundle,
        record_time=min((source.latest for source in times if source), default=None),
        findings=findings,
    )
    return Facts(
        findings=findings,
        log=log,
        tokens=tokens,
        anchors=anchors,
        timeline=timeline,
        bounds=bounds,
        cut_size=cut_size(bundle),
        complete_size=complete_size,
        files=files_handed_in,
    )


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
    if cut is None or cut.latest > signer.not_after:
        found = encode_time(cut.latest) if cut else "—"
        findings.open(
            4,
            "log.key-expired",
            layout.note_path(size),
            expected=f"<= {encode_time(signer.not_after)}",
            found=found,
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
    complete_size: int | None = None,
    unreadable: Finding | None = None,
    cases: tuple[CaseReport, ...] = (),
    files: tuple[HandedIn, ...] = (),
) -> Report:
    return Report(
        verdict=verdict,
        bundle=bundle.id if bundle else None,
        origin=bundle.origin if bundle else None,
        log_class=log_class,
        items=items,
        cut_size=cut_size,
        cut_time=cut_time,
        complete_size=complete_size,
        at=at,
        policy_name=policy.name,
        policy_sha256=policy.sha256,
        verifier_version=__version__,
        unreadable=unreadable,
        cases=cases,
        files=files,
    )
