"""Letting somebody in to an item: decide, record, and only then hand anything out.

    look      state, proofs, history: an owner leaves no mark, anybody else an event each time
    hand_out  content: an event each time, whoever asks (of a bundle: `handing_out`)

The decision that counts is made in the transaction that records it, on rows that are locked: a grant that is
revoked, runs out or is used up meanwhile is either told before or not used at all, and of two who want its last
view one gets it. *Durable after return:* the event; so before a byte leaves. *A crash before the commit* means that
nothing was handed out and no view used; *a crash after it* that the event says more than the reader got.

A refusal is counted and looks like an item that doesn't exist, in body, status and time: both take the same
statements. Whoever once had a grant on the item leaves a mark in its history, once in a while.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.access.decisions import NotPermitted, Permission, decide_on_item
from evidence_vault.access.facts import ItemFacts, Requester, Rules
from evidence_vault.access.matrix import Action
from evidence_vault.core.canonical import Json, as_object
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.names import ITEM_ID
from evidence_vault.errors import AccessRefused, FormatError
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.record import Draft, EventActor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.case_models import Grant
from evidence_vault.store.models import Item
from evidence_vault.store.queries import cases, events, grants

NOBODY = ""
"""An id that is none: asked for in the place of what doesn't look like one."""


@value
class Entered:
    """An item that somebody may do something with, and why."""

    item: Item
    permission: Permission


def event_actor(requester: Requester) -> EventActor:
    """Return the requester as events name him."""
    return EventActor(
        id=requester.actor_id, role=requester.role, auth=requester.auth, on_behalf_of=requester.on_behalf_of
    )


def access_why(permission: Permission) -> Mapping[str, Json]:
    """Return the `why` of an event that records what was permitted."""
    return {"basis": permission.basis, "grant": permission.grant, "case": permission.case}


def look(vault: Vault, caller: Requester, action: Action, item_id: str) -> Entered:
    """Let somebody see an item's state (`see-metadata`) or history (`read-custody`), or try what needs no bytes.

    Anybody but the owner leaves a VIEWED or a CUSTODY_READ. Raises AccessRefused, counted.
    """
    with counting_refusals(vault, caller, item_id):
        with vault.database.read() as session:
            entered = decide(vault, session, caller, action, item_id)
        if entered.permission.basis == "owner" or action not in _MARKS:
            return entered
        with vault.database.write() as session:
            entered = decide(vault, session, caller, action, item_id, locked=True)
            kind, fields = _MARKS[action]
            append_and_follow(vault, session, draft_access(caller, entered, kind, fields))
            return entered


def may_look(vault: Vault, caller: Requester, action: Action, item_id: str) -> bool:
    """Whether he could look so now, and see personal values; leaves no mark, counts nothing."""
    with vault.database.read() as session:
        try:
            return not decide(vault, session, caller, action, item_id).permission.redacted
        except AccessRefused:
            return False


def hand_out(vault: Vault, caller: Requester, item_id: str, *, purpose: str | None = None) -> Entered:
    """Record that content is handed out. Raises AccessRefused, counted.

    purpose: of a working copy, in the words of whoever makes it.
    """
    with counting_refusals(vault, caller, item_id), vault.database.write() as session:
        entered = decide(vault, session, caller, "open-content", item_id, locked=True)
        item, permission = entered.item, entered.permission
        if item.mode != "content" or item.sha256 is None:
            raise AccessRefused("open-content", item_id, reason="no-content", grant=permission.grant)
        if permission.working_copy:
            told = {} if purpose is None else {"purpose": purpose}
            draft = draft_access(
                caller, entered, "WORKING_COPY_MADE", {"sha256": item.sha256.hex()}, disclosures=told
            )
        else:
            draft = draft_access(caller, entered, "DOWNLOADED", {"what": "content", "bundle": None})
        append_and_follow(vault, session, draft)
        return entered


@contextmanager
def counting_refusals(vault: Vault, caller: Requester, item_id: str = NOBODY) -> Iterator[None]:
    """Count what is refused inside; of an item, mark it there if he once had a grant on it."""
    try:
        yield
    except AccessRefused as refused:
        note_refusal(vault, caller, refused, item_id)
        raise


def decide(
    vault: Vault, session: Session, caller: Requester, action: Action, item_id: str, *, locked: bool = False
) -> Entered:
    """Decide in this transaction; locked, the caller's grants stay as they are. Raises AccessRefused."""
    item, facts = gather(session, caller, item_id, locked=locked)
    permission = decide_on_item(
        action, caller, facts, asked_id=item_id, now=vault.clock(), rules=rules_of(vault)
    )
    assert item is not None  # nothing is decided in favour of what isn't there
    return Entered(item=item, permission=permission)


def gather(
    session: Session, caller: Requester, item_id: str, *, locked: bool = False
) -> tuple[Item | None, ItemFacts | None]:
    """Return the item and the facts; what isn't an item's id is asked for all the same."""
    return grants.facts_of_item(
        session, caller.actor_id, item_id if _is_item_id(item_id) else NOBODY, locked=locked
    )


def rules_of(vault: Vault) -> Rules:
    """Return what the deployer decided."""
    return Rules(cross_border=vault.settings.access.cross_border)


def draft_access(
    caller: Requester,
    entered: Entered,
    event_type: str,
    fields: Mapping[str, Json],
    *,
    disclosures: Mapping[str, str] | None = None,
) -> Draft:
    """Return the event that records an access to an item."""
    return Draft(
        subject=Subject(kind="item", id=entered.item.id),
        type=event_type,
        actor=event_actor(caller),
        fields=fields,
        why=access_why(entered.permission),
        disclosures=disclosures or {},
    )


def draft_reading(caller: Requester, subject: Subject, permission: Permission) -> Draft:
    """Return the event that records the reading of a history by anybody but whoever answers for it."""
    return Draft(subject=subject, type="CUSTODY_READ", actor=event_actor(caller), why=access_why(permission))


def note_refusal(vault: Vault, caller: Requester, refused: AccessRefused, item_id: str) -> None:
    """Count the refusal; of a former grantee, write it into the item's history, at most once in a while.

    A token that is too narrow says nothing about any item and is not counted. A vault that is read-only counts and
    writes nothing.
    """
    if not isinstance(refused, NotPermitted):
        note_refusals(vault, caller, {item_id: refused})


def note_refusals(vault: Vault, caller: Requester, refused: Mapping[str, AccessRefused]) -> None:
    """Count one refusal, of a request about these items; mark it in the history of each he once had a grant on."""
    if vault.gate.reasons:
        return
    now = vault.clock()
    with vault.database.write() as session:
        cases.count_refusal(session, caller.actor_id, now.replace(minute=0, second=0, microsecond=0))
        named = {one.grant for one in refused.values() if one.grant is not None}
        locked = {grant.id: grant for grant in grants.lock_grants(session, named)}
        for item_id, one in sorted(refused.items()):
            if one.grant in locked and _is_item_id(item_id):
                _mark_refusal(vault, session, caller, item_id, refused=one, grant=locked[one.grant])


def _mark_refusal(
    vault: Vault, session: Session, caller: Requester, item_id: str, *, refused: AccessRefused, grant: Grant
) -> None:
    """Append ACCESS_REFUSED, unless one of his was there a while ago."""
    now, wait = vault.clock(), timedelta(seconds=vault.settings.access.refusal_note_s)
    line = grants.get_grant_item(session, grant.id, item_id)
    if line is not None:
        if line.refused_at is not None and now < line.refused_at + wait:
            return
        grants.note_refused(session, caller.actor_id, item_id, at=now)
    elif not grant.whole_case or _was_refused(session, caller, item_id, since=now - wait):
        return  # a grant on a case as a whole lists no items: the history itself tells
    append_and_follow(
        vault,
        session,
        Draft(
            subject=Subject(kind="item", id=item_id),
            type="ACCESS_REFUSED",
            actor=event_actor(caller),
            fields={"action": refused.action, "grant": refused.grant, "reason": refused.reason},
            result="refused",
        ),
    )


def _was_refused(session: Session, caller: Requester, item_id: str, *, since: datetime) -> bool:
    subject = Subject(kind="item", id=item_id)
    events.lock_subject_head(session, subject)
    rows = events.newest_of_type(session, subject, "ACCESS_REFUSED", since=since)
    return any(as_object(parse_event(row.raw).fields["actor"])["id"] == caller.actor_id for row in rows)


_MARKS: Mapping[Action, tuple[str, Mapping[str, Json]]] = {
    "see-metadata": ("VIEWED", {"what": "metadata"}),
    "read-custody": ("CUSTODY_READ", {}),
}
"""What a look by anybody but the owner is recorded as."""


def _is_item_id(text: str) -> bool:
    try:
        ITEM_ID.check(text, "item")
    except FormatError:
        return False
    return True
