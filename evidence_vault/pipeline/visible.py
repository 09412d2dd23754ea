"""Which subjects somebody may know of: for the feed and for webhooks, which ask for many at a time."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from evidence_vault.access.decisions import Requester
from evidence_vault.core.events import Subject
from evidence_vault.pipeline.feed import See
from evidence_vault.store.queries import items


def visible_to(requester: Requester) -> See:
    """Return what decides for this requester, at the time of asking."""

    def see(session: Session, subjects: Collection[Subject]) -> Collection[Subject]:
        item_ids = [subject.id for subject in subjects if subject.kind == "item"]
        own = items.owned_by(session, requester.actor_id, item_ids) if requester.role == "RH" else set()
        return {one for one in subjects if one.kind == "platform" or (one.kind == "item" and one.id in own)}

    return see
