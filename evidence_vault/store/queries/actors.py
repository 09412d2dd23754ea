"""Who may ask: actors, their roles, the bearer secrets that speak for them, and the vault's own row."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.store.columns import table
from evidence_vault.store.driver import plain, run
from evidence_vault.store.models import VaultState
from evidence_vault.store.people_models import Actor, ActorRole, Credential

NO_LICENCE = "none"
"""The licence of a program that acts for somebody: the operator vouches, no register does."""


def add_actor(
    session: Session,
    *,
    actor_id: str,
    name: str,
    role: str,
    at: datetime,
    kind: str = "program",
) -> Actor:
    """Add an actor of one role, that nobody had to agree to. role: one of `core.events.ROLES`.

    A role that is held by licence is given with none.
    """
    actor = Actor(
        id=actor_id,
        kind=kind,
        name=name,
        organisation_id=None,
        created_at=at,
        trusted_since=at,
        disabled_at=None,
    )
    session.add(actor)
    session.flush()
    licence = NO_LICENCE if role in ("AT", "NO", "AP") else None
    add_role(session, actor_id=actor_id, role=role, at=at, licence_number=licence, jurisdiction=licence)
    return actor


def add_nameless(session: Session, *, actor_id: str, name: str, at: datetime) -> None:
    """Add an actor that holds no role: somebody whom events name and whose row is gone."""
    session.add(
        Actor(
            id=actor_id,
            kind="person",
            name=name,
            organisation_id=None,
            created_at=at,
            trusted_since=at,
            disabled_at=None,
        )
    )
    session.flush()


def get_actor(session: Session, actor_id: str) -> Actor | None:
    """Return the actor, disabled or not."""
    return session.get(Actor, actor_id)


def holds_role(session: Session, actor_id: str, role: str) -> bool:
    """Whether this actor may act in this role now."""
    actor = session.get(Actor, actor_id, populate_existing=True)
    if actor is None or actor.disabled_at is not None:
        return False
    return any(held.role == role for held in live_roles(session, actor_id))


def holds_licence(session: Session, actor_id: str, role: str, licence: str) -> bool:
    """Whether this may be the licence under which the actor holds the role: it is, or none is on record."""
    return any(
        held.role == role and held.licence_number in (None, licence) for held in live_roles(session, actor_id)
    )


def add_role(
    session: Session,
    *,
    actor_id: str,
    role: str,
    at: datetime,
    licence_number: str | None = None,
    jurisdiction: str | None = None,
    given_by: str | None = None,
    confirmed_by: str | None = None,
) -> ActorRole:
    """Give an actor a role; the database refuses one that he holds already."""
    held = ActorRole(
        actor_id=actor_id,
        role=role,
        licence_number=licence_number,
        jurisdiction=jurisdiction,
        given_by=given_by,
        confirmed_by=confirmed_by,
        given_at=at,
        ended_at=None,
    )
    session.add(held)
    session.flush()
    return held


def live_roles(session: Session, actor_id: str) -> Sequence[ActorRole]:
    """Return the roles that the actor holds, in the order in which they were given."""
    return session.scalars(
        select(ActorRole)
        .where(ActorRole.actor_id == actor_id, ActorRole.ended_at.is_(None))
        .order_by(ActorRole.id)
    ).all()


def add_credential(session: Session, credential: Credential) -> Credential:
    """Add a bearer secret, of which only the digest is known here."""
    session.add(credential)
    session.flush()
    return credential


@value
class Speaker:
    """Whom a bearer secret speaks for."""

    actor_id: str
    role: str
    scopes: str
    auth: str
    organisation_id: str | None


@value
class Sliding:
    """When a session that is in use ends by silence, and at the latest."""

    expires_at: datetime
    idle_s: int
    ends_at: datetime


def find_speaker(
    session: Session, token_sha256: bytes, *, now: datetime
) -> tuple[Speaker, Sliding | None] | None:
    """Return whom the secret speaks for, if it, its actor and its role are good at `now`."""
    found = session.execute(
        select(Credential, ActorRole.role, Actor.organisation_id)
        .join(Actor, Credential.actor_id == Actor.id)
        .join(ActorRole, Credential.role_id == ActorRole.id)
        .where(
            Credential.token_sha256 == token_sha256,
            Credential.revoked_at.is_(None),
            (Credential.expires_at.is_(None)) | (Credential.expires_at > now),
            Actor.disabled_at.is_(None),
            ActorRole.ended_at.is_(None),
        )
    ).first()
    if found is None:
        return None
    row, role, organisation_id = found
    sliding = None
    if row.expires_at is not None and row.idle_s is not None and row.ends_at is not None:
        sliding = Sliding(expires_at=row.expires_at, idle_s=row.idle_s, ends_at=row.ends_at)
    return (
        Speaker(
            actor_id=row.actor_id,
            role=role,
            scopes=row.scopes,
            auth=row.auth,
            organisation_id=organisation_id,
        ),
        sliding,
    )


def slide(session: Session, token_sha256: bytes, *, expires_at: datetime) -> None:
    """Let a live session end later. It never moves back: of two requests the later one counts."""
    session.execute(
        update(Credential)
        .where(
            Credential.token_sha256 == token_sha256,
            Credential.revoked_at.is_(None),
            Credential.expires_at < expires_at,
        )
        .values(expires_at=expires_at)
    )


TOKENS_AT_ONCE = 8
"""Tokens in one statement, which is always the same: a group of deposits seldom has more."""

_GOOD_TOKENS = f"""
    SELECT token_sha256, credentials.actor_id, actor_roles.role, scopes, auth, organisation_id
    FROM credentials
    JOIN actors ON actors.id = credentials.actor_id
    JOIN actor_roles ON actor_roles.id = credentials.role_id
    WHERE token_sha256 IN ({", ".join("?" * TOKENS_AT_ONCE)})
    AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
    AND disabled_at IS NULL AND actor_roles.ended_at IS NULL
"""  # noqa: S608 - marks only
"""Every group of deposits asks it."""

_LOCKED = {"postgresql": " FOR SHARE OF credentials"}


def find_speakers(
    session: Session, token_sha256s: Collection[bytes], *, now: datetime
) -> Mapping[bytes, Speaker]:
    """Return whom each of these secrets speaks for that is good at `now`.

    Until this transaction ends nobody revokes them: what it commits was permitted when it was committed. (On SQLite
    there is one writer anyway.) Ending a role or disabling an actor revokes what speaks for them, so it waits too.
    """
    connection = session.connection()
    as_stored = plain(table(Credential).c.expires_at.type, connection.dialect)
    statement = _GOOD_TOKENS + _LOCKED.get(connection.dialect.name, "")
    asked, found = list(token_sha256s), dict[bytes, Speaker]()
    for start in range(0, len(asked), TOKENS_AT_ONCE):
        part = asked[start : start + TOKENS_AT_ONCE]
        part += part[-1:] * (TOKENS_AT_ONCE - len(part))
        rows = run(connection, statement, (*part, as_stored(now) if as_stored else now))
        for token, actor_id, role, scopes, auth, organisation_id in rows:
            found[bytes(token)] = Speaker(
                actor_id=actor_id, role=role, scopes=scopes, auth=auth, organisation_id=organisation_id
            )
    return found


def list_credentials(
    session: Session, *, kind: str, actor_id: str | None = None
) -> Sequence[tuple[Credential, str]]:
    """Return the credentials of this kind that were ever made, each with its role, oldest first."""
    statement = (
        select(Credential, ActorRole.role)
        .join(ActorRole, Credential.role_id == ActorRole.id)
        .where(Credential.kind == kind)
        .order_by(Credential.created_at, Credential.token_sha256)
    )
    if actor_id is not None:
        statement = statement.where(Credential.actor_id == actor_id)
    return [(row[0], row[1]) for row in session.execute(statement)]


def is_token(session: Session, token_sha256: bytes | None) -> bool:
    """Whether this is the digest of a program's token, and not of a session."""
    row = None if token_sha256 is None else session.get(Credential, token_sha256)
    return row is not None and row.kind == "token"


def why_token_ended(session: Session, token_sha256: bytes, *, now: datetime) -> str | None:
    """Return why this token speaks for nobody any more; none while it does."""
    row = session.get(Credential, token_sha256, populate_existing=True)
    if row is None or row.revoked_at is not None:
        return "its token was revoked"
    if row.expires_at is not None and row.expires_at <= now:
        return "its token ran out"
    return None


def revoke_credential(session: Session, token_sha256: bytes, *, now: datetime) -> bool:
    """End a credential; false if there was no live one."""
    done = session.execute(
        update(Credential)
        .where(Credential.token_sha256 == token_sha256, Credential.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(Credential.token_sha256)
    )
    return done.first() is not None


def revoke_all(
    session: Session,
    actor_id: str,
    *,
    now: datetime,
    role_id: int | None = None,
    kind: str | None = None,
    but: bytes | None = None,
) -> int:
    """End all credentials of an actor, or only those of one role or kind, but one; return how many."""
    statement = update(Credential).where(Credential.actor_id == actor_id, Credential.revoked_at.is_(None))
    if role_id is not None:
        statement = statement.where(Credential.role_id == role_id)
    if kind is not None:
        statement = statement.where(Credential.kind == kind)
    if but is not None:
        statement = statement.where(Credential.token_sha256 != but)
    ended = session.execute(statement.values(revoked_at=now).returning(Credential.token_sha256))
    return len(ended.all())


def vault_state(session: Session) -> VaultState | None:
    """Return who this vault is; none before its log was opened."""
    return session.get(VaultState, 1)


def add_vault_state(
    session: Session, *, origin: str, log_class: str, system_actor_id: str, at: datetime
) -> None:
    """Write down, once, who this vault is."""
    session.add(
        VaultState(id=1, origin=origin, log_class=log_class, system_actor_id=system_actor_id, opened_at=at)
    )
    session.flush()
