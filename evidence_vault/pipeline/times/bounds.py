"""Between which outside times events were logged, by what the vault has recorded so far.

The rule is that of a report's row 8, and so is the code (`verify.checks.times.Timeline`): L is the k-th latest
time over groups that an earlier leaf records, U the k-th earliest on a checkpoint that holds the leaf. Only what
lies next to each leaf is read, so that a long history costs no more than a short one. Tokens were verified when
they were recorded; a block counts once it is final, and no more once the log says that its anchor is lost.

It informs the depositor; who doubts the vault asks a bundle, and a policy of his own.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.ethereum.header import parse_header
from anchors.ethereum.proof import KIND as ETHEREUM
from anchors.ethereum.proof import PART, parse_proof
from anchors.ethereum.verify import BLOCK_TIME_ACCURACY
from anchors.rfc3161.token import parse_response, parse_token
from anchors.values import value
from evidence_vault.core.events import Event, Subject, parse_event
from evidence_vault.core.states import JobState
from evidence_vault.errors import FormatError
from evidence_vault.pipeline.anchoring.watch import lost_anchors
from evidence_vault.settings import Settings
from evidence_vault.store.queries import checkpoint_jobs, events, log
from evidence_vault.verify.checks.times import Source, Timeline

RECORDED_LATE = 8
"""Checkpoints of one authority or network that may be stamped, and not yet recorded, when an event is logged."""


@value
class Logged:
    """An event was logged between these times; None: not bounded on that side, or not yet."""

    not_before: datetime | None
    not_after: datetime | None


def logged_between(session: Session, settings: Settings, indexes: Iterable[int]) -> Mapping[int, Logged]:
    """Return the bounds of the leaves at these indexes."""
    wanted = sorted(set(indexes))
    stamped, final = _sizes_around(session, settings, wanted)
    tokens = tuple(source for size in sorted(stamped) for source in _tokens(session, settings, size))
    lost = {one.proof_sha256.hex() for one in lost_anchors(session) if one.proof_sha256} if final else set()
    blocks = tuple(source for size in sorted(final) for source in _blocks(session, settings, size, lost))
    groups = {authority.group for authority in settings.authorities}
    timeline = Timeline(tokens=tokens, blocks=blocks, k=min(2, max(1, len(groups))))
    found = {}
    for index in wanted:
        lower, upper = timeline.lower(index), timeline.upper(index)
        found[index] = Logged(
            not_before=lower.earliest if lower else None, not_after=upper.latest if upper else None
        )
    return found


def _sizes_around(
    session: Session, settings: Settings, indexes: Iterable[int]
) -> tuple[frozenset[int], frozenset[int]]:
    """The checkpoints next to these leaves that were stamped, and those whose block is final."""
    stamped: set[int] = set()
    final: set[int] = set()
    asked = [("timestamp", authority.name, JobState.DONE, stamped) for authority in settings.authorities]
    asked += [("anchor", network.name, JobState.FINAL, final) for network in settings.networks]
    for kind, target, state, found in asked:
        above: int | None = -1  # nothing was asked yet
        for index in indexes:
            if above is None or above > index:
                continue  # nothing was settled between the leaf before and this one
            found.update(
                checkpoint_jobs.last_sizes_up_to(
                    session, index, kind=kind, target=target, state=state, limit=RECORDED_LATE
                )
            )
            above = checkpoint_jobs.first_size_above(session, index, kind=kind, target=target, state=state)
            if above is not None:
                found.add(above)
    return frozenset(stamped), frozenset(final)


def _tokens(session: Session, settings: Settings, size: int) -> Iterator[Source]:
    groups = {authority.name: authority.group for authority in settings.authorities}
    for event, parts, index in _recorded(session, size, "CHECKPOINT_TIMESTAMPED"):
        name = str(event.fields["authority"])
        if name not in groups:
            continue  # of another time's settings: who runs its root is not known any more
        try:
            token = parse_token(parse_response(parts["response.tsr"]).token or b"")
        except FormatError:
            continue  # what can't be read bounds nothing; the verifier says so, as a failure
        yield Source(
            place=name,
            time=token.gen_time,
            accuracy=token.accuracy or timedelta(0),
            group=groups[name],
            covers=size,
            recorded_at=index,
        )


def _blocks(session: Session, settings: Settings, size: int, lost: AbstractSet[str]) -> Iterator[Source]:
    """lost: SHA-256, in hex, of the proofs that count no more."""
    names = {network.chain_id: network.name for network in settings.networks}
    for event, parts, index in _recorded(session, size, "CHECKPOINT_ANCHORED"):
        if event.fields["anchor_kind"] == ETHEREUM and str(event.fields["proof_sha256"]) not in lost:
            proof = parse_proof(parts[PART])
            yield Source(
                place=f"chain {proof.chain_id}",
                time=parse_header(proof.header).time,
                accuracy=BLOCK_TIME_ACCURACY,
                group=names.get(proof.chain_id, f"chain {proof.chain_id}"),
                covers=size,
                recorded_at=index,
            )


def _recorded(
    session: Session, size: int, event_type: str
) -> Iterator[tuple[Event, Mapping[str, bytes], int | None]]:
    """What is recorded of a checkpoint: event, parts, and its leaf, if it has one."""
    rows = [
        row
        for row in events.events_of(session, Subject(kind="checkpoint", id=str(size)))
        if row.type == event_type
    ]
    indexes = log.leaf_indexes(session, [row.id for row in rows])
    for row in rows:
        yield parse_event(row.raw), events.proof_parts_of(session, row.id), indexes.get(row.id)
