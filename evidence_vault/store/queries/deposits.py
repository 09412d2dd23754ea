"""Deposits: all rows of a group of new items, in a few statements for all of them together."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core import events as core
from evidence_vault.core.states import JobState
from evidence_vault.store.columns import table
from evidence_vault.store.models import (
    Disclosure,
    Event,
    Item,
    Job,
    PackedDeposit,
    PendingEvent,
    SubjectHead,
)
from evidence_vault.store.packs import Location


@value
class NewDeposit:
    """A new item with its first event.

    disclosures: encoded, by name. location: of its record, if it lies in a pack. targets: the authorities
    that shall stamp its content.
    """

    event: core.Event
    slot: bytes
    disclosures: Mapping[str, str]
    owner_id: str
    mode: str
    secret: bool
    sha256: bytes | None
    size: int | None
    crc32: int | None
    receipt: bytes
    location: Location | None
    targets: tuple[str, ...]


_EVENT = insert(table(Event)).returning(Event.id, Event.sha256)
_PENDING, _HEAD, _DISCLOSURE = (insert(table(m)) for m in (PendingEvent, SubjectHead, Disclosure))
_ITEM, _PACKED, _JOB = (insert(table(m)) for m in (Item, PackedDeposit, Job))
"""Built once: SQLAlchemy takes longer to build and look up a statement than SQLite to insert a row."""


def insert_deposits(session: Session, deposits: Sequence[NewDeposit]) -> None:
    """Add these items with all that belongs to them; the database refuses them if a place is taken."""
    connection = session.connection()
    ids = {sha256: i for i, sha256 in connection.execute(_EVENT, [_event(one) for one in deposits])}
    rows = [(ids[one.event.sha256], one) for one in deposits]
    connection.execute(_PENDING, [{"event_id": event_id} for event_id, _ in rows])
    connection.execute(_HEAD, [_head(one.event) for one in deposits])
    if disclosures := [
        {"event_id": event_id, "name": name, "disclosure": text}
        for event_id, one in rows
        for name, text in one.disclosures.items()
    ]:
        connection.execute(_DISCLOSURE, disclosures)
    connection.execute(_ITEM, [_item(event_id, one) for event_id, one in rows])
    if packed := [
        {"item_id": one.event.subject.id, "pack": one.location.pack, "position": one.location.position}
        for one in deposits
        if one.location is not None
    ]:
        connection.execute(_PACKED, packed)
    if jobs := [_job(one.event.subject, target, one.event.at) for one in deposits for target in one.targets]:
        connection.execute(_JOB, jobs)


def find_packed(session: Session, item_id: str) -> Location | None:
    """Return where the item's record lies; none if it is no item or lies in files of its own."""
    row = session.get(PackedDeposit, item_id)
    return None if row is None else Location(pack=row.pack, position=row.position)


def add_packed(session: Session, item_id: str, location: Location) -> None:
    """Note where the record of an item lies that was recovered."""
    session.execute(_PACKED, {"item_id": item_id, "pack": location.pack, "position": location.position})


def packed_positions(session: Session, pack: str) -> dict[int, str]:
    """Return the item at each position of a pack that the database knows."""
    rows = session.execute(
        select(PackedDeposit.position, PackedDeposit.item_id).where(PackedDeposit.pack == pack)
    )
    return {position: item_id for position, item_id in rows}


def _event(one: NewDeposit) -> dict[str, object]:
    return {
        "sha256": one.event.sha256,
        "subject_kind": one.event.subject.kind,
        "subject_id": one.event.subject.id,
        "seq": one.event.seq,
        "type": one.event.type,
        "slot": one.slot,
        "raw": one.event.raw,
        "at": one.event.at,
    }


def _head(event: core.Event) -> dict[str, object]:
    return {
        "subject_kind": event.subject.kind,
        "subject_id": event.subject.id,
        "seq": event.seq,
        "event_sha256": event.sha256,
        "next_slot": core.next_slot(event.nonce),
    }


def _item(event_id: int, one: NewDeposit) -> dict[str, object]:
    return {
        "id": one.event.subject.id,
        "owner_id": one.owner_id,
        "event_id": event_id,
        "mode": one.mode,
        "secret": one.secret,
        "sha256": one.sha256,
        "size": one.size,
        "crc32": one.crc32,
        "receipt": one.receipt,
        "received_at": one.event.at,
    }


def _job(subject: core.Subject, target: str, at: datetime) -> dict[str, object]:
    return {
        "kind": "timestamp",
        "subject_kind": subject.kind,
        "subject_id": subject.id,
        "checkpoint_size": None,
        "target": target,
        "state": JobState.READY.value,
        "run_at": at,
        "tries": 0,
        "progress": None,
        "created_at": at,
    }
