"""Contents read again: how an item's was found when the vault read it last. A look at the item like others."""

from fastapi import APIRouter

from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.custody_schemas import ContentStateView
from evidence_vault.core.names import encode_time
from evidence_vault.pipeline.cases.entering import look
from evidence_vault.store.queries import sweep

router = APIRouter(tags=["items"])


@router.get("/items/{item_id}/fixity")
def show_fixity(item_id: str, vault: VaultHere, caller: Caller) -> ContentStateView:
    """Show how the item's content was when the vault read it again; `fixity-checks` reads it now."""
    look(vault, caller, "see-metadata", item_id)
    with vault.database.read() as session:
        known = sweep.checks_of(session, [item_id]).get(item_id)
    times = (None, None) if known is None else (known.checked_at, known.sound_at)
    checked, sound = (None if at is None else encode_time(at) for at in times)
    state = None if known is None else known.state
    return ContentStateView.model_validate({"state": state, "checked_at": checked, "sound_at": sound})
