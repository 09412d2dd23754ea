"""Row 8: times that are not ours. Every event was logged between L and U; what it says of itself must fit.

    L(i)  the latest time whose proof was *recorded* before leaf i: it could not be known earlier
    U(i)  the earliest time of a checkpoint that already holds leaf i
    k     each is the k-th over distinct groups, so that fewer than k bad clocks can't move it; a chain is a group

Only tokens that passed row 5 and blocks that passed rows 6 and 7 count.

    (1) at > U + accuracy + skew: logged before it claims to have happened                        FAILED
    (2) at < L − accuracy − skew − max_merge_delay: recorded late, or back-dated                  INDETERMINATE
    (3) L > U beyond accuracies and skew: the sources contradict each other                       FAILED, or
        INDETERMINATE where it is one authority against the others, who is then named
    (4) the deposit has a U; any other event without a bound is listed as unbounded on that side
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence_vault.core.events import Event, Subject
from evidence_vault.core.names import encode_time
from evidence_vault.verify.checks.anchors import AnchorFact
from evidence_vault.verify.checks.log import LogFacts
from evidence_vault.verify.checks.tokens import TokenFact
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.report import Bounds, Findings
from evidence_vault.verify.trust import TrustPolicy

ROW = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A time from outside. covers: size of the checkpoint it was given for; recorded_at: as an event's index."""

    time: datetime
    accuracy: timedelta
    group: str
    covers: int | None
    recorded_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All times that count, and the questions that the report asks of them."""

    tokens: tuple[Source, ...]
    blocks: tuple[Source, ...]
    k: int

    def lower(self, index: int, *, without: str | None = None) -> Source | None:
        """L(i): the k-th latest over groups of what was recorded below leaf i."""
        known = [s for s in self._all(without) if s.recorded_at is not None and s.recorded_at < index]
        return _kth(known, self.k, latest=True)

    def upper(self, index: int, *, without: str | None = None) -> Source | None:
        """U(i): the k-th earliest over groups of checkpoints that hold leaf i."""
        after = [s for s in self._all(without) if s.covers is not None and s.covers > index]
        return _kth(after, self.k, latest=False)

    def record_time(self, index: int) -> Source | None:
        """As U(i), from tokens alone: the time of the verdict sentence."""
        return _kth(
            [s for s in self.tokens if s.covers is not None and s.covers > index], self.k, latest=False
        )

    def groups_on(self, index: int) -> tuple[str, ...]:
        """The groups whose tokens cover leaf i."""
        return tuple(sorted({s.group for s in self.tokens if s.covers is not None and s.covers > index}))

    def _all(self, without: str | None) -> Iterable[Source]:
        return (source for source in (*self.tokens, *self.blocks) if source.group != without)


def build_timeline(
    tokens: Sequence[TokenFact], anchors: Sequence[AnchorFact], policy: TrustPolicy
) -> Timeline:
    """Return the times that count: good tokens and confirmed blocks."""
    return Timeline(
        tokens=tuple(
            Source(
                time=fact.token.gen_time,
                accuracy=fact.token.accuracy,
                group=fact.token.group,
                covers=fact.covers,
                recorded_at=fact.recorded_at,
            )
            for fact in tokens
        ),
        blocks=tuple(
            Source(
                time=fact.confirmed.time,
                accuracy=fact.confirmed.accuracy,
                group=fact.network,
                covers=fact.size if fact.recorded_at is not None else None,
                recorded_at=fact.recorded_at,
            )
            for fact in anchors
            if fact.confirmed
        ),
        k=max(1, policy.require.tsa_groups),
    )


def check_times(
    bundle: Bundle, policy: TrustPolicy, *, log: LogFacts, timeline: Timeline, findings: Findings
) -> tuple[Bounds, ...]:
    """Hold every carried event against its bounds. Returns them, in the order of the log."""
    bounds: list[tuple[int, Bounds]] = []
    for (subject, seq), index in log.index.items():
        link = bundle.histories[subject][seq]
        lower, upper = timeline.lower(index), timeline.upper(index)
        at = link.at if isinstance(link, Event) else None
        event_type = link.type if isinstance(link, Event) else "redacted"
        bound = Bounds(
            subject=subject.id,
            seq=seq,
            type=event_type,
            at=at,
            not_before=lower.time if lower else None,
            not_after=upper.time if upper else None,
        )
        bounds.append((index, bound))
        _check_order(timeline, subject, seq, index, skew=policy.skew, findings=findings)
        if at is not None:
            _check_claim(bound, subject, lower, upper, policy=policy, findings=findings)
    for item in bundle.items:
        received = log.index.get((Subject(kind="item", id=item), 0))
        if received is None or timeline.upper(received) is None:
            findings.open(ROW, "time.no-upper", f"{item}/0", item=item, k=timeline.k)
        else:
            findings.passed(ROW, "time.bounded", f"{item}/0", item=item)
    return tuple(bound for _, bound in sorted(bounds, key=lambda pair: pair[0]))


def _check_claim(
    bound: Bounds,
    subject: Subject,
    lower: Source | None,
    upper: Source | None,
    *,
    policy: TrustPolicy,
    findings: Findings,
) -> None:
    """(1) and (2)."""
    place = f"{bound.subject}/{bound.seq}"
    item = subject.id if subject.kind == "item" else None
    at = bound.at
    if at is None:
        return
    if upper and at > upper.time + upper.accuracy + policy.skew:
        findings.failed(
            ROW, "time.ahead", place, item=item, expected=f"<= {_iso(upper.time)}", found=_iso(at)
        )
    if lower and at < lower.time - lower.accuracy - policy.skew - policy.max_merge_delay:
        findings.open(ROW, "time.late", place, item=item, expected=f">= {_iso(lower.time)}", found=_iso(at))


def _check_order(
    timeline: Timeline, subject: Subject, seq: int, index: int, *, skew: timedelta, findings: Findings
) -> None:
    """(3). Leave out one group at a time: if exactly one is in the way of agreement, it stands alone."""
    if not _contradict(timeline.lower(index), timeline.upper(index), skew):
        return
    place = f"{subject.id}/{seq}"
    item = subject.id if subject.kind == "item" else None
    groups = sorted({source.group for source in (*timeline.tokens, *timeline.blocks)})
    alone = [
        group
        for group in groups
        if not _contradict(timeline.lower(index, without=group), timeline.upper(index, without=group), skew)
    ]
    if len(alone) == 1 and len(groups) > 2:
        findings.open(ROW, "time.dissent", place, item=item, group=alone[0])
    else:
        findings.failed(ROW, "time.contradiction", place, item=item, groups=", ".join(groups))


def _contradict(lower: Source | None, upper: Source | None, skew: timedelta) -> bool:
    return bool(lower and upper and lower.time - lower.accuracy > upper.time + upper.accuracy + skew)


def _kth(sources: Sequence[Source], k: int, *, latest: bool) -> Source | None:
    """The k-th best over distinct groups, each group by its own best; None if there are fewer."""
    best: dict[str, Source] = {}
    for source in sorted(sources, key=lambda s: s.time, reverse=latest):
        best.setdefault(source.group, source)
    ranked = list(best.values())
    return ranked[k - 1] if len(ranked) >= k else None


def _iso(at: datetime) -> str:
    return encode_time(at)
