"""Errors as problem documents (RFC 9457): every answer that isn't a success is one of this list.

    HTTP/1.1 413 Content Too Large
    Content-Type: application/problem+json

    {"type":"/v1/problems/too-large","title":"More bytes than this vault takes","status":413,
     "detail":"content: expected at most 1000 bytes, found 'more'","instance":"urn:request:9f86d081884c7d65",
     "place":"content","expected":"at most 1000 bytes","found":"more"}

`type` names the kind of problem and is a page of this vault that explains it; `instance` is the request's id,
which stands in the vault's own log too; `place`, `expected` and `found` are there where the error has them.
An unknown thing and a forbidden one give the same document.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from anchors.values import value
from evidence_vault.access.decisions import NotPermitted
from evidence_vault.errors import (
    AccessRefused,
    Conflict,
    CredentialEnded,
    EvidenceError,
    FormatError,
    Gone,
    InProgress,
    Locked,
    Overloaded,
    ReadOnly,
    SecondPersonNeeded,
    StorageFull,
    TooLarge,
    TooMany,
    TooSoon,
    UnavailableError,
    VerificationError,
    WrongOffset,
)

MEDIA_TYPE = "application/problem+json"
PATH = "/v1/problems"
CHALLENGE = 'Bearer realm="evidence-vault"'
"""What a request without a good token is asked for (RFC 6750 §3)."""

INVALID_TOKEN = f'{CHALLENGE}, error="invalid_token"'
"""And after a token that is not good (any more)."""

MAX_SHOWN_CHARS = 300
"""What of a value that was found is shown again: enough to recognise it."""


@value
class Kind:
    """A kind of problem: its status, its title, and what to do about it."""

    status: int
    title: str
    advice: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(
        status=HTTPStatus.BAD_REQUEST,
        title="A part of the request can't be read",
        advice="`place` names the part, `expected` says what it should be. Nothing was kept.",
    ),
    "unauthorized": Kind(
        status=HTTPStatus.UNAUTHORIZED,
        title="No valid token came with the request",
        advice="Send `Authorization: Bearer` with a token (`ev_…`) or a session (`es_…`, of `POST /v1/sessions`). "
        "It may have expired or been revoked. A session's cookie counts only with `Evidence-Session: cookie`.",
    ),
    "not-permitted": Kind(
        status=HTTPStatus.FORBIDDEN,
        title="This token is not good for this action",
        advice="The token lacks the scope, or its holder's role doesn't do this.",
    ),
    "not-found": Kind(
        status=HTTPStatus.NOT_FOUND,
        title="There is no such thing, or not for this token",
        advice="The vault doesn't tell which of the two.",
    ),
    "method-not-allowed": Kind(
        status=HTTPStatus.METHOD_NOT_ALLOWED,
        title="This address doesn't take that method",
        advice="`Allow` names those it takes.",
    ),
    "in-progress": Kind(
        status=HTTPStatus.CONFLICT,
        title="The same work is under way",
        advice="Ask again after the seconds that `Retry-After` names.",
    ),
    "locked": Kind(
        status=HTTPStatus.LOCKED,
        title="Another request writes to it",
        advice="One at a time: ask again after the seconds that `Retry-After` names. A connection that died is "
        "let go when it has been silent for a while.",
    ),
    "wrong-offset": Kind(
        status=HTTPStatus.CONFLICT,
        title="The upload stands elsewhere",
        advice="Ask for its offset with HEAD, and go on there.",
    ),
    "too-many": Kind(
        status=HTTPStatus.TOO_MANY_REQUESTS,
        title="As many as one may have at a time are open",
        advice="Finish or terminate one of them first; those without news end by themselves.",
    ),
    "tus-version": Kind(
        status=HTTPStatus.PRECONDITION_FAILED,
        title="This version of tus is not spoken here",
        advice="Send `Tus-Resumable: 1.0.0`; `Tus-Version` names what is spoken.",
    ),
    "checksum-mismatch": Kind(
        status=460,
        title="The bytes of this request are not what its checksum says",
        advice="Nothing of them was kept; the upload stands where it stood. Send them again.",
    ),
    "timeout": Kind(
        status=HTTPStatus.REQUEST_TIMEOUT,
        title="Nothing came for too long",
        advice="What had come is kept: ask for the offset with HEAD, and go on there.",
    ),
    "too-slow": Kind(
        status=HTTPStatus.REQUEST_TIMEOUT,
        title="The body came too slowly",
        advice="Nothing of it was kept. Send it as a resumable upload, `/v1/uploads`, which may take days.",
    ),
    "conflict": Kind(
        status=HTTPStatus.CONFLICT,
        title="The request contradicts an earlier one",
        advice="An idempotency key stands for one request: other bytes or metadata need a new key.",
    ),
    "second-person": Kind(
        status=HTTPStatus.FORBIDDEN,
        title="This takes two persons",
        advice="One administrator proposes, another confirms: neither the proposer nor the person concerned.",
    ),
    "login-refused": Kind(
        status=HTTPStatus.UNAUTHORIZED,
        title="Nobody was let in by this",
        advice="The vault doesn't tell whether it was the name, the password, the code or the role.",
    ),
    "gone": Kind(
        status=HTTPStatus.GONE,
        title="It was there, and is kept no longer",
        advice="A bundle is kept for a limited time, and so is an upload: ask or begin anew.",
    ),
    "length-required": Kind(
        status=HTTPStatus.LENGTH_REQUIRED,
        title="The length of the body must be announced",
        advice="Send `Content-Length`.",
    ),
    "range-not-satisfiable": Kind(
        status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        title="The file has no bytes in that range",
        advice="`Content-Range` says how long the file is.",
    ),
    "too-large": Kind(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        title="More bytes than this vault takes",
        advice="Reading stopped at the limit and nothing was kept. The operator sets the limit.",
    ),
    "unsupported-media-type": Kind(
        status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        title="The body has a form that can't be meant here",
        advice="A deposit is the file itself, byte for byte: no form around it, no compression.",
    ),
    "digest-mismatch": Kind(
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        title="What arrived is not what was announced",
        advice="The digest or size that the request states disagrees with the bytes that arrived; nothing was "
        "kept. Send it again.",
    ),
    "statement-refused": Kind(
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        title="The statement or its signature doesn't hold here",
        advice="`detail` says what doesn't agree: a statement about another item, state or digest, a signature "
        "over other bytes, a certificate that may not sign it now. Nothing was recorded.",
    ),
    "invalid": Kind(
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        title="A value in the request doesn't fit",
        advice="`place` names it, `expected` says what would fit.",
    ),
    "too-many-requests": Kind(
        status=HTTPStatus.TOO_MANY_REQUESTS,
        title="More waits than the vault can take in now",
        advice="Nothing was kept. Ask again after the seconds that `Retry-After` names (RFC 6585 §4).",
    ),
    "too-soon": Kind(
        status=HTTPStatus.TOO_MANY_REQUESTS,
        title="It was done a moment ago",
        advice="`detail` says when; its event stands in the history. Ask again after the seconds that "
        "`Retry-After` names.",
    ),
    "internal": Kind(
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        title="The vault failed",
        advice="Give the operator the `instance`; his log has the same id. Nothing was acknowledged.",
    ),
    "unavailable": Kind(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        title="A part of the vault doesn't answer now",
        advice="Try again later; with the same idempotency key nothing is done twice.",
    ),
    "read-only": Kind(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        title="The vault takes nothing in until its operator has looked",
        advice="Reading works. `detail` says what the vault found wrong.",
    ),
    "storage-full": Kind(
        status=HTTPStatus.INSUFFICIENT_STORAGE,
        title="The vault's storage is full",
        advice="Nothing of the request was kept, nothing that was acknowledged is lost.",
    ),
    "http": Kind(
        status=HTTPStatus.BAD_REQUEST,
        title="The request can't be handled",
        advice="The status code says why (RFC 9110 §15).",
    ),
}
"""Every kind of problem that this face answers with."""


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    place: str | None = None
    expected: str | None = None
    found: str | None = None


class ProblemError(EvidenceError):
    """A problem that only a request can have: its kind, what is wrong, and header fields of the answer."""

    def __init__(self, name: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.headers = dict(headers or {})
        super().__init__(detail)


_KIND_BY_ERROR: tuple[tuple[type[EvidenceError], str], ...] = (
    (NotPermitted, "not-permitted"),
    (AccessRefused, "not-found"),
    (TooLarge, "too-large"),
    (FormatError, "bad-request"),
    (VerificationError, "digest-mismatch"),
    (WrongOffset, "wrong-offset"),
    (TooMany, "too-many"),
    (Conflict, "conflict"),
    (SecondPersonNeeded, "second-person"),
    (Gone, "gone"),
    (Locked, "locked"),
    (CredentialEnded, "unauthorized"),
    (TooSoon, "too-soon"),
    (Overloaded, "too-many-requests"),
    (InProgress, "in-progress"),
    (ReadOnly, "read-only"),
    (StorageFull, "storage-full"),
    (UnavailableError, "unavailable"),
)
"""The first that fits; subclasses stand before their parents. All else is a failure of the vault."""


def kind_of(error: EvidenceError) -> str:
    """Return the name of the kind of problem that an error is to whoever asked."""
    if isinstance(error, ProblemError):
        return error.name
    return next((name for kind, name in _KIND_BY_ERROR if isinstance(error, kind)), "internal")


def problem_for(error: EvidenceError, request_id: str) -> JSONResponse:
    """Return the answer that tells an error. What went wrong inside the vault is told by its id alone."""
    name = kind_of(error)
    ours = isinstance(error, UnavailableError) and error.service == "database"  # says where the database is
    detail = KINDS[name].advice if ours or name in ("internal", "not-found") else str(error)
    headers = dict(error.headers) if isinstance(error, ProblemError) else {}
    if isinstance(error, UnavailableError) and error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if isinstance(error, NotPermitted) and not error.missing_scope:
        detail = f"{error.action}: your role doesn't do this"
    if isinstance(error, NotPermitted) and error.missing_scope:
        detail = f"the token lacks the scope {error.missing_scope}"
        headers["WWW-Authenticate"] = (
            f'{CHALLENGE}, error="insufficient_scope", scope="{error.missing_scope}"'
        )
    if isinstance(error, CredentialEnded):
        headers["WWW-Authenticate"] = INVALID_TOKEN
    facts: dict[str, Any] = {}
    if isinstance(error, FormatError):
        facts = {"place": error.place, "expected": error.expected, "found": _shown(error.found)}
    elif isinstance(error, VerificationError):
        facts = {"place": error.check, "expected": _shown(error.expected), "found": _shown(error.found)}
    return problem(name, detail=detail, request_id=request_id, headers=headers, **facts)


def problem(
    name: str,
    *,
    detail: str,
    request_id: str,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    **facts: object,
) -> JSONResponse:
    """Return a problem document of this kind. facts: members of its own, left out where None."""
    kind = KINDS[name]
    code = status or int(kind.status)
    body = {
        "type": f"{PATH}/{name}",
        "title": kind.title,
        "status": code,
        "detail": detail,
        "instance": f"urn:request:{request_id}",
        **{key: value for key, value in facts.items() if value is not None},
    }
    return JSONResponse(body, status_code=code, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _shown(value: object) -> str | None:
    if value is None:
        return None
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…"
