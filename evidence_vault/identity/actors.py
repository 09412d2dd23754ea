"""Programs and tokens: made, listed, revoked; and for every secret that comes in: whom does it speak for.

An actor's name stands in its row and nowhere else: events know the id only. Each function here is one
transaction, durable after it returns.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.access.decisions import ALL_SCOPES, Requester
from evidence_vault.core.events import ROLES
from evidence_vault.core.names import LABEL, encode_id
from evidence_vault.errors import FormatError, UnavailableError
from evidence_vault.identity.tokens import digest_token, encode_token
from evidence_vault.store.people_models import Credential
from evidence_vault.store.queries import actors
from evidence_vault.store.session import Database

MAX_LIFE_DAYS = 3650
"""Ten years; a token that is needed longer is made again."""

SLIDE_AFTER = timedelta(minutes=1)
"""A session's end is moved only if it moves this far: a write each minute, not each request."""

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
    """Make a program and a token for it; return the token, which can't be shown again, and its facts.

    No event tells of it: where the role has power, `pipeline.people.make_program` is the door.

    Raises FormatError for a name that isn't one line, a role or scope that doesn't exist, or too long a life.
    """
    with database.write() as session:
        return add_program(session, name=name, role=role, scopes=scopes, now=now, life=life)


def add_program(
    session: Session,
    *,
    name: str,
    role: str,
    scopes: Collection[str],
    now: datetime,
    life: timedelta | None,
) -> tuple[str, TokenFacts]:
    """Do what `issue_token` does, in the caller's transaction."""
    LABEL.check(name, "name")
    if role not in ROLES or role == "SYSTEM":
        raise FormatError("role", "one of " + ", ".join(r for r in ROLES if r != "SYSTEM"), role)
    token = encode_token(secrets.token_bytes(32))
    actor_id = encode_id("ac", secrets.token_bytes(16))
    actors.add_actor(session, actor_id=actor_id, name=name, role=role, at=now)
    (held,) = actors.live_roles(session, actor_id)
    row = token_credential(
        token, actor_id=actor_id, role_id=held.id, label=name, scopes=scopes, now=now, life=life
    )
    return token, token_facts(actors.add_credential(session, row), role)


def authenticate(database: Database, token: str, *, now: datetime) -> Requester | None:
    """Return whom the secret speaks for at `now`; none if it isn't one, is unknown, revoked or expired.

    A session that is in use ends later by this, though it is written down once a minute only.
    """
    try:
        token_sha256 = digest_token(token)
    except FormatError:
        return None
    with database.read() as session:
        found = actors.find_speaker(session, token_sha256, now=now)
    if found is None:
        return None
    speaker, sliding = found
    if sliding is not None:
        _slide(database, token_sha256, sliding, now)
    return _requester(speaker)


def _slide(database: Database, token_sha256: bytes, sliding: actors.Sliding, now: datetime) -> None:
    expires_at = min(now + timedelta(seconds=sliding.idle_s), sliding.ends_at)
    if expires_at - sliding.expires_at < SLIDE_AFTER:
        return
    with suppress(UnavailableError), database.write() as session:  # then it ends sooner: no harm
        actors.slide(session, token_sha256, expires_at=expires_at)


def _requester(speaker: actors.Speaker) -> Requester:
    return Requester(
        actor_id=speaker.actor_id,
        role=speaker.role,
        scopes=frozenset(speaker.scopes.split()),
        auth=speaker.auth,
        organisation_id=speaker.organisation_id,
    )


def find_requesters(
    session: Session, token_sha256s: Collection[bytes], *, now: datetime
) -> Mapping[bytes, Requester]:
    """Return whom these secrets speak for at `now`, in this transaction, without those that are not good."""
    found = actors.find_speakers(session, token_sha256s, now=now)
    return {token: _requester(speaker) for token, speaker in found.items()}


def list_tokens(database: Database, *, actor_id: str | None = None) -> Sequence[TokenFacts]:
    """Return all tokens that were ever made, or those of one actor, oldest first."""
    with database.read() as session:
        rows = actors.list_credentials(session, kind="token", actor_id=actor_id)
        return [token_facts(row, role) for row, role in rows]


def revoke_token(
    database: Database, token_id: str, *, now: datetime, actor_id: str | None = None
) -> TokenFacts:
    """End the token with this id, or this beginning of it. Raises FormatError unless exactly one matches.

    actor_id: whose it has to be, if not anybody's.
    """
    with database.write() as session:
        found = [
            (row, role)
            for row, role in actors.list_credentials(session, kind="token", actor_id=actor_id)
            if row.token_sha256.hex().startswith(token_id) and row.revoked_at is None
        ]
        if len(token_id) < 8 or len(found) != 1:
            raise FormatError(
                "token", "the id of one live token, at least its first 8 digits", f"{len(found)} that match"
            )
        row, role = found[0]
        actors.revoke_credential(session, row.token_sha256, now=now)
        session.refresh(row)
        return token_facts(row, role)


def token_credential(
    token: str,
    *,
    actor_id: str,
    role_id: int,
    label: str,
    scopes: Collection[str],
    now: datetime,
    life: timedelta | None,
) -> Credential:
    """Return the row of a new token, not yet added. Raises FormatError for a bad label, scope or life."""
    LABEL.check(label, "name")
    if unknown := sorted(set(scopes) - set(ALL_SCOPES)):
        raise FormatError("scopes", "some of " + ", ".join(ALL_SCOPES), ", ".join(unknown))
    if life is not None and not timedelta(0) < life <= timedelta(days=MAX_LIFE_DAYS):
        raise FormatError("life of the token", f"from 1 to {MAX_LIFE_DAYS} days", life)
    return Credential(
        token_sha256=digest_token(token),
        kind="token",
        actor_id=actor_id,
        role_id=role_id,
        label=label,
        scopes=" ".join(scope for scope in ALL_SCOPES if scope in scopes),
        auth=TOKEN_AUTH,
        created_at=now,
        expires_at=None if life is None else now + life,
        idle_s=None,
        ends_at=None,
        revoked_at=None,
    )


def token_facts(row: Credential, role: str) -> TokenFacts:
    """Return what may be shown of a token."""
    return TokenFacts(
        id=row.token_sha256.hex()[:16],
        actor_id=row.actor_id,
        role=role,
        label=row.label,
        scopes=tuple(row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
