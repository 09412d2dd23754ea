"""Holds: what keeps content from being erased, each by its source, and released by nobody else.

    owner       whoever answers for the item; goes with the item when that changes
    retention   the same, for a time: ends on its date, and is made longer, never shorter, never released
    bench       the bench of a case, on an item in it or on the case, and so on all its items; clerks register it

Whoever wants to erase asks `require_erasable` in his transaction, with the item's head locked. *Durable after
return:* the event and the row. *A crash before the commit* leaves nothing.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from evidence_vault.access.decisions import Permission
from evidence_vault.access.facts import Requester
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_time
from evidence_vault.errors import AccessRefused, Conflict, FormatError
from evidence_vault.pipeline.cases.bench import as_bench
from evidence_vault.pipeline.cases.entering import access_why, decide, event_actor
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.record import Draft
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import custody, events

OWNER, RETENTION, BENCH = "owner", "retention", "bench"


def place_hold(
    vault: Vault,
    caller: Requester,
    subject: Subject,
    *,
    case_id: str | None = None,
    retention: bool = False,
    until: datetime | None = None,
    reason: str | None = None,
    reference: str | None = None,
) -> int:
    """Place a hold and return its seq. case_id: as the bench of that case, else as the owner of the item.

    Raises AccessRefused; FormatError for a time that is over, or a retention without one.
    """
    now = vault.clock()
    if until is not None and until <= now:
        raise FormatError("until", "a time to come", encode_time(until))
    if retention and case_id is not None:
        raise FormatError("case", "none: a retention is the owner's", case_id)
    if retention and until is None:
        raise FormatError("until", "the end of the retention", "none")
    if retention and until is not None and until > now + timedelta(days=vault.settings.retention.max_days):
        raise FormatError("until", f"at most {vault.settings.retention.max_days} days", encode_time(until))
    source = BENCH if case_id is not None else RETENTION if retention else OWNER
    told = {"reason": reason, "reference": reference}
    with vault.database.write() as session:
        permission = _permit(vault, session, caller, subject, case_id)
        recorded = append_and_follow(
            vault,
            session,
            Draft(
                subject=subject,
                type="HOLD_PLACED",
                actor=event_actor(caller),
                fields={"source": source, "until": None if until is None else encode_time(until)},
                why=access_why(permission),
                disclosures={name: text for name, text in told.items() if text is not None},
            ),
        )
        return recorded.event.seq


def release_hold(
    vault: Vault, caller: Requester, subject: Subject, seq: int, *, reason: str | None = None
) -> None:
    """Release a hold of one's own source. Raises AccessRefused; Conflict for one that is over, or a retention."""
    with vault.database.write() as session:
        events.lock_subject_head(session, subject)  # of two who release it, one is told that it is over
        hold = custody.get_hold(session, subject.kind, subject.id, seq)
        if hold is None:
            _permit(vault, session, caller, subject, None)  # takes as long, and refuses others
            raise AccessRefused("hold", subject.id)
        permission = _permit(vault, session, caller, subject, hold.case_id)
        if hold.source == RETENTION:
            raise Conflict("hold", "a retention ends on its date")
        if hold.released_seq is not None:
            raise Conflict("hold", "it was released before")
        append_and_follow(
            vault,
            session,
            Draft(
                subject=subject,
                type="HOLD_RELEASED",
                actor=event_actor(caller),
                fields={"placed_seq": seq},
                why=access_why(permission),
                disclosures={} if reason is None else {"reason": reason},
            ),
        )


def require_erasable(session: Session, item_id: str, *, now: datetime) -> None:
    """Return if nothing keeps the item's content. Raises Conflict, naming the sources, never the cases."""
    held = custody.live_holds(session, item_id, now=now)
    if held:
        raise Conflict("erase", "held by " + ", ".join(sorted({hold.source for hold in held})))


def _permit(
    vault: Vault, session: Session, caller: Requester, subject: Subject, case_id: str | None
) -> Permission:
    if case_id is not None:
        if subject.kind == "case" and subject.id != case_id:
            raise AccessRefused("hold", subject.id)
        return as_bench(vault, session, caller, case_id, subject.id if subject.kind == "item" else None)
    if subject.kind != "item":
        raise AccessRefused("hold", subject.id)
    permission = decide(vault, session, caller, "hold", subject.id).permission
    if permission.basis != "owner":
        raise AccessRefused("hold", subject.id)  # the bench names its case
    return permission
