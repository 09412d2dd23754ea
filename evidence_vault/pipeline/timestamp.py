"""Timestamp: one authority's token over one item's SHA-256, or over one checkpoint's note.

    (1) prepare the request and keep it       so that a crash doesn't forget what was asked
    (2) post it                               repeating it costs the authority a token, and us nothing
    (3) commit the event, the raw request and response, and DONE    in one transaction

Durable after return: where the job stands; after (3) the token, its chain and the event that records it.
A crash before the commit means: the lease ends, another worker posts the same request again.
A crash after it means: DONE; the token is on record.

An outage is waited out, ever more slowly, and so is an answer that does not verify. A refusal is final: the
same request would be refused again; the item's history says so, and the job an operator may read.
"""

import hashlib
from datetime import timedelta

from sqlalchemy.orm import Session

from anchors.base import AnchorProof, Progress, Statement, TreeHead
from anchors.rfc3161.submit import RefusedError
from evidence_vault.core.states import JobState
from evidence_vault.errors import (
    ConfigError,
    IntegrityError,
    UnavailableError,
)
from evidence_vault.pipeline.authorities import note_answer, note_failure
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.revocation import want_evidence
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events, items, jobs, log, paces
from evidence_vault.store.queries.jobs import Claimed

KIND = "timestamp"


def advance_timestamp(vault: Vault, job: Claimed) -> None:
    """Take the job one step further and record where it stands.

    Raises IntegrityError for a job about nothing we have, Conflict if its lease was lost meanwhile.
    """
    statement = _statement(vault, job)
    submitter = vault.submitters.get(KIND, {}).get(job.target)
    try:
        if submitter is None:
            raise ConfigError(
                f"authorities.{job.target}", "no longer in the settings, and a job waits for it"
            )
        # (1) The request is kept before it is sent.
        if job.progress is None:
            prepared = submitter.prepare(statement)
            with vault.database.write() as session:
                job = _keep(vault, session, job, prepared)
        # (2) Nothing is locked while the authority thinks.
        if _wait_for_turn(vault, job):
            return
        sent_at = vault.clock()
        outcome = submitter.advance(statement, _progress(job))
    except (UnavailableError, ConfigError) as error:
        _back_off(vault, job, error)
        return
    except RefusedError as error:
        _give_up(vault, job, statement, error)
        return
    # (3) A crash before this commit asks again; the token that came back now is then never seen.
    with vault.database.write() as session:
        if isinstance(outcome, Progress):
            _keep(vault, session, job, outcome, keep_lease=False)
        else:
            _record_token(vault, session, job, statement, outcome)
            note_answer(vault, session, job.target, sent_at=sent_at, attested=outcome.attested)


def _statement(vault: Vault, job: Claimed) -> Statement:
    with vault.database.read() as session:
        if job.subject.kind == "item":
            item = items.get_item(session, job.subject.id)
            if item is not None and item.sha256 is not None:
                return Statement(sha256=item.sha256)
        elif job.subject.kind == "checkpoint":
            size = int(job.subject.id)
            checkpoint, head = log.get_checkpoint(session, size), log.tree_head_at(session, size)
            if checkpoint is not None and head is not None:
                return Statement(
                    sha256=checkpoint.note_sha256,
                    preimage=checkpoint.note,
                    tree_head=TreeHead(size=size, root_hash=head.root_hash),
                )
    raise IntegrityError(f"timestamp job {job.id}", "an item with a digest, or a checkpoint", job.subject.id)


def _record_token(
    vault: Vault, session: Session, job: Claimed, statement: Statement, proof: AnchorProof
) -> None:
    """(3) The event, the parts it speaks of, and the end of the job."""
    kind = "TIMESTAMP_OBTAINED" if job.subject.kind == "item" else "CHECKPOINT_TIMESTAMPED"
    recorded = append_event(
        vault,
        session,
        Draft(
            subject=job.subject,
            type=kind,
            actor=system_actor(session),
            fields={
                "authority": job.target,
                "imprint_sha256": statement.sha256.hex(),
                "request_sha256": hashlib.sha256(proof.parts["request.tsq"]).hexdigest(),
                "response_sha256": hashlib.sha256(proof.parts["response.tsr"]).hexdigest(),
            },
        ),
    )
    events.add_proof_parts(session, recorded.event_id, proof.parts)
    if proof.attested is not None:
        want_evidence(session, proof.parts["chain.pem"], proof.attested.time, now=vault.clock())
    jobs.record(session, job, JobState.DONE, now=vault.clock(), run_at=None)


def _give_up(vault: Vault, job: Claimed, statement: Statement, error: RefusedError) -> None:
    """The authority refused for good; of a checkpoint only what was obtained is an event."""
    with vault.database.write() as session:
        if job.subject.kind == "item":
            append_event(
                vault,
                session,
                Draft(
                    subject=job.subject,
                    type="TIMESTAMP_FAILED",
                    actor=system_actor(session),
                    fields={
                        "authority": job.target,
                        "imprint_sha256": statement.sha256.hex(),
                        "reason": "refused",
                    },
                    result="failed",
                ),
            )
        jobs.record(session, job, JobState.FAILED, now=vault.clock(), run_at=None, error=str(error))
        note_answer(vault, session, job.target, sent_at=vault.clock(), attested=None)


def _back_off(vault: Vault, job: Claimed, error: UnavailableError | ConfigError) -> None:
    """Come back later; the authority's own wish counts if it is longer than ours."""
    wait = vault.backoff(job.tries)
    if isinstance(error, UnavailableError) and error.retry_after_s is not None:
        wait = max(wait, timedelta(seconds=min(error.retry_after_s, vault.settings.retry_most_s)))
    now = vault.clock()
    with vault.database.write() as session:
        jobs.record(session, job, JobState.READY, now=now, run_at=now + wait, error=str(error))
        if isinstance(error, UnavailableError):
            note_failure(vault, session, job.target, error)


def _wait_for_turn(vault: Vault, job: Claimed) -> bool:
    """Whether the authority wants more time between requests than has passed; the job then waits."""
    interval_s = next((a.min_interval_s for a in vault.settings.authorities if a.name == job.target), 0.0)
    if not interval_s:
        return False
    now = vault.clock()
    with vault.database.write() as session:
        free_at = paces.take_turn(session, job.target, now=now, interval=timedelta(seconds=interval_s))
        if free_at is None:
            return False
        jobs.record(session, job, JobState.READY, now=now, run_at=free_at)
    return True


def _keep(
    vault: Vault, session: Session, job: Claimed, progress: Progress, *, keep_lease: bool = True
) -> Claimed:
    """Record progress that is not the end; the lease stays for what follows at once."""
    kept = {"state": progress.state, "data": dict(progress.data)}
    now = vault.clock()
    run_at = now + timedelta(seconds=progress.retry_after_s)
    return jobs.record(
        session, job, JobState.READY, now=now, run_at=run_at, progress=kept, keep_lease=keep_lease
    )


def _progress(job: Claimed) -> Progress:
    kept = job.progress or {}
    return Progress(kind="rfc3161", state=str(kept["state"]), data=kept["data"])
