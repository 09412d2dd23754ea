"""Oneself: who the vault takes one for, one's tokens for programs, and a pseudonym to deposit under."""

import secrets
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from evidence_vault.access.decisions import ALL_SCOPES
from evidence_vault.api.caller import Caller, CallerWithSecret, VaultHere
from evidence_vault.api.description import may_answer
from evidence_vault.api.json_body import Asked, asked_as, body_of
from evidence_vault.api.schemas import View
from evidence_vault.api.sessions import require_session
from evidence_vault.core.names import encode_time
from evidence_vault.errors import AccessRefused, FormatError, TooMany
from evidence_vault.identity.actors import (
    TokenFacts,
    list_tokens,
    revoke_token,
    token_credential,
    token_facts,
)
from evidence_vault.identity.tokens import encode_token
from evidence_vault.pipeline.intake.pseudonyms import take_pseudonym
from evidence_vault.store.queries import actors

MAX_TOKEN_DAYS = 366
"""Of a token that a person makes for his own program; the operator's may live longer."""

router = APIRouter(tags=["me"])


class MeView(View):
    """Whom the vault takes the caller for, and what this secret is good for."""

    actor_id: str
    kind: str
    name: str
    organisation_id: str | None
    role: str
    roles: list[str]
    scopes: list[str]
    auth: str


class TokenAsked(Asked):
    """A token for a program, in the role of this session."""

    label: str = Field(min_length=1, max_length=200)
    scopes: list[str] = Field(min_length=1, max_length=20)
    days: int = Field(ge=1, le=MAX_TOKEN_DAYS)


class TokenView(View):
    """A token, without its secret."""

    id: str
    label: str
    role: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class MadeTokenView(TokenView):
    """A new token. secret: told once."""

    secret: str


class TokenList(View):
    """All tokens that one ever made, oldest first."""

    tokens: list[TokenView]


class PseudonymAsked(Asked):
    """A name to be known by, and how long its token is good."""

    name: str = Field(min_length=1, max_length=200)
    days: int = Field(default=365, ge=1, le=3650)


class PseudonymView(View):
    """A pseudonym. secret: its token, told once; without it nobody reaches what was deposited under it."""

    actor_id: str
    secret: str


@router.get("/me")
def show_me(vault: VaultHere, caller: Caller) -> MeView:
    """Show whom the vault takes one for."""
    with vault.database.read() as session:
        actor = actors.get_actor(session, caller.actor_id)
        held = [one.role for one in actors.live_roles(session, caller.actor_id)]
    if actor is None:
        raise AccessRefused("show_me", caller.actor_id)
    return MeView(
        actor_id=actor.id,
        kind=actor.kind,
        name=actor.name,
        organisation_id=actor.organisation_id,
        role=caller.role,
        roles=held,
        scopes=sorted(caller.scopes),
        auth=caller.auth,
    )


@router.get("/tokens")
def show_tokens(vault: VaultHere, caller: Caller) -> TokenList:
    """Show one's own tokens, the ended ones too."""
    found = list_tokens(vault.database, actor_id=caller.actor_id)
    return TokenList(tokens=[TokenView(**_token(one)) for one in found])


@router.post(
    "/tokens", status_code=201, openapi_extra=body_of(TokenAsked, **may_answer("not-found", "too-many"))
)
def make_token(
    vault: VaultHere,
    caller: CallerWithSecret,
    asked: Annotated[TokenAsked, Depends(asked_as(TokenAsked))],
) -> MadeTokenView:
    """Make a token for a program, in the role of this session. A token makes none: a thief's would live on."""
    require_session(vault, caller.token_sha256)
    if unknown := sorted(set(asked.scopes) - set(ALL_SCOPES)):
        raise FormatError("body.scopes", "some of " + ", ".join(ALL_SCOPES), ", ".join(unknown)[:100])
    secret, now, own = encode_token(secrets.token_bytes(32)), vault.clock(), caller.requester
    with vault.database.write() as session:
        live = [
            row
            for row, _ in actors.list_credentials(session, kind="token", actor_id=own.actor_id)
            if row.revoked_at is None and (row.expires_at is None or row.expires_at > now)
        ]
        if len(live) >= vault.settings.identity.max_tokens:
            raise TooMany("tokens", f"{len(live)} are live: revoke one first")
        held = next((one for one in actors.live_roles(session, own.actor_id) if one.role == own.role), None)
        if held is None:
            raise AccessRefused("make_token", own.role)
        row = token_credential(
            secret,
            actor_id=own.actor_id,
            role_id=held.id,
            label=asked.label,
            scopes=frozenset(asked.scopes) & own.scopes,
            now=now,
            life=timedelta(days=asked.days),
        )
        facts = token_facts(actors.add_credential(session, row), own.role)
    return MadeTokenView(**_token(facts), secret=secret)


@router.delete("/tokens/{token_id}", status_code=204)
def end_token(
    vault: VaultHere, caller: Caller, token_id: Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
) -> Response:
    """End one of one's own tokens. The next request with it finds nobody."""
    try:
        revoke_token(vault.database, token_id, now=vault.clock(), actor_id=caller.actor_id)
    except FormatError:
        raise AccessRefused("end_token", token_id) from None
    return Response(status_code=204)


@router.post(
    "/me/pseudonyms", status_code=201, openapi_extra=body_of(PseudonymAsked, **may_answer("not-found"))
)
def make_pseudonym(
    vault: VaultHere,
    caller: CallerWithSecret,
    asked: Annotated[PseudonymAsked, Depends(asked_as(PseudonymAsked))],
) -> PseudonymView:
    """Take a pseudonym, to deposit under with the token that comes back. Who stands behind it is sealed."""
    require_session(vault, caller.token_sha256)
    made = take_pseudonym(vault, caller.requester, name=asked.name, days=asked.days)
    return PseudonymView(actor_id=made.id, secret=made.token)


def _token(facts: TokenFacts) -> dict[str, Any]:
    def time(at: datetime | None) -> str | None:
        return None if at is None else encode_time(at)

    return {
        "id": facts.id,
        "label": facts.label,
        "role": facts.role,
        "scopes": list(facts.scopes),
        "created_at": encode_time(facts.created_at),
        "expires_at": time(facts.expires_at),
        "revoked_at": time(facts.revoked_at),
    }
