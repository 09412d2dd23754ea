"""Resumable uploads over tus 1.0: core, creation, creation-with-upload, checksum, expiration, termination.

    POST  /v1/uploads          Upload-Length: 1073741824        201, Location: …/v1/uploads/up_…
                               Upload-Metadata: filename 54Wn54mHLnBuZw==,sha256 OWY4NmQwODE…
    PATCH /v1/uploads/up_…     Upload-Offset: 0, Upload-Checksum: sha256 …, the bytes        204, Upload-Offset
    HEAD  /v1/uploads/up_…     200, Upload-Offset: where to go on
    GET   /v1/uploads/up_…     what has become of it, with the receipt (not of tus)

An upload belongs to who made it: every request needs a token of his that may deposit, and to anybody else it is
not there. `Upload-Defer-Length` and concatenation are not offered: evidence has one length, known beforehand, and
one beginning. The last byte's answer comes after the item is committed; whoever misses it asks with GET.

The protocol: tus.io/protocols/resumable-upload, version 1.0.0.
"""

import asyncio
from collections.abc import AsyncIterator
from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.requests import ClientDisconnect

from evidence_vault.api.body import in_thread, pour
from evidence_vault.api.caller import DepositingNow, VaultHere
from evidence_vault.api.caller import Depositor as Who
from evidence_vault.api.deposits import deposited_view
from evidence_vault.api.description import may_answer
from evidence_vault.api.problems import ProblemError
from evidence_vault.api.schemas import UploadView
from evidence_vault.api.tus_description import PIECE, VERSION, described
from evidence_vault.api.tus_fields import (
    CHECKSUMS,
    Metadata,
    parse_checksum,
    parse_metadata,
    parse_number,
    require_sha256,
)
from evidence_vault.core.names import encode_time
from evidence_vault.errors import FormatError, StorageFull, TooLarge, VerificationError
from evidence_vault.pipeline.cases.entering import event_actor
from evidence_vault.pipeline.intake.mandates import require_deposit
from evidence_vault.pipeline.intake.receiving import Receiving
from evidence_vault.pipeline.intake.uploads import (
    create_upload,
    deposited_by,
    find_upload,
    finish_upload,
    terminate_upload,
)
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.upload_models import ResumableUpload

EXTENSIONS = "creation,creation-with-upload,checksum,expiration,termination"
METADATA_ELSEWHERE = ("content-disposition", "evidence-note", "evidence-secret", "idempotency-key")
"""Fields of a raw deposit: here they would be passed over, and whoever sent them relies on them."""

SINGLE_FIELDS = (
    "Content-Type",
    "Repr-Digest",
    "Tus-Resumable",
    "Upload-Checksum",
    "Upload-Length",
    "Upload-Metadata",
    "Upload-Offset",
    "X-HTTP-Method-Override",
)

router = APIRouter(tags=["uploads"])


def speaks_tus(request: Request) -> None:
    """Refuse another version of the protocol before anything is done, and sign every answer with ours."""
    request.scope["state"]["answer_headers"] = [(b"tus-resumable", VERSION.encode())]
    for name in SINGLE_FIELDS:
        if len(request.headers.getlist(name)) > 1:
            raise FormatError(name, "the field once", f"{len(request.headers.getlist(name))} times")
    if request.headers.get("tus-resumable") != VERSION:
        raise ProblemError(
            "tus-version", "the request must say Tus-Resumable: 1.0.0", {"Tus-Version": VERSION}
        )


def may_deposit(caller: DepositingNow, vault: VaultHere) -> Who:
    """Return who asks, if he may deposit at all: on every request, for a right may end in the middle."""
    require_deposit(vault, caller.requester)
    return caller


Tus = Depends(speaks_tus)
Depositor = Annotated[Who, Depends(may_deposit)]


@router.api_route("/uploads", methods=["OPTIONS"], status_code=204)
@router.api_route("/uploads/{upload_id}", methods=["OPTIONS"], status_code=204, include_in_schema=False)
def tell_protocol(vault: VaultHere) -> Response:
    """Tell what of tus is spoken here."""
    return Response(
        status_code=204,
        headers={
            "Tus-Resumable": VERSION,
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(vault.settings.max_upload_bytes),
            "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
        },
    )


@router.post(
    "/uploads",
    status_code=201,
    response_class=Response,
    dependencies=[Tus],
    openapi_extra=described("POST", "too-many", "checksum-mismatch", "timeout", body=True),
)
async def create(request: Request, vault: VaultHere, caller: Depositor) -> Response:
    """Begin an upload; its first bytes may come along.

    `Upload-Metadata` knows filename, filetype, note, secret and sha256; what it says is frozen.
    """
    headers = request.headers
    for name in METADATA_ELSEWHERE:
        if name in headers:
            raise FormatError(name, "Upload-Metadata in its place", "the field of another call")
    if "upload-length" not in headers:
        raise ProblemError("length-required", "send Upload-Length; this vault doesn't defer it")
    metadata_sent = headers.get("upload-metadata", "")
    wish = _wish(
        caller,
        parse_metadata(metadata_sent),
        size=parse_number(headers["upload-length"], place="Upload-Length"),
        digest=headers.get("repr-digest"),
    )
    row = await in_thread(lambda: create_upload(vault, wish, metadata_sent=metadata_sent))
    told = {"Location": f"{vault.settings.base_url.rstrip('/')}/v1/uploads/{row.id}", **_expires(row)}
    if row.size and "content-type" not in headers:
        return Response(status_code=201, headers={**told, "Upload-Offset": "0"})
    if row.size:
        _require_piece(request)
    return Response(status_code=201, headers={**told, **await _take(request, vault, caller, row, offset=0)})


@router.head(
    "/uploads/{upload_id}",
    response_class=Response,
    dependencies=[Tus],
    openapi_extra=described("HEAD", "gone"),
)
def tell_offset(upload_id: str, vault: VaultHere, caller: Depositor) -> Response:
    """Tell where the upload stands: so many bytes are durable."""
    row = find_upload(vault, upload_id, actor_id=caller.requester.actor_id)
    return Response(
        headers={
            "Upload-Offset": str(row.received),
            "Upload-Length": str(row.size),
            **({"Upload-Metadata": row.metadata_sent} if row.metadata_sent else {}),
            **_expires(row),
            "Cache-Control": "no-store",
        }
    )


@router.get("/uploads/{upload_id}", openapi_extra=may_answer("gone", "locked", "digest-mismatch"))
def show(upload_id: str, vault: VaultHere, caller: Depositor) -> UploadView:
    """Show what has become of an upload, with the deposit's receipt.

    One that is whole, and that a crash kept from becoming an item, becomes one now.
    """
    row = find_upload(vault, upload_id, actor_id=caller.requester.actor_id)
    done = deposited_by(vault, row, token_sha256=caller.token_sha256)
    return UploadView(
        id=row.id,
        offset=row.received,
        length=row.size,
        expires_at=encode_time(row.expires_at),
        deposited=None if done is None else deposited_view(done),
    )


@router.patch(
    "/uploads/{upload_id}",
    status_code=204,
    dependencies=[Tus],
    openapi_extra=described(
        "PATCH",
        "gone",
        "locked",
        "wrong-offset",
        "checksum-mismatch",
        "digest-mismatch",
        "timeout",
        body=True,
    ),
)
async def append(upload_id: str, request: Request, vault: VaultHere, caller: Depositor) -> Response:
    """Add bytes at the offset where the upload stands.

    After the last byte it is an item, which `Evidence-Item` names.
    """
    _require_piece(request)
    offset = parse_number(request.headers.get("upload-offset", ""), place="Upload-Offset")
    row = await in_thread(lambda: find_upload(vault, upload_id, actor_id=caller.requester.actor_id))
    return Response(status_code=204, headers=await _take(request, vault, caller, row, offset=offset))


@router.delete(
    "/uploads/{upload_id}",
    status_code=204,
    dependencies=[Tus],
    openapi_extra=described("DELETE", "gone", "locked"),
)
def terminate(upload_id: str, vault: VaultHere, caller: Depositor) -> Response:
    """End an upload and delete its bytes. An item that it has become stays."""
    terminate_upload(vault, find_upload(vault, upload_id, actor_id=caller.requester.actor_id))
    return Response(status_code=204)


@router.post("/uploads/{upload_id}", dependencies=[Tus], include_in_schema=False)
async def overridden(upload_id: str, request: Request, vault: VaultHere, caller: Depositor) -> Response:
    """Do what `X-HTTP-Method-Override` names, for clients that can only POST."""
    match request.headers.get("x-http-method-override"):
        case "PATCH":
            return await append(upload_id, request, vault, caller)
        case "DELETE":
            return await in_thread(terminate, upload_id, vault, caller)
        case "HEAD":
            return await in_thread(tell_offset, upload_id, vault, caller)
        case _:
            raise ProblemError(
                "method-not-allowed", "POST here needs X-HTTP-Method-Override", {"Allow": _ALLOW}
            )


_ALLOW = "DELETE, GET, HEAD, OPTIONS, PATCH"


async def _take(
    request: Request, vault: Vault, caller: Who, row: ResumableUpload, *, offset: int
) -> dict[str, str]:
    """Take a request's bytes, and make an item of the upload if they were its last; return what to tell.

    Whatever breaks it off, what was counted stays, and the upload is free for the next request at once.
    """
    checksum = parse_checksum(request.headers.get("upload-checksum"))
    announced = request.headers.get("content-length")
    if announced is not None and offset + int(announced) > row.size:
        raise FormatError(
            "Content-Length", f"at most the {row.size - offset} bytes that are missing", announced
        )
    token = caller.token_sha256
    receiving = await in_thread(
        lambda: Receiving(vault, row, offset=offset, checksum=checksum, token_sha256=token)
    )
    try:
        try:
            chunks = _alive(request.stream(), vault.settings.upload_idle_s)
            await pour(chunks, receiving.write, to_the_last=True)
        except (ClientDisconnect, ProblemError, asyncio.CancelledError):
            await in_thread(receiving.keep_partly)
            raise
        except (StorageFull, TooLarge):
            await in_thread(receiving.forget)  # give the room back at once
            raise
        try:
            received = await in_thread(receiving.keep)
        except VerificationError as error:
            raise ProblemError("checksum-mismatch", str(error)) from None
        told = {"Upload-Offset": str(received), **_expires(receiving.row)}
        if received == row.size:
            done = await in_thread(
                lambda: finish_upload(vault, receiving.row, receiving.file, token_sha256=token)
            )
            told["Evidence-Item"] = done.item_id
        return told
    finally:
        await in_thread(receiving.close)


async def _alive(chunks: AsyncIterator[bytes], idle_s: float) -> AsyncIterator[bytes]:
    """Yield the chunks; raise ProblemError when nothing comes for so long: its sender may be dead."""
    while True:
        try:
            async with asyncio.timeout(idle_s):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ProblemError("timeout", f"no byte within {idle_s:g} s", {"Connection": "close"}) from None
        yield chunk


def _wish(caller: Who, metadata: Metadata, *, size: int, digest: str | None) -> Wish:
    return Wish(
        actor=event_actor(caller.requester),
        file_name=metadata.file_name,
        media_type=metadata.media_type,
        note=metadata.note,
        secret=metadata.secret,
        declared_sha256=require_sha256(metadata, digest),
        declared_size=size,
        token_sha256=caller.token_sha256,
    )


def _require_piece(request: Request) -> None:
    if request.headers.get("content-type") != PIECE:
        raise ProblemError("unsupported-media-type", f"a piece of an upload is {PIECE}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError("unsupported-media-type", "send the bytes as they are, without a content encoding")


def _expires(row: ResumableUpload) -> dict[str, str]:
    """Return the field that says when an unfinished upload ends (RFC 9110 §5.6.7)."""
    return {"Upload-Expires": format_datetime(row.expires_at, usegmt=True)} if row.size else {}
