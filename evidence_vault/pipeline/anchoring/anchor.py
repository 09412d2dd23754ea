"""Anchor: one checkpoint recorded on one network, up to the proof that outlives the network.

    READY ──► PREPARED ──► SUBMITTED ──► INCLUDED ──► FINAL
                 └────────────┴──► SUPERSEDED, FAILED       FINAL ──► LOST ──► SUBMITTED …   (`watch`)

Every step that the submitter reports is committed before the next is taken; what it signed is on record before it
is sent (`anchors.ethereum.submit`). CHECKPOINT_ANCHORED is recorded only at the end, with the proof.

Durable after return: where the job stands; at FINAL the proof and the event that records it, in one transaction.
A crash before the commit means: the same step is taken again, and finds what was already done.
A crash after it means: the next step.
"""

import hashlib
from datetime import timedelta

from sqlalchemy.orm import Session

from anchors.base import AnchorProof, Progress, Statement, TreeHead
from evidence_vault.core.states import JobState
from evidence_vault.errors import (
    ConfigError,
    FormatError,
    IntegrityError,
    UnavailableError,
    VerificationError,
)
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events, jobs, log
from evidence_vault.store.queries.jobs import Claimed

KIND = "anchor"
ENDS = (JobState.SUPERSEDED, JobState.FAILED)


def advance_anchor(vault: Vault, job: Claimed) -> None:
    """Take the job one step further and record where it stands."""
    statement = statement_of(vault, int(job.subject.id))
    submitter = vault.submitters.get(KIND, {}).get(job.target)
    try:
        if submitter is None:
            raise ConfigError(f"networks.{job.target}", "no longer in the settings, and a job waits for it")
        if job.progress is None:
            outcome: Progress | AnchorProof = submitter.prepare(statement)
        else:
            progress = Progress(kind=KIND, state=str(job.progress["state"]), data=job.progress["data"])
            outcome = submitter.advance(statement, progress)
    except (UnavailableError, ConfigError, VerificationError, FormatError) as error:
        # A node that lies or is on another chain is waited out like one that is down; nothing was recorded.
        _back_off(vault, job, error)
        return
    with vault.database.write() as session:
        if isinstance(outcome, Progress):
            _keep(vault, session, job, outcome)
        else:
            _record_anchor(vault, session, job, statement, outcome)


def statement_of(vault: Vault, size: int) -> Statement:
    """Return what is anchored of the checkpoint of this size. Raises IntegrityError."""
    with vault.database.read() as session:
        checkpoint, head = log.get_checkpoint(session, size), log.tree_head_at(session, size)
    if checkpoint is None or head is None:
        raise IntegrityError("anchor job", "a checkpoint", size)
    return Statement(
        sha256=checkpoint.note_sha256,
        preimage=checkpoint.note,
        tree_head=TreeHead(size=size, root_hash=head.root_hash),
    )


def _keep(vault: Vault, session: Session, job: Claimed, progress: Progress) -> None:
    state = JobState(progress.state)
    now = vault.clock()
    reason = str(progress.data.get("reason", "no reason given"))
    trouble = None if progress.data.get("trouble") is None else str(progress.data["trouble"])
    beyond = progress.data.get("chain_size")
    if isinstance(beyond, int) and beyond > log.current_tree_head(session).size:
        # Our sender anchored what this log never had: its key is in other hands, or this database is an old one.
        state = JobState.FAILED
        reason = f"{job.target} holds our anchor of {beyond} leaves, where this log has not been"
        vault.gate.shut(reason)
    jobs.record(
        session,
        job,
        state,
        now=now,
        run_at=None if state in ENDS else now + timedelta(seconds=progress.retry_after_s),
        progress={"state": progress.state, "data": dict(progress.data)},
        error=reason if state is JobState.FAILED else trouble,
    )


def _record_anchor(
    vault: Vault, session: Session, job: Claimed, statement: Statement, proof: AnchorProof
) -> None:
    """The event, the proof it speaks of, and the end of the job."""
    recorded = append_event(
        vault,
        session,
        Draft(
            subject=job.subject,
            type="CHECKPOINT_ANCHORED",
            actor=system_actor(session),
            fields={
                "anchor_kind": proof.kind,
                "note_sha256": statement.sha256.hex(),
                "proof_sha256": hashlib.sha256(proof.parts["proof.json"]).hexdigest(),
            },
        ),
    )
    events.add_proof_parts(session, {recorded.event_id: proof.parts})
    jobs.record(session, job, JobState.FINAL, now=vault.clock(), run_at=None)


def _back_off(vault: Vault, job: Claimed, error: Exception) -> None:
    wait = vault.backoff(job.tries)
    if isinstance(error, UnavailableError) and error.retry_after_s is not None:
        wait = max(wait, timedelta(seconds=min(error.retry_after_s, vault.settings.retry_most_s)))
    now = vault.clock()
    with vault.database.write() as session:
        jobs.record(session, job, job.state, now=now, run_at=now + wait, error=str(error))
