"""Revealing: a court learns who stands behind a pseudonym, by an order that asks it and for an item that it lists.

    (1) who asks is a judge or arbitrator on the bench of the order's case
    (2) the order asks it, its time is not over and it was not revoked
    (3) the item is on its frozen list
    (4) the item was deposited under a pseudonym

What (1), (3) and (4) refuse looks like nothing; (2) is told to the bench, which sees the order anyhow. All is
judged on locked grants, in the transaction that records PSEUDONYM_REVEALED. *Durable after return:* the event, so
before the answer leaves. *A crash before the commit* means that nobody was told.
"""

from sqlalchemy.orm import Session

from evidence_vault.access.facts import Requester
from evidence_vault.core.canonical import as_object, as_text
from evidence_vault.core.events import parse_event
from evidence_vault.errors import AccessRefused, Conflict
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.entering import event_actor
from evidence_vault.pipeline.cases.orders import items_of_order
from evidence_vault.pipeline.intake.pseudonyms import Revealed, reveal
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Order
from evidence_vault.store.queries import attestations, cases, grants


def reveal_under_order(vault: Vault, caller: Requester, order_id: str, item_id: str) -> Revealed:
    """Return who deposited the item. Raises AccessRefused; Conflict for an order that is over or silent of it."""
    with vault.database.write() as session:
        order = cases.get_order(session, order_id)
        case_id = "" if order is None else order.case_id
        own = see_case(vault, session, caller, "reveal", case_id).permission.grant
        assert order is not None
        follow = {grant.id for grant in grants.grants_of_order(session, order_id)}
        locked = grants.lock_grants(session, follow | ({own} if own is not None else set()))
        see_case(vault, session, caller, "reveal", case_id)  # (1) again, on what nobody changes now
        _require_live(vault, order, revoked=all(one.revoked_at for one in locked if one.id in follow))  # (2)
        if item_id not in items_of_order(session, order_id):  # (3)
            raise AccessRefused("reveal", item_id)
        return reveal(  # (4)
            vault,
            session,
            item_id=item_id,
            pseudonym_id=_depositor(session, item_id),
            by=event_actor(caller),
            order_id=order_id,
            case_id=case_id,
        )


def _require_live(vault: Vault, order: Order, *, revoked: bool) -> None:
    if not order.reveals:
        raise Conflict("order", "it doesn't ask who stands behind a pseudonym")
    if revoked:
        raise Conflict("order", "it was revoked")
    if vault.clock() >= order.expires_at:
        raise Conflict("order", "its time is over")


def _depositor(session: Session, item_id: str) -> str:
    """Under which name the item came in; whoever answers for it now may be somebody else."""
    first = attestations.event_at(session, item_id, 0)
    if first is None:
        raise AccessRefused("reveal", item_id)
    return as_text(as_object(parse_event(first.raw).fields["actor"])["id"])
