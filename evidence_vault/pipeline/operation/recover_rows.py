"""The rows that follow from an event that comes back: what the stages wrote when they recorded it.

    ITEM_RECEIVED                                item, disclosures, and a job for each authority
    TIMESTAMP_OBTAINED, CHECKPOINT_TIMESTAMPED   the token, and the end of its job
    TIMESTAMP_FAILED                             the end of the job
    CHECKPOINT_ANCHORED                          the proof, and the end of the job of that network
    ANCHOR_LOST                                  the job goes on, from what was signed before
    ATTESTED, ATTESTATION_WITHDRAWN              statement, signature and chain
    about cases, grants and orders               what followed when they were new (`consequences`)

All else that an event says stands in the event. Requests for bundles, tokens of access and who revoked them are no
events: they are as old as the database.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from anchors.base import Progress, TreeHead
from anchors.ethereum.attempt import restart
from anchors.ethereum.proof import KIND, PART, parse_proof
from anchors.opentimestamps.proof import KIND as OPENTIMESTAMPS
from anchors.opentimestamps.submit import restart as restart_stamp
from evidence_vault.core.canonical import Json, as_integer, as_object, as_text
from evidence_vault.core.events import Event, Subject, first_slot
from evidence_vault.core.states import JobState
from evidence_vault.errors import FormatError, IntegrityError
from evidence_vault.pipeline.consequences import follow, named_actors
from evidence_vault.pipeline.operation.recover_sources import FoundDeposit, FoundEvent
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors, events, idempotency, items, jobs
from evidence_vault.store.queries.deposits import add_packed

UNKNOWN_NAME = "unknown: came back by recover"
"""The name of an actor whose row is gone: events hold ids, never names."""


def insert_found(vault: Vault, session: Session, found: FoundEvent) -> int:
    """Append the event to its subject's history, with all that follows from it; return its row id.

    Raises IntegrityError unless it is the very next of its subject.
    """
    event = found.event
    head = events.lock_subject_head(session, event.subject)
    seq, prev, slot = 0, None, first_slot(event.subject)
    if head is not None:
        seq, prev, slot = head.seq + 1, head.event_sha256, head.next_slot
    if (event.seq, event.prev) != (seq, prev):
        raise IntegrityError(
            f"{event.subject.kind} {event.subject.id}",
            f"as its event {seq} the one that the log holds",
            f"event {event.seq}: the database has gone another way",
        )
    deposit = found.deposit
    disclosures = {} if deposit is None else deposit.journal.disclosures
    composed = events.Composed(event=event, slot=slot, disclosures=disclosures)
    (event_id,) = events.insert_events(session, [composed])
    events.add_proof_parts(session, {event_id: found.parts})
    if deposit is not None:
        _add_item(vault, session, event_id, deposit)
    _settle_job(vault, session, found)
    for actor_id in named_actors(event):
        if actors.get_actor(session, actor_id) is None:
            actors.add_nameless(session, actor_id=actor_id, name=UNKNOWN_NAME, at=event.at)
    follow(session, event, event_id)
    return event_id


def is_whole(found: FoundEvent) -> bool:
    """Whether everything is there that its rows are made from."""
    match found.event.type:
        case "ITEM_RECEIVED":
            return found.deposit is not None
        case "TIMESTAMP_OBTAINED" | "CHECKPOINT_TIMESTAMPED":
            return "response.tsr" in found.parts
        case "CHECKPOINT_ANCHORED":
            return PART in found.parts
        case "ATTESTED" | "ATTESTATION_WITHDRAWN":
            return "statement.txt" in found.parts
        case _:
            return True


def _add_item(vault: Vault, session: Session, event_id: int, deposit: FoundDeposit) -> None:
    event, journal = deposit.event, deposit.journal
    actor = as_object(event.fields["actor"])
    owner_id = as_text(actor["on_behalf_of"] or actor["id"])
    if actors.get_actor(session, owner_id) is None and actor["role"] == "RH":
        actors.add_actor(session, actor_id=owner_id, name=UNKNOWN_NAME, role="RH", at=event.at)
    elif actors.get_actor(session, owner_id) is None:
        actors.add_nameless(session, actor_id=owner_id, name=UNKNOWN_NAME, at=event.at)
    mode, size, secret = as_text(event.fields["mode"]), event.fields["size"], event.fields["secret"] is True
    digests = as_object(event.fields["digests"])
    items.insert_item(
        session,
        item_id=deposit.item_id,
        owner_id=owner_id,
        event_id=event_id,
        mode=mode,
        secret=secret,
        sha256=bytes.fromhex(as_text(digests["sha256"])) if "sha256" in digests else None,
        size=size if isinstance(size, int) else None,
        crc32=journal.crc32,
        receipt=journal.receipt_bytes,
        at=event.at,
    )
    if deposit.location is not None:
        add_packed(session, deposit.item_id, deposit.location)
    if journal.binding and actors.get_actor(session, journal.binding.scope.actor_id) is not None:
        idempotency.bind_new(session, [journal.binding], holder="recover", now=vault.clock())
    if "sha256" in digests and not (mode == "hash" and secret):
        names = [authority.name for authority in vault.settings.authorities if authority.stamps_items]
        jobs.add_jobs(session, "timestamp", event.subject, names, at=event.at)
    if deposit.is_aside:
        items.note_upload(
            session, item_id=deposit.item_id, actor_id=None, state="RECOVERED", at=vault.clock()
        )


def _settle_job(vault: Vault, session: Session, found: FoundEvent) -> None:
    event, at = found.event, found.event.at
    match event.type:
        case "TIMESTAMP_OBTAINED" | "CHECKPOINT_TIMESTAMPED":
            target = as_text(event.fields["authority"])
            jobs.settle(session, "timestamp", event.subject, target, JobState.DONE, at=at)
        case "TIMESTAMP_FAILED":
            target = as_text(event.fields["authority"])
            jobs.settle(session, "timestamp", event.subject, target, JobState.FAILED, at=at)
        case "CHECKPOINT_ANCHORED":
            for name in _networks(vault, event, found.parts[PART]):
                jobs.settle(session, "anchor", event.subject, name, JobState.FINAL, at=at)
        case "ANCHOR_LOST":
            lost = as_object(event.fields["anchor"])
            for name in _anchored_to(vault, lost):
                _reopen_lost(session, as_integer(event.fields["size"]), name, at=at)
        case _:
            pass


def _reopen_lost(session: Session, size: int, target: str, *, at: datetime) -> None:
    """As `watch` did: what was signed is kept, and the block in which it was found is looked for anew."""
    subject, again = Subject(kind="checkpoint", id=str(size)), None
    for job in jobs.jobs_of(session, subject):
        if (job.kind, job.target) == ("anchor", target) and job.progress is not None:
            before = Progress(kind="", state=str(job.progress["state"]), data=job.progress["data"])
            if "root" in before.data:
                restarted = restart(
                    TreeHead(size=size, root_hash=bytes.fromhex(str(before.data["root"]))), before
                )
            else:
                restarted = restart_stamp(before)
            again = {"state": restarted.state, "data": dict(restarted.data)}
    jobs.settle(session, "anchor", subject, target, JobState.LOST, at=at, run_at=at, progress=again)


def _anchored_to(vault: Vault, anchor: Mapping[str, Json]) -> list[str]:
    """The names in the settings of the networks that the log's event means."""
    if anchor["kind"] == OPENTIMESTAMPS:
        return [one.name for one in vault.settings.bitcoin if one.network == anchor["network"]]
    named = (anchor["chain_id"], anchor["contract"])
    return [one.name for one in vault.settings.networks if (one.chain_id, one.contract) == named]


def _networks(vault: Vault, event: Event, proof: bytes) -> list[str]:
    """Return the name of the network in the settings that the proof is from; none if it is there no more."""
    if event.fields["anchor_kind"] == OPENTIMESTAMPS:
        said = '"network":"{}"'
        return [one.name for one in vault.settings.bitcoin if said.format(one.network).encode() in proof][:1]
    if event.fields["anchor_kind"] != KIND:
        return []
    try:
        read = parse_proof(proof)
    except FormatError:
        return []
    return [
        network.name
        for network in vault.settings.networks
        if (network.chain_id, bytes.fromhex(network.contract)) == (read.chain_id, read.contract)
    ][:1]
