"""Refusals that were counted become events when their hour is over: one for each principal and hour, whatever came.

*Durable after return:* the event, and the count is gone, in one transaction. A crash before the commit leaves the
count for the next round.
"""

from datetime import timedelta

from evidence_vault.core.events import VAULT
from evidence_vault.core.names import encode_time
from evidence_vault.pipeline.record import Draft, append_event, system_actor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import cases

GRACE = timedelta(minutes=1)
"""After the end of an hour: clocks of several processes differ, and a request may still be under way."""

AT_ONCE = 200


def record_refusals(vault: Vault) -> int:
    """Write an event for each count whose hour is over; return how many."""
    if vault.gate.reasons:
        return 0
    before = vault.clock() - timedelta(hours=1) - GRACE
    with vault.database.read() as session:
        if not cases.any_refusals(session, before=before):
            return 0
    with vault.database.write() as session:
        taken = cases.take_refusals(session, before=before, limit=AT_ONCE)
        for principal, hour, refusals in taken:
            draft = Draft(
                subject=VAULT,
                type="REFUSALS_COUNTED",
                actor=system_actor(session),
                fields={"principal": principal, "hour": encode_time(hour), "refusals": refusals},
            )
            append_event(vault, session, draft)
    return len(taken)
