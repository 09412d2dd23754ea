"""What a reader may see of events: the same wherever he asks, and in the bundle that he takes away.

    an item's events     all of them, to whoever may read its history
    a case's events      all, to whoever reads it as a whole; to who is let in to some items the opening, what
                         he did himself, and what concerns his items, grants and orders; of the others, that they
                         are there, if he reads the history; he is told of them by no feed, list or message
    personal values      to whom the event is shown, but:
                         an auditor sees none; who is let in by a list of items sees none of other people's grants,
                         undertakings and working copies; who stands behind a pseudonym is told to the owner and to
                         those who act in the case, or under the order, that revealed it

`sight_of` looks up what kind of grants the reader has; what it returns decides without asking anybody.
"""

from collections.abc import Collection, Mapping

from sqlalchemy.orm import Session

from anchors.values import field, value
from evidence_vault.access.case_decisions import live_in
from evidence_vault.access.decisions import Permission
from evidence_vault.access.facts import Requester
from evidence_vault.core.canonical import Json, as_object
from evidence_vault.core.disclosures import parse_disclosure
from evidence_vault.core.events import Event, Subject, parse_event
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events, grants, many_facts

_OF_ONE_GRANT = ("GRANTED", "GRANT_REVOKED", "UNDERTAKING_SIGNED", "WORKING_COPY_MADE")
"""Events whose personal values are between who gave a grant, who got it, and the bench."""

_OF_ONE_ORDER = ("ORDER_REGISTERED", "ORDER_RETURNED")
"""Events about an order: its lawyers see all of it."""


@value
class Sight:
    """Who reads, and why he may: each subject of his with its permission.

    whole: cases that he sees as a whole, and items that such a case opens to him. own_grants: under which he reads,
    and his others that live in the same cases; orders: from which they follow. blind: items that he may have, but
    whose histories he may not read.
    """

    reader_id: str
    permissions: Mapping[Subject, Permission]
    whole: frozenset[Subject] = field(default_factory=frozenset)
    own_grants: frozenset[str] = field(default_factory=frozenset)
    orders: frozenset[str] = field(default_factory=frozenset)
    blind: frozenset[Subject] = field(default_factory=frozenset)

    @property
    def in_part(self) -> frozenset[Subject]:
        """Cases of which the reader sees what concerns him."""
        return frozenset(one for one in self.permissions if one.kind == "case" and one not in self.whole)

    def opens(self, event: Event) -> bool:
        """Whether the reader may see more of the event than that it is there."""
        if event.subject.kind != "case":
            return True
        if event.subject not in self.permissions:
            return False
        if event.subject in self.whole or event.type == "CASE_OPENED" or self._is_own(event):
            return True
        if event.type in _OF_ONE_ORDER:
            return event.fields["order"] in self.orders
        item = Subject(kind="item", id=str(event.fields.get("item")))
        return (event.type == "ITEM_ADDED" and item in self.permissions) or self._has_grant(event)

    def disclosed(self, event: Event, texts: Collection[str]) -> list[str]:
        """Return the disclosures of the event, as encoded, that the reader may see."""
        permission = self.permissions.get(event.subject)
        if permission is None or permission.redacted or not self.opens(event):
            return []
        if event.subject in self.blind and not self._is_own(event):
            return []
        if permission.basis == "owner":
            return list(texts)
        if event.type == "PSEUDONYM_REVEALED":
            in_case = permission.case is not None and permission.case == event.fields["case"]
            return list(texts) if in_case or event.fields["order"] in self.orders else []
        personal = event.type in _OF_ONE_GRANT and event.subject not in self.whole
        if personal and not (self._is_own(event) or self._has_grant(event)):
            return []
        return list(texts)

    def clear(self, event: Event, encoded: Mapping[str, str]) -> Mapping[str, str]:
        """Return the personal values of the event that the reader may see. encoded: disclosures by name."""
        shown = (parse_disclosure(text) for text in self.disclosed(event, encoded.values()))
        return {one.name: one.value for one in shown}

    def _is_own(self, event: Event) -> bool:
        actor = as_object(event.fields["actor"])
        return self.reader_id in (actor["id"], actor["on_behalf_of"])

    def _has_grant(self, event: Event) -> bool:
        return grant_of(event) in self.own_grants


def sight_of(
    vault: Vault,
    session: Session,
    reader: Requester,
    permissions: Mapping[Subject, Permission],
    *,
    blind: Collection[Subject] = (),
) -> Sight:
    """Return what somebody sees who may read these subjects for these reasons."""
    named = {one.grant for one in permissions.values() if one.grant is not None}
    found = grants.grants_by_id(session, named)
    whole = {
        subject
        for subject, one in permissions.items()
        if (found[one.grant].whole_case if one.grant is not None else subject.kind == "case")
    }
    partly = [subject.id for subject in permissions if subject.kind == "case" and subject not in whole]
    if partly:
        found = grants.grants_by_id(session, named | _live_in(vault, session, reader, partly))
    return Sight(
        reader_id=reader.actor_id,
        permissions=permissions,
        whole=frozenset(whole),
        own_grants=frozenset(found),
        orders=frozenset(str(one.order_id) for one in found.values() if one.order_id is not None),
        blind=frozenset(blind),
    )


def events_by_id(session: Session, event_ids: Collection[int]) -> Mapping[int, Event]:
    """Return these events by row, for a sight to decide on."""
    return {row.id: parse_event(row.raw) for row in events.get_events(session, event_ids)}


def _live_in(vault: Vault, session: Session, reader: Requester, case_ids: Collection[str]) -> set[str]:
    """Return the reader's grants that live in these cases, also those that another stands before."""
    now = vault.clock()
    return {
        grant.id
        for facts in many_facts.facts_of_cases(session, reader.actor_id, case_ids).values()
        for grant in live_in(facts, reader, now=now)
    }


def grant_of(event: Event) -> str | None:
    """Return the grant that an event names: under which it was, or which it is about."""
    named: Collection[Json] = (as_object(event.fields["why"]).get("grant"), event.fields.get("grant"))
    return next((one for one in named if isinstance(one, str)), None)
