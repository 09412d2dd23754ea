"""The judge's view: the history of an item, or of a case with its items, each event with what proves it.

    item    its history, to whoever may read it
    case    the case's own history and those of its items that the reader may read, in one order

Each event tells how far its proof has come and the outside times between which it was logged, by the same rule as a
report's row 8. Persons are ids and roles; which events and personal values are shown, `sight` decides, as it does
for a bundle: of the others the reader learns that they are there, as from its `<seq>.redacted.json`.

Reading by anybody but the owner is a CUSTODY_READ of each subject on the page. *Durable after return:* these
events, so before a byte leaves; they are decided on again in the transaction that records them. A crash before the
commit means that nothing was read. A place names the newest event of its first page: pages of one reading end
there, so that the reading is no part of what is read and comes to an end.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from anchors.values import field, value
from evidence_vault.access.decisions import Permission
from evidence_vault.access.facts import Requester
from evidence_vault.core.canonical import as_object
from evidence_vault.core.events import Event, Subject, parse_event
from evidence_vault.core.states import JobState
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.entering import counting_refusals, draft_reading, look
from evidence_vault.pipeline.cases.sight import Sight, grant_of, sight_of
from evidence_vault.pipeline.cases.visible import readable_items
from evidence_vault.pipeline.custody.custody_gaps import Gap, gaps_of
from evidence_vault.pipeline.record import append_events
from evidence_vault.pipeline.times.bounds import Logged, logged_between
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Event as EventRow
from evidence_vault.store.queries import cases, custody, events, grants, log, timeline

STAGES = ("logged", "published", "dated", "anchored", "final")
"""How far an event's proof may come: a leaf, under a published checkpoint, a token, a block, a final block."""

MAX_READ = 2000
"""Events read for one page; one that looks for an actor may hold fewer than it could, and says where to go on."""


@value
class Wanted:
    """Which events are asked for. subject: an item's or the case's id. Times are the vault's, both inclusive."""

    types: tuple[str, ...] = ()
    from_at: datetime | None = None
    until_at: datetime | None = None
    actor: str | None = None
    subject: str | None = None


@value
class Place:
    """Where a page begins: after this row, and up to which all pages of this reading go; 0: from the first page."""

    after: int = 0
    up_to: int = 0


@value
class Line:
    """An event as its reader may see it. event None: he may know that it is there, and no more.

    reached: of STAGES; none while it waits for the log. order: under which it was. undisclosed: personal values
    that it commits to and that are not shown.
    """

    subject: Subject
    seq: int
    sha256: bytes
    leaf_index: int | None
    reached: tuple[str, ...]
    logged: Logged
    event: Event | None
    order: str | None = None
    disclosures: Mapping[str, str] = field(default_factory=dict)
    undisclosed: int = 0


@value
class Custody:
    """A page of a history. withheld: items of the case whose histories the reader may not read."""

    lines: tuple[Line, ...]
    gaps: tuple[Gap, ...]
    items: tuple[str, ...]
    withheld: int | None
    log_size: int
    following: Place | None


@value
class _Reader:
    """Who reads, and what he sees. withheld: how many items of the case he may not read, if he may know that."""

    sight: Sight
    withheld: int | None = None

    @property
    def permissions(self) -> Mapping[Subject, Permission]:
        """Each subject of his, and why."""
        return self.sight.permissions


def read_item_custody(
    vault: Vault, caller: Requester, item_id: str, wanted: Wanted, *, place: Place, limit: int
) -> Custody:
    """Return a page of an item's history. Raises AccessRefused, counted."""
    with vault.database.read() as session:
        newest = timeline.newest_event_id(session)
    entered = look(vault, caller, "read-custody", item_id)
    subject = Subject(kind="item", id=entered.item.id)
    with vault.database.read() as session:
        reader = _Reader(sight=sight_of(vault, session, caller, {subject: entered.permission}))
        rows, following = _page(session, reader, wanted, _bounded(place, newest), limit)
        return _custody(vault, session, reader, rows, following)


def read_case_custody(
    vault: Vault, caller: Requester, case_id: str, wanted: Wanted, *, place: Place, limit: int
) -> Custody:
    """Return a page of the history of a case and of its items. Raises AccessRefused, counted."""
    with counting_refusals(vault, caller):
        with vault.database.read() as session:
            newest = timeline.newest_event_id(session)
            reader = _case_reader(vault, session, caller, case_id)
            rows, following = _page(session, reader, wanted, _bounded(place, newest), limit)
        if any(one.basis != "owner" for one in reader.permissions.values()):
            with vault.database.write() as session:
                reader = _mark_read(vault, session, caller, case_id, rows)
        with vault.database.read() as session:
            rows = [row for row in rows if _subject(row) in reader.permissions]
            return _custody(vault, session, reader, rows, following)


def sight_in_case(vault: Vault, session: Session, caller: Requester, case_id: str) -> Sight:
    """Return what somebody sees of the history of a case and of its items'. Raises AccessRefused."""
    return _case_reader(vault, session, caller, case_id).sight


def _case_reader(vault: Vault, session: Session, caller: Requester, case_id: str) -> _Reader:
    case = Subject(kind="case", id=case_id)
    permission = see_case(vault, session, caller, "history", case_id).permission
    listed = cases.items_about(session, case_id)
    readable = readable_items(vault, session, caller, listed | _opinions(vault, session, caller, case_id))
    permissions = {Subject(kind="item", id=item_id): readable[item_id] for item_id in sorted(readable)}
    sight = sight_of(vault, session, caller, {case: permission, **permissions})
    return _Reader(sight=sight, withheld=len(listed - readable.keys()) if case in sight.whole else None)


def _opinions(vault: Vault, session: Session, caller: Requester, case_id: str) -> set[str]:
    """The opinions in a case, for its bench; to anybody else not even their number is told, as `withheld`."""
    try:
        see_case(vault, session, caller, "opinions", case_id)
    except AccessRefused:
        return set()
    return {one.item_id for one in custody.opinions_in(session, case_id)}


def _mark_read(
    vault: Vault, session: Session, caller: Requester, case_id: str, rows: Sequence[EventRow]
) -> _Reader:
    """Decide again, on grants that are locked, and record the reading of the case and of each item on the page."""
    before = _case_reader(vault, session, caller, case_id)
    grants.lock_grants(session, {one.grant for one in before.permissions.values() if one.grant is not None})
    reader = _case_reader(vault, session, caller, case_id)
    on_page = {_subject(row) for row in rows} | {Subject(kind="case", id=case_id)}
    append_events(
        vault,
        session,
        [
            draft_reading(caller, subject, permission)
            for subject, permission in reader.permissions.items()
            if subject in on_page and permission.basis != "owner"
        ],
    )
    return reader


def _bounded(place: Place, newest: int) -> Place:
    return Place(after=place.after, up_to=min(place.up_to, newest) if place.up_to else newest)


def _page(
    session: Session, reader: _Reader, wanted: Wanted, place: Place, limit: int
) -> tuple[list[EventRow], Place | None]:
    """Return the rows of a page, and where the next one begins."""
    rows = timeline.events_between(
        session,
        [one for one in reader.permissions if wanted.subject in (None, one.id)],
        after_id=place.after,
        up_to_id=place.up_to,
        limit=MAX_READ,
        types=wanted.types,
        from_at=wanted.from_at,
        until_at=wanted.until_at,
    )
    found: list[EventRow] = []
    for row in rows:
        if not _is_asked_for(row, reader, wanted):
            continue
        if len(found) == limit:
            return found, Place(after=found[-1].id, up_to=place.up_to)
        found.append(row)
    return found, Place(after=rows[-1].id, up_to=place.up_to) if len(rows) == MAX_READ else None


def _is_asked_for(row: EventRow, reader: _Reader, wanted: Wanted) -> bool:
    """A filter must not tell what the answer hides: what is hidden is found by its subject alone."""
    filtered = wanted.actor is not None or wanted.types or wanted.from_at or wanted.until_at
    if not filtered:
        return True
    event = parse_event(row.raw)
    if not reader.sight.opens(event):
        return False
    actor = as_object(event.fields["actor"])
    return wanted.actor is None or wanted.actor in (actor["id"], actor["on_behalf_of"])


def _custody(
    vault: Vault, session: Session, reader: _Reader, rows: Sequence[EventRow], following: Place | None
) -> Custody:
    indexes = log.leaf_indexes(session, [row.id for row in rows])
    bounds = logged_between(session, vault.settings, indexes.values())
    clear = events.disclosures_of(session, [row.id for row in rows])
    told = {row.id: parse_event(row.raw) for row in rows}
    named = {grant for event in told.values() if (grant := grant_of(event)) is not None}
    orders = timeline.orders_of_grants(session, named)
    reach = _reach(vault, session)
    lines = []
    for row in rows:
        event, index = told[row.id], indexes.get(row.id)
        shown = reader.sight.clear(event, clear.get(row.id, {}))
        is_open, grant = reader.sight.opens(event), grant_of(event)
        lines.append(
            Line(
                subject=event.subject,
                seq=event.seq,
                sha256=event.sha256,
                leaf_index=index,
                reached=()
                if index is None
                else tuple(stage for stage, size in reach.items() if index < size),
                logged=Logged(not_before=None, not_after=None) if index is None else bounds[index],
                event=event if is_open else None,
                order=orders.get(grant) if is_open and grant is not None else None,
                disclosures=shown,
                undisclosed=len(event.disclosure_digests) - len(shown) if is_open else 0,
            )
        )
    items = tuple(one.id for one in reader.permissions if one.kind == "item")
    return Custody(
        lines=tuple(lines),
        gaps=tuple(gaps_of(session, items, since=_since(session, reader))),
        items=items,
        withheld=reader.withheld,
        log_size=reach["published"],
        following=following,
    )


def _reach(vault: Vault, session: Session) -> Mapping[str, int]:
    """Return up to which size each stage has come. A leaf is covered by what a larger checkpoint got."""
    published = log.latest_published(session)
    networks = [network.name for network in vault.settings.networks]
    stamped = [authority.name for authority in vault.settings.authorities]
    in_block = (JobState.INCLUDED, JobState.FINAL)
    sizes = (
        log.current_tree_head(session).size,
        0 if published is None else published.size,
        timeline.largest_size(session, kind="timestamp", targets=stamped, states=(JobState.DONE,)),
        timeline.largest_size(session, kind="anchor", targets=networks, states=in_block),
        timeline.largest_size(session, kind="anchor", targets=networks, states=(JobState.FINAL,)),
    )
    return dict(zip(STAGES, sizes, strict=True))


def _since(session: Session, reader: _Reader) -> datetime:
    """Return when the oldest of these subjects began."""
    heads = timeline.events_between(
        session,
        reader.permissions,
        after_id=0,
        up_to_id=timeline.newest_event_id(session),
        limit=1,
    )
    return heads[0].at


def _subject(row: EventRow) -> Subject:
    return Subject(kind=row.subject_kind, id=row.subject_id)
