"""Investigation orders: a court lets named lawyers see a frozen list of items, and hears what came of it.

    register   the bench of a case: the order in the case's history, and a grant for each lawyer that names it
    return     a lawyer of the order, or the bench: what was asked, produced, refused and not found
    revoke     the bench: the order's grants end, and what was derived from them

An order reaches what is in its case and what its respondent holds, no more: ids that are neither are refused as if
they were nothing. *Durable after return:* the order with all of its grants, in one transaction.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.access.decisions import Permission, require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.core.canonical import Json
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id, encode_time
from evidence_vault.errors import AccessRefused, FormatError
from evidence_vault.pipeline.cases.cases import see_case
from evidence_vault.pipeline.cases.ending import end_grants
from evidence_vault.pipeline.cases.entering import event_actor
from evidence_vault.pipeline.cases.grants import (
    Given,
    GrantWish,
    check_grantee,
    check_wish,
    frozen,
    subjects_about,
    write_grant,
)
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.record import Draft
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Order
from evidence_vault.store.queries import actors, cases, custody, events, grants, items

ACTIONS = ("open-content", "read-custody", "see-metadata")
"""What an order lets its lawyers do unless it says otherwise."""

MAX_LAWYERS = 10


@value
class LawyerWish:
    """A lawyer of an order: his account, and his name and licence number as the order has them."""

    person_id: str
    licence: str
    name: str | None = None


@value
class OrderWish:
    """An order as the court issued it. number, officer, purpose, respondent_name: in words, kept as disclosures.

    document_sha256: of the scanned order. expires_at: at most the cap after `issued_at`. reveals: it asks who
    stands behind the pseudonyms of its items' deposits; told to the bench alone.
    """

    case_id: str
    court: str
    lawyers: tuple[LawyerWish, ...]
    item_ids: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime | None = None
    number: str | None = None
    officer: str | None = None
    purpose: str | None = None
    respondent_id: str | None = None
    respondent_name: str | None = None
    document_sha256: str | None = None
    reveals: bool = False
    actions: tuple[str, ...] = ACTIONS
    view_limit: int | None = None


@value
class ReturnWish:
    """What came of an order. asked, not_found: how many things; produced and refused: items of its list."""

    asked: int
    produced: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    not_found: int = 0
    note: str | None = None


def register_order(vault: Vault, caller: Requester, wish: OrderWish) -> str:
    """Register an order of the court and return its id. Raises AccessRefused, FormatError, Conflict."""
    require_scope("order", caller)
    end = _check(vault, wish)
    order_id = encode_id("gr", vault.random(16))
    with vault.database.write() as session:
        seen = see_case(vault, session, caller, "order", wish.case_id)
        _check_reach(session, wish)
        lawyers = sorted(wish.lawyers, key=lambda one: one.person_id)
        told = {
            "number": wish.number,
            "officer": wish.officer,
            "purpose": wish.purpose,
            "respondent_name": wish.respondent_name,
        }
        for place, lawyer in enumerate(lawyers, 1):
            told |= {f"lawyer_{place}": lawyer.name, f"licence_{place}": lawyer.licence}
        fields: dict[str, Json] = {
            "order": order_id,
            "court": wish.court,
            "issued_at": encode_time(wish.issued_at),
            "expires_at": encode_time(end),
            "lawyers": [lawyer.person_id for lawyer in lawyers],
            "respondent": wish.respondent_id,
            "document_sha256": wish.document_sha256,
            "reveals": wish.reveals,
            **frozen(sorted(wish.item_ids)),
        }
        draft = Draft(
            subject=Subject(kind="case", id=wish.case_id),
            type="ORDER_REGISTERED",
            actor=event_actor(caller),
            fields=fields,
            disclosures={name: text for name, text in told.items() if text is not None},
        )
        append_and_follow(vault, session, draft)
        for lawyer in lawyers:
            _grant(
                vault, session, caller, wish, lawyer, order_id=order_id, end=end, permission=seen.permission
            )
    return order_id


def return_order(vault: Vault, caller: Requester, order_id: str, wish: ReturnWish) -> None:
    """Tell the court what came of an order, also after its end. Raises AccessRefused, FormatError."""
    require_scope("read-custody", caller)
    with vault.database.write() as session:
        order = open_order(vault, session, caller, order_id)
        listed = set(items_of_order(session, order_id))
        if caller.actor_id == order.respondent_id and caller.role == "RH":
            raise AccessRefused("return", order_id)
        told = {*wish.produced, *wish.refused}
        if told - listed or set(wish.produced) & set(wish.refused):
            raise FormatError("produced, refused", "items of the order, each once", "others")
        if wish.asked < len(told) + wish.not_found:
            raise FormatError("asked", "no fewer than produced, refused and not found", wish.asked)
        fields: dict[str, Json] = {
            "order": order_id,
            "asked": wish.asked,
            "produced": list[Json](sorted(set(wish.produced))),
            "refused": list[Json](sorted(set(wish.refused))),
            "not_found": wish.not_found,
        }
        draft = Draft(
            subject=Subject(kind="case", id=order.case_id),
            type="ORDER_RETURNED",
            actor=event_actor(caller),
            fields=fields,
            disclosures={} if wish.note is None else {"note": wish.note},
        )
        append_and_follow(vault, session, draft)


def revoke_order(vault: Vault, caller: Requester, order_id: str, *, reason: str | None = None) -> None:
    """End an order before its time. Raises AccessRefused."""
    with vault.database.write() as session:
        order = cases.get_order(session, order_id)
        see_case(vault, session, caller, "order", "" if order is None else order.case_id)
        roots = [grant.id for grant in grants.grants_of_order(session, order_id)]
        end_grants(vault, session, caller, roots, cause="order", reason=reason)


def open_order(vault: Vault, session: Session, caller: Requester, order_id: str) -> Order:
    """Return an order to whom it concerns: lawyers, respondent, the bench of its case. Raises AccessRefused."""
    order = cases.get_order(session, order_id)
    named = {(grant.grantee_id, grant.grantee_role) for grant in grants.grants_of_order(session, order_id)}
    is_named = (caller.actor_id, caller.role) in named and caller.on_behalf_of is None
    try:
        see_case(vault, session, caller, "order", "" if order is None else order.case_id)
    except AccessRefused:
        is_respondent = order is not None and caller.actor_id == order.respondent_id and caller.role == "RH"
        if not is_named and not is_respondent:
            raise AccessRefused("order", order_id) from None
    assert order is not None
    return order


def items_of_order(session: Session, order_id: str) -> list[str]:
    """Return the frozen list of an order, in id order."""
    lines = {
        line.item_id
        for grant in grants.grants_of_order(session, order_id)
        for line in grants.items_of(session, grant.id)
    }
    return sorted(lines)


def _check(vault: Vault, wish: OrderWish) -> datetime:
    """Return when the order ends. Raises FormatError."""
    limits, now = vault.settings.access, vault.clock()
    if not 1 <= len(wish.lawyers) <= MAX_LAWYERS or len({one.person_id for one in wish.lawyers}) != len(
        wish.lawyers
    ):
        raise FormatError("lawyers", f"1 to {MAX_LAWYERS}, each once", len(wish.lawyers))
    if not wish.item_ids:
        raise FormatError("items", "at least one", 0)
    if wish.issued_at > now:
        raise FormatError("issued_at", "a time that is over", wish.issued_at)
    end = wish.expires_at or wish.issued_at + timedelta(days=limits.order_days)
    if end <= now:
        raise FormatError("expires_at", "a time to come", end)
    if end - wish.issued_at > timedelta(days=limits.order_cap_days):
        raise FormatError("expires_at", f"at most {limits.order_cap_days} days after issued_at", end)
    return end


def _check_reach(session: Session, wish: OrderWish) -> None:
    """Raise AccessRefused for an item out of the order's reach, the same as for none."""
    events.lock_subject_heads(session, subjects_about(wish.case_id, wish.item_ids))
    in_case = cases.items_in(session, wish.case_id, wish.item_ids)
    for item_id in sorted(wish.item_ids):
        item, opinion = items.get_item(session, item_id), custody.get_opinion(session, item_id)
        held = item is not None and wish.respondent_id is not None and item.owner_id == wish.respondent_id
        is_sealed = opinion is not None and (opinion.unsealed_seq is None or opinion.case_id != wish.case_id)
        if is_sealed or (item_id not in in_case and not held):
            raise AccessRefused("order", item_id, reason="out-of-reach")
        stays = grants.compartments_of(session, item_id)
        if stays.cases and wish.case_id not in stays.cases | stays.opened_for:
            raise AccessRefused("order", item_id, reason="mediation")


def _grant(
    vault: Vault,
    session: Session,
    caller: Requester,
    wish: OrderWish,
    lawyer: LawyerWish,
    *,
    order_id: str,
    end: datetime,
    permission: Permission,
) -> None:
    grant = GrantWish(
        grantee_id=lawyer.person_id,
        role="AT",
        actions=wish.actions,
        item_ids=wish.item_ids,
        case_id=wish.case_id,
        purpose=wish.purpose,
        view_limit=wish.view_limit,
    )
    check_wish(vault, grant)
    check_grantee(session, grant)
    if not actors.holds_licence(session, lawyer.person_id, "AT", lawyer.licence):
        raise FormatError("licence", "the number under which this lawyer is known here", lawyer.licence)
    now = vault.clock()
    given = Given(wish=grant, not_before=now, expires_at=end, permission=permission, order_id=order_id)
    write_grant(vault, session, caller, given)
