"""Sessions of persons: begun by a login, in one role, ended by silence, by the clock, or by somebody.

A session is a bearer secret like a token, found by the same statement; each use lets it end later, up to a whole
day's end. Every login, every change of role or password makes a new secret and ends the one before: a secret
that somebody else had planted or seen is worth nothing afterwards.

Each function works in its caller's transaction.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.identity.tokens import digest_token, encode_token
from evidence_vault.identity_settings import Identity
from evidence_vault.store.people_models import ActorRole, Credential
from evidence_vault.store.queries import actors


@value
class Opened:
    """A new session. secret: told once. roles: all that the person could act in."""

    secret: str
    id: str
    actor_id: str
    role: str
    roles: tuple[str, ...]
    auth: str
    expires_at: datetime
    ends_at: datetime


def open_session(
    session: Session,
    rules: Identity,
    *,
    actor_id: str,
    role: str | None,
    auth: str,
    now: datetime,
    instead_of: bytes | None = None,
    ends_at: datetime | None = None,
) -> Opened | None:
    """Begin a session in this role, or in the first that was given; none without such a role.

    instead_of: the digest of the secret it replaces, which ends. ends_at: of that one, which isn't prolonged.
    """
    actor = actors.get_actor(session, actor_id)
    held = [] if actor is None or actor.disabled_at is not None else actors.live_roles(session, actor_id)
    chosen: ActorRole | None = next((one for one in held if role in (None, one.role)), None)
    if chosen is None:
        return None
    if instead_of is not None:
        actors.revoke_credential(session, instead_of, now=now)
    _make_room(session, rules, actor_id, now)
    secret = encode_token(secrets.token_bytes(32), "es")
    ends_at = ends_at or now + timedelta(hours=rules.session_hours)
    idle = timedelta(minutes=rules.session_idle_minutes)
    row = actors.add_credential(
        session,
        Credential(
            token_sha256=digest_token(secret),
            kind="session",
            actor_id=actor_id,
            role_id=chosen.id,
            label="",
            scopes=" ".join(ALL_SCOPES),
            auth=auth,
            created_at=now,
            expires_at=min(now + idle, ends_at),
            idle_s=int(idle.total_seconds()),
            ends_at=ends_at,
            revoked_at=None,
        ),
    )
    assert row.expires_at is not None
    return Opened(
        secret=secret,
        id=row.token_sha256.hex()[:16],
        actor_id=actor_id,
        role=chosen.role,
        roles=tuple(one.role for one in held),
        auth=auth,
        expires_at=row.expires_at,
        ends_at=ends_at,
    )


def change_role(
    session: Session, rules: Identity, token_sha256: bytes, *, role: str, now: datetime
) -> Opened | None:
    """Go on in another role, with a new secret that ends when the old one would have; none if he hasn't it."""
    row = live_session(session, token_sha256, now=now)
    if row is None:
        return None
    return open_session(
        session,
        rules,
        actor_id=row.actor_id,
        role=role,
        auth=row.auth,
        now=now,
        instead_of=token_sha256,
        ends_at=row.ends_at,
    )


def live_session(session: Session, token_sha256: bytes, *, now: datetime) -> Credential | None:
    """Return the session with this digest if it is live; none for a token too."""
    row = session.get(Credential, token_sha256)
    if row is None or row.kind != "session" or row.revoked_at is not None:
        return None
    return row if row.expires_at is not None and row.expires_at > now else None


@value
class SessionFacts:
    """What its owner may see of a live session."""

    id: str
    role: str
    auth: str
    created_at: datetime
    expires_at: datetime


def list_sessions(session: Session, actor_id: str, *, now: datetime) -> Sequence[SessionFacts]:
    """Return the live sessions of a person, oldest first."""
    return [
        SessionFacts(
            id=row.token_sha256.hex()[:16],
            role=role,
            auth=row.auth,
            created_at=row.created_at,
            expires_at=row.expires_at,
        )
        for row, role in actors.list_credentials(session, kind="session", actor_id=actor_id)
        if row.revoked_at is None and row.expires_at is not None and row.expires_at > now
    ]


def _make_room(session: Session, rules: Identity, actor_id: str, now: datetime) -> None:
    """End the oldest sessions beyond the limit: a flood of logins fills no table with live secrets."""
    live = [
        row
        for row, _ in actors.list_credentials(session, kind="session", actor_id=actor_id)
        if row.revoked_at is None and row.expires_at is not None and row.expires_at > now
    ]
    for row in live[: max(0, len(live) - rules.max_sessions + 1)]:
        actors.revoke_credential(session, row.token_sha256, now=now)
