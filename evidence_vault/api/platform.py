"""What the operator states of the platform, and what happened to it: for anybody, as in every bundle.

An administrator who is logged in notes an incident, and its end. A token doesn't: each incident makes verdicts of
the bundles that it overlaps INDETERMINATE, and what was noted can't be taken back.
"""

from fastapi import APIRouter

from evidence_vault.api.caller import LoggedInAdministrator, VaultHere
from evidence_vault.api.custody_schemas import (
    EndAsked,
    IncidentAsked,
    IncidentList,
    IncidentView,
    PlatformView,
    StatementView,
)
from evidence_vault.api.once import OnceHere
from evidence_vault.core.canonical import as_list, as_object, as_text
from evidence_vault.core.names import encode_time
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.cases.entering import event_actor
from evidence_vault.pipeline.platform.incidents import Incident, end_incident, incidents_of, tell_incident
from evidence_vault.pipeline.platform.presence import last_statement
from evidence_vault.pipeline.vault import Vault

router = APIRouter(tags=["platform"])


@router.get("/platform")
def show_platform(vault: VaultHere) -> PlatformView:
    """Show the newest statement and all incidents. No token is needed."""
    with vault.database.read() as session:
        stated, incidents = last_statement(session), incidents_of(session)
    if stated is None:
        raise IntegrityError("platform", "a statement, from the opening of the log", "none")
    fields = stated.fields
    how = as_object(fields["how"])
    return PlatformView(
        statement=StatementView(
            operator=as_text(fields["operator"]),
            operated_by_depositor=bool(fields["operated_by_depositor"]),
            relation_to_parties=as_text(fields["relation_to_parties"]),
            filings=[as_text(filing) for filing in as_list(fields["filings"])],
            can_read_content=bool(fields["can_read_content"]),
            software=f"{as_text(how['tool'])} {as_text(how['version'])}",
            stated_at=encode_time(stated.at),
        ),
        incidents=[incident_view(incident) for incident in incidents.values()],
    )


@router.get("/incidents")
def list_incidents(vault: VaultHere) -> IncidentList:
    """Show what happened to the platform. No token is needed."""
    with vault.database.read() as session:
        return IncidentList(incidents=[incident_view(one) for one in incidents_of(session).values()])


@router.post("/incidents", status_code=201)
def note_incident(
    asked: IncidentAsked, vault: VaultHere, caller: LoggedInAdministrator, once: OnceHere
) -> IncidentView:
    """Tell what happened to the platform, from when to when. It can only be ended, never taken back."""
    name = once(
        asked,
        lambda vault: (
            tell_incident(
                vault,
                kind=asked.kind,
                began_at=asked.began_at,
                ended_at=asked.ended_at,
                summary=asked.summary,
                actor=event_actor(caller),
            ).name
        ),
    )
    return _incident(vault, name)


@router.post("/incidents/{name}/end", status_code=201)
def note_end(
    name: str, asked: EndAsked, vault: VaultHere, caller: LoggedInAdministrator, once: OnceHere
) -> IncidentView:
    """Tell when an incident ended."""
    once(
        asked,
        lambda vault: end_incident(vault, name, ended_at=asked.ended_at, actor=event_actor(caller)).name,
    )
    return _incident(vault, name)


def _incident(vault: Vault, name: str) -> IncidentView:
    with vault.database.read() as session:
        return incident_view(incidents_of(session)[name])


def incident_view(incident: Incident) -> IncidentView:
    """Return an incident as answers show it."""
    return IncidentView(
        name=incident.name,
        kind=incident.kind,
        began_at=encode_time(incident.began_at),
        ended_at=None if incident.ended_at is None else encode_time(incident.ended_at),
        summary=incident.summary,
    )
