"""What the bench of a case does with its items; it always names the case, for an item may be in several.

The bench is whoever has a live grant on the case as a whole that names `order`: arbitrators and mediators, judges,
clerks. A technical investigator is on the bench too, and orders nothing.
"""

from sqlalchemy.orm import Session

from evidence_vault.access.decisions import Permission
from evidence_vault.access.facts import Requester
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import cases


def as_bench(
    vault: Vault, session: Session, caller: Requester, case_id: str, item_id: str | None = None
) -> Permission:
    """Return why somebody may act as the bench of a case, about an item that is in it. Raises AccessRefused."""
    permission = see_case(vault, session, caller, "order", case_id).permission
    if item_id is not None and item_id not in cases.items_in(session, case_id, [item_id]):
        raise AccessRefused("bench", item_id)
    return permission
