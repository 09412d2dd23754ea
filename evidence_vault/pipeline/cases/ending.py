"""How grants end: revoked with all that was derived from them, or told that the clock ended them; and confirmed.

Access ends by the clock and by the row, at once; the events here say so in every history that the grant stands in.
*Durable after return:* all events of the grants that end together. *A crash before the commit* leaves them as they
were.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from evidence_vault.access.case_decisions import CaseAction, decide_on_case
from evidence_vault.access.decisions import Permission, require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.core.canonical import Json
from evidence_vault.core.names import encode_time
from evidence_vault.errors import AccessRefused, Conflict
from evidence_vault.pipeline.cases.entering import access_why, event_actor
from evidence_vault.pipeline.cases.grants import frozen, subjects_about, subjects_of
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.record import Draft, system_actor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Grant
from evidence_vault.store.queries import cases, grants

EXPIRE_AT_ONCE = 100
"""Grants whose end one round tells; each is a transaction of its own."""


def revoke(vault: Vault, caller: Requester, grant_id: str, *, reason: str | None = None) -> None:
    """End a grant, and all that was derived from it, now; ended ones stay as they are. Raises AccessRefused."""
    require_scope("grant", caller)
    with vault.database.write() as session:
        grant = _revocable(session, caller, grant_id, now=vault.clock())
        end_grants(vault, session, caller, [grant.id], cause="withdrawn", reason=reason)


def end_grants(
    vault: Vault,
    session: Session,
    caller: Requester,
    roots: Iterable[str],
    *,
    cause: str,
    reason: str | None = None,
) -> None:
    """Revoke these grants and what was derived from them. cause: of the roots, as GRANT_REVOKED says it."""
    wanted, locked = set(roots), dict[str, Grant]()
    chosen = frozenset(wanted)
    while wanted - locked.keys():  # what is given on while we wait for a lock is found in the next round
        locked = {grant.id: grant for grant in grants.lock_grants(session, wanted)}
        for one in chosen:
            wanted |= grants.derived_from(session, one)
    for grant_id, grant in sorted(locked.items()):
        if grant.closed_at is not None:
            continue
        fields: dict[str, Json] = {"grant": grant_id, "cause": cause if grant_id in chosen else "parent"}
        told = {} if reason is None or grant_id not in chosen else {"reason": reason}
        for subject in subjects_of(session, grant):
            draft = Draft(
                subject=subject,
                type="GRANT_REVOKED",
                actor=event_actor(caller),
                fields=fields,
                disclosures=told,
            )
            append_and_follow(vault, session, draft)


def confirm(vault: Vault, caller: Requester, grant_id: str) -> None:
    """Say again that the grantee is meant, after his login or role became another's hands. Raises AccessRefused."""
    require_scope("grant", caller)
    with vault.database.write() as session:
        grant = _revocable(session, caller, grant_id, now=vault.clock())
        (grant,) = grants.lock_grants(session, [grant.id])
        if grant.closed_at is not None:
            raise Conflict("grant", "it has ended")
        listed = [line.item_id for line in grants.items_of(session, grant.id)]
        items = [] if grant.whole_case else listed
        fields: dict[str, Json] = {
            "grant": grant.id,
            "grantee": grant.grantee_id,
            "grantee_role": grant.grantee_role,
            "case": grant.case_id,
            "order": grant.order_id,
            "parent": grant.parent_id,
            "actions": list[Json](sorted(grant.actions.split())),
            "not_before": encode_time(grant.not_before),
            "expires_at": encode_time(grant.expires_at),
            "view_limit": grant.view_limit,
            "onward": grant.onward,
            "jurisdiction": grant.jurisdiction,
            **frozen(items),
        }
        basis = Permission(
            basis="owner" if grant.holder_id == caller.actor_id else "role", case=grant.case_id
        )
        for subject in subjects_about(grant.case_id, items)[:1]:
            draft = Draft(
                subject=subject,
                type="GRANTED",
                actor=event_actor(caller),
                fields=fields,
                why=access_why(basis),
            )
            append_and_follow(vault, session, draft)


def expire_grants(vault: Vault) -> int:
    """Tell the end of grants whose time is over; return how many. Access ended by the clock, not by this."""
    if vault.gate.reasons:
        return 0
    with vault.database.read() as session:
        due = grants.due_to_end(session, now=vault.clock(), limit=EXPIRE_AT_ONCE)
    for grant_id in due:
        with vault.database.write() as session:
            for grant in grants.lock_grants(session, [grant_id]):
                if grant.closed_at is None:
                    _tell_end(vault, session, grant)
    return len(due)


def _revocable(session: Session, caller: Requester, grant_id: str, *, now: datetime) -> Grant:
    """Return a grant that the caller may end: its giver, for whom it was given, or the bench of its case."""
    grant = grants.get_grant(session, grant_id)
    if grant is None:
        raise AccessRefused("revoke", grant_id)
    if (
        grant.order_id is None
        and caller.on_behalf_of is None
        and caller.actor_id in (grant.giver_id, grant.holder_id)
    ):
        return grant
    if grant.case_id is not None and (grant.whole_case or grant.order_id is not None):
        _, facts = cases.facts_of_case(session, caller.actor_id, grant.case_id)
        action: CaseAction = "appoint" if grant.order_id is None else "order"
        try:
            decide_on_case(action, caller, facts, asked_id=grant.case_id, now=now)
        except AccessRefused:
            raise AccessRefused("revoke", grant_id) from None
        return grant
    raise AccessRefused("revoke", grant_id)


def _tell_end(vault: Vault, session: Session, grant: Grant) -> None:
    fields: dict[str, Json] = {"grant": grant.id, "expires_at": encode_time(grant.expires_at)}
    actor = system_actor(session)
    for subject in subjects_of(session, grant):
        draft = Draft(subject=subject, type="GRANT_EXPIRED", actor=actor, fields=fields)
        append_and_follow(vault, session, draft)
