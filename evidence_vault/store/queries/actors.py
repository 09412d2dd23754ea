"""Who may ask: actors, their bearer tokens, and the vault's own row."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from evidence_vault.store.columns import table
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

_ACTOR, _TOKEN = table(Actor).c, table(ApiToken).c
_ASKED = [f"token_{i}" for i in range(TOKENS_AT_ONCE)]
_GOOD_TOKENS = (
    select(_TOKEN.token_sha256, _ACTOR.id, _ACTOR.role, _TOKEN.scopes)
    .join_from(table(ApiToken), table(Actor), _TOKEN.actor_id == _ACTOR.id)
    .where(
        _TOKEN.token_sha256.in_([bindparam(name) for name in _ASKED]),
        _TOKEN.revoked_at.is_(None),
        (_TOKEN.expires_at.is_(None)) | (_TOKEN.expires_at > bindparam("now")),
        _ACTOR.disabled_at.is_(None),
    )
    .with_for_update(read=True, of=table(ApiToken))
)
"""Built once, past the object-relational layer: every group of deposits asks it."""


def find_actors_by_tokens(
    session: Session, token_sha256s: Collection[bytes], *, now: datetime
) -> Mapping[bytes, tuple[str, str, str]]:
    """Return (actor id, role, scopes) for each of these tokens that is good at `now`, by token.

    Until this transaction ends nobody revokes them: what it commits was permitted when it was committed. (On SQLite
    there is one writer anyway.)
    """
    asked, found = list(token_sha256s), dict[bytes, tuple[str, str, str]]()
    for start in range(0, len(asked), TOKENS_AT_ONCE):
        part = asked[start : start + TOKENS_AT_ONCE]
        part += part[-1:] * (TOKENS_AT_ONCE - len(part))
        rows = session.connection().execute(
            _GOOD_TOKENS, {**dict(zip(_ASKED, part, strict=True)), "now": now}
        )
        found |= {token: (actor_id, role, scopes) for token, actor_id, role, scopes in rows}
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
