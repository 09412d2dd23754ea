"""Who calls and which vault is meant: what endpoints depend on."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from evidence_vault.access.decisions import Requester
from evidence_vault.api.problems import CHALLENGE, ProblemError
from evidence_vault.identity.actors import authenticate
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault

_BEARER = HTTPBearer(auto_error=False, description="`ev_…`, made with `evidence-vault token create`")


def vault_of(request: Request) -> Vault:
    """Return the vault that this app serves."""
    vault = request.app.state.vault
    assert isinstance(vault, Vault)
    return vault


def authenticated(
    request: Request,
    vault: Annotated[Vault, Depends(vault_of)],
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Requester:
    """Return whom the bearer token speaks for. Raises ProblemError, before any of the body is read."""
    if sent is None:
        raise ProblemError("unauthorized", "no bearer token came with it", {"WWW-Authenticate": CHALLENGE})
    requester = authenticate(vault.database, sent.credentials, now=vault.clock())
    if requester is None:
        raise ProblemError(
            "unauthorized",
            "the bearer token is unknown, expired or revoked",
            {"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'},
        )
    request.scope["state"]["actor_id"] = requester.actor_id
    return requester


def event_actor(requester: Requester) -> EventActor:
    """Return the requester as events name him."""
    return EventActor(id=requester.actor_id, role=requester.role, auth="token")


VaultHere = Annotated[Vault, Depends(vault_of)]
Caller = Annotated[Requester, Depends(authenticated)]
