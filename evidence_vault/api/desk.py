"""Where people log in: what that needs of the app, and a queue of its own.

A hash takes a tenth of a second and 64 MiB. So logins have their own threads, and who finds too many waiting is
sent away at once: a flood of logins keeps nobody from depositing.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Depends, Request

from evidence_vault.client.http import GuardedClient
from evidence_vault.errors import Overloaded
from evidence_vault.identity.local import Desk
from evidence_vault.identity.passwords import Passwords
from evidence_vault.pipeline.vault import Vault

if TYPE_CHECKING:
    from evidence_vault.identity.oidc_provider import Provider

MAX_WAITING = 32
"""Logins under way in a process; each waits a few tenths of a second for those before."""

T = TypeVar("T")


class LoginDesk:
    """What `api.sessions` and `api.oidc` share in one process."""

    def __init__(self, vault: Vault) -> None:
        rules = vault.settings.identity
        self.desk = Desk(database=vault.database, passwords=Passwords(rules), rules=rules)
        self.providers = _providers(vault)
        self._threads = ThreadPoolExecutor(2 * rules.password_hashes_at_once, thread_name_prefix="login")
        self._waiting = 0

    async def run(self, work: Callable[..., T], *args: Any, **named: Any) -> T:
        """Do this in one of the desk's threads. Raises Overloaded if too many wait."""
        if self._waiting >= MAX_WAITING:
            raise Overloaded("logins", "many log in at once", 5.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, partial(work, *args, **named)
            )
        finally:
            self._waiting -= 1


def _providers(vault: Vault) -> Mapping[str, "Provider"]:
    if not vault.settings.oidc:
        return {}
    from evidence_vault.identity.oidc_provider import Provider  # noqa: PLC0415 - see there: what it loads

    http = GuardedClient(permitted=vault.settings.private_endpoints)
    return {one.name: Provider(one, http) for one in vault.settings.oidc}


async def desk_of(request: Request) -> LoginDesk:
    """Return the desk of this app."""
    desk = request.app.state.desk
    assert isinstance(desk, LoginDesk)
    return desk


DeskHere = Annotated[LoginDesk, Depends(desk_of)]
