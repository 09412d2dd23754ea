"""Gaps in custody: times of which nobody can say that all was well, as the records themselves tell.

    fixity     a content was found not whole: from when it was last known to be, until it was found whole again
    the others an incident of the platform, at its widest, that overlaps the time since the first deposit

That nothing is listed says that nothing was recorded, and no more.
"""

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.events import PLATFORM, Subject, parse_event
from evidence_vault.store.models import Event as EventRow
from evidence_vault.store.queries import events, timeline
from evidence_vault.verify.checks.platform import widest_incidents

_LOOKS = ("ITEM_RECEIVED", "FIXITY_CHECKED", "FIXITY_FAILED", "TRANSFER_ACCEPTED")
AT_ONCE = 5000
"""Events read by one statement; whatever their number, all are read: a gap that is left out would be a lie."""


@value
class Gap:
    """A time in question. item: null for the platform's. ended_at null: it goes on, or nobody knows."""

    kind: str
    item: str | None
    began_at: datetime
    ended_at: datetime | None
    cause: str


def gaps_of(session: Session, item_ids: Collection[str], *, since: datetime) -> list[Gap]:
    """Return the gaps that concern these items, by their beginning. since: from when on incidents count."""
    found = [*_fixity_gaps(session, item_ids), *_incidents(session, since)]
    return sorted(found, key=lambda gap: (gap.began_at, gap.item or "", gap.cause))


def _fixity_gaps(session: Session, item_ids: Collection[str]) -> Iterator[Gap]:
    last_sound: dict[str, datetime] = {}
    failing: dict[str, Gap] = {}
    failed = {row.subject_id for row in _told(session, item_ids, ("FIXITY_FAILED",))}  # of many items few
    for row in _told(session, failed, _LOOKS):
        item_id, open_gap = row.subject_id, failing.get(row.subject_id)
        fields = parse_event(row.raw).fields
        if row.type == "FIXITY_FAILED":
            if open_gap is None:
                failing[item_id] = Gap(
                    kind="fixity",
                    item=item_id,
                    began_at=last_sound.get(item_id, row.at),
                    ended_at=None,
                    cause=str(fields["cause"]),
                )
        elif row.type != "TRANSFER_ACCEPTED" or fields["compared"] == "stored":
            last_sound[item_id] = row.at
            if open_gap is not None:
                del failing[item_id]
                yield Gap(
                    kind="fixity",
                    item=item_id,
                    began_at=open_gap.began_at,
                    ended_at=row.at,
                    cause=open_gap.cause,
                )
    yield from failing.values()


def _told(session: Session, item_ids: Collection[str], types: Collection[str]) -> Iterator[EventRow]:
    """Every event of these types about these items, in the order of their rows."""
    subjects = [Subject(kind="item", id=item_id) for item_id in item_ids]
    newest, after = timeline.newest_event_id(session), 0
    while rows := timeline.events_between(
        session, subjects, after_id=after, up_to_id=newest, limit=AT_ONCE, types=types
    ):
        yield from rows
        after = rows[-1].id


def _incidents(session: Session, since: datetime) -> Iterator[Gap]:
    told = [parse_event(row.raw) for row in events.events_of(session, PLATFORM)]
    for incident in widest_incidents(told):
        if incident.ended is None or incident.ended >= since:
            yield Gap(
                kind=str(incident.newest.fields["kind"]),
                item=None,
                began_at=incident.began,
                ended_at=incident.ended,
                cause=str(incident.newest.fields["summary"]),
            )
