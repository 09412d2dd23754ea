"""Timestamp: an authority's tokens over items' SHA-256, or over checkpoints' notes, for many jobs at a time.

    (1) prepare the requests and keep them    so that a crash doesn't forget what was asked
    (2) post them, several at once            repeating one costs the authority a token, and us nothing
    (3) commit the events, the raw requests and responses, and DONE    in one transaction for all that came

Durable after return: where each job stands; after (3) the tokens, their chains and the events that record them.
A crash before a commit means: the leases end, another worker posts the same requests again.
A crash after it means: DONE; the tokens are on record.

Jobs share transactions and nothing else: what can't be committed together is committed one by one. An outage is
waited out, ever more slowly, and so is an answer that does not verify. A refusal is final, for the same request
would be refused again; the item's history says so, and the job an operator may read.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.base import AnchorProof, Progress, Statement, Submitter, TreeHead
from anchors.rfc3161.errors import RefusedError
from anchors.values import replace, value
from evidence_vault.authority_settings import SEND_WITHIN_S
from evidence_vault.core.events import Subject
from evidence_vault.core.states import JobState
from evidence_vault.errors import ConfigError, Conflict, EvidenceError, IntegrityError, UnavailableError
from evidence_vault.pipeline.record import Draft, EventActor, append_events, system_actor
from evidence_vault.pipeline.times.authorities import REST_AFTER, Told, note_told, offset_of
from evidence_vault.pipeline.times.exchanges import Came, ExchangeAll
from evidence_vault.pipeline.times.revocation import want_evidence
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events, items, job_batches, jobs, log, paces
from evidence_vault.store.queries.jobs import Claimed

KIND = "timestamp"

TOKENS_AT_ONCE = 64
"""Jobs claimed together: a third of a second's work for an authority on this machine. What they share hardly costs
any more then, and after a crash no more tokens than these are asked for again."""

Failed = list[tuple[Claimed, Exception]]


@value
class Asked:
    """A job whose request is kept, and who will send it; nobody, once it is no longer in the settings."""

    job: Claimed
    statement: Statement
    submitter: Submitter | None


@value
class Answer:
    """What an authority gave us, and when by our clock it was asked for it and gave it."""

    outcome: AnchorProof | Progress
    sent_at: datetime
    answered_at: datetime


Outcome = Came[Asked, Answer]


def advance_timestamps(vault: Vault, claimed: Sequence[Claimed], exchange_all: ExchangeAll) -> Failed:
    """Take the jobs one step further and record where they stand; return those that couldn't be recorded, and why.

    Among them: IntegrityError for a job about nothing we have, Conflict if its lease was lost meanwhile.
    """
    failed: Failed = []
    # (1) The requests are kept before they are sent.
    asked = _in_turn(vault, _prepared(vault, claimed, failed))

    def exchange(one: Asked) -> Answer:
        if one.submitter is None:
            name = f"authorities.{one.job.target}"
            raise ConfigError(name, "no longer in the settings, and a job waits for it")
        sent_at = vault.clock()
        outcome = one.submitter.advance(one.statement, _progress(one.job))
        return Answer(outcome=outcome, sent_at=sent_at, answered_at=vault.clock())

    # (2) Nothing is locked while the authority thinks.
    targets = {one.job.target for one in asked}
    at_once = min((a.exchanges for a in vault.settings.authorities if a.name in targets), default=1)
    coming = exchange_all(
        asked, exchange, at_once=at_once, send_within_s=SEND_WITHIN_S, most_failures=REST_AFTER
    )
    with closing(coming):
        for came in coming:
            # (3) A crash before this commit asks again; the tokens that came back now are then never seen.
            failed += [(one.asked.job, one.error) for one in came if one.error and not _is_foreseen(one)]
            _commit(vault, [one for one in came if _is_foreseen(one)], failed)
    return failed


def _prepared(vault: Vault, claimed: Sequence[Claimed], failed: Failed) -> list[Asked]:
    """(1) Those with a request that is kept, all that were claimed but for what has failed."""
    submitters = vault.submitters.get(KIND, {})
    statements = _statements(vault, {job.subject for job in claimed})
    asked = []
    for job in claimed:
        statement = statements.get(job.subject)
        if statement is None:
            place = f"timestamp job {job.id}"
            failed.append(
                (job, IntegrityError(place, "an item with a digest, or a checkpoint", job.subject.id))
            )
        else:
            asked.append(Asked(job=job, statement=statement, submitter=submitters.get(job.target)))
    fresh = [
        (one.job, _kept(one.submitter.prepare(one.statement)))
        for one in asked
        if one.submitter is not None and one.job.progress is None
    ]
    if not fresh:
        return asked
    with vault.database.write() as session:
        kept = {job.id: job for job in job_batches.keep_progress(session, fresh)}
    lost = {job.id for job, _ in fresh if job.id not in kept}
    failed += [(one.job, _lost_lease(one.job)) for one in asked if one.job.id in lost]
    return [replace(one, job=kept.get(one.job.id, one.job)) for one in asked if one.job.id not in lost]


def _statements(vault: Vault, subjects: Collection[Subject]) -> Mapping[Subject, Statement]:
    found = {}
    with vault.database.read() as session:
        digests = items.digests_of(session, [subject.id for subject in subjects if subject.kind == "item"])
        for item_id, sha256 in digests.items():
            found[Subject(kind="item", id=item_id)] = Statement(sha256=sha256)
        for subject in subjects:
            if subject.kind != "checkpoint":
                continue
            size = int(subject.id)
            checkpoint, head = log.get_checkpoint(session, size), log.tree_head_at(session, size)
            if checkpoint is not None and head is not None:
                found[subject] = Statement(
                    sha256=checkpoint.note_sha256,
                    preimage=checkpoint.note,
                    tree_head=TreeHead(size=size, root_hash=head.root_hash),
                )
    return found


def _in_turn(vault: Vault, asked: list[Asked]) -> list[Asked]:
    """Those that may be sent now; where an authority wants time between requests, the others wait for it."""
    intervals = {a.name: a.min_interval_s for a in vault.settings.authorities if a.min_interval_s}
    if not any(one.job.target in intervals for one in asked):
        return asked
    now, free = vault.clock(), []
    with vault.database.write() as session:
        for one in asked:
            interval = timedelta(seconds=intervals.get(one.job.target, 0.0))
            free_at = (
                paces.take_turn(session, one.job.target, now=now, interval=interval) if interval else None
            )
            if free_at is None:
                free.append(one)
            else:
                jobs.record(session, one.job, JobState.READY, now=now, run_at=free_at)
    return free


def _is_foreseen(one: Outcome) -> bool:
    return one.error is None or isinstance(one.error, (UnavailableError, ConfigError, RefusedError))


def _commit(vault: Vault, came: Sequence[Outcome], failed: Failed) -> None:
    """(3) One transaction for all; if it fails, one for each, but none after two outages in a row."""
    if not came:
        return
    try:
        with vault.database.write() as session:
            lost = _record(vault, session, came)
    except EvidenceError as error:  # told as its own if it is alone; together nobody knows whose it is
        if len(came) == 1:
            failed.append((came[0].asked.job, error))
            return
        outages = 0
        for one in came:
            if outages == 2:
                failed.append((one.asked.job, error))
                continue
            before = len(failed)
            _commit(vault, [one], failed)
            is_out = any(isinstance(why, UnavailableError) for _, why in failed[before:])
            outages = outages + 1 if is_out else 0
    else:
        failed += [(job, _lost_lease(job)) for job in lost]


def _record(vault: Vault, session: Session, came: Sequence[Outcome]) -> Sequence[Claimed]:
    """Record what came of each; return the jobs that are another worker's by now: of those nothing is recorded."""
    all_jobs = [one.asked.job for one in came]
    held = {job.id for job in job_batches.still_held(session, all_jobs)}
    mine = [one for one in came if one.asked.job.id in held]
    now = vault.clock()
    _record_events(vault, session, mine, now=now)
    job_batches.give_back(session, [one.asked.job for one in mine if not one.error and not one.result])
    for one in mine:
        job = one.asked.job
        if one.result is not None and isinstance(one.result.outcome, Progress):
            progress = one.result.outcome
            run_at = now + timedelta(seconds=progress.retry_after_s)
            jobs.record(session, job, JobState.READY, now=now, run_at=run_at, progress=_kept(progress))
        elif isinstance(one.error, RefusedError):
            jobs.record(session, job, JobState.FAILED, now=now, run_at=None, error=str(one.error))
        elif one.error is not None:
            run_at = now + _pause(vault, job, one.error)
            jobs.record(session, job, JobState.READY, now=now, run_at=run_at, error=str(one.error))
    _note(vault, session, mine)
    return [job for job in all_jobs if job.id not in held]


def _record_events(vault: Vault, session: Session, came: Sequence[Outcome], *, now: datetime) -> None:
    """The events of tokens and refusals; of tokens also the parts they speak of, and the end of the job.

    Of a checkpoint only what was obtained is an event.
    """
    told: list[tuple[Asked, AnchorProof | None]] = []
    for one in came:
        if one.result is not None and isinstance(one.result.outcome, AnchorProof):
            told.append((one.asked, one.result.outcome))
        elif isinstance(one.error, RefusedError) and one.asked.job.subject.kind == "item":
            told.append((one.asked, None))
    if not told:
        return
    actor = system_actor(session)
    recorded = append_events(vault, session, [_draft(one, proof, actor) for one, proof in told])
    proofs = [
        (event.event_id, one.job, proof)
        for event, (one, proof) in zip(recorded, told, strict=True)
        if proof is not None
    ]
    events.add_proof_parts(session, {event_id: proof.parts for event_id, _, proof in proofs})
    newest: dict[bytes, datetime] = {}
    for _, _, proof in proofs:
        if proof.attested is not None:
            chain, time = proof.parts["chain.pem"], proof.attested.time
            newest[chain] = max(newest.get(chain, time), time)
    for chain, time in sorted(newest.items()):
        want_evidence(session, chain, time, now=now)
    job_batches.finish(session, [job for _, job, _ in proofs], JobState.DONE, now=now)


def _draft(one: Asked, proof: AnchorProof | None, actor: EventActor) -> Draft:
    fields = {"authority": one.job.target, "imprint_sha256": one.statement.sha256.hex()}
    if proof is None:
        return Draft(
            subject=one.job.subject,
            type="TIMESTAMP_FAILED",
            actor=actor,
            fields={**fields, "reason": "refused"},
            result="failed",
        )
    fields["request_sha256"] = hashlib.sha256(proof.parts["request.tsq"]).hexdigest()
    fields["response_sha256"] = hashlib.sha256(proof.parts["response.tsr"]).hexdigest()
    kind = "TIMESTAMP_OBTAINED" if one.job.subject.kind == "item" else "CHECKPOINT_TIMESTAMPED"
    return Draft(subject=one.job.subject, type=kind, actor=actor, fields=fields)


def _note(vault: Vault, session: Session, came: Sequence[Outcome]) -> None:
    """What this says of the authorities."""
    told: dict[str, list[Told]] = {}
    for one in came:
        known = told.setdefault(one.asked.job.target, [])
        if isinstance(one.error, UnavailableError):
            known.append(Told(error=one.error))
        elif isinstance(one.error, RefusedError):
            known.append(Told())
        elif one.result is not None:
            given = one.result.outcome
            attested = given.attested if isinstance(given, AnchorProof) else None
            known.append(Told(offset=offset_of(attested, one.result.sent_at, one.result.answered_at)))
    for target in sorted(told):
        note_told(vault, session, target, told[target])


def _pause(vault: Vault, job: Claimed, error: Exception) -> timedelta:
    """When to come back; the authority's own wish counts if it is longer than ours."""
    wait = vault.backoff(job.tries)
    if isinstance(error, UnavailableError) and error.retry_after_s is not None:
        wait = max(wait, timedelta(seconds=min(error.retry_after_s, vault.settings.retry_most_s)))
    return wait


def _lost_lease(job: Claimed) -> Conflict:
    return Conflict(f"{job.kind} job {job.id}", "its lease ran out and another worker took it")


def _kept(progress: Progress) -> Mapping[str, object]:
    return {"state": progress.state, "data": dict(progress.data)}


def _progress(job: Claimed) -> Progress:
    kept = job.progress or {}
    return Progress(kind="rfc3161", state=str(kept["state"]), data=kept["data"])
