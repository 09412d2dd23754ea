"""DEVELOPMENT ONLY: what a development vault has beside it, over HTTP.

    POST /dev/tsa      RFC 3161 over HTTP
    POST /dev/chain    Ethereum JSON-RPC

Both are answered on loopback only and reached by production code.
"""

import ipaddress

from fastapi import APIRouter, Request, Response

from evidence_vault.api.body import in_thread, read_all
from evidence_vault.errors import AccessRefused
from evidence_vault.pipeline.vault import Clock
from evidence_vault.service.development import DevelopmentParts

MAX_TSA_REQUEST_BYTES = 64 * 1024
MAX_RPC_REQUEST_BYTES = 1 << 20
"""Requests of ours have 100 bytes and 1 kB; the rest is room for somebody's tool."""


def development_routes(parts: DevelopmentParts, clock: Clock) -> APIRouter:
    """Return the two routes, for loopback only."""
    router = APIRouter(prefix="/dev", tags=["development"], include_in_schema=False)

    @router.post("/tsa")
    async def stamp(request: Request) -> Response:
        _require_loopback(request)
        query = await read_all(request.stream(), max_bytes=MAX_TSA_REQUEST_BYTES, place="request")
        return Response(
            await in_thread(parts.tsa.respond, query, clock()), media_type="application/timestamp-reply"
        )

    @router.post("/chain")
    async def call(request: Request) -> Response:
        _require_loopback(request)
        query = await read_all(request.stream(), max_bytes=MAX_RPC_REQUEST_BYTES, place="request")
        return Response(await in_thread(parts.chain.handle, query), media_type="application/json")

    return router


def _require_loopback(request: Request) -> None:
    if request.client is None or not ipaddress.ip_address(request.client.host).is_loopback:
        raise AccessRefused("call", "development")
