"""Deposits: all rows of a group of new items, in a few statements for all of them together."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core import events as core
from evidence_vault.core.states import JobState
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
from evidence_vault.store.rows import Rows


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


_EVENT = Rows(
    Event,
    *("sha256", "subject_kind", "subject_id", "seq", "type", "slot", "raw", "at"),
    returning=("id", "sha256"),
)
_PENDING = Rows(PendingEvent, "event_id")
_HEAD = Rows(SubjectHead, "subject_kind", "subject_id", "seq", "event_sha256", "next_slot")
_DISCLOSURE = Rows(Disclosure, "event_id", "name", "disclosure")
_ITEM = Rows(
    Item,
    *("id", "owner_id", "event_id", "mode", "secret", "sha256", "size", "crc32", "receipt", "received_at"),
)
_PACKED = Rows(PackedDeposit, "item_id", "pack", "position")
_JOB = Rows(Job, *("kind", "subject_kind", "subject_id", "target", "state", "run_at", "tries", "created_at"))


def insert_deposits(session: Session, deposits: Sequence[NewDeposit]) -> None:
    """Add these items with all that belongs to them; the database refuses them if a place is taken."""
    connection = session.connection()
    ids = {bytes(sha256): i for i, sha256 in _EVENT.insert(connection, [_event(one) for one in deposits])}
    rows = [(ids[one.event.sha256], one) for one in deposits]
    _PENDING.insert(connection, [(event_id,) for event_id, _ in rows])
    _HEAD.insert(connection, [_head(one.event) for one in deposits])
    disclosures = [(i, name, text) for i, one in rows for name, text in one.disclosures.items()]
    _DISCLOSURE.insert(connection, disclosures)
    _ITEM.insert(connection, [_item(event_id, one) for event_id, one in rows])
    packed = [(one.event.subject.id, one.location) for one in deposits if one.location is not None]
    _PACKED.insert(connection, [(item_id, place.pack, place.position) for item_id, place in packed])
    jobs = [_job(one.event.subject, target, one.event.at) for one in deposits for target in one.targets]
    _JOB.insert(connection, jobs)


def find_packed(session: Session, item_id: str) -> Location | None:
    """Return where the item's record lies; none if it is no item or lies in files of its own."""
    row = session.get(PackedDeposit, item_id)
    return None if row is None else Location(pack=row.pack, position=row.position)


def add_packed(session: Session, item_id: str, location: Location) -> None:
    """Note where the record of an item lies that was recovered."""
    _PACKED.insert(session.connection(), [(item_id, location.pack, location.position)])


def _event(one: NewDeposit) -> tuple[object, ...]:
    event, subject = one.event, one.event.subject
    return event.sha256, subject.kind, subject.id, event.seq, event.type, one.slot, event.raw, event.at


def _head(event: core.Event) -> tuple[object, ...]:
    return event.subject.kind, event.subject.id, event.seq, event.sha256, core.next_slot(event.nonce)


def _item(event_id: int, one: NewDeposit) -> tuple[object, ...]:
    return (
        *(one.event.subject.id, one.owner_id, event_id, one.mode, one.secret),
        *(one.sha256, one.size, one.crc32, one.receipt, one.event.at),
    )


def _job(subject: core.Subject, target: str, at: datetime) -> tuple[object, ...]:
    return "timestamp", subject.kind, subject.id, target, JobState.READY.value, at, 0, at
