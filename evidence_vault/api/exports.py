"""Exports: ask for a bundle of an item or a case, see how far it is, fetch it. Handing it out is on record."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.access.facts import Requester
from evidence_vault.api.caller import Caller, VaultHere
from evidence_vault.api.description import may_answer
from evidence_vault.api.fields import encode_repr_digest
from evidence_vault.api.heads import is_head
from evidence_vault.api.once import OnceHere
from evidence_vault.api.problems import ProblemError
from evidence_vault.api.schemas import ExportView
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_time
from evidence_vault.core.states import JobState
from evidence_vault.errors import Conflict, InProgress, IntegrityError
from evidence_vault.pipeline.export.export import spool_path
from evidence_vault.pipeline.export.handing_out import hand_out_bundle, marking_refusals, may_still_have
from evidence_vault.pipeline.export.wish import SUBJECT_KIND, request_export, wish_for_case, wish_for_item
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Export, Job
from evidence_vault.store.queries import exports, jobs

RETRY_AFTER_S = 1.0
"""How soon it is worth asking again for a bundle that is being made."""

CHUNK_BYTES = 1 << 20

_ZIP_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}

router = APIRouter(tags=["exports"])


@value
class OwnExport:
    """An export of the caller's, its job, and the items in it, all of which he may still have."""

    export: Export
    job: Job
    items: tuple[str, ...]


@router.post("/items/{item_id}/exports", status_code=202, response_model=ExportView)
def start_export(item_id: str, vault: VaultHere, caller: Caller, once: OnceHere) -> JSONResponse:
    """Ask for a bundle of the item as it stands, content included. Its README says what it doesn't prove."""
    wish = wish_for_item(vault, caller, item_id)
    return _asked(vault, caller, once(None, lambda vault: request_export(vault, wish)))


@router.post(
    "/cases/{case_id}/exports",
    status_code=202,
    response_model=ExportView,
    openapi_extra=may_answer("conflict"),
)
def start_case_export(case_id: str, vault: VaultHere, caller: Caller, once: OnceHere) -> JSONResponse:
    """Ask for a bundle of the case: its history, and every item of it that one may export, under one seal.

    Events of the case that one may not see are in it as digests. Who sees the whole list of the case is told how
    many of its items are left out.
    """
    wish = wish_for_case(vault, caller, case_id)
    return _asked(vault, caller, once(None, lambda vault: request_export(vault, wish)))


@router.get("/exports/{export_id}")
def show_export(export_id: str, vault: VaultHere, caller: Caller) -> ExportView:
    """Show how far the bundle is."""
    with vault.database.read() as session:
        return _view(_open_export(vault, session, caller, export_id))


@router.get(
    "/exports/{export_id}/bundle",
    response_class=StreamingResponse,
    responses=_ZIP_FILE,
    openapi_extra=may_answer("gone", "in-progress", "conflict"),
)
def get_bundle(export_id: str, request: Request, vault: VaultHere, caller: Caller) -> Response:
    """Hand out the finished bundle. Our own verifier has read it before."""
    with marking_refusals(vault, caller), vault.database.read() as session:
        own = _open_export(vault, session, caller, export_id)
    _require_ready(own)
    path = spool_path(vault, export_id)
    assert own.export.bundle_sha256 is not None  # a verified bundle has been written, and so measured
    headers = {
        "Content-Length": str(own.export.bundle_size),
        "Content-Disposition": f'attachment; filename="{path.name}"',
        "Repr-Digest": encode_repr_digest(own.export.bundle_sha256),
    }
    if is_head(request):  # nothing leaves; whoever asked for the bundle sees how far it is anyway
        return Response(media_type="application/zip", headers=headers)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        if own.export.expires_at is not None and own.export.expires_at <= vault.clock():
            raise _gone() from None  # the file goes first, then the job says so
        raise IntegrityError(f"export {export_id}", "its bundle in the spool", "no such file") from None
    try:
        with marking_refusals(vault, caller):
            hand_out_bundle(vault, caller, own.export, list(own.items))
    except BaseException:
        file.close()
        raise
    return StreamingResponse(_chunks(file), media_type="application/zip", headers=headers)


def _asked(vault: Vault, caller: Requester, export_id: str) -> JSONResponse:
    with vault.database.read() as session:
        view = _view(_open_export(vault, session, caller, export_id))
    return JSONResponse(view.model_dump(mode="json"), 202, headers={"Location": f"/v1/exports/{export_id}"})


def _open_export(vault: Vault, session: Session, caller: Requester, export_id: str) -> OwnExport:
    export = exports.get_export(session, export_id)
    found = jobs.jobs_of(session, Subject(kind=SUBJECT_KIND, id=export_id))
    items = may_still_have(vault, session, caller, export, found[0] if found else None)
    if export is None or len(found) != 1:
        raise IntegrityError(f"export {export_id}", "one job", len(found))
    return OwnExport(export=export, job=found[0], items=tuple(items))


def _require_ready(own: OwnExport) -> None:
    match JobState(own.job.state):
        case JobState.VERIFIED:
            return
        case JobState.EXPIRED:
            raise _gone()
        case JobState.FAILED:
            raise Conflict("export", f"it failed: {own.job.last_error}")
        case _:
            raise InProgress("export", RETRY_AFTER_S)


def _gone() -> ProblemError:
    return ProblemError("gone", "the bundle's time in the spool is over; ask for a new export")


def _view(own: OwnExport) -> ExportView:
    export = own.export
    return ExportView(
        id=export.id,
        state=own.job.state,
        case=export.case_id,
        items=list(own.items),
        left_out=export.options.get("left_out"),
        created_at=encode_time(export.created_at),
        size=export.bundle_size,
        sha256=export.bundle_sha256.hex() if export.bundle_sha256 else None,
        expires_at=encode_time(export.expires_at) if export.expires_at else None,
        reason=own.job.last_error,
    )


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
