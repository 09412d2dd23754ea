"""Breaking the glass: an administrator opens content that nobody let him in to, in need and in plain sight.

It needs a reason, is an event of the vault and a VIEWED of the item, and is told to the owner and to every auditor;
all of that is durable before a byte leaves. A deployer can forbid it.
"""

from sqlalchemy.orm import Session

from evidence_vault.access.decisions import Permission, require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.core.events import VAULT
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases.entering import (
    Entered,
    counting_refusals,
    draft_access,
    event_actor,
    gather,
)
from evidence_vault.pipeline.record import Draft, append_event
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Item
from evidence_vault.store.queries import cases

NOTICE = "break-glass"


def decide_on_glass(vault: Vault, caller: Requester, item_id: str) -> Item:
    """Return the item whose content an administrator may open in need. Raises AccessRefused, counted."""
    require_scope("manage", caller)
    with counting_refusals(vault, caller, item_id), vault.database.read() as session:
        return _decide(vault, session, caller, item_id)


def break_glass(vault: Vault, caller: Requester, item_id: str, *, reason: str) -> Entered:
    """Record that an administrator opens the content, and return the item. Raises AccessRefused, counted."""
    require_scope("manage", caller)
    with counting_refusals(vault, caller, item_id), vault.database.write() as session:
        item = _decide(vault, session, caller, item_id)
        entered = Entered(item=item, permission=Permission(basis="break-glass"))
        viewed = draft_access(caller, entered, "VIEWED", {"what": "content"})
        broken = Draft(
            subject=VAULT,
            type="BREAK_GLASS",
            actor=event_actor(caller),
            fields={"item": item.id, "action": "open-content"},
            disclosures={"reason": reason},
        )
        seen = append_event(vault, session, viewed)  # item before vault: the order in which they are locked
        append_event(vault, session, broken)
        now = vault.clock()
        cases.add_notice(session, kind=NOTICE, event_id=seen.event_id, at=now, person=item.owner_id)
        cases.add_notice(session, kind=NOTICE, event_id=seen.event_id, at=now, role="AU")
        return entered


def _decide(vault: Vault, session: Session, caller: Requester, item_id: str) -> Item:
    item, _ = gather(session, caller, item_id)
    if caller.role != "AD" or not vault.settings.access.break_glass:
        raise AccessRefused("break-glass", item_id, reason="role")
    if item is None or item.mode != "content":
        raise AccessRefused("break-glass", item_id)
    return item
