"""The HTTP face as one app: routes under `/v1`, probes beside them, errors as problem documents.

No CORS: a page of another origin has no business with a depositor's token. `lifespan` starts and stops what
runs beside the app; `extra` is for routes that only some vaults have. Both belong to `service`.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

import evidence_vault
from evidence_vault.api import (
    accesses,
    attestations,
    cases,
    context,
    custody,
    deposits,
    evidence,
    exports,
    feed,
    fixity,
    grants,
    health,
    holds,
    items,
    me,
    objections,
    oidc,
    opinions,
    orders,
    people,
    platform,
    proposals,
    public,
    reference,
    reports,
    sessions,
    transfers,
    tus,
    verification,
)
from evidence_vault.api.caller import Remembered
from evidence_vault.api.description import describe
from evidence_vault.api.desk import LoginDesk
from evidence_vault.pipeline.vault import Vault

_ABOUT = """Takes evidence in, makes every fact about it provable, hands out bundles that anyone can check.

Every answer that isn't a success is a problem document (RFC 9457)."""


class VaultApp(FastAPI):
    """The app. Deposits, of which there are most, don't go through its layers and its router."""

    def openapi(self) -> dict[str, Any]:
        """Return the API's description, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self)
        return self.openapi_schema

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        if scope["type"] == "http" and scope["path"] == DEPOSITS and scope["method"] == "POST":
            scope["app"] = self
            await _SERVE_DEPOSIT(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


DEPOSITS = "/v1/items"
_SERVE_DEPOSIT = context.RequestContext(deposits.serve_deposit)


def create_app(
    vault: Vault,
    *,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
    extra: Sequence[APIRouter] = (),
) -> FastAPI:
    """Return the app that serves this vault."""
    app = VaultApp(
        title="Evidence Vault",
        version=evidence_vault.__version__,
        description=_ABOUT,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # that page would load its scripts from somebody else; `reference` is ours
        redoc_url=None,
        # A redirect would be made of the request's own Host, and a client might follow it with its token.
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.vault = vault
    app.state.remembered = Remembered()
    app.state.desk = LoginDesk(vault)
    context.install(app)
    app.router.routes.extend(_routes())
    for router in extra:
        app.include_router(router)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return the routes that every vault has, made once, before a fork: they know no vault, and take a while."""
    everything = APIRouter()
    items_side = (deposits, tus, items, attestations, exports, fixity, feed)
    shared = (cases, evidence, custody, grants, orders, accesses, holds, transfers, objections, opinions)
    for module in (*items_side, *shared, platform, public, verification, reports, health, reference):
        everything.include_router(module.router, prefix="/v1")
    for module in (sessions, oidc, me, people, proposals):
        everything.include_router(module.router, prefix="/v1")
    everything.include_router(health.probes)
    nowhere = {"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": []}
    for route in everything.routes:
        route.matches(dict(nowhere))  # what it makes when first asked: 0.3 s, for which a request would wait
    return tuple(everything.routes)
