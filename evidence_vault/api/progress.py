"""Where an item stands and what comes next: derived from facts, said in stages and one sentence.

received → timestamped (tokens over the content) → logged (a published checkpoint covers it) → dated (a token
over such a checkpoint: the time that a verdict names) → anchored (in a block) → final. Expected times are what
the settings make likely; nothing is promised but the receipt's `log-by`.

Tokens are there when every *required* authority has answered, and at least one; whoever is not required is shown
as awaited and waited for by nobody. A required one that refused for good keeps its stage open, with the reason:
only an operator can end that. The log and the anchors never wait for an authority.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.api.anchor_views import anchor_views
from evidence_vault.api.authorities import troubles
from evidence_vault.api.schemas import LostView, Stage, Trouble
from evidence_vault.core.canonical import Json
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_time
from evidence_vault.core.states import JobState
from evidence_vault.pipeline.anchoring.watch import lost_anchors
from evidence_vault.settings import Settings
from evidence_vault.store.models import Item, Job
from evidence_vault.store.queries import checkpoint_jobs, jobs, log
from evidence_vault.store.queries.items import ItemProgress


@value
class Standing:
    """An item's stages and the sentence for whoever waits."""

    stages: tuple[Stage, ...]
    next: str


def describe_standing(session: Session, settings: Settings, item: Item, progress: ItemProgress) -> Standing:
    """Return how far the item has come and what it waits for."""
    stages = (
        Stage(name="received", state="done", at=encode_time(item.received_at)),
        _timestamped(session, settings, item, progress),
        _logged(session, settings, item, progress),
        _dated(session, settings, progress),
        *_anchored(session, settings, progress),
    )
    return Standing(stages=stages, next=_sentence(stages))


def _timestamped(session: Session, settings: Settings, item: Item, progress: ItemProgress) -> Stage:
    own = [job for job in jobs.jobs_of(session, Subject(kind="item", id=item.id)) if job.kind == "timestamp"]
    if not own:
        return Stage(name="timestamped", state="off")
    answered = [job.done_at for job in own if job.state == JobState.DONE and job.done_at]
    refused = [
        Trouble(authority=job.target, failures=job.tries, reason=job.last_error or "refused", next_at="")
        for job in own
        if job.state == JobState.FAILED
    ]
    lacking = {*progress.awaited, *progress.refused} & _required(settings)
    return Stage(
        name="timestamped",
        state="done" if progress.tokens and not lacking else "waiting",
        at=encode_time(min(answered)) if answered else None,
        by=list(progress.tokens),
        awaited=list(progress.awaited),
        next_at=_soonest(job.run_at for job in own if job.state == JobState.READY),
        trouble=[*refused, *troubles(session, settings, progress.awaited)],
    )


def _required(settings: Settings) -> set[str]:
    return {authority.name for authority in settings.authorities if authority.required}


def _logged(session: Session, settings: Settings, item: Item, progress: ItemProgress) -> Stage:
    if progress.logged_size is None:
        expected = item.received_at + timedelta(seconds=settings.checkpoint_interval_s)
        return Stage(
            name="logged", state="waiting", leaf_index=progress.leaf_index, next_at=encode_time(expected)
        )
    checkpoint = log.get_checkpoint(session, progress.logged_size)
    published_at = checkpoint.published_at if checkpoint else None
    return Stage(
        name="logged",
        state="done",
        at=encode_time(published_at) if published_at else None,
        leaf_index=progress.leaf_index,
        checkpoint=progress.logged_size,
    )


def _dated(session: Session, settings: Settings, progress: ItemProgress) -> Stage:
    if not settings.authorities:
        return Stage(name="dated", state="off")
    lacking = set(progress.record_awaited) & _required(settings)
    done = bool(progress.record_tokens) and not lacking
    newest = checkpoint_jobs.newest_checkpoint_job(session, "timestamp")
    asked = progress.record_awaited or [authority.name for authority in settings.authorities]
    return Stage(
        name="dated",
        state="done" if done else "waiting",
        by=list(progress.record_tokens),
        awaited=list(progress.record_awaited),
        next_at=None if done else _after(newest, settings.token_interval_s),
        trouble=troubles(session, settings, progress.record_awaited if done else asked),
    )


def _anchored(session: Session, settings: Settings, progress: ItemProgress) -> tuple[Stage, Stage]:
    if not settings.networks and not settings.bitcoin:
        return Stage(name="anchored", state="off"), Stage(name="final", state="off")
    newest = checkpoint_jobs.newest_checkpoint_job(session, "anchor")
    expected = _after(newest, settings.anchor_interval_s)
    anchored = Stage(
        name="anchored",
        state="waiting" if progress.anchored_size is None else "done",
        checkpoint=progress.anchored_size,
        next_at=expected if progress.anchored_size is None else None,
        trouble=_anchor_troubles(session, newest),
    )
    done = _jobs_at(session, progress.final_size, JobState.FINAL)
    final = Stage(
        name="final",
        state="waiting" if progress.final_size is None else "done",
        at=_soonest(job.done_at for job in done),
        by=[job.target for job in done],
        checkpoint=progress.final_size,
        lost=_lost(session, settings, progress),
        networks=anchor_views(session, settings, progress.leaf_index),
    )
    return anchored, final


def _anchor_troubles(session: Session, newest: Job | None) -> list[Trouble]:
    """Networks that give the newest anchored checkpoint trouble: a node down, a calendar's promise of weeks."""
    if newest is None:
        return []
    return [
        Trouble(
            authority=job.target,
            failures=job.tries,
            reason=job.last_error,
            next_at="" if job.run_at is None else encode_time(job.run_at),
        )
        for job in jobs.jobs_of(session, Subject(kind=newest.subject_kind, id=newest.subject_id))
        if job.kind == "anchor" and job.last_error
    ]


def _lost(session: Session, settings: Settings, progress: ItemProgress) -> list[LostView]:
    """Anchors of this item that were final and are lost, whether or not they were made good."""
    names: dict[Json, str] = {network.chain_id: network.name for network in settings.networks}
    names |= {one.network: one.name for one in settings.bitcoin}

    def name_of(anchor: Mapping[str, Json]) -> str:
        known = anchor.get("chain_id", anchor.get("network"))
        return names.get(known, f"{anchor['kind']} {known}")

    return [
        LostView(network=name_of(one.anchor), checkpoint=one.size, at=one.at)
        for one in lost_anchors(session)
        if progress.leaf_index is not None and one.size > progress.leaf_index
    ]


def _jobs_at(session: Session, size: int | None, state: JobState) -> Sequence[Job]:
    if size is None:
        return []
    about = jobs.jobs_of(session, Subject(kind="checkpoint", id=str(size)))
    return [job for job in about if job.kind == "anchor" and job.state == state]


def _after(job: Job | None, interval_s: float) -> str | None:
    return None if job is None else encode_time(job.created_at + timedelta(seconds=interval_s))


def _soonest(times: Iterable[datetime | None]) -> str | None:
    known = [at for at in times if at is not None]
    return encode_time(min(known)) if known else None


def _sentence(stages: Sequence[Stage]) -> str:
    waiting = next((stage for stage in stages if stage.state == "waiting"), None)
    if waiting is None:
        return "Everything this vault does for the item is done. A bundle can be exported."
    what = {
        "timestamped": "a time-stamp over the content",
        "logged": "its place in the log",
        "dated": "a time-stamp over the log",
        "anchored": "the next anchor",
        "final": "the anchor's block to become final",
    }[waiting.name]
    about = f", expected about {waiting.next_at}" if waiting.next_at else ""
    return f"Waiting for {what}{about}. There is nothing to do."
