"""Small JSON bodies: read up to a limit, and strictly. What a call doesn't ask for is refused, not ignored."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from evidence_vault.api.body import read_all
from evidence_vault.api.problems import ProblemError
from evidence_vault.errors import FormatError

MAX_BYTES = 16_384
"""A few names and numbers; a password is no book."""

JSON = "application/json"


class Asked(BaseModel):
    """What a client asks for: these members and no other, so that nobody slips in a role."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, frozen=True)


A = TypeVar("A", bound=Asked)


def asked_as(model: type[A], *, max_bytes: int = MAX_BYTES) -> Callable[[Request], Awaitable[A]]:
    """Return the dependency that reads the body as this. Raises FormatError, which quotes no value of it.

    It comes after the caller among a route's parameters: a stranger's body is not read.
    """

    async def read(request: Request) -> A:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != JSON:
            raise ProblemError("unsupported-media-type", f"send {JSON}")
        body = await read_all(request.stream(), max_bytes=max_bytes, place="body")
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise flaw_in("body", error) from None

    return read


def flaw_in(place: str, error: ValidationError) -> FormatError:
    """Return what to raise for a body that doesn't fit: its first flaw, by its place, without a value of it."""
    first = error.errors(include_input=False, include_url=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    return FormatError(".".join([place, *map(str, first["loc"])])[:200], message[:1].lower() + message[1:])


def body_of(model: type[Asked], **more: Any) -> dict[str, Any]:
    """Return what a route gives as `openapi_extra`, beside others, to tell its body."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}, **more}
