"""A session in a cookie, for browsers: when it counts, and how it is set.

    __Host-evidence-vault=es_…; Path=/; Secure; HttpOnly; SameSite=Strict

A cookie is sent by the browser, whoever made the page that asks. So it counts only where the request can't come
from somebody else's page: it carries the field `Evidence-Session: cookie`, which no form can send and which a
script of another origin may not, for there is no CORS here; or it only reads, and the browser itself says that
it comes from this origin or from nowhere (Sec-Fetch-Site). Whoever sends `Authorization` sends no cookie.

Over plain http, on loopback, there is neither `Secure` nor the prefix that needs it.
"""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request

FIELD, WANTED = "evidence-session", "cookie"
SAFE_METHODS = ("GET", "HEAD")
OWN_SITES = ("same-origin", "none")

SESSION, LOGIN = "evidence-vault", "evidence-vault-login"
"""The cookie of a session, and that of a login under way at a provider."""


def cookie_name(base_url: str, name: str = SESSION) -> str:
    """Return what the cookie is called at this address."""
    return f"__Host-{name}" if _is_secure(base_url) else name


def session_in(request: Request, base_url: str) -> str | None:
    """Return the secret in the session's cookie if it counts in this request."""
    text = request.cookies.get(cookie_name(base_url))
    if not text or "authorization" in request.headers:
        return None
    if request.headers.get(FIELD) == WANTED:
        return text
    if request.method in SAFE_METHODS and request.headers.get("sec-fetch-site") in OWN_SITES:
        return text
    return None


def set_session(headers: MutableHeaders, base_url: str, secret: str, *, seconds: int) -> None:
    """Let the browser keep a session."""
    _set(headers, base_url, SESSION, secret, seconds=seconds, same_site="Strict")


def set_login(headers: MutableHeaders, base_url: str, secret: str, *, seconds: int) -> None:
    """Let the browser keep what it has to bring back from a provider: it comes from another site then."""
    _set(headers, base_url, LOGIN, secret, seconds=seconds, same_site="Lax")


def clear(headers: MutableHeaders, base_url: str, name: str = SESSION) -> None:
    """Let the browser forget it."""
    _set(headers, base_url, name, "", seconds=0, same_site="Strict" if name == SESSION else "Lax")


def _set(
    headers: MutableHeaders, base_url: str, name: str, text: str, *, seconds: int, same_site: str
) -> None:
    secure = "; Secure" if _is_secure(base_url) else ""
    headers.append(
        "Set-Cookie",
        f"{cookie_name(base_url, name)}={text}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}",
    )


def _is_secure(base_url: str) -> bool:
    return base_url.startswith("https://")
