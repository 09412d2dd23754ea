"""A case's list of evidence: number, source, what each is to prove, copies; as JSON or as a table."""

from typing import Any

from fastapi import APIRouter, Request

from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.cases import evidence_lines, sight_in
from evidence_vault.api.tables import AS_TABLE, Format, asks_for_table, table_answer
from evidence_vault.api.timeline_schemas import EvidenceListView
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.entering import counting_refusals

router = APIRouter(tags=["cases"])

COLUMNS = ("number", "item", "source", "proves", "copies")


@router.get("/cases/{case_id}/evidence", response_model=EvidenceListView, responses=AS_TABLE)
def show_evidence(
    case_id: str, request: Request, vault: VaultHere, caller: Caller, format: Format = None
) -> Any:
    """Show a case's list of evidence. Who is let in to some items alone, sees of the list those."""
    with counting_refusals(vault, caller), vault.database.read() as session:
        seen = see_case(vault, session, caller, "see", case_id)
        lines = evidence_lines(session, sight_in(vault, session, caller, seen), seen.case.id)
    if asks_for_table(request, format):
        return table_answer(f"{seen.case.id}.evidence", COLUMNS, (line.model_dump() for line in lines))
    return EvidenceListView(case=seen.case.id, evidence=lines)
