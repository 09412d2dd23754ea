"""Opinions of technical investigators: deposited like any item, and sealed to the bench of one case.

    deposited ──► sealed ──► unsealed
        sealed      by its author, who sits on the bench: that bench alone sees it from then on
        unsealed    by a judge or arbitrator of that bench: it is on the list of evidence, and the parties see it

An opinion is court work, not evidence of a party: the item's own history tells of it, the case's doesn't, so that
a party finds no gap where it is. Before it is sealed its author alone sees it; from then on nobody grants it, gives
it away or puts it into a case. *Durable after return:* events and rows. *A crash before the commit* leaves the
opinion as it was.
"""

from sqlalchemy.orm import Session

from evidence_vault.access.decisions import Permission
from evidence_vault.access.facts import Requester
from evidence_vault.core.canonical import Json, as_object, as_text
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.errors import AccessRefused, Conflict, IntegrityError
from evidence_vault.pipeline.cases.cases import list_item, see_case
from evidence_vault.pipeline.cases.entering import access_why, decide, event_actor
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.record import Draft
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import attestations, cases, custody, events, grants

AUTHOR = "TI"


def seal_opinion(
    vault: Vault, caller: Requester, case_id: str, item_id: str, *, about: tuple[str, ...] = ()
) -> int:
    """Seal one's own opinion to the bench of a case and return the seq of the event.

    about: items of the case. Raises AccessRefused for what is not his, not there, or no opinion;
    Conflict for one that somebody was let in to, that is offered to somebody, or that is sealed.
    """
    with vault.database.write() as session:
        grants.lock_grants_of(session, caller.actor_id)  # a seat that ends meanwhile is told before
        permission = see_case(vault, session, caller, "opine", case_id).permission
        entered = decide(vault, session, caller, "see-metadata", item_id)
        if entered.permission.basis != "owner" or _depositing_role(session, item_id) != AUTHOR:
            raise AccessRefused("opine", item_id)
        if set(about) - cases.items_in(session, case_id, about):
            raise AccessRefused("opine", item_id)
        events.lock_subject_head(session, Subject(kind="item", id=item_id))
        if custody.get_opinion(session, item_id) is not None:
            raise Conflict("opinion", "it is sealed already")
        offers = custody.offered(session, item_id)
        if offers or grants.grants_on_item(session, item_id) or cases.cases_of_items(session, [item_id]):
            raise Conflict("opinion", "others were let in to the item: deposit the opinion anew")
        fields: dict[str, Json] = {"case": case_id, "about": list[Json](sorted(set(about)))}
        draft = _draft(caller, item_id, "OPINION_SEALED", fields, permission=permission)
        return append_and_follow(vault, session, draft).event.seq


def unseal_opinion(
    vault: Vault, caller: Requester, case_id: str, item_id: str, *, reason: str | None = None
) -> int:
    """Open an opinion to the parties of its case; return its number on the list of evidence.

    Raises AccessRefused; Conflict for one that is open.
    """
    with vault.database.write() as session:
        permission = decide(vault, session, caller, "unseal", item_id, locked=True).permission
        case, item = Subject(kind="case", id=case_id), Subject(kind="item", id=item_id)
        events.lock_subject_heads(session, [case, item])  # of two who unseal it, one is told that it was
        opinion = custody.get_opinion(session, item_id)
        if opinion is None or opinion.case_id != case_id or permission.case != case_id:
            raise AccessRefused("unseal", item_id)
        if opinion.unsealed_seq is not None:
            raise Conflict("opinion", "it was unsealed before")
        draft = _draft(
            caller,
            item_id,
            "OPINION_UNSEALED",
            {"case": case_id},
            permission=permission,
            told={} if reason is None else {"reason": reason},
        )
        append_and_follow(vault, session, draft)
        return list_item(vault, session, caller, case_id, item_id, permission=permission)


def _draft(
    caller: Requester,
    item_id: str,
    kind: str,
    fields: dict[str, Json],
    *,
    permission: Permission,
    told: dict[str, str] | None = None,
) -> Draft:
    return Draft(
        subject=Subject(kind="item", id=item_id),
        type=kind,
        actor=event_actor(caller),
        fields=fields,
        why=access_why(permission),
        disclosures=told or {},
    )


def _depositing_role(session: Session, item_id: str) -> str:
    """As what the item was deposited: whoever is a rights holder too has evidence, which is no opinion."""
    first = attestations.event_at(session, item_id, 0)
    if first is None:
        raise IntegrityError(f"item {item_id}", "its event 0", "none")
    return as_text(as_object(parse_event(first.raw).fields["actor"])["role"])
