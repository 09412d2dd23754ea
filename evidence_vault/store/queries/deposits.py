"""Deposits: all rows of a group of new items, in a few statements for all of them together."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core import events as core
from evidence_vault.core.states import JobState
from evidence_vault.store.models import Item, Job, PackedDeposit
from evidence_vault.store.packs import Location
from evidence_vault.store.queries.events import Composed, insert_events
from evidence_vault.store.rows import Rows


@value
class NewDeposit:
    """A new item with its first event.

    location: of its record, if it lies in a pack. targets: the authorities
    that shall stamp its content.
    """

    composed: Composed
    owner_id: str
    mode: str
    secret: bool
    sha256: bytes | None
    size: int | None
    crc32: int | None
    receipt: bytes
    location: Location | None
    targets: tuple[str, ...]


_ITEM = Rows(
    Item,
    *("id", "owner_id", "event_id", "mode", "secret", "sha256", "size", "crc32", "receipt", "received_at"),
)
_PACKED = Rows(PackedDeposit, "item_id", "pack", "position")
_JOB = Rows(Job, *("kind", "subject_kind", "subject_id", "target", "state", "run_at", "tries", "created_at"))


def insert_deposits(session: Session, deposits: Sequence[NewDeposit]) -> None:
    """Add these items with all that belongs to them; the database refuses them if a place is taken."""
    connection = session.connection()
    ids = insert_events(session, [one.composed for one in deposits])
    rows = list(zip(ids, deposits, strict=True))
    _ITEM.insert(connection, [_item(event_id, one) for event_id, one in rows])
    packed = [(one.composed.event.subject.id, one.location) for one in deposits if one.location is not None]
    _PACKED.insert(connection, [(item_id, place.pack, place.position) for item_id, place in packed])
    jobs = [
        _job(one.composed.event.subject, target, one.composed.event.at)
        for one in deposits
        for target in one.targets
    ]
    _JOB.insert(connection, jobs)


def find_packed(session: Session, item_id: str) -> Location | None:
    """Return where the item's record lies; none if it is no item or lies in files of its own."""
    row = session.get(PackedDeposit, item_id)
    return None if row is None else Location(pack=row.pack, position=row.position)


def add_packed(session: Session, item_id: str, location: Location) -> None:
    """Note where the record of an item lies that was recovered."""
    _PACKED.insert(session.connection(), [(item_id, location.pack, location.position)])


def _item(event_id: int, one: NewDeposit) -> tuple[object, ...]:
    return (
        *(one.composed.event.subject.id, one.owner_id, event_id, one.mode, one.secret),
        *(one.sha256, one.size, one.crc32, one.receipt, one.composed.event.at),
    )


def _job(subject: core.Subject, target: str, at: datetime) -> tuple[object, ...]:
    return "timestamp", subject.kind, subject.id, target, JobState.READY.value, at, 0, at
