"""Incidents: what happened to the platform that bears on evidence, from when to when, in its own history.

An incident is one or more INCIDENT_NOTED events of one name; the newest says how it stands, and one without an end
goes on. What was noted stays: a later event can end an incident, or widen it, and a reader counts the widest.

    clock       the vault's clock and the authorities' were apart           noted by `authorities`
    fixity      contents were not what was deposited, or couldn't be read   noted by `fixity`
    outage      the vault gave no sign of life                              noted by `presence`
    read-only   the vault took nothing in, for its records disagreed        noted by `presence`
    any other   what the operator tells

The platform's history travels in every bundle: a summary names no item and no person.

Durable after return: nothing; an event is as durable as the transaction it is written in.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from anchors.values import replace, value
from evidence_vault.core.events import PLATFORM, parse_event
from evidence_vault.core.names import encode_time, parse_time
from evidence_vault.errors import Conflict, FormatError
from evidence_vault.pipeline.record import Draft, EventActor, append_event, system_actor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events

AUTOMATIC = ("clock", "fixity", "outage", "read-only")
"""Kinds that the vault notes by itself; nobody else may."""


@value
class Incident:
    """An incident as it stands. ended_at None: it goes on, or nobody knows."""

    name: str
    kind: str
    began_at: datetime
    ended_at: datetime | None
    summary: str


def incidents_of(session: Session) -> Mapping[str, Incident]:
    """Return every incident by name, in the order in which they were first noted."""
    found: dict[str, Incident] = {}
    for row in events.events_of(session, PLATFORM):
        if row.type == "INCIDENT_NOTED":
            fields = parse_event(row.raw).fields
            ended = fields["ended_at"]
            noted = Incident(
                name=str(fields["incident"]),
                kind=str(fields["kind"]),
                began_at=parse_time(str(fields["began_at"]), place="began_at"),
                ended_at=None if ended is None else parse_time(str(ended), place="ended_at"),
                summary=str(fields["summary"]),
            )
            found[noted.name] = noted
    return found


def open_incident(session: Session, kind: str) -> Incident | None:
    """Return the incident of this kind that goes on. Locks the platform: nobody opens a second one meanwhile."""
    events.lock_subject_head(session, PLATFORM)
    going_on = [one for one in incidents_of(session).values() if one.kind == kind and one.ended_at is None]
    return going_on[-1] if going_on else None


def note_incident(
    vault: Vault, session: Session, incident: Incident, *, actor: EventActor | None = None
) -> None:
    """Record how the incident stands. actor: who tells; else the vault itself."""
    ended = incident.ended_at
    append_event(
        vault,
        session,
        Draft(
            subject=PLATFORM,
            type="INCIDENT_NOTED",
            actor=actor or system_actor(session),
            fields={
                "incident": incident.name,
                "kind": incident.kind,
                "began_at": encode_time(incident.began_at),
                "ended_at": None if ended is None else encode_time(ended),
                "summary": incident.summary,
            },
        ),
    )


def new_name(vault: Vault, kind: str) -> str:
    """Return a name that no other incident has."""
    return f"{kind}-{vault.random(8).hex()}"


def tell_incident(
    vault: Vault,
    *,
    kind: str,
    began_at: datetime,
    ended_at: datetime | None,
    summary: str,
    actor: EventActor | None = None,
) -> Incident:
    """Record what the operator tells; return it. Durable after return.

    Raises FormatError for an automatic kind, for times to come, or an end before the beginning.
    """
    if kind in AUTOMATIC:
        raise FormatError("kind", "a kind that the vault doesn't note by itself", kind)
    _require_past(began_at, "began_at", vault.clock())
    incident = Incident(
        name=new_name(vault, kind),
        kind=kind,
        began_at=began_at,
        ended_at=None if ended_at is None else _require_end(ended_at, began_at, vault.clock()),
        summary=summary,
    )
    with vault.database.write() as session:
        note_incident(vault, session, incident, actor=actor)
    return incident


def end_incident(vault: Vault, name: str, *, ended_at: datetime, actor: EventActor | None = None) -> Incident:
    """Record the end of what the operator told; return it. Durable after return.

    Raises FormatError for an unknown name and a time that can't be, Conflict for one that ended, or that the vault
    itself ends.
    """
    with vault.database.write() as session:
        events.lock_subject_head(session, PLATFORM)  # of two who end it, one is told that it has ended
        known = incidents_of(session).get(name)
        if known is None:
            raise FormatError("incident", "the name of an incident", name)
        if known.kind in AUTOMATIC:
            raise Conflict("incident", "the vault notes its end by itself")
        if known.ended_at is not None:
            raise Conflict("incident", f"it ended at {encode_time(known.ended_at)}")
        ended = replace(known, ended_at=_require_end(ended_at, known.began_at, vault.clock()))
        note_incident(vault, session, ended, actor=actor)
    return ended


def _require_past(at: datetime, name: str, now: datetime) -> datetime:
    if at > now:
        raise FormatError(name, "a time that is over", encode_time(at))
    return at


def _require_end(at: datetime, began_at: datetime, now: datetime) -> datetime:
    if at < began_at:
        raise FormatError("ended_at", f"a time from {encode_time(began_at)} on", encode_time(at))
    return _require_past(at, "ended_at", now)
