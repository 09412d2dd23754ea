"""Gaps: transactions of the sender that wait for one that a network forgot, and that nobody sends any more.

    open job with a nonce above ──► the missing nonce: of an open job? it sends it. Of one that ended? sent again.
                                                       Nobody's? a transaction that does nothing takes it

Nothing is recorded: what is sent again was on record, and a nonce is used once. A crash means: looked at again.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from evidence_vault.pipeline.vault import Vault
from evidence_vault.store import nonces
from evidence_vault.store.models import Job
from evidence_vault.store.queries import jobs

LOGGER = logging.getLogger("evidence_vault.pipeline")


def watch_gaps(vault: Vault, target: str) -> str | None:
    """Bring back what later transactions of the sender on this network wait for; return what was done.

    Raises UnavailableError, ConfigError.
    """
    vault.gate.require_open()
    watcher = vault.watchers.get(target)
    if watcher is None:
        return None
    with vault.database.read() as session:
        waiting = jobs.jobs_about(session, "anchor", target, ended=False)
    if not any(_nonces(job) for job in waiting):
        return None

    def stored(nonce: int) -> Sequence[str] | None:
        if not any(above > nonce for job in waiting for above in _nonces(job)):
            return None
        with vault.database.read() as session:
            return _stored(session, watcher.anchor, target, waiting, nonce)

    done = watcher.fill_gap(stored)
    if done is not None:
        LOGGER.error("nonce gap", extra={"target": target, "error": done})
    return done


def _stored(
    session: Session, anchor: Mapping[str, str | int], target: str, waiting: Sequence[Job], nonce: int
) -> Sequence[str] | None:
    """What was signed with this nonce by a job that ended; None while one that goes on holds it."""
    holder = nonces.purpose_of(
        session, chain_id=int(anchor["chain_id"]), sender=bytes.fromhex(str(anchor["sender"])), nonce=nonce
    )
    if any(nonce in _nonces(job) or holder == f"{anchor['contract']}/{job.subject_id}" for job in waiting):
        return None
    ended = jobs.jobs_about(session, "anchor", target, ended=True)
    return [each["raw"] for job in ended for each in _attempts(job) if each["nonce"] == nonce]


def _attempts(job: Job) -> Sequence[dict[str, Any]]:
    """The transactions that a job signed, as `anchors.ethereum.attempt` keeps them."""
    found: Sequence[dict[str, Any]] = (job.progress or {}).get("data", {}).get("attempts", [])
    return found


def _nonces(job: Job) -> set[int]:
    return {each["nonce"] for each in _attempts(job)}
