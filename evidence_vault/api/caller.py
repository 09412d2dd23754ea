"""Who calls and which vault is meant: what endpoints depend on.

A token is looked up in the database for every request, with one exception: a depositor's, who was let in by this
process within the last minute, is taken at its word until the deposit is committed. There, in the transaction that
makes the deposit real, all tokens of a group are looked up at once, and one that was revoked meanwhile, by whatever
process, keeps nothing. So a revocation takes effect at once, and a lookup costs a deposit nothing.
"""

import time
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from anchors.values import replace, value
from evidence_vault.access.decisions import NotPermitted
from evidence_vault.access.facts import Requester
from evidence_vault.access.management import decide_on_change, decide_on_management
from evidence_vault.api.body import in_thread
from evidence_vault.api.cookies import session_in
from evidence_vault.api.problems import CHALLENGE, INVALID_TOKEN, ProblemError
from evidence_vault.core.names import ACTOR_ID
from evidence_vault.errors import FormatError
from evidence_vault.identity.actors import authenticate
from evidence_vault.identity.tokens import digest_token
from evidence_vault.pipeline.vault import Vault

REMEMBERED_S = 60.0
"""How long a depositor's token is not looked up before its deposit is committed."""

MAX_REMEMBERED = 10_000
"""Tokens remembered; when there are more, all are looked up once more."""

ON_BEHALF_OF = b"on-behalf-of"
"""The header field in which a lawyer names the holder for whom he acts: an actor id."""

BEARER = HTTPBearer(auto_error=False, description="A token, `ev_…`, or the secret of a session, `es_…`")


@value
class Depositor:
    """Who deposits, as of at most a minute ago, and the digest of the token, to be looked up at the commit."""

    requester: Requester
    token_sha256: bytes


class Remembered:
    """Depositors that were let in lately, by the digest of their token."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Requester, float]] = {}

    def find(self, token_sha256: bytes) -> Requester | None:
        """Return who was let in with this token, if that is not long ago."""
        requester, until = self._known.get(token_sha256, (None, 0.0))
        return requester if time.monotonic() < until else None

    def add(self, token_sha256: bytes, requester: Requester) -> None:
        """Remember who was let in just now."""
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[token_sha256] = (requester, time.monotonic() + REMEMBERED_S)

    def forget(self, token_sha256: bytes) -> None:
        """Look this token up the next time."""
        self._known.pop(token_sha256, None)


async def vault_of(request: Request) -> Vault:
    """Return the vault that this app serves."""
    vault = request.app.state.vault
    assert isinstance(vault, Vault)
    return vault


async def authenticated(
    request: Request,
    vault: Annotated[Vault, Depends(vault_of)],
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Requester:
    """Return whom the bearer token speaks for. Raises ProblemError, before any of the body is read."""
    return acting_for(request, await _let_in(request, vault, _secret_of(request, vault, sent)))


async def depositing(
    request: Request,
    vault: Annotated[Vault, Depends(vault_of)],
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Depositor:
    """Return who deposits. Raises ProblemError, before any of the body is read."""
    return await depositor_with(request, vault, _secret_of(request, vault, sent))


async def depositor_with(request: Request, vault: Vault, token: str | None) -> Depositor:
    """Return who deposits with this bearer token. Raises ProblemError."""
    remembered = request.app.state.remembered
    assert isinstance(remembered, Remembered)
    try:
        token_sha256 = b"" if token is None else digest_token(token)
    except FormatError:
        raise _unknown_token() from None
    requester = remembered.find(token_sha256)
    if requester is None:
        requester = await _let_in(request, vault, token)
        remembered.add(token_sha256, requester)
    request.scope["state"]["actor_id"] = requester.actor_id
    return Depositor(requester=acting_for(request, requester), token_sha256=token_sha256)


def bearer_token(request: Request) -> str | None:
    """Return the token that came with the request, as `BEARER` finds it; none: no such field, or another scheme."""
    sent = next((text for name, text in request.scope["headers"] if name == b"authorization"), b"")
    scheme, _, token = sent.decode("latin-1").partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


def sent_secret(request: Request, vault: Vault) -> str | None:
    """Return the secret that came with the request: as a bearer token, else in a cookie that counts here."""
    return bearer_token(request) or session_in(request, vault.settings.base_url)


def _secret_of(request: Request, vault: Vault, sent: HTTPAuthorizationCredentials | None) -> str | None:
    return session_in(request, vault.settings.base_url) if sent is None else sent.credentials


async def depositing_now(
    request: Request,
    vault: Annotated[Vault, Depends(vault_of)],
    caller: Annotated[Requester, Depends(authenticated)],
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Depositor:
    """Return who asks, looked up for this very request, with the digest of what let him in."""
    secret = _secret_of(request, vault, sent)
    assert secret is not None  # or he would not be authenticated
    return Depositor(requester=caller, token_sha256=digest_token(secret))


async def managing(caller: Annotated[Requester, Depends(authenticated)]) -> Requester:
    """Return an administrator. Raises NotPermitted."""
    decide_on_management(caller)
    return caller


def acting_for(request: Request, requester: Requester) -> Requester:
    """Return the requester as acting for whom `On-Behalf-Of` names: a lawyer, for a holder whose grant he has.

    Raises FormatError, NotPermitted. Whether there is such a grant is decided with what he wants to do.
    """
    named = [text for name, text in request.scope["headers"] if name == ON_BEHALF_OF]
    if not named:
        return requester
    holder_id = named[0].decode("latin-1")
    if len(named) > 1:
        raise FormatError("On-Behalf-Of", "the field once", f"{len(named)} times")
    ACTOR_ID.check(holder_id, "On-Behalf-Of")
    if requester.role != "AT":
        raise NotPermitted("act for somebody else")
    return replace(requester, on_behalf_of=holder_id)


async def _let_in(request: Request, vault: Vault, token: str | None) -> Requester:
    """Return whom the token speaks for, as the database says now. Raises ProblemError."""
    if token is None:
        raise ProblemError("unauthorized", "no bearer token came with it", {"WWW-Authenticate": CHALLENGE})
    requester = await in_thread(_look_up, vault, token)
    if requester is None:
        raise _unknown_token()
    request.scope["state"]["actor_id"] = requester.actor_id
    return requester


def _look_up(vault: Vault, token: str) -> Requester | None:
    return authenticate(vault.database, token, now=vault.clock())


def _unknown_token() -> ProblemError:
    return ProblemError(
        "unauthorized",
        "the bearer token is unknown, expired or revoked",
        {"WWW-Authenticate": INVALID_TOKEN},
    )


async def changing(caller: Annotated[Requester, Depends(authenticated)]) -> Requester:
    """Return an administrator who is logged in himself. Raises NotPermitted."""
    decide_on_change(caller)
    return caller


VaultHere = Annotated[Vault, Depends(vault_of)]
Caller = Annotated[Requester, Depends(authenticated)]
DepositingCaller = Annotated[Depositor, Depends(depositing)]
DepositingNow = Annotated[Depositor, Depends(depositing_now)]
CallerWithSecret = DepositingNow
"""Who asks, and the digest of the secret that he came with."""

Administrator = Annotated[Requester, Depends(managing)]
LoggedInAdministrator = Annotated[Requester, Depends(changing)]
