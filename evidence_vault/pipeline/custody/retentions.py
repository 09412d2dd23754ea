"""Warnings before a retention ends: its owner is told once, and whoever looks at the item sees it.

A retention ends by the server's clock and no event tells that; nothing is erased by it. Its owner finds a notice,
`retention-ends`, about the HOLD_PLACED that began it, `retention.warn_days` before nothing keeps the content any
more. What is held longer, by him or by a bench, is no reason to warn; once that is over, it is. Who takes an item
over is told anew. *Durable after return:* the notices. *A crash before the commit* leaves them for the next round.
"""

from datetime import timedelta

from sqlalchemy.orm import Session

from evidence_vault.core.names import encode_time
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import cases, custody
from evidence_vault.store.session import serialize

NOTICE = "retention-ends"

AT_ONCE = 200
"""Notices of one round."""


def warn_of_ends(vault: Vault) -> int:
    """Tell owners whose retentions end soon; return how many notices that were."""
    soon = vault.clock() + timedelta(days=vault.settings.retention.warn_days)
    with vault.database.read() as session:
        if not custody.ending_untold(session, before=soon, kind=NOTICE, limit=1):
            return 0
    with vault.database.write() as session:
        serialize(session, NOTICE)  # of several workers one tells
        told = custody.ending_untold(session, before=soon, kind=NOTICE, limit=AT_ONCE)
        for owner_id, event_id in told:
            cases.add_notice(session, kind=NOTICE, event_id=event_id, at=vault.clock(), person=owner_id)
    return len(told)


def warning_of(vault: Vault, session: Session, item_id: str) -> str | None:
    """Say so where all that keeps the item's content ends soon, or a retention of it is over; None otherwise."""
    now = vault.clock()
    live = custody.live_holds(session, item_id, now=now)
    if not live:
        ended = custody.retention_ended(session, item_id)
        return None if ended is None else f"nothing keeps the content since {encode_time(ended)}"
    ends = [hold.until for hold in live if hold.until is not None]
    if len(ends) < len(live) or max(ends) > now + timedelta(days=vault.settings.retention.warn_days):
        return None
    return f"nothing keeps the content after {encode_time(max(ends))}"
