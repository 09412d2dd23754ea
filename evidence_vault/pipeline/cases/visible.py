"""Which of many subjects and events somebody may read of now: for the feed, webhooks, a case and its history.

An entry of the feed tells an event of a history, so it takes what reading that history takes: `read-custody` of an
item, `history` of a case; and of a case that somebody sees in part, that the event is in his part (`sight`). Who is
disabled or has lost the role is told nothing. It is judged anew each time, by the decisions of `access` and the
actor's organisation of now: a grant that was revoked or has ended is worth nothing from that moment on, also for a
webhook that was made long before.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.orm import Session

from anchors.values import replace
from evidence_vault.access.case_decisions import decide_on_case
from evidence_vault.access.decisions import Permission, Requester, decide_on_item
from evidence_vault.access.matrix import Action, cell
from evidence_vault.core.events import Subject
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.cases.entering import rules_of
from evidence_vault.pipeline.cases.sight import Sight, events_by_id, sight_of
from evidence_vault.pipeline.notices.feed import Entry, See
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.people_models import Actor
from evidence_vault.store.queries import actors, cases, many_facts


def visible_to(vault: Vault, requester: Requester) -> See:
    """Return what decides for this requester, at the time of asking."""

    def see(session: Session, entries: Sequence[Entry]) -> Sequence[Entry]:
        if not actors.holds_role(session, requester.actor_id, requester.role):
            return ()
        actor = session.get_one(Actor, requester.actor_id)
        now = replace(requester, organisation_id=actor.organisation_id)
        histories = _readable_cases(
            vault, session, now, [one.subject.id for one in entries if one.subject.kind == "case"]
        )
        in_part = sight_of(vault, session, now, histories).in_part
        partly = events_by_id(session, [one.event_id for one in entries if one.subject in in_part])
        item_ids = {one.subject.id for one in entries if one.subject.kind == "item"}
        item_ids |= {str(event.fields["item"]) for event in partly.values() if "item" in event.fields}
        readable = _as_subjects(readable_items(vault, session, now, item_ids))
        sight = sight_of(vault, session, now, {**histories, **readable})
        return [
            one
            for one in entries
            if one.subject.kind == "platform"
            or (
                one.subject in sight.permissions
                and (one.event_id not in partly or sight.opens(partly[one.event_id]))
            )
        ]

    return see


def sight_of_case(
    vault: Vault, session: Session, reader: Requester, case: Subject, permission: Permission
) -> Sight:
    """Return what somebody sees of a case that he may see for this reason, who looks at it and at no history."""
    sight = sight_of(vault, session, reader, {case: permission})
    if case in sight.whole:
        return sight
    listed = [line.item_id for line in cases.items_of(session, case.id)]
    permitted, _ = decide_items(vault, session, reader, "see-metadata", listed)
    return sight_of(vault, session, reader, {case: permission, **_as_subjects(permitted)})


def readable_items(
    vault: Vault, session: Session, requester: Requester, item_ids: Collection[str]
) -> Mapping[str, Permission]:
    """Return which of these items' histories the requester may read, and why."""
    readable, _ = decide_items(vault, session, requester, "read-custody", item_ids)
    return readable  # nobody named the others: there is nothing to count


def decide_items(
    vault: Vault, session: Session, requester: Requester, action: Action, item_ids: Collection[str]
) -> tuple[dict[str, Permission], dict[str, AccessRefused]]:
    """Return with which of these items the requester may do this, and why; and of the others, why not.

    Both in the order of the ids. What lies nowhere near him is in neither.
    """
    by_role = "R" in cell(action, requester.role)
    facts = many_facts.facts_of_items(session, requester.actor_id, item_ids, all_of_them=by_role)
    at, rules = vault.clock(), rules_of(vault)
    permitted: dict[str, Permission] = {}
    refused: dict[str, AccessRefused] = {}
    for item_id, one in sorted(facts.items()):
        try:
            permitted[item_id] = decide_on_item(action, requester, one, asked_id=item_id, now=at, rules=rules)
        except AccessRefused as error:
            refused[item_id] = error
    return permitted, refused


def _readable_cases(
    vault: Vault, session: Session, requester: Requester, case_ids: Collection[str]
) -> Mapping[Subject, Permission]:
    found, at = {}, vault.clock()
    for case_id, facts in many_facts.facts_of_cases(session, requester.actor_id, case_ids).items():
        try:
            permission = decide_on_case("history", requester, facts, asked_id=case_id, now=at)
        except AccessRefused:
            continue
        found[Subject(kind="case", id=case_id)] = permission
    return found


def _as_subjects(permitted: Mapping[str, Permission]) -> Mapping[Subject, Permission]:
    return {Subject(kind="item", id=item_id): one for item_id, one in permitted.items()}
