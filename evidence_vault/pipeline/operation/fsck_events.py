"""Every event read again, subject by subject: bytes, digest, chain, slots, and its place in the log or the queue.

(1) the bytes are an event of this log, and its digest and columns are those of the bytes
(2) seq runs from 0; prev is the digest of the event before; the slot is the one that its nonce opened
(3) row ids and leaf indexes rise with seq; an event has a leaf or waits for one, never both or neither
(4) the subject's head is its last event
(5) no leaf and no waiting row without an event; no slot twice
"""

import hashlib
from collections.abc import Iterator
from itertools import groupby

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.events import Event, Subject, first_slot, next_slot, parse_event
from evidence_vault.errors import IntegrityError
from evidence_vault.store.queries import audit
from evidence_vault.store.queries.audit import EventRow
from evidence_vault.store.queries.events import count_pending

SubjectHead = tuple[str, str, int, bytes, bytes]


@value
class CheckedEvents:
    """How many events there are, about how many subjects, and how many wait for their leaf."""

    events: int
    subjects: int
    pending: int


def check_events(session: Session, origin: str, env: str, *, leaves: int) -> CheckedEvents:
    """Raise IntegrityError, FormatError or VerificationError for the first event that disagrees."""
    heads = audit.all_subject_heads(session)
    events = subjects = pending = 0
    for (kind, subject_id), rows in groupby(
        audit.all_events(session), lambda row: (row.kind, row.subject_id)
    ):
        subjects += 1
        count, waiting, head = _check_history(Subject(kind=kind, id=subject_id), rows, origin, env)
        events += count
        pending += waiting
        kept = next(heads, None)
        if kept != head:  # (4)
            raise IntegrityError(f"head of {subject_id}", _shown(head), _shown(kept))
    if (extra := next(heads, None)) is not None:
        raise IntegrityError(f"head of {extra[1]}", "an event", "none")
    # (5) What an event has was counted with it; more rows than that belong to none.
    for place, expected, found in (
        ("pending_events", pending, count_pending(session)),
        ("leaves", leaves, audit.count_leaves(session)),
        ("leaves and pending events", events, leaves + pending),
    ):
        if expected != found:
            raise IntegrityError(place, f"{expected} rows, one for each event", found)
    if (slot := audit.slot_that_stands_twice(session)) is not None:
        raise IntegrityError("events", "each slot once", slot.hex())
    return CheckedEvents(events=events, subjects=subjects, pending=pending)


def _check_history(
    subject: Subject, rows: Iterator[EventRow], origin: str, env: str
) -> tuple[int, int, SubjectHead]:
    """Check one subject's events; return their number, how many wait, and the head they come to."""
    prev, slot, last_id, last_leaf = None, first_slot(subject), -1, -1
    count = waiting = 0
    for row in rows:
        place = f"{subject.id}/{count}"
        event = _check_event(row, place, origin, env)
        for what, expected, found in (  # (2)
            ("seq", count, row.seq),
            ("prev", prev, event.prev),
            ("slot", slot, row.slot),
        ):
            if expected != found:
                raise IntegrityError(f"{place}, {what}", _shown(expected), _shown(found))
        if row.event_id <= last_id:  # (3)
            raise IntegrityError(f"{place}, row", f"an id above {last_id}", row.event_id)
        if row.pending == (row.leaf_index is not None):
            raise IntegrityError(
                place, "a leaf, or a place in the queue", "both" if row.pending else "neither"
            )
        if row.leaf_index is not None:
            if row.leaf_index <= last_leaf or waiting:
                raise IntegrityError(f"{place}, leaf", f"an index above {last_leaf}", row.leaf_index)
            last_leaf = row.leaf_index
        prev, slot, last_id = row.sha256, next_slot(event.nonce), row.event_id
        count, waiting = count + 1, waiting + row.pending
    assert prev is not None
    return count, waiting, (subject.kind, subject.id, count - 1, prev, slot)


def _check_event(row: EventRow, place: str, origin: str, env: str) -> Event:
    """(1). Returns the event."""
    digest = hashlib.sha256(row.raw).digest()
    if digest != row.sha256:
        raise IntegrityError(f"{place}, SHA-256", digest.hex(), row.sha256.hex())
    event = parse_event(row.raw, place=place)
    for what, expected, found in (
        ("origin", origin, event.origin),
        ("env", env, event.env),
        ("subject", event.subject, Subject(kind=row.kind, id=row.subject_id)),
        ("seq", event.seq, row.seq),
        ("type", event.type, row.type),
        ("at", event.at, row.at),
    ):
        if expected != found:
            raise IntegrityError(f"{place}, {what}", expected, found)
    return event


def _shown(one: object) -> str:
    match one:
        case bytes():
            return one.hex()
        case tuple():
            return ", ".join(_shown(each) for each in one)
        case _:
            return str(one)
