"""Small files, as a static server answers: HEAD, ETag, conditional and range requests (RFC 9110 §9, §13, §14)."""

import hashlib

from fastapi import Request
from fastapi.responses import Response

from evidence_vault.api.ranges import parse_range

ANY = "*"


def static_reply(request: Request, body: bytes, *, media_type: str, cache: str) -> Response:
    """Return the answer for a whole file at hand. Raises ProblemError for a range that it doesn't have.

    cache: the `Cache-Control` of the file. The tag is a digest of the bytes, so it is the same on every server.
    """
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": cache, "Accept-Ranges": "bytes"}
    if _matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(media_type=media_type, headers={**headers, "Content-Length": str(len(body))})
    same = request.headers.get("if-range") in (None, tag)
    span = parse_range(request.headers.get("range") if same else None, size=len(body))
    if span is None:
        return Response(body, media_type=media_type, headers=headers)
    headers["Content-Range"] = span.content_range
    return Response(body[span.start : span.end], status_code=206, media_type=media_type, headers=headers)


def _matches(field: str | None, tag: str) -> bool:
    """Whether If-None-Match names this tag. RFC 9110 §13.1.2: a weak one counts too."""
    if field is None:
        return False
    return any(one.strip().removeprefix("W/") in (tag, ANY) for one in field.split(","))
