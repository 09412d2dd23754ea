"""The witness's HTTP face (C2SP tlog-witness): one call that writes, and what everyone may read.

    POST /add-checkpoint            ask for a cosignature
    GET /<origin's SHA-256>/checkpoint    the last note of that log that was cosigned
    GET /vkey                       the key of this witness
    GET /healthz                    the process answers

Anyone may ask: a request is worth what its checkpoint's signature is. Bodies are capped, and must arrive within a
deadline; what can't be answered in time is asked again.
"""

import asyncio
import logging

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.core.tlog_witness import MAX_REQUEST_BYTES, PATH
from evidence_vault.errors import IntegrityError, UnavailableError
from evidence_vault.witness.witness import TEXT, Witness

LOG = logging.getLogger("evidence_vault.witness")

BODY_WITHIN_S = 10.0
"""64 KiB on any line that a log runs on; whoever drips slower holds a connection for nothing."""


def witness_app(witness: Witness) -> Starlette:
    """Return the app of this witness."""

    async def add_checkpoint(request: Request) -> Response:
        try:
            body = await asyncio.wait_for(_body(request), BODY_WITHIN_S)
        except TimeoutError:
            return Response("the body did not arrive in time\n", status_code=408, media_type=TEXT)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return Response("the body is too long\n", status_code=413, media_type=TEXT)
        try:
            answer = await run_in_threadpool(witness.add_checkpoint, body)
        except UnavailableError as error:  # such as a full disk: nothing was signed
            LOG.error("not cosigned", extra={"error": str(error)})
            return Response("not now\n", status_code=503, media_type=TEXT)
        except IntegrityError as error:
            LOG.critical("the guard disagrees with itself", extra={"error": str(error)})
            return Response("this witness can not sign\n", status_code=500, media_type=TEXT)
        return Response(answer.body, status_code=answer.status, headers={"Content-Type": answer.content_type})

    async def checkpoint(request: Request) -> Response:
        note = await run_in_threadpool(witness.latest, request.path_params["origin"])
        if note is None:
            return Response("this witness has cosigned no such log\n", status_code=404, media_type=TEXT)
        return Response(note, media_type=TEXT, headers={"Cache-Control": "no-cache"})

    async def vkey(_request: Request) -> Response:
        return Response(f"{encode_vkey(witness.verifier_key)}\n", media_type=TEXT)

    async def healthz(_request: Request) -> Response:
        return Response("ok\n", media_type=TEXT)

    return Starlette(
        routes=[
            Route(PATH, add_checkpoint, methods=["POST"]),
            Route("/vkey", vkey),
            Route("/healthz", healthz),
            Route("/{origin}/checkpoint", checkpoint),
        ]
    )


async def _body(request: Request) -> bytes | None:
    """The body; None as soon as it is too long."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_REQUEST_BYTES:
            return None
    return bytes(body)
