"""Watch: final anchors are looked up again, for a network may take back what it called final.

    final anchor in the highest block ──► its block is there: so are all below it
                                     └──► another is final there: ANCHOR_LOST, the job goes on, then the one below …

A chain of blocks needs no more than one question about the highest, until it is lost.

Durable after return: for each lost anchor the event that says so and, in the same transaction, the job that anchors
the checkpoint again, from what was signed before. A crash before the commit means: it is found lost again. A crash
after it means: the job goes on. Both proofs stay: the lost one, which proves nothing any more, and the later one.
"""

import hashlib
import logging
from collections.abc import Mapping

from sqlalchemy.orm import Session

from anchors.base import AnchorProof, Progress, Watcher
from anchors.values import value
from evidence_vault.core.canonical import Json
from evidence_vault.core.events import LOG, Subject, parse_event
from evidence_vault.core.states import JobState
from evidence_vault.errors import IntegrityError
from evidence_vault.network_settings import Network
from evidence_vault.pipeline.anchoring.anchor import statement_of
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.vault import Purse, Vault
from evidence_vault.store.models import Job
from evidence_vault.store.queries import checkpoint_jobs, events, jobs

LOGGER = logging.getLogger("evidence_vault.pipeline")

REASON = "other-block"
"""The code in ANCHOR_LOST: another block is final where ours was."""

AT_A_TIME = 100
"""Final anchors looked up in one pass while each is lost; more are for the next pass."""


@value
class LostAnchor:
    """An anchor that the log says is lost: checkpoint size, SHA-256 (32 bytes) of its proof, whose, when noted."""

    size: int
    proof_sha256: bytes | None
    anchor: Mapping[str, Json]
    at: str


def watch_anchors(vault: Vault, target: str) -> int:
    """Look the newest final anchors on this network up again; return how many are lost.

    Raises UnavailableError, ConfigError for a network that can't tell now.
    """
    vault.gate.require_open()
    watcher = vault.watchers.get(target)
    if watcher is None:
        return 0
    with vault.database.read() as session:
        final = checkpoint_jobs.newest_final(session, target, limit=AT_A_TIME)
        proofs = [(job, *found) for job in final if (found := _proof_of(session, job, watcher))]
    lost = 0
    for job, _, proof in sorted(proofs, key=lambda one: one[1], reverse=True):
        reason = watcher.find_lost(proof)
        if reason is None:
            break
        _record_lost(vault, job, watcher, proof)
        LOGGER.critical("anchor lost", extra={"target": target, "subject": job.subject_id, "error": reason})
        lost += 1
    return lost


def watch_funds(vault: Vault, network: Network) -> None:
    """See how long the sender's money lasts; say so before there is none. Raises UnavailableError, ConfigError."""
    watcher = vault.watchers.get(network.name)
    if watcher is None:
        return
    funds = watcher.funds()
    if funds is None:
        return
    days = funds.balance / max(1, vault.settings.anchors_per_day * funds.anchor_price)
    low = days < network.alarm_days
    vault.purses.note(network.name, Purse(lasts_days=days, low=low, at=vault.clock()))
    if low:
        sentence = f"the sender's money lasts {days:.1f} days at this cadence and price: send it some"
        LOGGER.error("low balance", extra={"target": network.name, "error": sentence})


def lost_anchors(session: Session) -> list[LostAnchor]:
    """Return every anchor that the log says is lost, in the order in which that was noted."""
    found = []
    for row in events.events_of(session, LOG):
        if row.type == "ANCHOR_LOST":
            fields = parse_event(row.raw).fields
            anchor, size, sha256 = fields["anchor"], fields["size"], fields["proof_sha256"]
            if not isinstance(anchor, dict) or not isinstance(size, int):
                raise IntegrityError("ANCHOR_LOST", "an anchor and a size", fields)
            found.append(
                LostAnchor(
                    size=size,
                    proof_sha256=bytes.fromhex(sha256) if isinstance(sha256, str) else None,
                    anchor=anchor,
                    at=str(fields["at"]),
                )
            )
    return found


def _proof_of(session: Session, job: Job, watcher: Watcher) -> tuple[int, AnchorProof] | None:
    """The newest proof of this job's checkpoint that is from the watched anchor, and the height of its block."""
    for row in reversed(events.events_of(session, Subject(kind="checkpoint", id=job.subject_id))):
        if row.type != "CHECKPOINT_ANCHORED":
            continue
        kind = str(parse_event(row.raw).fields["anchor_kind"])
        proof = AnchorProof(kind=kind, parts=events.proof_parts_of(session, row.id))
        height = watcher.block_of(proof)
        if height is not None:
            return height, proof
    return None


def _record_lost(vault: Vault, job: Job, watcher: Watcher, proof: AnchorProof) -> None:
    """The event, and the job on its way again. Whoever comes second finds the job no longer final: Conflict."""
    size = int(job.subject_id)
    before = None
    if job.progress is not None:
        before = Progress(kind=proof.kind, state=str(job.progress["state"]), data=job.progress["data"])
    again = watcher.restart(statement_of(vault, size), before)
    with vault.database.write() as session:
        now = vault.clock()
        jobs.reopen(
            session,
            job,
            JobState.LOST,
            now=now,
            progress={"state": again.state, "data": dict(again.data)},
        )
        append_event(
            vault,
            session,
            Draft(
                subject=LOG,
                type="ANCHOR_LOST",
                actor=system_actor(session),
                fields={
                    "anchor": dict(watcher.anchor),
                    "size": size,
                    "proof_sha256": hashlib.sha256(proof.parts["proof.json"]).hexdigest(),
                    "reason": REASON,
                },
            ),
        )
