"""A calendar server, asked through the injected client: digests go in, promises and later proofs come out.

    POST <url>/digest            32 bytes      → a timestamp over them, ending in a promise
    GET  <url>/timestamp/<hex>                 → a timestamp over that message, ending in a block; else 404

The answer is parsed before anybody keeps it. A calendar sees only digests that say nothing to it.
"""

from typing import Protocol

from anchors.base import HttpClient, HttpReader, HttpReply
from anchors.errors import FormatError, UnavailableError
from anchors.opentimestamps.stamp import Timestamp, parse_timestamp
from anchors.values import value

ACCEPT = {"Accept": "application/vnd.opentimestamps.v1"}
MAX_ANSWER_BYTES = 10_000
"""As other clients have it; a promise takes 200 bytes, a way to a block 600."""


class Http(HttpClient, HttpReader, Protocol):
    """Both ways of asking."""


@value
class Calendar:
    """A calendar by the name that the operator gave it. url: http(s), maybe with a path."""

    name: str
    url: str


def submit(calendar: Calendar, message: bytes, *, http: Http, timeout_s: float) -> bytes:
    """Hand in 32 bytes and return the calendar's raw timestamp over them. Raises UnavailableError."""
    reply = http.post(
        f"{calendar.url.rstrip('/')}/digest",
        message,
        content_type="application/x-www-form-urlencoded",
        headers=ACCEPT,
        max_bytes=MAX_ANSWER_BYTES,
        timeout_s=timeout_s,
    )
    raw = _body(calendar, reply)
    if not any(end.attestation.url or end.attestation.height for end in _read(calendar, raw, message).ends):
        raise UnavailableError(calendar.name, "answered without a promise or a block")
    return raw


def upgrade(calendar: Calendar, message: bytes, *, http: Http, timeout_s: float) -> bytes | None:
    """Return the raw timestamp that a calendar has by now for what it promised; None while it has none.

    Raises UnavailableError for everything else than a timestamp or a 404.
    """
    reply = http.get(
        f"{calendar.url.rstrip('/')}/timestamp/{message.hex()}",
        headers=ACCEPT,
        max_bytes=MAX_ANSWER_BYTES,
        timeout_s=timeout_s,
    )
    if reply.status == 404:
        return None
    raw = _body(calendar, reply)
    _read(calendar, raw, message)
    return raw


def _body(calendar: Calendar, reply: HttpReply) -> bytes:
    if reply.status != 200:
        raise UnavailableError(calendar.name, f"answered {reply.status}")
    return reply.body


def _read(calendar: Calendar, raw: bytes, message: bytes) -> Timestamp:
    try:
        return parse_timestamp(raw, message, place=calendar.name)
    except FormatError as error:
        raise UnavailableError(calendar.name, f"answered no timestamp: {error}") from error
