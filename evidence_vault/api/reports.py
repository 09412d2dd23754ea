"""The verifier's report of one's own newest bundle of an item or a case: the object that `/v1/verify` answers.

    POST /v1/items/{id}/exports ──► finished ──► GET /v1/items/{id}/report

Here the vault judges itself, by its own policy, and the report says so: whoever doesn't trust it verifies the
bundle on a machine of his own, with the same result.
"""

import threading
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.description import may_answer
from evidence_vault.api.problems import ProblemError
from evidence_vault.api.verification import policy_of, slot
from evidence_vault.core.events import Subject
from evidence_vault.pipeline.export.judging import bundle_to_judge
from evidence_vault.pipeline.vault import Vault
from evidence_vault.verify.render import report_json
from evidence_vault.verify.verifier import verify_path

router = APIRouter(tags=["verify"])

MAX_AT_ONCE = 2
"""Each takes a processor. Places of their own: strangers who verify must not keep a judge waiting."""

_PLACES = threading.BoundedSemaphore(MAX_AT_ONCE)


@router.get("/items/{item_id}/report", openapi_extra=may_answer("conflict", "gone", "read-only"))
def show_item_report(item_id: str, vault: VaultHere, caller: Caller) -> dict[str, Any]:
    """Judge one's newest finished bundle of the item at this moment. Reading it is an event."""
    with slot(_PLACES):
        return _judge(vault, bundle_to_judge(vault, caller, Subject(kind="item", id=item_id)))


@router.get("/cases/{case_id}/report", openapi_extra=may_answer("conflict", "gone", "read-only"))
def show_case_report(case_id: str, vault: VaultHere, caller: Caller) -> dict[str, Any]:
    """Judge one's newest finished bundle of the case at this moment. Reading it is an event of each part."""
    with slot(_PLACES):
        return _judge(vault, bundle_to_judge(vault, caller, Subject(kind="case", id=case_id)))


def _judge(vault: Vault, path: Path) -> dict[str, Any]:
    try:
        return report_json(verify_path(path, policy_of(vault, None), at=vault.clock()))
    except FileNotFoundError:
        raise ProblemError("gone", "the bundle's time in the spool is over; ask for a new export") from None
