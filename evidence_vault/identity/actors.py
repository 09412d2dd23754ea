"""Actors and their tokens: made, listed, revoked, and asked who is there.

An actor's name stands in its row and nowhere else: events know the id only. Each function here is one
transaction, durable after it returns.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.access.decisions import ALL_SCOPES, Requester
from evidence_vault.core.events import ROLES
from evidence_vault.core.names import LABEL, encode_id
from evidence_vault.errors import FormatError
from evidence_vault.identity.tokens import digest_token, encode_token
from evidence_vault.store.models import Actor, ApiToken
from evidence_vault.store.queries import actors
from evidence_vault.store.session import Database

MAX_LIFE_DAYS = 3650
"""Ten years; a token that is needed longer is made again."""

TOKEN_AUTH = "token"  # noqa: S105 - a word, not a secret
"""How events name this proof of who somebody is."""


@value
class TokenFacts:
    """What may be shown of a token. id: the first 16 hex digits of its SHA-256, enough to name it."""

    id: str
    actor_id: str
    role: str
    label: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def issue_token(
    database: Database,
    *,
    name: str,
    role: str,
    scopes: Collection[str],
    now: datetime,
    life: timedelta | None,
) -> tuple[str, TokenFacts]:
    """Make an actor and a token for it; return the token, which can't be shown again, and its facts.

    Raises FormatError for a name that isn't one line, a role or scope that doesn't exist, or too long a life.
    """
    LABEL.check(name, "name")
    if role not in ROLES or role == "SYSTEM":
        raise FormatError("role", "one of " + ", ".join(r for r in ROLES if r != "SYSTEM"), role)
    if unknown := sorted(set(scopes) - set(ALL_SCOPES)):
        raise FormatError("scopes", "some of " + ", ".join(ALL_SCOPES), ", ".join(unknown))
    if life is not None and not timedelta(0) < life <= timedelta(days=MAX_LIFE_DAYS):
        raise FormatError("life of the token", f"from 1 to {MAX_LIFE_DAYS} days", life)
    token = encode_token(secrets.token_bytes(32))
    with database.write() as session:
        actor = actors.add_actor(
            session, actor_id=encode_id("ac", secrets.token_bytes(16)), name=name, role=role, at=now
        )
        row = actors.add_token(
            session,
            token_sha256=digest_token(token),
            actor_id=actor.id,
            label=name,
            scopes=" ".join(scope for scope in ALL_SCOPES if scope in scopes),
            at=now,
            expires_at=None if life is None else now + life,
        )
        return token, _facts(row, actor)


def authenticate(database: Database, token: str, *, now: datetime) -> Requester | None:
    """Return whom the token speaks for at `now`; none if it isn't a token, is unknown, revoked or expired."""
    try:
        token_sha256 = digest_token(token)
    except FormatError:
        return None
    with database.read() as session:
        found = actors.find_actor_by_token(session, token_sha256, now=now)
        if found is None:
            return None
        actor, row = found
        return Requester(
            actor_id=actor.id, role=actor.role, scopes=frozenset(row.scopes.split()), auth=TOKEN_AUTH
        )


def find_requesters(
    session: Session, token_sha256s: Collection[bytes], *, now: datetime
) -> Mapping[bytes, Requester]:
    """Return whom these tokens speak for at `now`, in this transaction, without those that are not good."""
    found = actors.find_actors_by_tokens(session, token_sha256s, now=now)
    return {
        token: Requester(actor_id=actor_id, role=role, scopes=frozenset(scopes.split()), auth=TOKEN_AUTH)
        for token, (actor_id, role, scopes) in found.items()
    }


def list_tokens(database: Database) -> Sequence[TokenFacts]:
    """Return all tokens that were ever made, oldest first."""
    with database.read() as session:
        return [_facts(row, actor) for row, actor in actors.list_tokens(session)]


def revoke_token(database: Database, token_id: str, *, now: datetime) -> TokenFacts:
    """End the token with this id, or this beginning of it. Raises FormatError unless exactly one matches."""
    with database.write() as session:
        found = [
            (row, actor)
            for row, actor in actors.list_tokens(session)
            if row.token_sha256.hex().startswith(token_id) and row.revoked_at is None
        ]
        if len(token_id) < 8 or len(found) != 1:
            raise FormatError(
                "token", "the id of one live token, at least its first 8 digits", f"{len(found)} that match"
            )
        row, actor = found[0]
        actors.revoke_token(session, row.token_sha256, now=now)
        session.refresh(row)
        return _facts(row, actor)


def _facts(row: ApiToken, actor: Actor) -> TokenFacts:
    return TokenFacts(
        id=row.token_sha256.hex()[:16],
        actor_id=row.actor_id,
        role=actor.role,
        label=row.label,
        scopes=tuple(row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
