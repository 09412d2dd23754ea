"""Row 8: times that are not ours. Every event was logged between L and U; what it says of itself must fit.

    L(i)  the latest time whose proof was *recorded* before leaf i: it could not be known earlier
    U(i)  the earliest time of a checkpoint that already holds leaf i
    k     each is the k-th over distinct groups, so that fewer than k bad clocks can't move it; a chain is a group

Only tokens that passed row 5 and blocks that passed rows 6 and 7 count. A time that is accurate to ± a is taken
as time − a in L and as time + a in U: what is shown never claims more than the source said.

    (1) at > U + skew: logged before it claims to have happened                        FAILED
    (2) at < L − skew − max_merge_delay: recorded late, or back-dated                  INDETERMINATE
    (3) L > U + skew: the sources contradict each other                       FAILED
        but one source against all others is named, and so is one that k keeps without effect     INDETERMINATE
    (4) the deposit has a U; any other event without a bound is listed as unbounded on that side
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta

from anchors.values import value
from evidence_vault.core import layout
from evidence_vault.core.events import Event, Subject
from evidence_vault.core.names import encode_time
from evidence_vault.verify.checks.anchor_facts import AnchorFact
from evidence_vault.verify.checks.log import LogFacts
from evidence_vault.verify.checks.tokens import TokenFact
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.report import Bounds, Findings
from evidence_vault.verify.trust import TrustPolicy

ROW = 8


@value
class Source:
    """A time from outside. covers: size of the checkpoint it was given for; recorded_at: as an event's index."""

    place: str
    time: datetime
    accuracy: timedelta
    group: str
    covers: int | None
    recorded_at: int | None

    @property
    def earliest(self) -> datetime:
        """The time, less its accuracy: what it bounds from below."""
        return self.time - self.accuracy

    @property
    def latest(self) -> datetime:
        """The time and its accuracy: a token says no more than "not later than" this."""
        return self.time + self.accuracy


class Timeline:
    """All times that count, and the questions that the report asks of them."""

    def __init__(self, *, tokens: tuple[Source, ...], blocks: tuple[Source, ...], k: int) -> None:
        self.tokens, self.k = tokens, k
        self.all = (*tokens, *blocks)
        recorded = [(s.recorded_at, s) for s in self.all if s.recorded_at is not None]
        covering = [(-s.covers, s) for s in self.all if s.covers is not None]
        stamped = [(-s.covers, s) for s in tokens if s.covers is not None]
        self._recorded = _steps(recorded, k, latest=True)
        self._covering = _steps(covering, k, latest=False)
        self._stamped = _steps(stamped, k, latest=False)

    def lower(self, index: int) -> Source | None:
        """L(i): the k-th latest over groups of what was recorded below leaf i."""
        return _step(self._recorded, index)

    def upper(self, index: int) -> Source | None:
        """U(i): the k-th earliest over groups of checkpoints that hold leaf i."""
        return _step(self._covering, -index)

    def record_time(self, index: int) -> Source | None:
        """As U(i), from tokens alone: the time of the verdict sentence."""
        return _step(self._stamped, -index)

    def content_time(self, sources: Sequence[Source]) -> datetime | None:
        """The time of tokens on a content, by the same rule; None where fewer than k groups gave one."""
        source = _step(_steps([(0, source) for source in sources], self.k, latest=False), 1)
        return source.latest if source else None

    def groups_on(self, index: int) -> tuple[str, ...]:
        """The groups whose tokens cover leaf i."""
        return tuple(sorted({s.group for s in self.tokens if s.covers is not None and s.covers > index}))


def build_timeline(
    tokens: Sequence[TokenFact], anchors: Sequence[AnchorFact], policy: TrustPolicy
) -> Timeline:
    """Return the times that count: good tokens and confirmed blocks."""
    return Timeline(
        tokens=tuple(
            Source(
                place=layout.timestamp_folder(*fact.position),
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
                place=f"{fact.network}, block {fact.block_number}",
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
            not_before=lower.earliest if lower else None,
            not_after=upper.latest if upper else None,
        )
        bounds.append((index, bound))
        if at is not None:
            _check_claim(bound, subject, lower, upper, policy=policy, findings=findings)
    _check_agreement(timeline, log, skew=policy.skew, findings=findings)
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
    if upper and at > upper.latest + policy.skew:
        findings.failed(
            ROW, "time.ahead", place, item=item, expected=f"<= {_iso(upper.latest)}", found=_iso(at)
        )
    if lower and at < lower.earliest - policy.skew - policy.max_merge_delay:
        findings.open(
            ROW, "time.late", place, item=item, expected=f">= {_iso(lower.earliest)}", found=_iso(at)
        )


def _check_agreement(timeline: Timeline, log: LogFacts, *, skew: timedelta, findings: Findings) -> None:
    """(3). Without a conflict between any two sources no event can have L > U."""
    conflicts = _conflicts(timeline, skew)
    if not conflicts:
        return
    groups = {source.group for source in timeline.all}
    suspects = set.intersection(*({one.group, other.group} for one, other in conflicts))
    if len(suspects) != 1 or len(groups) <= 2:
        for (subject, seq), index in log.index.items():
            if _later(timeline.lower(index), timeline.upper(index), skew):
                item = subject.id if subject.kind == "item" else None
                listed = ", ".join(sorted(groups))
                findings.failed(ROW, "time.contradiction", f"{subject.id}/{seq}", item=item, groups=listed)
        suspects = suspects or {source.group for pair in conflicts for source in pair}
    one, other = conflicts[0]
    findings.open(
        ROW,
        "time.dissent",
        one.place if one.group in suspects else other.place,
        group=", ".join(sorted(suspects)),
        expected=f"{_iso(one.time)} <= {_iso(other.time)}",
    )


def _conflicts(timeline: Timeline, skew: timedelta) -> list[tuple[Source, Source]]:
    """A proof that was recorded in a leaf is older than any time on a checkpoint that holds this leaf."""
    recorded = [(s.recorded_at, s) for s in timeline.all if s.recorded_at is not None]
    covering = [(s.covers, s) for s in timeline.all if s.covers is not None]
    return [
        (one, other)
        for size, other in covering
        for index, one in recorded
        if index < size and _later(one, other, skew)
    ]


def _later(lower: Source | None, upper: Source | None, skew: timedelta) -> bool:
    return bool(lower and upper and lower.earliest > upper.latest + skew)


_Steps = tuple[list[int], list[Source | None]]
"""Ascending positions, and at each the k-th best of all sources up to there: asked once for every event."""


def _steps(placed: Sequence[tuple[int, Source]], k: int, *, latest: bool) -> _Steps:
    """The k-th best over distinct groups, each group by its own best; None where there are fewer."""
    best: dict[str, Source] = {}
    positions: list[int] = []
    values: list[Source | None] = []
    for position, source in sorted(placed, key=lambda pair: pair[0]):
        kept = best.setdefault(source.group, source)
        if source.earliest > kept.earliest if latest else source.latest < kept.latest:
            best[source.group] = source
        ranked = sorted(best.values(), key=lambda s: s.earliest if latest else s.latest, reverse=latest)
        positions.append(position)
        values.append(ranked[k - 1] if len(ranked) >= k else None)
    return positions, values


def _step(steps: _Steps, limit: int) -> Source | None:
    """The value at the last position below `limit`."""
    positions, values = steps
    below = bisect_left(positions, limit)
    return values[below - 1] if below else None


def _iso(at: datetime) -> str:
    return encode_time(at)
