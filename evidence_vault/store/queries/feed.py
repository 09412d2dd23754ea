"""The feed: what stands at which leaf, for those who are told that something happened."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.store.models import Event, Leaf

TOLD = ("item", "case", "platform")
"""Kinds of subjects that are told of: neither the log itself, which is public, nor the vault's own house."""


@value
class ToldLeaf:
    """A leaf's index and what identifies its event."""

    event_id: int
    leaf_index: int
    sha256: bytes
    subject_kind: str
    subject_id: str
    seq: int
    type: str
    at: datetime


def told_leaves(session: Session, *, start: int, end: int) -> Sequence[ToldLeaf]:
    """Return the leaves [start, end) that are told of, in order."""
    rows = session.execute(
        select(
            Leaf.event_id,
            Leaf.leaf_index,
            Event.sha256,
            Event.subject_kind,
            Event.subject_id,
            Event.seq,
            Event.type,
            Event.at,
        )
        .join(Event, Leaf.event_id == Event.id)
        .where(Leaf.leaf_index >= start, Leaf.leaf_index < end, Event.subject_kind.in_(TOLD))
        .order_by(Leaf.leaf_index)
    )
    return [ToldLeaf(**row._mapping) for row in rows]
