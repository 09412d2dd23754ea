"""Log in at an OpenID provider.

    POST /v1/oidc/{provider}/login     → {"url": …} and a cookie: send the browser to the address
    GET  /v1/oidc/callback             ← the browser comes back; a session begins, in a cookie

Which provider answers is in the state, not in the address, and is held against what the provider says itself
(`iss`, RFC 9207): one provider's answer is never taken for another's.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from evidence_vault.api import cookies
from evidence_vault.api.caller import VaultHere
from evidence_vault.api.client_address import client_address
from evidence_vault.api.description import may_answer
from evidence_vault.api.desk import DeskHere
from evidence_vault.api.json_body import Asked, asked_as, body_of
from evidence_vault.api.problems import ProblemError
from evidence_vault.api.schemas import View
from evidence_vault.api.sessions import OpenedView, login_refused, sent_digest, tell
from evidence_vault.core.names import encode_time
from evidence_vault.errors import AccessRefused, VerificationError
from evidence_vault.identity.oidc import FLOW_MINUTES, UnknownSubject, begin_login, finish_login
from evidence_vault.pipeline.vault import Vault

router = APIRouter(prefix="/oidc", tags=["sessions"])


class ProviderList(View):
    """The providers at which one may log in."""

    providers: list[str]


class BeginAsked(Asked):
    """A login to begin."""

    role: str | None = Field(default=None, max_length=6, description="Default: the one given first.")


class BegunView(View):
    """Where the browser goes next. The cookie that came along is needed when it comes back."""

    url: str
    expires_at: str


@router.get("")
def list_providers(desk: DeskHere) -> ProviderList:
    """List the providers by the names that this vault has for them."""
    return ProviderList(providers=sorted(desk.providers))


@router.post("/{provider}/login", openapi_extra=body_of(BeginAsked))
async def begin(
    provider: str,
    *,
    request: Request,
    response: Response,
    vault: VaultHere,
    desk: DeskHere,
    asked: Annotated[BeginAsked, Depends(asked_as(BeginAsked))],
) -> BegunView:
    """Begin a login at this provider."""
    found = desk.providers.get(provider)
    if found is None:
        raise AccessRefused("begin_login", provider)
    begun = await desk.run(
        begin_login,
        desk.desk,
        found,
        redirect_uri=redirect_uri(vault),
        role=asked.role,
        address=client_address(request, desk.desk.rules.trusted_proxies),
        now=vault.clock(),
    )
    cookies.set_login(response.headers, vault.settings.base_url, begun.browser, seconds=60 * FLOW_MINUTES)
    return BegunView(url=begun.url, expires_at=encode_time(begun.expires_at))


@router.get("/callback", openapi_extra=may_answer("login-refused", "too-many-requests"))
async def finish(
    *,
    request: Request,
    response: Response,
    vault: VaultHere,
    desk: DeskHere,
    state: Annotated[str, Query(max_length=200)],
    code: Annotated[str | None, Query(max_length=4000)] = None,
    iss: Annotated[str | None, Query(max_length=300)] = None,
) -> OpenedView:
    """Come back from the provider: a session begins, in a cookie. Each state is good once."""
    browser = request.cookies.get(cookies.cookie_name(vault.settings.base_url, cookies.LOGIN))
    if code is None or not browser:
        raise login_refused()
    try:
        opened = await desk.run(
            finish_login,
            desk.desk,
            desk.providers,
            redirect_uri=redirect_uri(vault),
            state=state,
            code=code,
            browser=browser,
            issuer=iss,
            address=client_address(request, desk.desk.rules.trusted_proxies),
            now=vault.clock(),
            instead_of=sent_digest(request, vault),
        )
    except VerificationError:
        raise login_refused() from None
    except UnknownSubject as error:
        raise ProblemError("login-refused", f"{error}; your subject there is {error.subject!r}") from None
    cookies.clear(response.headers, vault.settings.base_url, cookies.LOGIN)
    return tell(response, vault, opened, cookie=True)


def redirect_uri(vault: Vault) -> str:
    """Return the address at which browsers come back; the provider has to know it, to the letter."""
    return vault.settings.base_url.rstrip("/") + "/v1/oidc/callback"
