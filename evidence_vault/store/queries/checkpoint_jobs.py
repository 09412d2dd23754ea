"""Jobs about checkpoints: which of them a target has brought how far."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from evidence_vault.core.states import JobState
from evidence_vault.store.models import Job


def newest_final(session: Session, target: str, *, limit: int) -> Sequence[Job]:
    """Return the jobs whose anchors on this network are final, the largest checkpoints first."""
    return session.scalars(
        select(Job)
        .where(Job.kind == "anchor", Job.target == target, Job.state == JobState.FINAL.value)
        .order_by(Job.checkpoint_size.desc())
        .limit(limit)
    ).all()


def newest_checkpoint_job(session: Session, kind: str) -> Job | None:
    """Return a job of this kind about the largest checkpoint that has one: what a cadence counts from."""
    return session.scalar(
        select(Job)
        .where(Job.kind == kind, Job.checkpoint_size.is_not(None))
        .order_by(Job.checkpoint_size.desc())
        .limit(1)
    )


def first_size_above(
    session: Session, leaf_index: int, *, kind: str, target: str, state: JobState
) -> int | None:
    """Return the smallest checkpoint above the leaf for which this target has come to this state."""
    return session.scalar(
        select(Job.checkpoint_size)
        .where(Job.kind == kind, Job.target == target, Job.state == state, Job.checkpoint_size > leaf_index)
        .order_by(Job.checkpoint_size)
        .limit(1)
    )


def last_sizes_up_to(
    session: Session, leaf_index: int, *, kind: str, target: str, state: JobState, limit: int
) -> list[int]:
    """Return the largest such checkpoints that end at the leaf or before it, descending."""
    rows = session.scalars(
        select(Job.checkpoint_size)
        .where(Job.kind == kind, Job.target == target, Job.state == state, Job.checkpoint_size <= leaf_index)
        .order_by(Job.checkpoint_size.desc())
        .limit(limit)
    )
    return [size for size in rows if size is not None]
