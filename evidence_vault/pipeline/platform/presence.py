"""Presence: what the operator states of the platform, and that the vault was there all the time.

The platform's statement is written when the log is opened, and again at a start where the settings or the software
differ from the last one: whoever reads an item's history sees under whom and under which software it was kept.

Every process gives a sign of life now and then. After a longer silence of all of them, at a start or when a machine
wakes up, the first sign records an outage, from the last one on. While a vault is read-only it can record nothing;
the first sign of an open one records from when to when it was shut.

A sign that is older than the last one says that the clock was set back: what waits in the background then waits as
long as it was to, and not until the clock is again where it was.

Durable after return: the statement, the sign and what it found. A crash before a commit means: the next start, or
the next sign, does it.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

import evidence_vault
from evidence_vault.core.canonical import Json, as_object
from evidence_vault.core.events import PLATFORM, Event, parse_event
from evidence_vault.pipeline.platform.incidents import Incident, new_name, note_incident
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.settings import Platform
from evidence_vault.store.custody_models import Heartbeat
from evidence_vault.store.queries import events, heartbeat, jobs, paces

LOGGER = logging.getLogger("evidence_vault.pipeline")

SHUT_BEATS = 3
"""A vault that is shut says so at each beat; an open process waits for so many missing ones before it calls that
over, for another process may be the one that is shut."""


def statement_fields(platform: Platform) -> Mapping[str, Json]:
    """Return the fields of PLATFORM_STATED."""
    return {
        "operator": platform.operator,
        "operated_by_depositor": platform.operated_by_depositor,
        "relation_to_parties": platform.relation_to_parties,
        "filings": list[Json](platform.filings),
        "can_read_content": platform.can_read_content,
    }


def state_platform(vault: Vault) -> bool:
    """Record the platform's statement if it isn't the one recorded last; whether it was. Raises ReadOnly."""
    vault.gate.require_open()
    fields = statement_fields(vault.settings.platform)
    with vault.database.write() as session:
        events.lock_subject_head(session, PLATFORM)  # of two processes that start, one writes it
        last = last_statement(session)
        if last is not None and _says(last, fields):
            return False
        append_event(
            vault,
            session,
            Draft(subject=PLATFORM, type="PLATFORM_STATED", actor=system_actor(session), fields=fields),
        )
    return True


def last_statement(session: Session) -> Event | None:
    """Return the platform's newest statement; None before the log was opened."""
    rows = [row for row in events.events_of(session, PLATFORM) if row.type == "PLATFORM_STATED"]
    return parse_event(rows[-1].raw) if rows else None


def beat(vault: Vault) -> list[Incident]:
    """Give a sign of life; return the incidents that it had to record."""
    now, found = vault.clock(), list[Incident]()
    with vault.database.write() as session:
        known = heartbeat.lock(session, now=now)
        back = known.beat_at - now
        if back > timedelta(seconds=vault.settings.presence.outage_after_s):
            LOGGER.warning("the clock went back", extra={"wait_s": back.total_seconds()})
            jobs.bring_forward(session, now=now, by=back)
            paces.bring_forward(session, now=now, by=back)
        silent = now - known.beat_at > timedelta(seconds=vault.settings.presence.outage_after_s)
        if vault.gate.reasons:
            known.shut_since = known.shut_since or (known.beat_at if silent else now)
            known.shut_at = now
        else:
            if silent:
                found.append(
                    Incident(
                        name=new_name(vault, "outage"),
                        kind="outage",
                        began_at=known.beat_at,
                        ended_at=now,
                        summary="The vault gave no sign of life.",
                    )
                )
            found += _shut_before(vault, known)
            for incident in found:
                note_incident(vault, session, incident)
        known.beat_at = now
    return found


def _shut_before(vault: Vault, known: Heartbeat) -> list[Incident]:
    """Return the time that the vault was shut, if it is over, and forget it."""
    since, last = known.shut_since, known.shut_at
    patience = timedelta(seconds=SHUT_BEATS * vault.settings.presence.beat_s)
    if since is None or last is None or vault.clock() - last < patience:
        return []
    known.shut_since = known.shut_at = None
    return [
        Incident(
            name=new_name(vault, "read-only"),
            kind="read-only",
            began_at=since,
            ended_at=vault.clock(),
            summary="The vault took nothing in, because its records disagreed with what had been published.",
        )
    ]


def _says(event: Event, fields: Mapping[str, Json]) -> bool:
    """Whether the statement says this, by this software."""
    version = as_object(event.fields["how"]).get("version")
    return version == evidence_vault.__version__ and all(
        event.fields[name] == said for name, said in fields.items()
    )
