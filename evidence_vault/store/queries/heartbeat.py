"""The vault's sign of life: one row."""

from datetime import datetime

from sqlalchemy.orm import Session

from evidence_vault.store.custody_models import Heartbeat
from evidence_vault.store.session import serialize


def lock(session: Session, *, now: datetime) -> Heartbeat:
    """Return the last sign of life, locked until the end of the transaction; the first one is now."""
    serialize(session, "heartbeat")  # there may be no row yet to lock
    known = session.get(Heartbeat, 1, populate_existing=True)
    if known is None:
        known = Heartbeat(id=1, beat_at=now)
        session.add(known)
    return known
