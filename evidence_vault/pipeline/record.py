"""Write an event: the one way into a subject's history, for every stage.

An event is composed (bytes, slot, disclosures) and then inserted under the lock of its subject's head. The
first event of a new item is composed before its transaction, because its bytes go to the disk first.

A read-only vault composes none: on a database that is older than the log, any event would be a second history.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

import evidence_vault
from anchors.values import field, value
from evidence_vault.core.canonical import Json
from evidence_vault.core.disclosures import digest_disclosure, encode_disclosure
from evidence_vault.core.events import Event, Subject, encode_event, first_slot
from evidence_vault.core.names import encode_time
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors, events
from evidence_vault.store.queries.events import Composed, Head

TOOL = "evidence-vault"


@value
class EventActor:
    """Who acts: an actor id, the role it acts in, how it proved itself, and for whom."""

    id: str
    role: str
    auth: str
    on_behalf_of: str | None = None


@value
class Draft:
    """What is to be said, before it has a place. disclosures: personal values in clear, by name."""

    subject: Subject
    type: str
    actor: EventActor
    fields: Mapping[str, Json] = field(default_factory=dict)
    why: Mapping[str, Json] = field(default_factory=dict)
    result: str = "ok"
    disclosures: Mapping[str, str] = field(default_factory=dict)


@value
class Recorded:
    """An inserted event; `event_id` is its row."""

    event: Event
    event_id: int


def append_event(vault: Vault, session: Session, draft: Draft) -> Recorded:
    """Append one event, as `append_events` does."""
    (recorded,) = append_events(vault, session, [draft])
    return recorded


def append_events(vault: Vault, session: Session, drafts: Sequence[Draft]) -> list[Recorded]:
    """Append each to its subject's history: next seq, prev and slot, under the lock of its head.

    Durable when the session's transaction is. Raises FormatError for fields that the type doesn't allow, ReadOnly.
    """
    heads = events.lock_subject_heads(session, {draft.subject for draft in drafts})
    composed = []
    for draft in drafts:
        one = _compose(vault, draft, after=heads.get(draft.subject))
        heads[draft.subject] = one.head  # the next of this subject follows on it
        composed.append(one)
    ids = events.insert_events(session, composed)
    return [Recorded(event=one.event, event_id=i) for one, i in zip(composed, ids, strict=True)]


def compose_event(vault: Vault, draft: Draft) -> Composed:
    """Return the first event of a subject, not yet inserted. Raises ReadOnly."""
    return _compose(vault, draft, after=None)


def system_actor(session: Session) -> EventActor:
    """Return the vault itself as an actor. Raises IntegrityError before the log was opened."""
    state = actors.vault_state(session)
    if state is None:
        raise IntegrityError("vault_state", "an opened log", "none")
    return EventActor(id=state.system_actor_id, role="SYSTEM", auth="system")


def _compose(vault: Vault, draft: Draft, *, after: Head | None) -> Composed:
    vault.gate.require_open()
    seq, prev, slot = 0, None, first_slot(draft.subject)
    if after is not None:
        seq, prev, slot = after.seq + 1, after.event_sha256, after.next_slot
    disclosures = {
        name: encode_disclosure(name, value, salt=vault.random(16))
        for name, value in draft.disclosures.items()
    }
    common: dict[str, Json] = {
        "v": 1,
        "type": draft.type,
        "origin": vault.settings.origin,
        "env": vault.settings.log_class,
        "subject": {"kind": draft.subject.kind, "id": draft.subject.id},
        "seq": seq,
        "prev": None if prev is None else prev.hex(),
        "at": encode_time(vault.clock()),
        "clock": {"source": "system", "offset_ms": None},
        "actor": {
            "id": draft.actor.id,
            "role": draft.actor.role,
            "auth": draft.actor.auth,
            "on_behalf_of": draft.actor.on_behalf_of,
            "signature": None,
        },
        "where": {},
        "why": dict(draft.why),
        "how": {"tool": TOOL, "version": evidence_vault.__version__},
        "result": draft.result,
        "nonce": vault.random(32).hex(),
        "_sd": list[Json](sorted(digest_disclosure(text) for text in disclosures.values())),
    }
    event = encode_event({**draft.fields, **common})
    return Composed(event=event, slot=slot, disclosures=disclosures)
