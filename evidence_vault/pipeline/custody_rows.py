"""The rows that follow from events of custody: holds, transfers, objections, opinions; part of `consequences`."""

from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session

from evidence_vault.core.canonical import as_integer, as_object, as_text
from evidence_vault.core.events import Event
from evidence_vault.core.names import parse_time
from evidence_vault.store.custody_models import Hold, Objection, Opinion, Transfer
from evidence_vault.store.queries import custody


def _hold_placed(session: Session, event: Event, event_id: int) -> None:
    del event_id
    until, case = event.fields["until"], as_object(event.fields["why"])["case"]
    row = {
        "subject_kind": event.subject.kind,
        "subject_id": event.subject.id,
        "seq": event.seq,
        "source": as_text(event.fields["source"]),
        "placed_by": _actor(event),
        "case_id": None if case is None else as_text(case),
        "placed_at": event.at,
        "until": None if until is None else parse_time(as_text(until), place="until"),
    }
    custody.insert_row(session, Hold, row)


def _hold_released(session: Session, event: Event, event_id: int) -> None:
    del event_id
    placed = as_integer(event.fields["placed_seq"])
    custody.release_hold(session, event.subject.kind, event.subject.id, placed, released_seq=event.seq)


def _transfer_offered(session: Session, event: Event, event_id: int) -> None:
    del event_id
    row = {
        "item_id": event.subject.id,
        "seq": event.seq,
        "giver_id": _actor(event),
        "receiver_id": as_text(event.fields["receiver"]),
        "offered_at": event.at,
        "expires_at": parse_time(as_text(event.fields["expires_at"]), place="expires_at"),
        "state": "offered",
    }
    custody.insert_row(session, Transfer, row)


def _transfer_accepted(session: Session, event: Event, event_id: int) -> None:
    del event_id
    offered = as_integer(event.fields["offered_seq"])
    custody.decide_transfer(session, event.subject.id, offered, state="accepted")
    custody.set_owner(session, event.subject.id, _actor(event))


def _transfer_refused(session: Session, event: Event, event_id: int) -> None:
    del event_id
    offered = as_integer(event.fields["offered_seq"])
    custody.decide_transfer(session, event.subject.id, offered, state="refused")


def _objection_recorded(session: Session, event: Event, event_id: int) -> None:
    del event_id
    fields = event.fields
    case, party, period = fields["case"], fields["party"], fields["period"]
    row = {
        "item_id": event.subject.id,
        "seq": event.seq,
        "raised_by": _actor(event),
        "case_id": None if case is None else as_text(case),
        "party": None if party is None else as_integer(party),
        "ground": as_text(fields["ground"]),
        "period": None if period is None else as_text(period),
        "raised_at": event.at,
        "state": "open",
    }
    custody.insert_row(session, Objection, row)


def _objection_answered(session: Session, event: Event, event_id: int) -> None:
    del event_id
    objection, outcome = as_integer(event.fields["objection_seq"]), as_text(event.fields["outcome"])
    custody.decide_objection(session, event.subject.id, objection, state=outcome)


def _opinion_sealed(session: Session, event: Event, event_id: int) -> None:
    del event_id
    row = {
        "item_id": event.subject.id,
        "case_id": as_text(event.fields["case"]),
        "author_id": _actor(event),
        "sealed_at": event.at,
    }
    custody.insert_row(session, Opinion, row)


def _opinion_unsealed(session: Session, event: Event, event_id: int) -> None:
    del event_id
    custody.unseal_opinion(session, event.subject.id, unsealed_seq=event.seq)


def _actor(event: Event) -> str:
    return as_text(as_object(event.fields["actor"])["id"])


CUSTODY_STEPS: Mapping[str, Callable[[Session, Event, int], None]] = {
    "HOLD_PLACED": _hold_placed,
    "HOLD_RELEASED": _hold_released,
    "TRANSFER_OFFERED": _transfer_offered,
    "TRANSFER_ACCEPTED": _transfer_accepted,
    "TRANSFER_REFUSED": _transfer_refused,
    "OBJECTION_RECORDED": _objection_recorded,
    "OBJECTION_ANSWERED": _objection_answered,
    "OPINION_SEALED": _opinion_sealed,
    "OPINION_UNSEALED": _opinion_unsealed,
}
