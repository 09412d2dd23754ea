"""The feed: what happened, in the order of the public log, to what its reader may see.

    position 0 ──► [leaf 0 … leaf 4095] ──► those the reader may know of ──► position 4096 ──► …

A position is a leaf index. The log only grows and gives each event one index, so whoever goes on from the
position he was given last misses nothing and gets nothing twice, over restarts and over a restored database.
Only what a published checkpoint covers is told: who was told can ask the public log for it. An entry says that
something happened, to what, and which event it is; what happened in it is asked for as usual, under the rights
of that moment. Of what its reader may not see more than that it is there, there is no entry.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.events import Subject
from evidence_vault.store.queries import feed, log

WINDOW = 4096
"""Leaves that one page looks through at most: what is not for the reader costs time too."""


@value
class Entry:
    """An event that somebody may know of. event_id: its row."""

    event_id: int
    leaf_index: int
    event_sha256: bytes
    subject: Subject
    seq: int
    type: str
    at: datetime


See = Callable[[Session, Sequence[Entry]], Sequence[Entry]]
"""Which of these events the reader may know of now, in the same order."""


@value
class Page:
    """Some entries, and the position from which to go on. at_end: the reader knows all that is published now."""

    entries: tuple[Entry, ...]
    position: int
    at_end: bool


def read_feed(session: Session, *, position: int, limit: int, see: See, types: Collection[str] = ()) -> Page:
    """Return up to `limit` entries from `position` on. types: only these, all if empty."""
    published = log.latest_published(session)
    size = 0 if published is None else published.size
    end = min(position + WINDOW, size)
    rows = [
        Entry(
            event_id=row.event_id,
            leaf_index=row.leaf_index,
            event_sha256=row.sha256,
            subject=Subject(kind=row.subject_kind, id=row.subject_id),
            seq=row.seq,
            type=row.type,
            at=row.at,
        )
        for row in feed.told_leaves(session, start=position, end=end)
        if not types or row.type in types
    ]
    mine = see(session, rows)
    if len(mine) > limit:
        mine = mine[:limit]
        end = mine[-1].leaf_index + 1
    return Page(entries=tuple(mine), position=max(position, end), at_end=end >= size)
