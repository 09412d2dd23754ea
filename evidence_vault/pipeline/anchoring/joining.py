"""Join a network: the log names where its anchors go from now on, and the newest checkpoint goes there at once.

For a network that follows one that ends, and for a new sender in place of one that is closed or stolen. The log is
the same; a bundle's proofs stay what they were, and those that are to come lie beside them.

Durable after return: ANCHOR_ADDED for each anchor that the log didn't name and, in the same transaction, the jobs
that bring the newest published checkpoint to every network that hasn't got it. A crash before the commit means: not
joined; run it again. A crash after it means: joined; the next start of the vault does the work.
"""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.canonical import Json, as_list, as_object
from evidence_vault.core.events import LOG, Subject, parse_event
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events, jobs, log


@value
class Joined:
    """Names of the networks that the log names since now, and the checkpoint that goes to the networks in `to`."""

    names: tuple[str, ...]
    size: int | None
    to: tuple[str, ...]


def named_anchors(session: Session) -> list[dict[str, Json]]:
    """Return every anchor that the log names, from its opening and since, oldest first."""
    found: list[dict[str, Json]] = []
    for row in events.events_of(session, LOG):
        event = parse_event(row.raw)
        if event.type == "LOG_OPENED":
            found += [as_object(anchor) for anchor in as_list(event.fields["anchors"])]
        elif event.type == "ANCHOR_ADDED":
            found.append(as_object(event.fields["anchor"]))
    return found


def join_networks(vault: Vault, anchors: Mapping[str, Mapping[str, str | int]]) -> Joined:
    """Name these anchors, by the settings' name of the network, in the log. Does nothing the second time."""
    vault.gate.require_open()
    with vault.database.write() as session:
        log.lock_tree_head(session)  # first, as whoever orders anchors does
        events.lock_subject_head(session, LOG)
        named = named_anchors(session)
        new = {name: dict(anchor) for name, anchor in anchors.items() if dict(anchor) not in named}
        for anchor in new.values():
            fields: dict[str, Json] = {"anchor": dict[str, Json](anchor)}
            draft = Draft(subject=LOG, type="ANCHOR_ADDED", actor=system_actor(session), fields=fields)
            append_event(vault, session, draft)
        newest = log.latest_published(session)
        to: list[str] = []
        if newest is not None and new:
            checkpoint = Subject(kind="checkpoint", id=str(newest.size))
            there = {job.target for job in jobs.jobs_of(session, checkpoint) if job.kind == "anchor"}
            to = [name for name in anchors if name not in there]
            jobs.add_jobs(session, "anchor", checkpoint, to, at=vault.clock())
    return Joined(names=tuple(new), size=newest.size if to and newest else None, to=tuple(to))
