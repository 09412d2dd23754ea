"""Pseudonyms: an actor of its own, behind whom stands a person; who, is sealed, and opened only under an order.

A rights holder who fears for himself asks for a pseudonym and gets a token for it: what he deposits with that is
the pseudonym's, in events, receipts and bundles. The vault needs no more to serve him, so it keeps the link only
encrypted (AES-256-GCM, a key of its own in the home, the pseudonym's id authenticated). A copy of the database says
nothing; whoever has the machine can read it, as the platform statement says of content. Lost token: the items stay,
nobody but an order reaches them.

`reveal` is for the bench alone and writes PSEUDONYM_REVEALED on the item before it answers. The answer travels to
the court; the event keeps its salted digest, so that the court can show later what it was told, and no reader of
the history learns it.
"""

import secrets
from datetime import timedelta
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.access.decisions import Requester
from evidence_vault.core.events import Subject
from evidence_vault.core.names import CASE_ID, GRANT_ID, LABEL, encode_id
from evidence_vault.errors import AccessRefused, ConfigError, FormatError, IntegrityError
from evidence_vault.identity.actors import token_credential
from evidence_vault.identity.tokens import encode_token
from evidence_vault.pipeline.record import Draft, EventActor, append_event
from evidence_vault.pipeline.vault import Vault
from evidence_vault.signer.keys import create_key, load_key
from evidence_vault.store.queries import actors, events, people

KEY_FILE = "pseudonym.key"
SCOPES = ("deposit", "read", "content", "export", "cases")
MAX_LIFE_DAYS = 3650
"""As of any token."""
REVEALED_TO = ("JU", "AM")
"""Who may order it: judge, arbitrator."""


@value
class Pseudonym:
    """A new pseudonym and its token, told once."""

    id: str
    token: str


@value
class Revealed:
    """Who stands behind a pseudonym. disclosures: by name, to show what event `seq` commits to (RFC 9901)."""

    pseudonym_id: str
    person_id: str
    name: str
    seq: int
    disclosures: dict[str, str]


def take_pseudonym(vault: Vault, requester: Requester, *, name: str, days: int) -> Pseudonym:
    """Make a pseudonym of a rights holder, under a name that he chooses for it, with a token.

    Durable after return. No event tells of it: it would be the link. Times that are kept are the day's; the line in
    the server's own log has the minute, and goes where the operator lets it go. days: with today, the first.
    Raises FormatError, AccessRefused for anybody but a person who is a rights holder.
    """
    LABEL.check(name, "name")
    if not 1 <= days <= MAX_LIFE_DAYS:
        raise FormatError("days", f"1 to {MAX_LIFE_DAYS}", days)
    key = _ready_key(vault)
    pseudonym_id, token = encode_id("ac", vault.random(16)), encode_token(secrets.token_bytes(32))
    today = vault.clock().replace(hour=0, minute=0, second=0, microsecond=0)
    with vault.database.write() as session:
        if requester.role != "RH" or people.get_person(session, requester.actor_id) is None:
            raise AccessRefused("take_pseudonym", requester.actor_id)
        people.add_person(
            session, actor_id=pseudonym_id, kind="pseudonym", name=name, organisation_id=None, at=today
        )
        held = actors.add_role(session, actor_id=pseudonym_id, role="RH", at=today)
        actors.add_credential(
            session,
            token_credential(
                token,
                actor_id=pseudonym_id,
                role_id=held.id,
                label=name,
                scopes=SCOPES,
                now=today,
                life=timedelta(days=days),
            ),
        )
        people.add_pseudonym(
            session, actor_id=pseudonym_id, sealed=_seal(key, pseudonym_id, requester.actor_id)
        )
    return Pseudonym(id=pseudonym_id, token=token)


def is_pseudonym(session: Session, actor_id: str) -> bool:
    """Whether this actor is a pseudonym."""
    return people.sealed_link(session, actor_id) is not None


def reveal(
    vault: Vault,
    session: Session,
    *,
    item_id: str,
    pseudonym_id: str,
    by: EventActor,
    order_id: str,
    case_id: str,
) -> Revealed:
    """Record on the item that the pseudonym of its deposit is opened under this order, and return who it is.

    That the order is live, about this item and asks for this is for the caller to judge, in the same transaction;
    durable when that is: commit before the answer leaves. Raises AccessRefused for a role that is not the bench's
    and for an actor that is no pseudonym, FormatError without order and case, IntegrityError for a link that
    doesn't open.
    """
    GRANT_ID.check(order_id, "order")
    CASE_ID.check(case_id, "case")
    sealed = people.sealed_link(session, pseudonym_id)
    if by.role not in REVEALED_TO or sealed is None:
        raise AccessRefused("reveal_pseudonym", item_id)
    person_id = _open(load_key(_key_path(vault)), pseudonym_id, sealed)
    person = actors.get_actor(session, person_id)
    name = "" if person is None else person.name
    recorded = append_event(
        vault,
        session,
        Draft(
            subject=Subject(kind="item", id=item_id),
            type="PSEUDONYM_REVEALED",
            actor=by,
            fields={"pseudonym": pseudonym_id, "order": order_id, "case": case_id},
            disclosures={"person": person_id, **({"name": name} if name else {})},
        ),
    )
    kept = dict(events.disclosures_of(session, [recorded.event_id]).get(recorded.event_id, {}))
    events.erase_disclosures(session, recorded.event_id)
    return Revealed(
        pseudonym_id=pseudonym_id,
        person_id=person_id,
        name=name,
        seq=recorded.event.seq,
        disclosures=kept,
    )


def _key_path(vault: Vault) -> Path:
    return vault.settings.home / "keys" / KEY_FILE


def _ready_key(vault: Vault) -> bytes:
    """Return the key that seals links, made when the first is: a vault without pseudonyms has none."""
    path = _key_path(vault)
    if not path.exists():
        with vault.database.write() as session:
            if people.has_pseudonyms(session):
                raise ConfigError(KEY_FILE, "it is missing, and pseudonyms were sealed with it: restore it")
            if not path.exists():  # another process may have been first
                create_key(path, random=vault.random)
    return load_key(path)


def _seal(key: bytes, pseudonym_id: str, person_id: str) -> bytes:
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(key).encrypt(nonce, person_id.encode("ascii"), _about(pseudonym_id))


def _open(key: bytes, pseudonym_id: str, sealed: bytes) -> str:
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], _about(pseudonym_id)).decode("ascii")
    except InvalidTag:
        raise IntegrityError(
            "pseudonyms", "a link that was sealed here, for this pseudonym", "another"
        ) from None


def _about(pseudonym_id: str) -> bytes:
    return b"evidence-vault/pseudonym/v1\n" + pseudonym_id.encode("ascii")
