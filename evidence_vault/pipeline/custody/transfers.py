"""Transfers: somebody else answers for an item from now on. Offered, then accepted by whoever looked at the bytes.

    offered ──► accepted   by the receiver: the vault reads its bytes again, or he sends the digest of his own copy
           └──► refused    by the receiver, or withdrawn by the giver

A transfer changes the owner: who sees, exports, grants and holds as such. What the old one granted is worth
nothing for this item any more; the new one grants what he wants to. It changes nothing of the past: deposit and
history stay, and so do holds, orders, cases and objections. An offer ends by the server's clock; one of an item
is open at a time. *Durable after return:* event and owner. *A crash before the commit* leaves the old one. Of
two acceptances one finds the offer decided.
"""

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from evidence_vault.access.decisions import require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_time
from evidence_vault.errors import AccessRefused, Conflict, FormatError
from evidence_vault.pipeline.cases.entering import access_why, decide, event_actor
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.custody.looks import check_now
from evidence_vault.pipeline.record import Draft
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.custody_models import SOUND, Transfer
from evidence_vault.store.queries import actors, custody, events, items, sweep

RECEIVING_ROLE = "RH"
"""Whoever answers for evidence is a rights holder."""


def offer(
    vault: Vault,
    caller: Requester,
    item_id: str,
    *,
    receiver_id: str,
    expires_at: datetime | None = None,
    reason: str | None = None,
) -> int:
    """Offer one's own item and return the offer's seq. Raises AccessRefused, FormatError, Conflict."""
    now, limits = vault.clock(), vault.settings.retention
    end = expires_at or now + timedelta(days=limits.offer_days)
    if not now < end <= now + timedelta(days=limits.offer_cap_days):
        raise FormatError(
            "expires_at", f"a time to come within {limits.offer_cap_days} days", encode_time(end)
        )
    with vault.database.write() as session:
        events.lock_subject_head(session, Subject(kind="item", id=item_id))
        entered = decide(vault, session, caller, "grant", item_id)
        if entered.permission.basis != "owner":
            raise AccessRefused("transfer", item_id)
        if receiver_id == caller.actor_id or not actors.holds_role(session, receiver_id, RECEIVING_ROLE):
            raise FormatError("receiver", "somebody else who may answer for evidence", receiver_id)
        if any(one.expires_at > now for one in custody.offered(session, item_id)):
            raise Conflict("transfer", "it is offered already")
        sha256 = entered.item.sha256
        recorded = append_and_follow(
            vault,
            session,
            Draft(
                subject=Subject(kind="item", id=item_id),
                type="TRANSFER_OFFERED",
                actor=event_actor(caller),
                fields={
                    "receiver": receiver_id,
                    "expires_at": encode_time(end),
                    "sha256": None if sha256 is None else sha256.hex(),
                },
                why=access_why(entered.permission),
                disclosures={} if reason is None else {"reason": reason},
            ),
        )
        return recorded.event.seq


def accept(vault: Vault, caller: Requester, item_id: str, seq: int, *, sha256: bytes | None = None) -> str:
    """Accept an offer; return how the bytes were compared. sha256: of the receiver's own copy.

    Without it the vault reads the stored bytes again, which is an event of its own. Raises AccessRefused; Conflict
    where they are not what was deposited, or the offer is over or decided.
    """
    require_scope("grant", caller)
    with vault.database.read() as session:
        _offered_to(vault, session, caller, item_id, seq)
        item, content = items.get_item(session, item_id), sweep.content_of(session, item_id)
    assert item is not None  # it is offered
    compared: Literal["stored", "held", "none"] = "none"
    if sha256 is not None:
        if sha256 != item.sha256:
            raise Conflict("transfer", "the digest of your copy is not the deposit's")
        compared = "held"
    elif content is not None:
        look, _ = check_now(vault, content)
        if look.state != SOUND:
            raise Conflict("transfer", "the stored bytes are not what was deposited")
        compared = "stored"
    known = None if compared == "none" or item.sha256 is None else item.sha256.hex()
    with vault.database.write() as session:
        events.lock_subject_head(session, Subject(kind="item", id=item_id))
        _offered_to(vault, session, caller, item_id, seq)  # once more: it may have been decided meanwhile
        append_and_follow(
            vault,
            session,
            Draft(
                subject=Subject(kind="item", id=item_id),
                type="TRANSFER_ACCEPTED",
                actor=event_actor(caller),
                fields={"offered_seq": seq, "compared": compared, "sha256": known},
            ),
        )
    return compared


def refuse(vault: Vault, caller: Requester, item_id: str, seq: int, *, reason: str | None = None) -> str:
    """Refuse what was offered to one, or withdraw what one offered; return which. Raises as `accept`."""
    require_scope("grant", caller)
    with vault.database.write() as session:
        events.lock_subject_head(session, Subject(kind="item", id=item_id))
        transfer = custody.get_transfer(session, item_id, seq)
        if transfer is not None and _is_giver(transfer, caller):
            cause = "withdrawn"
            _require_open(vault, transfer)
        else:
            cause = "refused"
            _offered_to(vault, session, caller, item_id, seq)
        append_and_follow(
            vault,
            session,
            Draft(
                subject=Subject(kind="item", id=item_id),
                type="TRANSFER_REFUSED",
                actor=event_actor(caller),
                fields={"offered_seq": seq, "cause": cause},
                disclosures={} if reason is None else {"reason": reason},
            ),
        )
    return cause


def _offered_to(vault: Vault, session: Session, caller: Requester, item_id: str, seq: int) -> Transfer:
    """Return the open offer to the caller. Raises AccessRefused, the same as for no offer; Conflict."""
    transfer = custody.get_transfer(session, item_id, seq)
    fits = (caller.role, caller.on_behalf_of) == (RECEIVING_ROLE, None)
    if transfer is None or transfer.receiver_id != caller.actor_id or not fits:
        raise AccessRefused("transfer", item_id)
    _require_open(vault, transfer)
    return transfer


def _is_giver(transfer: Transfer, caller: Requester) -> bool:
    return transfer.giver_id == caller.actor_id and caller.role == RECEIVING_ROLE


def _require_open(vault: Vault, transfer: Transfer) -> None:
    if transfer.state != "offered":
        raise Conflict("transfer", f"it was {transfer.state}")
    if vault.clock() >= transfer.expires_at:
        raise Conflict("transfer", f"the offer ended at {encode_time(transfer.expires_at)}")
