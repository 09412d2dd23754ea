"""Objections to an item, the answers to them, and what a court says of it: shown, received.

An objection has a ground (authenticity, legality, relevance) and, where it is about authenticity, says which of
the two questions it asks: before anchoring, or since. A party to a case raises it, its lawyer under a grant, or the
bench, which records what was said in court. Whoever answers for the item answers, whoever raised it withdraws it,
the bench of the case decides; what was withdrawn or decided stays so. *Durable after return:* event and row.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.access.decisions import Permission
from evidence_vault.access.facts import Requester
from evidence_vault.core.canonical import Json, as_integer, as_object, as_text
from evidence_vault.core.disclosures import parse_disclosure
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.names import encode_time
from evidence_vault.errors import AccessRefused, Conflict, FormatError
from evidence_vault.pipeline.cases.bench import as_bench
from evidence_vault.pipeline.cases.entering import access_why, decide, event_actor
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.record import Draft
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.custody_models import Objection
from evidence_vault.store.queries import attestations, cases, custody, events

RECORDED, ANSWERED = "OBJECTION_RECORDED", "OBJECTION_ANSWERED"

OVER = ("withdrawn", "upheld", "rejected")
"""States in which nothing more is said."""

BENCH = ("AM", "JU", "CL")


@value
class ObjectionWish:
    """An objection. case_id: in which it is raised; the bench always names one. party: whose, for the bench."""

    ground: str
    text: str
    period: str | None = None
    case_id: str | None = None
    party: int | None = None


@value
class Reply:
    """What was said to an objection."""

    seq: int
    by: str
    role: str
    at: datetime
    outcome: str
    text: str | None


@value
class Dispute:
    """An objection and what was said to it. text: None where it was erased."""

    row: Objection
    text: str | None
    answers: tuple[Reply, ...]


def object_to(vault: Vault, caller: Requester, item_id: str, wish: ObjectionWish) -> int:
    """Record an objection and return its seq. Raises AccessRefused, FormatError."""
    if (wish.ground == "authenticity") != (wish.period is not None):
        raise FormatError("period", "before or since anchoring, where authenticity is disputed", wish.period)
    with vault.database.write() as session:
        permission, case_id = _may_object(vault, session, caller, item_id, wish)
        fields: dict[str, Json] = {
            "case": case_id,
            "party": _party(session, caller, wish, case_id),
            "ground": wish.ground,
            "period": wish.period,
        }
        draft = Draft(
            subject=Subject(kind="item", id=item_id),
            type=RECORDED,
            actor=event_actor(caller),
            fields=fields,
            why=access_why(permission),
            disclosures={"text": wish.text},
        )
        return append_and_follow(vault, session, draft).event.seq


def answer(
    vault: Vault, caller: Requester, item_id: str, seq: int, *, outcome: str, text: str | None = None
) -> None:
    """Answer, withdraw, uphold or reject an objection. Raises AccessRefused, Conflict."""
    with vault.database.write() as session:
        events.lock_subject_head(session, Subject(kind="item", id=item_id))
        objection = custody.get_objection(session, item_id, seq)
        permission = _may_answer(vault, session, caller, item_id, objection=objection, outcome=outcome)
        if objection is None:
            raise AccessRefused("object", item_id)
        if objection.state in OVER:
            raise Conflict("objection", f"it was {objection.state}")
        draft = Draft(
            subject=Subject(kind="item", id=item_id),
            type=ANSWERED,
            actor=event_actor(caller),
            fields={"objection_seq": seq, "outcome": outcome},
            why=access_why(permission),
            disclosures={} if text is None else {"text": text},
        )
        append_and_follow(vault, session, draft)


def disputes_of(session: Session, item_id: str) -> list[Dispute]:
    """Return the objections to an item with their answers, oldest first."""
    rows = attestations.events_of_types(session, item_id, [RECORDED, ANSWERED])
    clear = events.disclosures_of(session, [row.id for row in rows])
    texts = {
        row.seq: parse_disclosure(clear[row.id]["text"]).value
        for row in rows
        if "text" in clear.get(row.id, {})
    }
    answers: dict[int, list[Reply]] = {}
    for row in rows:
        if row.type == ANSWERED:
            fields = parse_event(row.raw).fields
            actor = as_object(fields["actor"])
            reply = Reply(
                seq=row.seq,
                by=as_text(actor["id"]),
                role=as_text(actor["role"]),
                at=row.at,
                outcome=as_text(fields["outcome"]),
                text=texts.get(row.seq),
            )
            answers.setdefault(as_integer(fields["objection_seq"]), []).append(reply)
    return [
        Dispute(row=row, text=texts.get(row.seq), answers=tuple(answers.get(row.seq, ())))
        for row in custody.objections_to(session, item_id)
    ]


def note_receipt(
    vault: Vault,
    caller: Requester,
    item_id: str,
    *,
    case_id: str,
    received_at: datetime,
    bundle: str | None = None,
    bundle_sha256: bytes | None = None,
    number: str | None = None,
    receiver: str | None = None,
) -> int:
    """Record that the forum of a case received an item, as its bench tells; return the event's seq."""
    told = {"number": number, "receiver": receiver}
    fields: dict[str, Json] = {
        "case": case_id,
        "bundle": bundle,
        "bundle_sha256": None if bundle_sha256 is None else bundle_sha256.hex(),
        "received_at": _past(vault, received_at, "received_at"),
    }
    return _tell(vault, caller, item_id, kind="COURT_RECEIPTED", fields=fields, told=told)


def note_presentation(
    vault: Vault,
    caller: Requester,
    item_id: str,
    *,
    case_id: str,
    presented_at: datetime,
    place: str | None = None,
    note: str | None = None,
) -> int:
    """Record that an item was shown at a hearing, as the bench tells; return the event's seq."""
    told = {"place": place, "note": note}
    fields: dict[str, Json] = {
        "case": case_id,
        "presented_at": _past(vault, presented_at, "presented_at"),
    }
    return _tell(vault, caller, item_id, kind="PRESENTED", fields=fields, told=told)


def _tell(
    vault: Vault,
    caller: Requester,
    item_id: str,
    *,
    kind: str,
    fields: dict[str, Json],
    told: dict[str, str | None],
) -> int:
    with vault.database.write() as session:
        permission = as_bench(vault, session, caller, str(fields["case"]), item_id)
        draft = Draft(
            subject=Subject(kind="item", id=item_id),
            type=kind,
            actor=event_actor(caller),
            fields=fields,
            why=access_why(permission) if kind == "PRESENTED" else {},
            disclosures={name: text for name, text in told.items() if text is not None},
        )
        return append_and_follow(vault, session, draft).event.seq


def _may_object(
    vault: Vault, session: Session, caller: Requester, item_id: str, wish: ObjectionWish
) -> tuple[Permission, str | None]:
    if caller.role in BENCH:
        if wish.case_id is None:
            raise FormatError("case", "the case of the bench", "none")
        return as_bench(vault, session, caller, wish.case_id, item_id), wish.case_id
    permission = decide(vault, session, caller, "object", item_id).permission
    case_id = wish.case_id or permission.case
    if case_id is not None and item_id not in cases.items_in(session, case_id, [item_id]):
        raise AccessRefused("object", item_id)
    if case_id != permission.case and not _own_parties(session, caller, case_id):
        raise AccessRefused("object", item_id)  # let in by another case
    return permission, case_id


def _party(session: Session, caller: Requester, wish: ObjectionWish, case_id: str | None) -> int | None:
    """A party's own number; the bench says whose objection it records."""
    if caller.role in BENCH:
        known = set() if case_id is None else {one.party for one in cases.parties_of(session, case_id)}
        if wish.party is not None and wish.party not in known:
            raise FormatError("party", "the number of a party", wish.party)
        return wish.party
    return min(_own_parties(session, caller, case_id), default=None)


def _own_parties(session: Session, caller: Requester, case_id: str | None) -> set[int]:
    """The numbers under which the caller, or whom he acts for, is a party to the case."""
    if case_id is None:
        return set()
    own = caller.on_behalf_of or caller.actor_id
    return {one.party for one in cases.parties_of(session, case_id) if one.person_id == own}


def _may_answer(
    vault: Vault,
    session: Session,
    caller: Requester,
    item_id: str,
    *,
    objection: Objection | None,
    outcome: str,
) -> Permission:
    """As owner: answered. As who raised it: withdrawn. As the bench of its case: upheld, rejected."""
    if outcome in ("upheld", "rejected"):
        if objection is None or objection.case_id is None:
            raise AccessRefused("object", item_id)
        return as_bench(vault, session, caller, objection.case_id, item_id)
    if outcome == "withdrawn":
        if objection is None or objection.raised_by != caller.actor_id:
            raise AccessRefused("object", item_id)
        if caller.role in BENCH and objection.case_id is not None:
            return as_bench(vault, session, caller, objection.case_id, item_id)
        return decide(vault, session, caller, "object", item_id).permission
    permission = decide(vault, session, caller, "see-metadata", item_id).permission
    if permission.basis != "owner":
        raise AccessRefused("object", item_id)
    return permission


def _past(vault: Vault, at: datetime, name: str) -> str:
    if at > vault.clock():
        raise FormatError(name, "a time that is over", encode_time(at))
    return encode_time(at)
