"""The rows that follow from events about cases, grants and orders.

One place for what happens now and for what `recover` brings back: a grant that was revoked stays so in a restored
database.

A grant stands with every subject it is about: its first event makes the row, each item's adds to its list.
"""

from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session

from evidence_vault.access.matrix import BENCH
from evidence_vault.core.canonical import Json, as_integer, as_list, as_object, as_text
from evidence_vault.core.events import Event
from evidence_vault.core.names import parse_time
from evidence_vault.pipeline.custody_rows import CUSTODY_STEPS
from evidence_vault.pipeline.record import Draft, Recorded, append_event
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors, cases, grants


def append_and_follow(vault: Vault, session: Session, draft: Draft) -> Recorded:
    """Append the event and write the rows that follow from it, in this transaction."""
    recorded = append_event(vault, session, draft)
    follow(session, recorded.event, recorded.event_id)
    return recorded


def follow(session: Session, event: Event, event_id: int) -> None:
    """Write the rows that follow from this event; nothing for types that have none."""
    if (step := _STEPS.get(event.type)) is not None:
        step(session, event, event_id)


def named_actors(event: Event) -> set[str]:
    """Return the actors that rows of this event will name; none for types that have no rows."""
    if event.type not in _STEPS:
        return set()
    actor = as_object(event.fields["actor"])
    named = (actor["id"], actor["on_behalf_of"], *(event.fields.get(name) for name in _NAMING))
    return {one for one in named if isinstance(one, str)}


def _case_opened(session: Session, event: Event, event_id: int) -> None:
    fields, actor = event.fields, as_object(event.fields["actor"])
    cases.insert_case(
        session,
        {
            "id": event.subject.id,
            "event_id": event_id,
            "opened_by": as_text(actor["id"]),
            "opened_role": as_text(actor["role"]),
            "forum": as_text(fields["forum"]),
            "jurisdiction": as_text(fields["jurisdiction"]),
            "confidentiality": as_text(fields["confidentiality"]),
            "mediation_only": fields["mediation_only"] is True,
            "opened_at": event.at,
        },
    )


def _party_named(session: Session, event: Event, event_id: int) -> None:
    fields = event.fields
    cases.put_party(
        session,
        {
            "case_id": event.subject.id,
            "party": as_integer(fields["party"]),
            "side": as_text(fields["side"]),
            "person_id": _text_or_none(fields["person"]),
            "event_id": event_id,
        },
    )


def _item_added(session: Session, event: Event, event_id: int) -> None:
    fields = event.fields
    copies = fields["copies"]
    cases.put_item(
        session,
        {
            "case_id": event.subject.id,
            "item_id": as_text(fields["item"]),
            "number": as_integer(fields["number"]),
            "copies": None if copies is None else as_integer(copies),
            "event_id": event_id,
        },
    )


def _consent_given(session: Session, event: Event, event_id: int) -> None:
    del event_id
    fields = event.fields
    for item_id in as_list(fields["items"]):
        row = {"case_id": event.subject.id, "party": as_integer(fields["party"])}
        cases.add_consent(
            session, {**row, "for_case": as_text(fields["for_case"]), "item_id": as_text(item_id)}
        )


def _order_registered(session: Session, event: Event, event_id: int) -> None:
    fields, actor = event.fields, as_object(event.fields["actor"])
    cases.insert_order(
        session,
        {
            "id": as_text(fields["order"]),
            "event_id": event_id,
            "case_id": event.subject.id,
            "court": as_text(fields["court"]),
            "registered_by": as_text(actor["id"]),
            "respondent_id": _text_or_none(fields["respondent"]),
            "reveals": fields["reveals"] is True,
            "registered_at": event.at,
            "expires_at": parse_time(as_text(fields["expires_at"]), place="expires_at"),
        },
    )


def _order_returned(session: Session, event: Event, event_id: int) -> None:
    cases.set_returned(session, as_text(event.fields["order"]), event_id)


def _granted(session: Session, event: Event, event_id: int) -> None:
    """The first event makes the row; one of each item adds to its list; one more of the same confirms it.

    The views of a grant that is given on come out of the one it is derived from.
    """
    fields = event.fields
    grant_id = as_text(fields["grant"])
    if grants.get_grant(session, grant_id) is None:
        grants.insert_grant(session, _grant_row(session, event, event_id))
        if fields["parent"] is not None and fields["view_limit"] is not None:
            grants.count_views(session, as_text(fields["parent"]), as_integer(fields["view_limit"]))
    elif (
        event.subject.kind == "case" or grants.get_grant_item(session, grant_id, event.subject.id) is not None
    ):
        grants.update_grant(session, grant_id, confirmed_at=event.at)
    if event.subject.kind == "item" and grants.get_grant_item(session, grant_id, event.subject.id) is None:
        grants.add_grant_item(session, grant_id, event.subject.id)


def _grant_row(session: Session, event: Event, event_id: int) -> Mapping[str, object]:
    fields, actor = event.fields, as_object(event.fields["actor"])
    giver = as_text(actor["id"])
    order, basis, parent = fields["order"], as_object(fields["why"])["basis"], fields["parent"]
    holder: str | None = _text_or_none(actor["on_behalf_of"])
    seat = fields["item_count"] == 0 and as_text(fields["grantee_role"]) in BENCH
    if holder is None and order is None and basis == "owner" and not seat:  # a seat is given for nobody
        holder = giver
    if parent is not None and (above := grants.get_grant(session, as_text(parent))) is not None:
        holder = above.holder_id
    grantee_id = as_text(fields["grantee"])
    grantee = actors.get_actor(session, grantee_id)
    limit = fields["view_limit"]
    return {
        "id": as_text(fields["grant"]),
        "event_id": event_id,
        "grantee_id": grantee_id,
        "grantee_role": as_text(fields["grantee_role"]),
        "organisation_id": None if grantee is None else grantee.organisation_id,
        "giver_id": giver,
        "holder_id": holder,
        "case_id": _text_or_none(fields["case"]),
        "order_id": _text_or_none(order),
        "parent_id": _text_or_none(parent),
        "actions": " ".join(as_text(action) for action in as_list(fields["actions"])),
        "whole_case": fields["item_count"] == 0,
        "onward": fields["onward"] is True,
        "jurisdiction": _text_or_none(fields["jurisdiction"]),
        "not_before": parse_time(as_text(fields["not_before"]), place="not_before"),
        "expires_at": parse_time(as_text(fields["expires_at"]), place="expires_at"),
        "view_limit": None if limit is None else as_integer(limit),
        "views_used": 0,
        "given_at": event.at,
        "confirmed_at": event.at,
    }


def _grant_revoked(session: Session, event: Event, event_id: int) -> None:
    del event_id
    grants.update_grant(session, as_text(event.fields["grant"]), revoked_at=event.at, closed_at=event.at)


def _grant_expired(session: Session, event: Event, event_id: int) -> None:
    del event_id
    grants.update_grant(session, as_text(event.fields["grant"]), closed_at=event.at)


def _undertaking_signed(session: Session, event: Event, event_id: int) -> None:
    grant_id = as_text(event.fields["grant"])
    if grants.get_grant_item(session, grant_id, event.subject.id) is None:  # of a grant on a case as a whole
        grants.add_grant_item(session, grant_id, event.subject.id)
    grants.update_grant_item(session, grant_id, event.subject.id, undertaking_event_id=event_id)


def _content_opened(session: Session, event: Event, event_id: int) -> None:
    """Each content that was handed out under a grant is a view of it."""
    del event_id
    grant = as_object(event.fields["why"])["grant"]
    if grant is not None and event.fields.get("what") != "metadata":
        grants.count_views(session, as_text(grant), 1)


_STEPS: Mapping[str, Callable[[Session, Event, int], None]] = {
    "CASE_OPENED": _case_opened,
    "PARTY_NAMED": _party_named,
    "ITEM_ADDED": _item_added,
    "CONSENT_GIVEN": _consent_given,
    "ORDER_REGISTERED": _order_registered,
    "ORDER_RETURNED": _order_returned,
    "GRANTED": _granted,
    "GRANT_REVOKED": _grant_revoked,
    "GRANT_EXPIRED": _grant_expired,
    "UNDERTAKING_SIGNED": _undertaking_signed,
    "VIEWED": _content_opened,
    "DOWNLOADED": _content_opened,
    "WORKING_COPY_MADE": _content_opened,
    **CUSTODY_STEPS,
}


_NAMING = ("grantee", "person", "receiver", "respondent")
"""The fields of such events that name an actor."""


def _text_or_none(value: Json) -> str | None:
    return None if value is None else as_text(value)
