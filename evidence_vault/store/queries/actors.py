"""Who may ask: actors, their bearer tokens, and the vault's own row."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

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
    at: datetime,
    expires_at: datetime | None,
) -> None:
    """Add a bearer token, of which only the digest is known here."""
    session.add(
        ApiToken(
            token_sha256=token_sha256,
            actor_id=actor_id,
            label=label,
            created_at=at,
            expires_at=expires_at,
            revoked_at=None,
        )
    )
    session.flush()


def find_actor_by_token(session: Session, token_sha256: bytes, *, now: datetime) -> Actor | None:
    """Return whom the token speaks for, if it and the actor are good at `now`."""
    return session.scalar(
        select(Actor)
        .join(ApiToken, ApiToken.actor_id == Actor.id)
        .where(
            ApiToken.token_sha256 == token_sha256,
            ApiToken.revoked_at.is_(None),
            (ApiToken.expires_at.is_(None)) | (ApiToken.expires_at > now),
            Actor.disabled_at.is_(None),
        )
    )


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
