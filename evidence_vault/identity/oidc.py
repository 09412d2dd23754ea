"""Logins at an OpenID provider: code flow with PKCE, state and nonce (OpenID Connect Core §3.1, RFC 7636, 9700).

    begin    a login is kept under way for ten minutes; the browser is sent to the provider
    finish   the same browser comes back with a code, which is exchanged for an ID token, once

What ties the two together: the state (a secret in the address), a cookie of the browser that began (so that
nobody is logged in as somebody else by a prepared address), the nonce (in the token), the verifier (for the code).
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from anchors.values import value
from evidence_vault.errors import EvidenceError, VerificationError
from evidence_vault.identity.attempts import attempt_at, attempt_succeeded, begin_attempt
from evidence_vault.identity.local import Desk
from evidence_vault.identity.sessions import Opened, open_session
from evidence_vault.store.people_models import OidcFlow
from evidence_vault.store.queries import logins

if TYPE_CHECKING:
    from evidence_vault.identity.oidc_provider import Provider

FLOW_MINUTES = 10


class UnknownSubject(EvidenceError):  # noqa: N818 - an answer, not a fault
    """The provider vouches for somebody whom this vault doesn't know, or who may not act in that role."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        super().__init__("no person of this vault logs in by this")


@value
class Begun:
    """Where to send the browser, and the secret that it has to bring back as a cookie."""

    url: str
    browser: str
    expires_at: datetime


def begin_login(
    desk: Desk, provider: "Provider", *, redirect_uri: str, role: str | None, address: str, now: datetime
) -> Begun:
    """Keep a login under way and say where it goes on. Raises Overloaded, UnavailableError."""
    name = provider.settings.name
    state, browser, nonce = (secrets.token_urlsafe(32) for _ in range(3))
    verifier = secrets.token_urlsafe(48)
    url = provider.address(redirect_uri=redirect_uri, state=state, nonce=nonce, verifier=verifier)
    expires_at = now + timedelta(minutes=FLOW_MINUTES)
    with desk.database.write() as session:
        begin_attempt(session, account=_account(name, address), address=address, now=now)
        logins.add_flow(
            session,
            OidcFlow(
                state_sha256=_digest(state),
                provider=name,
                browser_sha256=_digest(browser),
                nonce=nonce,
                verifier=verifier,
                role=role,
                expires_at=expires_at,
            ),
            now=now,
        )
    return Begun(url=url, browser=browser, expires_at=expires_at)


def finish_login(
    desk: Desk,
    providers: Mapping[str, "Provider"],
    *,
    redirect_uri: str,
    state: str,
    code: str,
    browser: str,
    issuer: str | None,
    address: str,
    now: datetime,
    instead_of: bytes | None = None,
) -> Opened:
    """Begin a session for whom the provider vouches for. The state is used up, whatever comes of it.

    browser: the secret of the browser that comes. issuer: who says to be answering, if it said so (RFC 9207).
    Raises VerificationError, UnknownSubject, UnavailableError.
    """
    with desk.database.write() as session:
        flow = logins.take_flow(session, _digest(state), now=now)
    if flow is None:
        raise VerificationError("state", "of a login that is under way", "another, or used")
    if not secrets.compare_digest(flow.browser_sha256, _digest(browser)):
        raise VerificationError("browser", "the one in which the login began", "another")
    provider = providers.get(flow.provider)
    if provider is None:
        raise VerificationError("provider", "one in the settings", flow.provider)
    if issuer is not None and issuer != provider.settings.issuer:
        raise VerificationError("issuer", provider.settings.issuer, issuer[:200])
    found = provider.identify(
        code, redirect_uri=redirect_uri, verifier=flow.verifier, nonce=flow.nonce, now=now
    )
    with desk.database.write() as session:
        login = logins.find_login(session, issuer=found.issuer, subject=found.subject)
        locked = None if login is None else logins.lock_login(session, login.id)
        opened = None
        if locked is not None:
            opened = open_session(
                session,
                desk.rules,
                actor_id=locked.actor_id,
                role=flow.role,
                auth=found.auth,
                now=now,
                instead_of=instead_of,
            )
        if opened is None:
            raise UnknownSubject(found.subject)
        attempt = attempt_at(session, account=_account(flow.provider, address), address=address)
        attempt_succeeded(session, attempt, now=now)
        return opened


def _account(provider: str, address: str) -> str:
    """Who somebody is isn't known before he comes back: what is counted is whoever begins and doesn't finish."""
    return f"{provider} {address}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
