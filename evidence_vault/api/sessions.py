"""Log in and out: sessions of persons, by password.

    POST /v1/sessions
    {"login": "counsel.a", "password": "…", "role": "AT", "cookie": false}

    201 {"actor_id": "ac_…", "role": "AT", "roles": ["AT", "RH"], "secret": "es_…", …}

The secret is sent back as a bearer token; or, with `cookie`, the browser keeps it and no script sees it (`cookies`
says when that counts). A session acts in one role; another role is another secret. Whatever is wrong with a login,
the answer is the same.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from evidence_vault.api import cookies
from evidence_vault.api.caller import CallerWithSecret, VaultHere, sent_secret
from evidence_vault.api.client_address import client_address
from evidence_vault.api.description import may_answer
from evidence_vault.api.desk import DeskHere
from evidence_vault.api.json_body import Asked, asked_as, body_of
from evidence_vault.api.problems import ProblemError
from evidence_vault.api.schemas import View
from evidence_vault.core.names import encode_time
from evidence_vault.errors import AccessRefused, FormatError
from evidence_vault.identity.local import change_password, log_in, use_code
from evidence_vault.identity.passwords import MAX_CHARS
from evidence_vault.identity.sessions import Opened, change_role, list_sessions, live_session
from evidence_vault.identity.tokens import digest_token
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors

router = APIRouter(tags=["sessions"])


class LoginAsked(Asked):
    """A login by name and password."""

    login: str = Field(max_length=200)
    password: str = Field(max_length=MAX_CHARS)
    role: str | None = Field(default=None, max_length=6, description="Default: the one given first.")
    cookie: bool = Field(default=False, description="Keep the secret in a cookie instead of the answer.")


class RoleAsked(Asked):
    """Another role of the same person."""

    role: str = Field(max_length=6)
    cookie: bool = False


class PasswordAsked(Asked):
    """A new password for whoever is logged in."""

    old: str = Field(max_length=MAX_CHARS)
    new: str = Field(max_length=MAX_CHARS)


class CodeAsked(Asked):
    """A password for whoever has the code: its two halves with a dot between them."""

    code: str = Field(max_length=200)
    password: str = Field(max_length=MAX_CHARS)


class OpenedView(View):
    """A new session. secret: told once; null where a cookie holds it."""

    id: str
    actor_id: str
    role: str
    roles: list[str]
    auth: str
    expires_at: str
    ends_at: str
    secret: str | None


class SessionView(View):
    """A live session of one's own."""

    id: str
    role: str
    auth: str
    created_at: str
    expires_at: str
    current: bool


class SessionList(View):
    """All of them, oldest first."""

    sessions: list[SessionView]


@router.post(
    "/sessions",
    status_code=201,
    openapi_extra=body_of(LoginAsked, **may_answer("login-refused")),
)
async def open_session(
    request: Request,
    response: Response,
    vault: VaultHere,
    desk: DeskHere,
    asked: Annotated[LoginAsked, Depends(asked_as(LoginAsked))],
) -> OpenedView:
    """Log in. A session that comes along with the request ends."""
    opened = await desk.run(
        log_in,
        desk.desk,
        login=asked.login,
        password=asked.password,
        role=asked.role,
        address=client_address(request, desk.desk.rules.trusted_proxies),
        now=vault.clock(),
        instead_of=sent_digest(request, vault),
    )
    if opened is None:
        raise login_refused()
    return tell(response, vault, opened, cookie=asked.cookie)


@router.post("/sessions/role", status_code=201, openapi_extra=body_of(RoleAsked, **may_answer("not-found")))
def switch_role(
    response: Response,
    vault: VaultHere,
    caller: CallerWithSecret,
    asked: Annotated[RoleAsked, Depends(asked_as(RoleAsked))],
) -> OpenedView:
    """Go on in another role that one holds, under a new secret. Not for tokens: each has one role for ever."""
    with vault.database.write() as session:
        opened = change_role(
            session, vault.settings.identity, caller.token_sha256, role=asked.role, now=vault.clock()
        )
    if opened is None:
        raise AccessRefused("switch_role", asked.role)
    return tell(response, vault, opened, cookie=asked.cookie)


@router.get("/sessions")
def show_sessions(vault: VaultHere, caller: CallerWithSecret) -> SessionList:
    """Show one's own live sessions."""
    with vault.database.read() as session:
        found = list_sessions(session, caller.requester.actor_id, now=vault.clock())
    own = caller.token_sha256.hex()[:16]
    return SessionList(
        sessions=[
            SessionView(
                id=one.id,
                role=one.role,
                auth=one.auth,
                created_at=encode_time(one.created_at),
                expires_at=encode_time(one.expires_at),
                current=one.id == own,
            )
            for one in found
        ]
    )


@router.delete("/sessions/current", status_code=204)
def log_out(vault: VaultHere, caller: CallerWithSecret) -> Response:
    """Log out: this session, or this token, ends. The next request with it finds nobody."""
    with vault.database.write() as session:
        actors.revoke_credential(session, caller.token_sha256, now=vault.clock())
    return _gone(vault)


@router.delete("/sessions", status_code=204)
def log_out_everywhere(vault: VaultHere, caller: CallerWithSecret) -> Response:
    """Log out everywhere: all sessions of one's own end, whatever their role. Tokens of programs go on."""
    with vault.database.write() as session:
        actors.revoke_all(session, caller.requester.actor_id, now=vault.clock(), kind="session")
    return _gone(vault)


@router.put(
    "/me/password",
    status_code=204,
    openapi_extra=body_of(PasswordAsked, **may_answer("login-refused", "not-found")),
)
async def choose_password(
    request: Request,
    vault: VaultHere,
    desk: DeskHere,
    caller: CallerWithSecret,
    asked: Annotated[PasswordAsked, Depends(asked_as(PasswordAsked))],
) -> Response:
    """Choose another password; all other sessions end. Only in a session, not with a token."""
    require_session(vault, caller.token_sha256)
    done = await desk.run(
        change_password,
        desk.desk,
        actor_id=caller.requester.actor_id,
        old=asked.old,
        new=asked.new,
        address=client_address(request, desk.desk.rules.trusted_proxies),
        now=vault.clock(),
        but=caller.token_sha256,
    )
    if not done:
        raise login_refused()
    return Response(status_code=204)


@router.post("/enrolments", status_code=204, openapi_extra=body_of(CodeAsked, **may_answer("login-refused")))
async def set_password(
    request: Request,
    vault: VaultHere,
    desk: DeskHere,
    asked: Annotated[CodeAsked, Depends(asked_as(CodeAsked))],
) -> Response:
    """Set a password with the code that administrators handed out; everything that spoke for the person ends."""
    done = await desk.run(
        use_code,
        desk.desk,
        code=asked.code,
        password=asked.password,
        address=client_address(request, desk.desk.rules.trusted_proxies),
        now=vault.clock(),
    )
    if not done:
        raise login_refused()
    return Response(status_code=204)


def tell(response: Response, vault: Vault, opened: Opened, *, cookie: bool) -> OpenedView:
    """Answer with a new session: its secret in the body, or in a cookie and nowhere else."""
    if cookie:
        seconds = int((opened.ends_at - vault.clock()).total_seconds())
        cookies.set_session(response.headers, vault.settings.base_url, opened.secret, seconds=seconds)
    return OpenedView(
        id=opened.id,
        actor_id=opened.actor_id,
        role=opened.role,
        roles=list(opened.roles),
        auth=opened.auth,
        expires_at=encode_time(opened.expires_at),
        ends_at=encode_time(opened.ends_at),
        secret=None if cookie else opened.secret,
    )


def require_session(vault: Vault, token_sha256: bytes) -> None:
    """Return if this is the digest of a live session: what a token may not do. Raises AccessRefused."""
    with vault.database.read() as session:
        if live_session(session, token_sha256, now=vault.clock()) is None:
            raise AccessRefused("use_session", "session")


def sent_digest(request: Request, vault: Vault) -> bytes | None:
    """Return the digest of a session's secret that came along; none of a token, which a login doesn't end."""
    secret = sent_secret(request, vault)
    if secret is None or not secret.startswith("es_"):
        return None
    try:
        return digest_token(secret)
    except FormatError:
        return None


def login_refused() -> ProblemError:
    """The one answer to every login that isn't let in."""
    return ProblemError("login-refused", "nobody is let in by this")


def _gone(vault: Vault) -> Response:
    response = Response(status_code=204)
    cookies.clear(response.headers, vault.settings.base_url)
    return response
