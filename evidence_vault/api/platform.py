"""What the operator states of the platform, and what happened to it: for anybody, as in every bundle."""

from fastapi import APIRouter

from evidence_vault.api.caller import VaultHere
from evidence_vault.api.custody_schemas import IncidentView, PlatformView, StatementView
from evidence_vault.core.canonical import as_list, as_object, as_text
from evidence_vault.core.names import encode_time
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.incidents import Incident, incidents_of
from evidence_vault.pipeline.presence import last_statement

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


def incident_view(incident: Incident) -> IncidentView:
    """Return an incident as answers show it."""
    return IncidentView(
        name=incident.name,
        kind=incident.kind,
        began_at=encode_time(incident.began_at),
        ended_at=None if incident.ended_at is None else encode_time(incident.ended_at),
        summary=incident.summary,
    )
