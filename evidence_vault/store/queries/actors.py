"""Who may ask: actors, their bearer tokens, and the vault's own row."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from evidence_vault.store.columns import table
from evidence_vault.store.driver import plain, run
from evidence_vault.store.models import Actor, ApiToken, VaultState


def add_actor(session: Session, *, actor_id: str, name: str, role: str, at: datetime) -> Actor:
    """Add an actor. role: one of `core.events.ROLES`."""
    actor = Actor(id=actor_id, name=name, role=role, created_at=at, disabled_at=None)
    session.add(actor)
    session.flush()
    return actor


def get_actor(session: Session, actor_id: str) -> Actor | None:
    """Return the actor, disabled or not."""
    return session.get(Actor, actor_id)


def add_token(
    session: Session,
    *,
    token_sha256: bytes,
    actor_id: str,
    label: str,
    scopes: str,
    at: datetime,
    expires_at: datetime | None,
) -> ApiToken:
    """Add a bearer token, of which only the digest is known here. scopes: space-separated."""
    token = ApiToken(
        token_sha256=token_sha256,
        actor_id=actor_id,
        label=label,
        scopes=scopes,
        created_at=at,
        expires_at=expires_at,
        revoked_at=None,
    )
    session.add(token)
    session.flush()
    return token


def find_actor_by_token(
    session: Session, token_sha256: bytes, *, now: datetime
) -> tuple[Actor, ApiToken] | None:
    """Return whom the token speaks for, and the token, if both are good at `now`."""
    found = session.execute(
        select(Actor, ApiToken)
        .join(ApiToken, ApiToken.actor_id == Actor.id)
        .where(
            ApiToken.token_sha256 == token_sha256,
            ApiToken.revoked_at.is_(None),
            (ApiToken.expires_at.is_(None)) | (ApiToken.expires_at > now),
            Actor.disabled_at.is_(None),
        )
    ).first()
    return None if found is None else (found[0], found[1])


TOKENS_AT_ONCE = 8
"""Tokens in one statement, which is always the same: a group of deposits seldom has more."""

_GOOD_TOKENS = f"""
    SELECT token_sha256, actors.id, actors.role, scopes
    FROM api_tokens JOIN actors ON actors.id = actor_id
    WHERE token_sha256 IN ({", ".join("?" * TOKENS_AT_ONCE)})
    AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?) AND disabled_at IS NULL
"""  # noqa: S608 - marks only
"""Every group of deposits asks it."""

_LOCKED = {"postgresql": " FOR SHARE OF api_tokens"}


def find_actors_by_tokens(
    session: Session, token_sha256s: Collection[bytes], *, now: datetime
) -> Mapping[bytes, tuple[str, str, str]]:
    """Return (actor id, role, scopes) for each of these tokens that is good at `now`, by token.

    Until this transaction ends nobody revokes them: what it commits was permitted when it was committed. (On SQLite
    there is one writer anyway.)
    """
    connection = session.connection()
    as_stored = plain(table(ApiToken).c.expires_at.type, connection.dialect)
    statement = _GOOD_TOKENS + _LOCKED.get(connection.dialect.name, "")
    asked, found = list(token_sha256s), dict[bytes, tuple[str, str, str]]()
    for start in range(0, len(asked), TOKENS_AT_ONCE):
        part = asked[start : start + TOKENS_AT_ONCE]
        part += part[-1:] * (TOKENS_AT_ONCE - len(part))
        rows = run(connection, statement, (*part, as_stored(now) if as_stored else now))
        found |= {bytes(token): (actor_id, role, scopes) for token, actor_id, role, scopes in rows}
    return found


def list_tokens(session: Session) -> Sequence[tuple[ApiToken, Actor]]:
    """Return every token that was ever made, with its actor, oldest first."""
    rows = session.execute(
        select(ApiToken, Actor)
        .join(Actor, ApiToken.actor_id == Actor.id)
        .order_by(ApiToken.created_at, ApiToken.token_sha256)
    )
    return [(row[0], row[1]) for row in rows]


def revoke_token(session: Session, token_sha256: bytes, *, now: datetime) -> bool:
    """End a token; false if there was no live one."""
    done = session.execute(
        update(ApiToken)
        .where(ApiToken.token_sha256 == token_sha256, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(ApiToken.token_sha256)
    )
    return done.first() is not None


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
