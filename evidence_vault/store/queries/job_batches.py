"""Jobs many at a time: those that were claimed together are kept, finished and given back in one statement for all.

A job whose lease was lost meanwhile is left out: it is another worker's now.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, null, select, update
from sqlalchemy.orm import Session

from anchors.values import replace
from evidence_vault.core.states import JobState, check_step
from evidence_vault.store.columns import table
from evidence_vault.store.models import Job
from evidence_vault.store.queries.jobs import Claimed

_KEPT = update(table(Job)).where(Job.id == bindparam("of_id")).values(progress=bindparam("kept"))
Progresses = Sequence[tuple[Claimed, Mapping[str, Any]]]


def still_held(session: Session, claimed: Sequence[Claimed]) -> list[Claimed]:
    """Return those whose lease is still theirs, locked until the end of the transaction."""
    rows = session.execute(
        select(Job.id, Job.lease_owner)
        .where(Job.id.in_([job.id for job in claimed]), Job.run_at.is_not(None))
        .order_by(Job.id)
        .with_for_update()
    )
    owners = {job_id: owner for job_id, owner in rows}
    return [job for job in claimed if owners.get(job.id) == job.owner]


def keep_progress(session: Session, kept: Progresses) -> list[Claimed]:
    """Keep what each needs to go on, its lease with it; return the jobs as they now are."""
    held = {job.id for job in still_held(session, [job for job, _ in kept])}
    now = [replace(job, progress=dict(progress)) for job, progress in kept if job.id in held]
    if now:
        rows = [{"of_id": job.id, "kept": job.progress} for job in now]
        session.connection().execute(_KEPT, rows)
    return now


def finish(session: Session, held: Sequence[Claimed], state: JobState, *, now: datetime) -> None:
    """Nothing is left to do for these. held: by `still_held`, in the same transaction.

    Raises IntegrityError for a step that `core.states` doesn't know.
    """
    for job in held:
        check_step(job.kind, job.state, state)
    _set_all(session, held, {"state": state.value, "run_at": None, "last_error": None, "done_at": now})


def give_back(session: Session, held: Sequence[Claimed]) -> None:
    """Free these as they are, for whoever claims them next. held: as for `finish`."""
    _set_all(session, held, {})


def retry_failed(
    session: Session, kind: str, targets: Collection[str], *, subject_id: str | None, at: datetime
) -> Counter[str]:
    """Have these targets' jobs that failed for good done again from the beginning, due at once.

    subject_id: only those about it. Returns how many, by target. Raises IntegrityError for a kind whose failures
    are final.
    """
    check_step(kind, JobState.FAILED, JobState.READY)
    which = [Job.kind == kind, Job.state == JobState.FAILED.value, Job.target.in_(list(targets))]
    if subject_id is not None:
        which.append(Job.subject_id == subject_id)
    done = session.execute(
        update(Job)
        .where(*which)
        .values(
            state=JobState.READY.value, run_at=at, done_at=None, tries=0, last_error=None, progress=null()
        )
        .returning(Job.target)
        .execution_options(synchronize_session=False)
    )
    return Counter(done.scalars())


def _set_all(session: Session, held: Sequence[Claimed], values: Mapping[str, Any]) -> None:
    if held:
        session.execute(
            update(Job)
            .where(Job.id.in_([job.id for job in held]))
            .values(lease_owner=None, lease_until=None, **values)
            .execution_options(synchronize_session=False)
        )
