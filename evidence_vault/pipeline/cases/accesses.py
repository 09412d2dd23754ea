"""Who saw what, when, under which order: the accesses to an item, in a case or under an order, from their events.

Nothing is told that stands in no event: each line is one, with its place in its item's history. What a grant says
comes from its row, which follows from its GRANTED.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.canonical import as_object, as_text
from evidence_vault.core.events import Event, parse_event
from evidence_vault.pipeline.cases.sight import grant_of
from evidence_vault.store.case_models import Grant
from evidence_vault.store.queries import cases, custody, grants

ACCESSES = (
    "VIEWED",
    "DOWNLOADED",
    "WORKING_COPY_MADE",
    "PRESENTED",
    "EXPORTED",
    "CUSTODY_READ",
    "ACCESS_REFUSED",
)
"""The events that say that somebody saw something, or was refused."""

MAX_READ = 2000
"""Events read for one answer; a page may hold fewer than it could, and says where to go on."""


@value
class Access:
    """One access. event_id: of its row, to go on from. order: of the grant under which it was, if there is one."""

    event_id: int
    item_id: str
    seq: int
    at: datetime
    type: str
    what: str | None
    result: str
    actor: str
    role: str
    on_behalf_of: str | None
    basis: str | None
    grant: str | None
    case: str | None
    order: str | None


def accesses_of_item(
    session: Session, item_id: str, *, after_id: int, limit: int
) -> tuple[list[Access], int | None]:
    """Return the accesses to an item in their order, and from where to go on, None at the end."""
    return _accesses(session, [item_id], after_id=after_id, limit=limit)


def accesses_of_case(
    session: Session, case_id: str, *, after_id: int, limit: int
) -> tuple[list[Access], int | None]:
    """Return the accesses that were made in this case: to its items, opinions, and what its orders reach."""
    listed = cases.items_about(session, case_id) | {
        one.item_id for one in custody.opinions_in(session, case_id)
    }
    return _accesses(session, sorted(listed), after_id=after_id, limit=limit, case=case_id)


def accesses_of_order(
    session: Session, order_id: str, item_ids: Sequence[str], *, after_id: int, limit: int
) -> tuple[list[Access], int | None]:
    """Return the accesses to these items that were made under the order."""
    return _accesses(session, item_ids, after_id=after_id, limit=limit, order=order_id)


def _accesses(
    session: Session,
    item_ids: Sequence[str],
    *,
    after_id: int,
    limit: int,
    case: str | None = None,
    order: str | None = None,
) -> tuple[list[Access], int | None]:
    about = [("item", item_id) for item_id in item_ids]
    rows = cases.events_of_types(session, about, ACCESSES, after_id=after_id, limit=MAX_READ)
    told = {row.id: parse_event(row.raw) for row in rows}
    named = {grant for event in told.values() if (grant := grant_of(event)) is not None}
    known = grants.grants_by_id(session, named)
    found: list[Access] = []
    for event_id, event in told.items():
        access = _access(event_id, event, known)
        if (case is None or access.case == case) and (order is None or access.order == order):
            if len(found) == limit:
                return found, found[-1].event_id
            found.append(access)
    return found, rows[-1].id if len(rows) == MAX_READ else None


def _access(event_id: int, event: Event, known: Mapping[str, Grant]) -> Access:
    fields, grant = event.fields, grant_of(event)
    actor, why = as_object(fields["actor"]), as_object(fields["why"])
    under = None if grant is None else known.get(grant)
    case = why.get("case")
    if case is None and under is not None:
        case = under.case_id  # a refusal names its grant alone
    what = fields.get("what", fields.get("action"))
    return Access(
        event_id=event_id,
        item_id=event.subject.id,
        seq=event.seq,
        at=event.at,
        type=event.type,
        what=None if what is None else as_text(what),
        result=as_text(fields["result"]),
        actor=as_text(actor["id"]),
        role=as_text(actor["role"]),
        on_behalf_of=None if actor["on_behalf_of"] is None else as_text(actor["on_behalf_of"]),
        basis=None if "basis" not in why else as_text(why["basis"]),
        grant=grant,
        case=None if case is None else as_text(case),
        order=None if under is None else under.order_id,
    )
