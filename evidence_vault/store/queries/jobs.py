"""Jobs: claimed under a lease, advanced by whoever holds it, never lost with the process that held it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.events import Subject
from evidence_vault.core.states import STEPS, JobState, check_step
from evidence_vault.errors import Conflict
from evidence_vault.store.columns import table
from evidence_vault.store.models import Job

MAX_ERROR_CHARS = 2000
"""What of an error's text is kept with the job."""


@value
class Claimed:
    """A job as it stood when it was claimed; `owner` proves the lease when the job is recorded."""

    id: int
    kind: str
    subject: Subject
    target: str
    state: JobState
    tries: int
    progress: Mapping[str, Any] | None
    owner: str


def add_jobs(
    session: Session,
    kind: str,
    subject: Subject,
    targets: Iterable[str],
    *,
    at: datetime,
    progress: Mapping[str, Any] | None = None,
) -> None:
    """Add one READY job for each target, due at once. A job that is already there is a broken constraint."""
    rows = [
        {
            "kind": kind,
            "subject_kind": subject.kind,
            "subject_id": subject.id,
            "checkpoint_size": int(subject.id) if subject.kind == "checkpoint" else None,
            "target": target,
            "state": JobState.READY.value,
            "run_at": at,
            "tries": 0,
            "progress": progress,
            "created_at": at,
        }
        for target in targets
    ]
    if rows:
        session.execute(insert(table(Job)), rows)


def claim_due(
    session: Session,
    kinds: Sequence[str],
    *,
    owner: str,
    now: datetime,
    lease_until: datetime,
    limit: int,
    target: str | None = None,
    besides: Sequence[str] = (),
) -> Sequence[Claimed]:
    """Claim up to `limit` due jobs of these kinds until `lease_until`, the longest waiting first.

    target: only its own. besides: those of all other targets.
    """
    jobs = session.scalars(
        select(Job)
        .where(
            Job.kind.in_(kinds),
            Job.run_at <= now,
            or_(Job.lease_until.is_(None), Job.lease_until <= now),
            *_of_target(target, besides),
        )
        .order_by(Job.run_at, Job.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if jobs:
        session.execute(
            update(Job)
            .where(Job.id.in_([job.id for job in jobs]))
            .values(lease_owner=owner, lease_until=lease_until)
            .execution_options(synchronize_session=False)
        )
    return [
        Claimed(
            id=job.id,
            kind=job.kind,
            subject=Subject(kind=job.subject_kind, id=job.subject_id),
            target=job.target,
            state=JobState(job.state),
            tries=job.tries,
            progress=job.progress,
            owner=owner,
        )
        for job in jobs
    ]


def record(
    session: Session,
    job: Claimed,
    state: JobState,
    *,
    now: datetime,
    run_at: datetime | None,
    progress: Mapping[str, Any] | None = None,
    error: str | None = None,
    keep_lease: bool = False,
    target: str | None = None,
) -> Claimed:
    """Record where the job stands and give the lease back (or keep it); return the job as it now is.

    run_at null: nothing left to do. progress, target null: as it was. Raises IntegrityError for a step that
    `core.states` doesn't know, and Conflict if the lease was lost: another worker has the job now.
    """
    check_step(job.kind, job.state, state)
    kept = job.progress if progress is None else dict(progress)
    tries = job.tries + 1 if error is not None else job.tries
    target = target or job.target
    values: dict[str, Any] = {
        "target": target,
        "state": state.value,
        "run_at": run_at,
        "progress": kept,
        "tries": tries,
        "last_error": None if error is None else error[:MAX_ERROR_CHARS],
        "done_at": now if run_at is None else None,
    }
    if not keep_lease:
        values |= {"lease_owner": None, "lease_until": None}
    done = session.execute(
        update(Job)
        .where(Job.id == job.id, Job.lease_owner == job.owner, Job.state == job.state.value)
        .values(**values)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    if done.first() is None:
        raise Conflict(f"{job.kind} job {job.id}", "its lease ran out and another worker took it")
    return Claimed(
        id=job.id,
        kind=job.kind,
        subject=job.subject,
        target=target,
        state=state,
        tries=tries,
        progress=kept,
        owner=job.owner,
    )


def put_off(session: Session, job: Claimed, *, run_at: datetime, error: str) -> None:
    """Leave the job as its stage last recorded it, due again at `run_at`; nothing if the lease was lost."""
    session.execute(
        update(Job)
        .where(Job.id == job.id, Job.lease_owner == job.owner, Job.run_at.is_not(None))
        .values(
            run_at=run_at,
            tries=job.tries + 1,
            last_error=error[:MAX_ERROR_CHARS],
            lease_owner=None,
            lease_until=None,
        )
        .execution_options(synchronize_session=False)
    )


def release_leases(session: Session, owner_prefix: str) -> None:
    """Give back the leases of the workers whose names begin so; empty: of all."""
    session.execute(
        update(Job)
        .where(Job.lease_owner.startswith(owner_prefix, autoescape=True))
        .values(lease_owner=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )


def wake(session: Session, kind: str, subject: Subject, target: str, *, at: datetime) -> None:
    """Have a job done again that may have ended, or for the first time. One that is under way stays as it is."""
    again = [old.value for old, steps in STEPS[kind].items() if JobState.READY in steps]
    ended = (Job.run_at.is_(None), Job.state.in_(again))
    values = {"state": JobState.READY.value, "run_at": at, "done_at": None, "tries": 0}
    if _update(session, _one(kind, subject, target), *ended, values=values):
        return
    found = session.execute(select(Job.state, Job.run_at).where(_one(kind, subject, target))).first()
    if found is None:
        add_jobs(session, kind, subject, [target], at=at)
    elif found.run_at is None:
        check_step(kind, JobState(found.state), JobState.READY)  # it may not: this says so


def hasten(session: Session, kind: str, *, now: datetime) -> None:
    """Have the jobs of a kind that rest be due at once, but not those under way and those that failed last."""
    session.execute(
        update(Job)
        .where(Job.kind == kind, Job.run_at > now, Job.lease_owner.is_(None), Job.last_error.is_(None))
        .values(run_at=now)
        .execution_options(synchronize_session=False)
    )


def bring_forward(session: Session, *, now: datetime, by: timedelta) -> None:
    """Have what is due, or leased, in the future be so that much sooner: the clock was set back by it."""
    later = or_(Job.run_at > now, Job.lease_until > now)
    for job in session.scalars(select(Job).where(later).with_for_update()):
        if job.run_at is not None and job.run_at > now:
            job.run_at = max(now, job.run_at - by)
        if job.lease_until is not None and job.lease_until > now:
            job.lease_until = max(now, job.lease_until - by)
    session.flush()


def reopen(
    session: Session, job: Job, state: JobState, *, now: datetime, progress: Mapping[str, Any]
) -> None:
    """Have a job that had ended go on from `state`, due at once. Raises Conflict if somebody else did so before."""
    check_step(job.kind, JobState(job.state), state)
    done = session.execute(
        update(Job)
        .where(Job.id == job.id, Job.state == job.state, Job.run_at.is_(None))
        .values(state=state.value, run_at=now, progress=dict(progress), tries=0, done_at=None)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    if done.first() is None:
        raise Conflict(f"{job.kind} job {job.id}", "another process took it up again")


def jobs_about(session: Session, kind: str, target: str, *, ended: bool, limit: int = 1000) -> Sequence[Job]:
    """Return the newest jobs of this kind about a target that are at their end, or those that are not."""
    end = Job.run_at.is_(None) if ended else Job.run_at.is_not(None)
    chosen = select(Job).where(Job.kind == kind, Job.target == target, end)
    return session.scalars(chosen.order_by(Job.id.desc()).limit(limit)).all()


def jobs_of(session: Session, subject: Subject) -> Sequence[Job]:
    """Return all jobs about a subject."""
    return session.scalars(
        select(Job)
        .where(Job.subject_kind == subject.kind, Job.subject_id == subject.id)
        .order_by(Job.kind, Job.target)
    ).all()


def any_due(
    session: Session, kind: str, *, now: datetime, target: str | None = None, besides: Sequence[str] = ()
) -> bool:
    """Whether `claim_due` would find a job of this kind, or one that is just being claimed."""
    free = or_(Job.lease_until.is_(None), Job.lease_until <= now)
    chosen = _of_target(target, besides)
    found = session.scalar(select(Job.id).where(Job.kind == kind, Job.run_at <= now, free, *chosen).limit(1))
    return found is not None


def any_open(session: Session, kind: str) -> bool:
    """Whether a job of this kind is not at its end, be it due, waiting or under way."""
    found = session.scalar(select(Job.id).where(Job.kind == kind, Job.run_at.is_not(None)).limit(1))
    return found is not None


def _of_target(target: str | None, besides: Sequence[str]) -> list[ColumnElement[bool]]:
    if target is not None:
        return [Job.target == target]
    return [Job.target.not_in(besides)] if besides else []


def settle(
    session: Session,
    kind: str,
    subject: Subject,
    target: str,
    state: JobState,
    *,
    at: datetime,
    run_at: datetime | None = None,
    progress: Mapping[str, Any] | None = None,
) -> None:
    """Write down where a job stands as an event of the log says, whatever is known of it here (`recover`).

    run_at null: it has ended. progress null: as it was.
    """
    values = {
        "state": state.value,
        "run_at": run_at,
        "done_at": at if run_at is None else None,
        "lease_owner": None,
        "lease_until": None,
        **({} if progress is None else {"progress": dict(progress)}),
    }
    one = _one(kind, subject, target)
    if not _update(session, one, values=values):
        add_jobs(session, kind, subject, [target], at=at)
        _update(session, one, values=values)


def _one(kind: str, subject: Subject, target: str) -> ColumnElement[bool]:
    """The job that the table's unique constraint knows by these."""
    return and_(
        Job.kind == kind,
        Job.subject_kind == subject.kind,
        Job.subject_id == subject.id,
        Job.target == target,
    )


def _update(session: Session, *which: ColumnElement[bool], values: Mapping[str, object]) -> bool:
    """Update in one statement, so that nobody comes between; return whether there was such a job."""
    done = session.execute(
        update(Job)
        .where(*which)
        .values(**values)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return done.first() is not None
