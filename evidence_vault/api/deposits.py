"""Deposit: a raw body is the content; a body of the media type below names content that stays with its owner.

    POST /v1/items
    Content-Type: image/png                                 kept as the sender's claim
    Content-Disposition: attachment; filename="photo.png"   the name, kept as given
    Idempotency-Key: 5f0c…                                  the same request again is the same deposit
    Repr-Digest: sha-256=:…:                                must agree with what arrives

    POST /v1/items
    Content-Type: application/vnd.evidence-vault.hash+json

    {"digests": {"sha256": "9f86d081…"}, "size": 1234, "secret": false}

One endpoint and one media type of its own, so that a JSON file can be deposited like any other file. What can't
be meant is refused, such as a content encoding: the compressed bytes would become the evidence. An empty file is a
deposit, no body at all is none: a sender that lost its body would get a receipt for nothing. A browser's form
(multipart/form-data) is taken for its one file; see `forms`.
"""

from collections.abc import Mapping
from functools import partial
from typing import TypeAlias

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from evidence_vault.access.decisions import decide_on_deposit, rests_on_grants
from evidence_vault.api.answers import answer_to
from evidence_vault.api.body import in_thread, pour_in_time, read_all, read_first
from evidence_vault.api.caller import (
    DepositingCaller,
    Depositor,
    VaultHere,
    depositor_with,
    sent_secret,
    vault_of,
)
from evidence_vault.api.context import tell
from evidence_vault.api.fields import (
    HASH_MEDIA_TYPE,
    parse_boolean,
    parse_content_disposition,
    parse_ext_value,
    parse_repr_digest,
)
from evidence_vault.api.forms import FIELDS, FormDeposit
from evidence_vault.api.json_body import flaw_in
from evidence_vault.api.problems import ProblemError
from evidence_vault.api.schemas import DepositedView, HashDeposit, ReceiptView
from evidence_vault.core.names import encode_time
from evidence_vault.errors import CredentialEnded, EvidenceError, FormatError
from evidence_vault.pipeline.cases.entering import event_actor
from evidence_vault.pipeline.intake.deposit import (
    begin_deposit,
    require_acceptable,
    submit_content,
    submit_digests,
)
from evidence_vault.pipeline.intake.deposited import Deposited
from evidence_vault.pipeline.intake.mandates import require_deposit
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.vault import Vault

MAX_HASH_BODY_BYTES = 16_384
"""Four digests and a size."""

SINGLE_FIELDS = {
    name.lower(): name
    for name in (
        "Authorization",
        "Content-Type",
        "Content-Encoding",
        "Content-Disposition",
        "Idempotency-Key",
        "Repr-Digest",
        "Evidence-Note",
        "Evidence-Secret",
    )
}
"""Header fields that say what a deposit is, as people write them; each may come once."""

Fields: TypeAlias = Mapping[str, str]
"""The header fields of a request, names in lower case."""


router = APIRouter(tags=["items"])


async def serve_deposit(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a deposit (ASGI) past the router, which takes a third of what a small one costs.

    What `deposit` declares is what the API's description says, and what is done here.
    """
    request = Request(scope, receive)
    try:
        vault = await vault_of(request)
        caller = await depositor_with(request, vault, sent_secret(request, vault))
        answer = await deposit(request, vault, caller)
    except (EvidenceError, ClientDisconnect) as error:
        answer = await tell(request, error)
    await answer(scope, receive, send)


@router.post(
    "/items",
    status_code=201,
    response_model=DepositedView,
    responses={200: {"model": DepositedView, "description": "The same deposit as before, by its key"}},
    openapi_extra={
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": text,
            }
            for name, text in (
                ("Content-Disposition", "attachment; filename*=UTF-8''… (RFC 6266, RFC 8187)"),
                ("Idempotency-Key", "1 to 200 visible ASCII characters"),
                ("Repr-Digest", "sha-256=:base64: (RFC 9530); must agree with the content"),
                ("Evidence-Note", "UTF-8''… (RFC 8187): a note, kept as a personal value"),
                ("Evidence-Secret", "?1 for a trade secret (RFC 8941)"),
            )
        ],
        "requestBody": {
            "required": True,
            "description": "An empty file is a deposit too: say `Content-Length: 0`. A request that announces no "
            "body, by neither Content-Length nor Transfer-Encoding, is refused (411).",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {
                            "file": {"type": "string", "format": "binary"},
                            **{name: {"type": "string"} for name in FIELDS},
                        },
                    }
                },
                HASH_MEDIA_TYPE: {"schema": HashDeposit.model_json_schema()},
            },
        },
    },
)
async def deposit(request: Request, vault: VaultHere, caller: DepositingCaller) -> Response:
    """Deposit a file, or the digests of one. The receipt comes after everything is durable."""
    if rests_on_grants(caller.requester):
        await in_thread(require_deposit, vault, caller.requester)
    else:
        decide_on_deposit(caller.requester)
    fields = _fields(request)
    media_type = fields.get("content-type", "").partition(";")[0].strip().lower()
    is_form = media_type == "multipart/form-data"
    if media_type == "application/x-www-form-urlencoded" or (
        media_type.startswith("multipart/") and not is_form
    ):
        raise ProblemError(
            "unsupported-media-type", f"send the file itself as the body, not a form ({media_type})"
        )
    if fields.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError("unsupported-media-type", "send the file as it is, without a content encoding")
    if (
        "content-length" not in fields and "transfer-encoding" not in fields
    ):  # RFC 9112 §6.3: there is no body
        raise ProblemError(
            "length-required", "a deposit has a body: an empty file is sent as Content-Length: 0"
        )
    if "content-range" in fields:  # RFC 9110 §14.4: a part of something would become evidence as the whole
        raise FormatError("Content-Range", "the whole file, or an upload to /v1/uploads", "a part")
    if is_form:
        take_in = _deposit_form
    elif media_type == HASH_MEDIA_TYPE:
        take_in = _deposit_digests
    else:
        take_in = _deposit_content
    try:
        return _answer(await take_in(request, fields, vault, caller))
    except CredentialEnded:
        request.app.state.remembered.forget(caller.token_sha256)
        raise


async def _deposit_content(request: Request, fields: Fields, vault: Vault, caller: Depositor) -> Deposited:
    """Stream the body in. Whatever goes wrong, a client that leaves included, nothing of it is kept."""
    secret = parse_boolean(fields.get("evidence-secret", "?0"), place="Evidence-Secret")
    wish = _wish(fields, caller, secret=secret, declared_size=_content_length(fields))
    require_acceptable(vault, wish)
    chunks = request.stream()
    content, is_whole = await read_first(chunks, at_most=vault.settings.max_packed_bytes)
    if is_whole:
        return await answer_to(vault.groups, partial(submit_content, vault, wish, content))
    running = await in_thread(begin_deposit, vault, wish)
    try:
        await pour_in_time(chunks, running.write, first=content)
        return await in_thread(running.commit)
    finally:
        await in_thread(running.__exit__, None, None, None)


async def _deposit_form(request: Request, fields: Fields, vault: Vault, caller: Depositor) -> Deposited:
    """Stream a browser's form in; its one file is the content."""
    for name in ("Content-Disposition", "Repr-Digest", "Evidence-Note", "Evidence-Secret"):
        if name.lower() in fields:
            raise FormatError(name, "a field of the form in its place", "a header field of the envelope")
    wish = Wish(
        actor=event_actor(caller.requester),
        idempotency_key=fields.get("idempotency-key"),
        token_sha256=caller.token_sha256,
    )
    form = FormDeposit(vault, wish, fields["content-type"])
    try:
        await pour_in_time(request.stream(), form.write)
        return await in_thread(form.commit)
    finally:
        await in_thread(form.abandon)


async def _deposit_digests(request: Request, fields: Fields, vault: Vault, caller: Depositor) -> Deposited:
    if "evidence-secret" in fields:
        raise FormatError("Evidence-Secret", 'no such field: a hash deposit says "secret" in its body')
    body = await read_all(request.stream(), max_bytes=MAX_HASH_BODY_BYTES, place="hash deposit")
    try:
        asked = HashDeposit.model_validate_json(body)
    except ValidationError as error:
        raise flaw_in("hash deposit", error) from None
    wish = _wish(fields, caller, secret=asked.secret, declared_size=None)
    return await answer_to(
        vault.groups, partial(submit_digests, vault, wish, digests=asked.hex_digests(), size=asked.size)
    )


def _fields(request: Request) -> Fields:
    """Return the header fields. Refuses one that came twice: whichever counted, the sender may mean the other."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name = raw_name.decode("latin-1")
        if name in fields and name in SINGLE_FIELDS:
            raise FormatError(SINGLE_FIELDS[name], "the field once", "more than once")
        fields[name] = raw_value.decode("latin-1")
    return fields


def _wish(fields: Fields, caller: Depositor, *, secret: bool, declared_size: int | None) -> Wish:
    note, digest = fields.get("evidence-note"), fields.get("repr-digest")
    return Wish(
        actor=event_actor(caller.requester),
        file_name=parse_content_disposition(fields.get("content-disposition", "attachment")),
        media_type=fields.get("content-type"),
        note=None if note is None else parse_ext_value(note, place="Evidence-Note"),
        secret=secret,
        declared_sha256=None if digest is None else parse_repr_digest(digest)["sha-256"],
        declared_size=declared_size,
        idempotency_key=fields.get("idempotency-key"),
        token_sha256=caller.token_sha256,
    )


def _content_length(fields: Fields) -> int | None:
    """Return the length that was announced; the server has checked its form. None: sent in chunks."""
    return int(fields["content-length"]) if "content-length" in fields else None


def _answer(done: Deposited) -> Response:
    """Answer with a `DepositedView`. The receipt is canonical JSON already and goes out as it was signed."""
    size = "null" if done.size is None else done.size
    head = f'{{"id":"{done.item_id}","sha256":"{done.sha256.hex()}","size":{size},'
    body = f'{head}"log_by":"{encode_time(done.log_by)}","receipt":'.encode() + done.receipt + b"}"
    return Response(
        body,
        status_code=200 if done.replayed else 201,
        media_type="application/json",
        headers={"Location": f"/v1/items/{done.item_id}"},
    )


def deposited_view(done: Deposited) -> DepositedView:
    """Return a deposit as answers tell it."""
    return DepositedView(
        id=done.item_id,
        sha256=done.sha256.hex(),
        size=done.size,
        log_by=encode_time(done.log_by),
        receipt=ReceiptView.model_validate_json(done.receipt),
    )
