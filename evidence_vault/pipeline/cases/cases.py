"""Cases: opened, parties named, items added, and the consent that lets an item leave its mediation.

Each is one transaction: *durable after return*, and nothing of it after a crash before the commit. Who opens a case
as one of the bench is let in to it by a grant like anybody else; who opens one as a party runs it, and sees of
others' items what they grant him.
"""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.access.case_decisions import CaseAction, decide_on_case, decide_on_opening
from evidence_vault.access.decisions import Permission
from evidence_vault.access.facts import Requester
from evidence_vault.access.matrix import BENCH, BENCH_ACTIONS, GRANTABLE, cell
from evidence_vault.core.canonical import Json
from evidence_vault.core.events import Subject
from evidence_vault.core.names import CASE_ID, encode_id
from evidence_vault.errors import AccessRefused, Conflict, FormatError
from evidence_vault.pipeline.cases.entering import NOBODY, access_why, event_actor, gather
from evidence_vault.pipeline.cases.grants import Given, GrantWish, write_grant
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.record import Draft
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Case
from evidence_vault.store.queries import actors, cases, events, grants

FORUMS = ("court", "arbitration", "mediation", "administrative", "internal")

MAX_CASE_ITEMS = 10_000
"""Items of one case: a list of evidence that nobody reads to its end."""


@value
class PartyWish:
    """A party: its side as a code, its name in words, its account if it has one."""

    side: str
    name: str | None = None
    person_id: str | None = None


@value
class CaseWish:
    """A case as it is to be opened. number, forum_name, title: in words, kept as disclosures."""

    forum: str
    jurisdiction: str
    confidentiality: str = "parties"
    mediation_only: bool = False
    number: str | None = None
    forum_name: str | None = None
    title: str | None = None
    parties: tuple[PartyWish, ...] = ()


@value
class Seen:
    """A case that somebody may do something in, and why."""

    case: Case
    permission: Permission


def open_case(vault: Vault, caller: Requester, wish: CaseWish) -> str:
    """Open a case and return its id. Raises AccessRefused, FormatError."""
    decide_on_opening(caller, mediation_only=wish.mediation_only)
    if wish.forum not in FORUMS:
        raise FormatError("forum", "one of " + ", ".join(FORUMS), wish.forum)
    case_id = encode_id("cs", vault.random(16))
    told = {"number": wish.number, "forum_name": wish.forum_name, "title": wish.title}
    with vault.database.write() as session:
        append_and_follow(
            vault,
            session,
            Draft(
                subject=Subject(kind="case", id=case_id),
                type="CASE_OPENED",
                actor=event_actor(caller),
                fields={
                    "forum": wish.forum,
                    "jurisdiction": wish.jurisdiction,
                    "confidentiality": wish.confidentiality,
                    "mediation_only": wish.mediation_only,
                },
                disclosures={name: text for name, text in told.items() if text is not None},
            ),
        )
        for number, party in enumerate(wish.parties, 1):
            _name(vault, session, caller, party, case_id=case_id, number=number)
        if caller.role in BENCH:
            _let_opener_in(vault, session, caller, case_id)
    return case_id


def see_case(vault: Vault, session: Session, caller: Requester, action: CaseAction, case_id: str) -> Seen:
    """Decide in this transaction. Raises AccessRefused, the same for forbidden and unknown."""
    case, facts = cases.facts_of_case(session, caller.actor_id, case_id if _is_case_id(case_id) else NOBODY)
    permission = decide_on_case(action, caller, facts, asked_id=case_id, now=vault.clock())
    assert case is not None
    return Seen(case=case, permission=permission)


def name_party(
    vault: Vault, caller: Requester, case_id: str, wish: PartyWish, *, party: int | None = None
) -> int:
    """Name one more party, or give a party without an account its account; return its number.

    Raises AccessRefused; Conflict where it would put one account in the place of another: who has consented stays.
    """
    with vault.database.write() as session:
        see_case(vault, session, caller, "appoint", case_id)
        events.lock_subject_head(session, Subject(kind="case", id=case_id))
        known = {one.party: one for one in cases.parties_of(session, case_id)}
        number = party if party is not None else max(known, default=0) + 1
        if party is not None:
            if party not in known:
                raise FormatError("party", "the number of a party", party)
            if known[party].person_id not in (None, wish.person_id):
                raise Conflict("party", "it has an account already")
        if number > 64:
            raise FormatError("party", "at most 64", number)
        _name(vault, session, caller, wish, case_id=case_id, number=number)
        return number


def add_item(
    vault: Vault,
    caller: Requester,
    case_id: str,
    item_id: str,
    *,
    copies: int | None = None,
    source: str | None = None,
    proves: str | None = None,
) -> int:
    """Put one's own item into a case, or change its line in the list of evidence; return its number there.

    The bench of the case sees it from then on. Raises AccessRefused for another's item and for another's case.
    """
    with vault.database.write() as session:
        seen = see_case(vault, session, caller, "add", case_id)
        # Locked, as who seals it as an opinion locks it: of the two, one is told of the other.
        about = [Subject(kind="case", id=case_id), Subject(kind="item", id=item_id)]
        events.lock_subject_heads(session, about)
        item, facts = gather(session, caller, item_id)
        holder = caller.actor_id if caller.on_behalf_of is None else caller.on_behalf_of
        if item is None or facts is None or item.owner_id != holder or facts.opinion_in is not None:
            raise AccessRefused("add-item", item_id)
        stays = grants.compartments_of(session, item_id)
        if stays.cases and case_id not in stays.cases | stays.opened_for:
            raise Conflict("item", "its mediation keeps it until every party has consented")
        told = {"source": source, "proves": proves}
        return list_item(
            vault, session, caller, case_id, item_id, permission=seen.permission, copies=copies, told=told
        )


def list_item(
    vault: Vault,
    session: Session,
    caller: Requester,
    case_id: str,
    item_id: str,
    *,
    permission: Permission,
    copies: int | None = None,
    told: Mapping[str, str | None] | None = None,
) -> int:
    """Write the item's line in the case's list of evidence, in this transaction; return its number."""
    events.lock_subject_head(session, Subject(kind="case", id=case_id))
    lines = {line.item_id: line.number for line in cases.items_of(session, case_id)}
    if item_id not in lines and len(lines) >= MAX_CASE_ITEMS:
        raise Conflict("case", f"it has {MAX_CASE_ITEMS} items")
    number = lines.get(item_id, max(lines.values(), default=0) + 1)
    append_and_follow(
        vault,
        session,
        Draft(
            subject=Subject(kind="case", id=case_id),
            type="ITEM_ADDED",
            actor=event_actor(caller),
            fields={"item": item_id, "number": number, "copies": copies},
            why=access_why(permission),
            disclosures={name: text for name, text in (told or {}).items() if text is not None},
        ),
    )
    return number


def consent(
    vault: Vault, caller: Requester, case_id: str, *, for_case: str, item_ids: tuple[str, ...]
) -> None:
    """Let items of a mediation be used in another case, as far as this party is concerned. Raises AccessRefused."""
    with vault.database.write() as session:
        seen = see_case(vault, session, caller, "consent", case_id)
        see_case(vault, session, caller, "see", for_case)
        if not seen.case.mediation_only or for_case == case_id:
            raise Conflict("consent", "there is no mediation to open, or it is the same case")
        if not item_ids or set(item_ids) - cases.items_in(session, case_id, item_ids):
            raise AccessRefused("consent", case_id)
        for party in cases.parties_of(session, case_id):
            if party.person_id != caller.actor_id:
                continue
            fields: dict[str, Json] = {
                "party": party.party,
                "for_case": for_case,
                "items": list[Json](sorted(set(item_ids))),
            }
            append_and_follow(
                vault,
                session,
                Draft(
                    subject=Subject(kind="case", id=case_id),
                    type="CONSENT_GIVEN",
                    actor=event_actor(caller),
                    fields=fields,
                ),
            )


def _name(
    vault: Vault, session: Session, caller: Requester, wish: PartyWish, *, case_id: str, number: int
) -> None:
    if wish.person_id is not None and actors.get_actor(session, wish.person_id) is None:
        raise FormatError("person", "somebody this vault knows", wish.person_id)
    if wish.person_id is not None and (
        cases.sits_in(session, case_id, wish.person_id)
        or (caller.role in BENCH and wish.person_id == caller.actor_id)
    ):
        raise Conflict("person", "nobody sits in a case of his own")
    append_and_follow(
        vault,
        session,
        Draft(
            subject=Subject(kind="case", id=case_id),
            type="PARTY_NAMED",
            actor=event_actor(caller),
            fields={"party": number, "side": wish.side, "person": wish.person_id},
            disclosures={} if wish.name is None else {"name": wish.name},
        ),
    )


def _let_opener_in(vault: Vault, session: Session, caller: Requester, case_id: str) -> None:
    now = vault.clock()
    actions = [one for one in (*GRANTABLE, *BENCH_ACTIONS) if cell(one, caller.role) not in ("-", "Y")]
    given = Given(
        wish=GrantWish(grantee_id=caller.actor_id, role=caller.role, actions=tuple(actions), case_id=case_id),
        not_before=now,
        expires_at=now + timedelta(days=vault.settings.access.grant_cap_days),
        permission=Permission(basis="role", case=case_id),
    )
    write_grant(vault, session, caller, given)


def _is_case_id(text: str) -> bool:
    try:
        CASE_ID.check(text, "case")
    except FormatError:
        return False
    return True
