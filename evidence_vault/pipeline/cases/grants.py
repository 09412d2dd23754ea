"""Grants: given, and given on. How they end is in `ending`.

A grant is an event in the history of each of its items, and of the case it is given in; the list of items is frozen
with it. *Durable after return:* all of its events and rows. *A crash before the commit* leaves nothing of it.

Locks are taken in one order, grants by id, then subjects by kind and id, so that no two stages wait for each other.
What is derived from a grant is never wider: its time, actions, items, views and border are within.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.values import field, value
from evidence_vault.access.case_decisions import CaseAction, decide_on_case
from evidence_vault.access.decisions import Permission, is_live, require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.access.matrix import BENCH, BENCH_ACTIONS, EXPERTS, GRANTABLE, Action, cell
from evidence_vault.core.canonical import Json, as_object, as_text
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.names import encode_id, encode_time
from evidence_vault.errors import AccessRefused, Conflict, FormatError
from evidence_vault.pipeline.cases.entering import access_why, decide, event_actor
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.record import Draft
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Grant
from evidence_vault.store.queries import actors, attestations, cases, experts, grants

MANDATE: tuple[Action, ...] = ("deposit", "object", "read-custody", "see-metadata")
"""What a party may let its lawyer do in a case as a whole: act for it, never open what is others'."""


@value
class GrantWish:
    """A grant as it was asked for. item_ids empty: about the case as a whole.

    purpose, basis: in words, kept as disclosures. days: how long, unless `expires_at` says.
    """

    grantee_id: str
    role: str
    actions: tuple[str, ...]
    item_ids: tuple[str, ...] = ()
    case_id: str | None = None
    parent_id: str | None = None
    purpose: str | None = None
    basis: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    view_limit: int | None = None
    onward: bool = False
    jurisdiction: str | None = None


@value
class Given:
    """What a grant says, decided: ready to be written. order_id: of the order it follows from."""

    wish: GrantWish
    not_before: datetime
    expires_at: datetime
    permission: Permission
    order_id: str | None = None
    disclosures: Mapping[str, str] = field(default_factory=dict)


def give(vault: Vault, caller: Requester, wish: GrantWish) -> str:
    """Give a grant and return its id. Raises AccessRefused, FormatError, Conflict."""
    require_scope("grant", caller)
    check_wish(vault, wish)
    with vault.database.write() as session:
        now = vault.clock()
        parent = None if wish.parent_id is None else _parent(session, caller, wish.parent_id, now=now)
        check_grantee(session, wish)
        permission = _permission(vault, session, caller, wish, parent)
        begin = max(wish.not_before or now, now)  # a parent is live, and so has begun
        end = wish.expires_at or begin + timedelta(days=vault.settings.access.grant_days)
        if parent is not None and wish.expires_at is None:
            end = min(end, parent.expires_at)
        given = Given(wish=wish, not_before=begin, expires_at=end, permission=permission)
        _check_time(begin, end, now=now, cap=timedelta(days=vault.settings.access.grant_cap_days))
        if parent is not None:
            _check_within(session, given, parent)
        return write_grant(vault, session, caller, given)


def write_grant(vault: Vault, session: Session, caller: Requester, given: Given) -> str:
    """Write the events of a grant that was decided, and return its id."""
    wish, grant_id = given.wish, encode_id("gr", vault.random(16))
    items = sorted(wish.item_ids)
    fields: dict[str, Json] = {
        "grant": grant_id,
        "grantee": wish.grantee_id,
        "grantee_role": wish.role,
        "case": wish.case_id,
        "order": given.order_id,
        "parent": wish.parent_id,
        "actions": list[Json](sorted(wish.actions)),
        "not_before": encode_time(given.not_before),
        "expires_at": encode_time(given.expires_at),
        "view_limit": wish.view_limit,
        "onward": wish.onward,
        "jurisdiction": wish.jurisdiction,
        **frozen(items),
    }
    told = {"purpose": wish.purpose, "basis": wish.basis, **given.disclosures}
    for subject in subjects_about(wish.case_id, items):
        append_and_follow(
            vault,
            session,
            Draft(
                subject=subject,
                type="GRANTED",
                actor=event_actor(caller),
                fields=fields,
                why=access_why(given.permission),
                disclosures={name: text for name, text in told.items() if text is not None},
            ),
        )
    return grant_id


def frozen(items: Sequence[str]) -> dict[str, Json]:
    """Return what an event says of a frozen list of items, in ascending order."""
    text = "".join(f"{item_id}\n" for item_id in items)
    return {"item_count": len(items), "items_sha256": hashlib.sha256(text.encode("ascii")).hexdigest()}


def subjects_of(session: Session, grant: Grant) -> list[Subject]:
    """Return the subjects in whose history a grant stands, in the order in which they are locked."""
    return subjects_about(grant.case_id, [line.item_id for line in grants.items_of(session, grant.id)])


def check_wish(vault: Vault, wish: GrantWish) -> None:
    """Raise FormatError, Conflict for what no grant may say, whoever gives it."""
    limits, bench = vault.settings.access, wish.role in BENCH and not wish.item_ids
    known = {*GRANTABLE, *(BENCH_ACTIONS if bench else ())}
    if not wish.actions or set(wish.actions) - known:
        raise FormatError("actions", "some of " + ", ".join(sorted(known)), ", ".join(wish.actions))
    useless = [action for action in wish.actions if cell(_as_action(action), wish.role) == "-"]
    if useless:
        raise FormatError("actions", f"what the role {wish.role} may ever do", ", ".join(useless))
    if len(set(wish.item_ids)) != len(wish.item_ids) or len(wish.item_ids) > limits.max_items:
        raise FormatError("items", f"at most {limits.max_items}, each once", len(wish.item_ids))
    if not wish.item_ids and wish.case_id is None:
        raise FormatError("items", "at least one, or a case", "neither")
    if wish.view_limit is not None and wish.view_limit < 1:
        raise FormatError("view_limit", "at least 1", wish.view_limit)
    foreign = wish.jurisdiction is not None and wish.jurisdiction != limits.jurisdiction
    if foreign and not limits.cross_border:
        raise Conflict("grant", "this vault gives none across the border")


def check_grantee(session: Session, wish: GrantWish) -> None:
    """Raise FormatError for a grantee that doesn't hold the role; Conflict for an expert on two sides."""
    if not actors.holds_role(session, wish.grantee_id, wish.role):
        raise FormatError("grantee", f"somebody who may act as {wish.role}", wish.grantee_id)
    if (other := EXPERTS.get(wish.role)) is None:
        return
    about = cases.cases_of_items(session, wish.item_ids)
    for case_id in sorted(about if wish.case_id is None else about | {wish.case_id}):
        if other in _sides(session, wish.grantee_id, case_id):
            raise Conflict("grantee", "nobody is both appraiser and technical investigator in one case")


def _sides(session: Session, actor_id: str, case_id: str) -> set[str]:
    """As which experts he had to do with the case: let in, asked for an opinion, or by his own attestation."""
    attested = {
        as_text(as_object(parse_event(raw).fields["actor"])["role"])
        for raw in attestations.attested_in(session, case_id)
        if as_object(parse_event(raw).fields["actor"])["id"] == actor_id
    }
    return experts.sides_in_case(session, actor_id, case_id) | attested


def _permission(
    vault: Vault, session: Session, caller: Requester, wish: GrantWish, parent: Grant | None
) -> Permission:
    """Decide for each item and the case; the first item's permission stands for all."""
    now = vault.clock()
    in_case: Permission | None = None
    if wish.case_id is not None:
        case, facts = cases.facts_of_case(session, caller.actor_id, wish.case_id)
        as_bench = not wish.item_ids and wish.role in BENCH
        action: CaseAction = "appoint" if as_bench else ("see" if wish.item_ids else "add")
        in_case = decide_on_case(action, caller, facts, asked_id=wish.case_id, now=now)
        assert case is not None
        missing = set(wish.item_ids) - cases.items_in(session, wish.case_id, wish.item_ids)
        if missing:
            raise AccessRefused("grant", min(missing), reason="not-in-case")
        if not wish.item_ids:
            if as_bench and cases.is_party(session, case, wish.grantee_id):
                raise Conflict("grantee", "nobody sits in a case of his own")
            if not as_bench and set(wish.actions) - set(MANDATE):
                raise FormatError("actions", "for a whole case some of " + ", ".join(MANDATE), wish.actions)
            return in_case
    if wish.grantee_id == caller.actor_id:
        raise FormatError("grantee", "somebody else", wish.grantee_id)
    allowed = None
    for item_id in sorted(wish.item_ids):
        entered = decide(vault, session, caller, "grant", item_id)
        if entered.permission.basis != "owner":
            if parent is None or grants.get_grant_item(session, parent.id, item_id) is None:
                raise AccessRefused("grant", item_id)
            allowed = Permission(basis="grant", grant=parent.id, case=parent.case_id)
        elif parent is not None:
            raise FormatError("parent", "none where the item is one's own", parent.id)
        else:
            allowed = entered.permission
        stays = grants.compartments_of(session, item_id)
        if stays.cases and wish.case_id not in stays.cases | stays.opened_for:
            raise Conflict("grant", "the mediation keeps the item until every party has consented")
    assert allowed is not None
    return allowed


def _parent(session: Session, caller: Requester, parent_id: str, *, now: datetime) -> Grant:
    """Return the grant to give on, locked. Raises AccessRefused."""
    for grant in grants.lock_grants(session, [parent_id]):
        facts = grants.facts_of_grant(session, grant)
        if is_live(facts, caller, now=now) and grant.onward and not grant.whole_case:
            return grant
    raise AccessRefused("grant", parent_id)


def _check_within(session: Session, given: Given, parent: Grant) -> None:
    wish = given.wish
    listed = {line.item_id for line in grants.items_of(session, parent.id)}
    left = None if parent.view_limit is None else parent.view_limit - parent.views_used
    wider = {
        "items": set(wish.item_ids) - listed,
        "actions": set(wish.actions) - set(parent.actions.split()),
        "expires_at": given.expires_at > parent.expires_at,
        "view_limit": left is not None and (wish.view_limit is None or wish.view_limit > left),
        "case": parent.case_id is not None and wish.case_id != parent.case_id,
        "jurisdiction": parent.jurisdiction is not None and wish.jurisdiction != parent.jurisdiction,
    }
    for place, is_wider in wider.items():
        if is_wider:
            raise FormatError(place, "no more than the grant it is derived from", "more")


def _check_time(begin: datetime, end: datetime, *, now: datetime, cap: timedelta) -> None:
    if not begin < end or end <= now:
        raise FormatError("expires_at", "a time to come, after not_before", end)
    if end - begin > cap or begin - now > cap:
        raise FormatError("expires_at", f"at most {cap.days} days", end)


def subjects_about(case_id: str | None, items: Iterable[str]) -> list[Subject]:
    """Return a case and its items as subjects, in the order in which they are locked."""
    about = [Subject(kind="item", id=item_id) for item_id in items]
    if case_id is not None:
        about.append(Subject(kind="case", id=case_id))
    return sorted(about)


def _as_action(text: str) -> Action:
    return next(action for action in (*GRANTABLE, *BENCH_ACTIONS) if action == text)
