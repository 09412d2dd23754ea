"""Where an item stands on each network that its log is anchored on, and what that network's word is worth."""

from sqlalchemy.orm import Session

from evidence_vault.api.schemas import AnchorView
from evidence_vault.core.events import Subject
from evidence_vault.core.states import JobState
from evidence_vault.settings import Settings
from evidence_vault.store.models import Job
from evidence_vault.store.queries import checkpoint_jobs, jobs

_FURTHEST_FIRST = (JobState.FINAL, JobState.INCLUDED, JobState.SUBMITTED, JobState.LOST)


def anchor_views(session: Session, settings: Settings, leaf_index: int | None) -> list[AnchorView]:
    """Return how far each network of the settings has come with a checkpoint above this leaf."""
    views = []
    ethereum = [(one.name, one.log_class) for one in settings.networks]
    bitcoin = [(one.name, one.log_class) for one in settings.bitcoin]
    for name, log_class in (*ethereum, *bitcoin):
        view = AnchorView(network=name, network_class=log_class, state="waiting")
        job = None if leaf_index is None else _furthest(session, name, leaf_index)
        views.append(view if job is None else view.model_copy(update=_standing(job)))
    return views


def _furthest(session: Session, target: str, leaf_index: int) -> Job | None:
    """The job that has come furthest, of the smallest checkpoint."""
    for state in _FURTHEST_FIRST:
        size = checkpoint_jobs.first_size_above(
            session, leaf_index, kind="anchor", target=target, state=state
        )
        if size is not None:
            about = jobs.jobs_of(session, Subject(kind="checkpoint", id=str(size)))
            return next(job for job in about if (job.kind, job.target) == ("anchor", target))
    return None


def _standing(job: Job) -> dict[str, object]:
    """A calendar's answer is a promise: nothing is shown for it until there is a block."""
    words = {
        JobState.FINAL: "final",
        JobState.INCLUDED: "included",
        JobState.SUBMITTED: "sent",
        JobState.LOST: "lost",
    }
    standing: dict[str, object] = {"state": words[JobState(job.state)], "checkpoint": job.checkpoint_size}
    kept = {} if job.progress is None else job.progress["data"]
    if job.state == JobState.SUBMITTED and "answers" in kept:
        standing |= {"state": "promised", "by": sorted(kept["answers"]), "since": kept["since"]}
    return standing
