"""Calls that may be repeated: with an `Idempotency-Key`, what was done is not done again and is answered the same.

    POST /v1/cases
    Idempotency-Key: 5f0c…

The same key, caller and endpoint again, with the same address and body: the same answer, of the thing as it stands
now. With anything else: a conflict. Without a key each request is one of its own.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import BaseModel

from evidence_vault.access.facts import Requester
from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.errors import FormatError
from evidence_vault.pipeline.once import Answer, Call, once
from evidence_vault.pipeline.vault import Vault

KEY = "Idempotency-Key"
KEY_FORM = "1 to 200 visible ASCII characters: the same request again is not done again"


class Once:
    """Does what a request asks for once."""

    def __init__(self, request: Request, vault: Vault, caller: Requester, key: str | None) -> None:
        self._vault, self._caller, self._key = vault, caller, key
        self._endpoint = f"{request.method} {request.scope['route'].path}"
        self._path = request.url.path

    def __call__(self, asked: BaseModel | None, act: Callable[[Vault], Answer]) -> Answer:
        """Do the act with the vault that it gets, unless it was done. Raises Conflict, and what the act raises.

        asked: the body. What stands in it as by default is not told from what isn't there.
        """
        body = "" if asked is None else asked.model_dump_json(exclude_defaults=True)
        call = Call(caller=self._caller, endpoint=self._endpoint, said=f"{self._path}\n{body}", key=self._key)
        return once(self._vault, call, act)


async def _once(
    request: Request,
    vault: VaultHere,
    caller: Caller,
    key: Annotated[str | None, Header(alias=KEY, description=KEY_FORM)] = None,
) -> Once:
    if (times := len(request.headers.getlist(KEY))) > 1:
        raise FormatError(KEY, "the field once", f"{times} times")
    return Once(request, vault, caller, key)


OnceHere = Annotated[Once, Depends(_once)]
