"""Resumable uploads: content that comes in several requests, and becomes an item like any other when it is whole.

    create_upload      a row and an empty file; what it will be is frozen here
    receiving          one request's bytes: written, flushed, and only then counted (`received`)
    finish_upload      hashed again from the disk, then the deposit's own commit, under the upload's id as its key

Durable after a step: the bytes it counted. A crash at any point means: the upload stands at the last offset
that was told, and whoever owns it goes on there; bytes behind it are cut off. A whole upload that is no item
yet becomes one when anybody asks, or when the keeper finds it (`keeping`).

The item's digests never rest on what was computed while the bytes came in: a hash's state can't be kept over a
crash, so the bytes that count are those that the disk gives back.
"""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any

from evidence_vault.core.names import UPLOAD_ID, encode_id
from evidence_vault.core.states import UploadState
from evidence_vault.errors import (
    AccessRefused,
    Conflict,
    CredentialEnded,
    FormatError,
    Gone,
    IntegrityError,
    TooLarge,
    TooMany,
    VerificationError,
)
from evidence_vault.pipeline.intake.deposit import deposit_stored, find_deposited
from evidence_vault.pipeline.intake.deposited import Deposited, Journal, open_journal
from evidence_vault.pipeline.intake.wishes import Wish, check_wish
from evidence_vault.pipeline.log.shown import receipt_keys
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.partial import PartialFile
from evidence_vault.store.queries import uploads
from evidence_vault.store.upload_models import ResumableUpload

ENDPOINT = "PATCH /v1/uploads"


def create_upload(vault: Vault, wish: Wish, *, metadata_sent: str) -> ResumableUpload:
    """Begin an upload of `wish.declared_size` bytes. Durable after return.

    Raises ReadOnly, FormatError, TooLarge, TooMany (over the actor's limits), StorageFull. A crash before the
    commit leaves an empty file that is swept.
    """
    vault.gate.require_open()
    check_wish(wish, vault.settings)
    size, settings = wish.declared_size, vault.settings
    assert size is not None
    if size > settings.max_upload_bytes:
        raise TooLarge("Upload-Length", settings.max_upload_bytes)
    upload_id, now = encode_id("up", vault.random(16)), vault.clock()
    vault.partial.create(upload_id)
    with ExitStack() as undo:
        undo.callback(vault.partial.remove, upload_id)
        with vault.database.write() as session:
            opened = uploads.lock_open_uploads(session, wish.actor.id)
            if opened.count >= settings.max_open_uploads:
                raise TooMany("uploads", f"{opened.count} are open; finish or terminate one first")
            if opened.size + size > settings.max_open_upload_bytes:
                raise TooMany("uploads", f"{opened.size} bytes are announced by those that are open")
            uploads.insert_upload(
                session,
                upload_id=upload_id,
                actor_id=wish.actor.id,
                item_id=encode_id("it", vault.random(16)),
                size=size,
                token_sha256=wish.token_sha256,
                wish=_frozen(wish),
                metadata_sent=metadata_sent,
                at=now,
                expires_at=now + keep_for(vault),
            )
            undo.pop_all()  # an error from here on is the commit's own: it may have happened
    return find_upload(vault, upload_id, actor_id=wish.actor.id)


def find_upload(vault: Vault, upload_id: str, *, actor_id: str) -> ResumableUpload:
    """Return the actor's upload. Raises AccessRefused, the same for another's and none; Gone if it has ended.

    One that stands open and is an item all the same, as after a restore and `recover`, is noted as done.
    """
    with vault.database.read() as session:
        try:
            UPLOAD_ID.check(upload_id, "upload id")
        except FormatError:
            raise AccessRefused("upload", upload_id) from None
        row = uploads.get_upload(session, upload_id)
    if row is None or row.actor_id != actor_id:
        raise AccessRefused("upload", upload_id)
    if row.state == UploadState.OPEN and find_deposited(vault, row.item_id) is not None:
        _note_done(vault, row)
        return _read_again(vault, row)
    _require_there(vault, row)
    return row


def finish_upload(
    vault: Vault, row: ResumableUpload, file: PartialFile, *, token_sha256: bytes | None
) -> Deposited:
    """Make an item of an upload that is whole. `file` is held by the caller.

    token_sha256: of the token in whose name; it must be good in the very transaction that makes the item. Raises
    as a deposit does. VerificationError (not what was announced) ends the upload; after anything else it is
    there as before.
    """
    try:
        deposited = deposit_stored(
            vault,
            _wish(row, token_sha256),
            item_id=row.item_id,
            read_again=lambda content, alive: file.read_again(row.size, content, alive=alive),
            place=file.place,
            before=_journal_before(vault, row, file),
        )
    except VerificationError:
        end_upload(vault, row, file, UploadState.MISMATCH, received=row.size)
        raise
    except (CredentialEnded, AccessRefused):
        file.withdraw()
        raise
    _note_done(vault, row)  # a crash before this: whoever asks next finds the item, and notes it
    return deposited


def _journal_before(vault: Vault, row: ResumableUpload, file: PartialFile) -> Journal | None:
    """Return the journal that lies under the item's name; a torn one, which nobody was told of, is set aside.

    Raises IntegrityError for one that our key did not sign.
    """
    raw = file.journal()
    if raw is None:
        return None
    origin = vault.settings.origin
    try:
        return open_journal(raw, item_id=row.item_id, origin=origin, trusted=receipt_keys(vault))
    except FormatError:
        vault.blobs.set_torn_journal_aside(row.item_id)
        return None
    except VerificationError as error:
        raise IntegrityError(row.item_id, "a journal that our key signed", str(error)) from None


def deposited_by(vault: Vault, row: ResumableUpload, *, token_sha256: bytes | None) -> Deposited | None:
    """Return what came of an upload, finishing it first if it is whole; None while bytes are missing.

    token_sha256: of who asks. Raises as `finish_upload`, and Locked while another request does it.
    """
    if row.received < row.size:
        return None
    done = find_deposited(vault, row.item_id)
    if done is None:
        try:
            with hold(vault, row) as file:
                return finish_upload(vault, held_row(vault, row, file), file, token_sha256=token_sha256)
        except (Conflict, IntegrityError):
            done = find_deposited(vault, row.item_id)
            if done is None:
                raise
    if row.state == UploadState.OPEN:
        _note_done(vault, row)
    return done


def terminate_upload(vault: Vault, row: ResumableUpload) -> None:
    """End an upload and delete its bytes. Raises Locked, Conflict if it is an item by now."""
    with hold(vault, row) as file:
        held = held_row(vault, row, file)
        end_upload(vault, held, file, UploadState.TERMINATED, received=held.received)


def hold(vault: Vault, row: ResumableUpload) -> PartialFile:
    """Take the upload's file. Raises Locked, Gone if the upload has ended since, IntegrityError if it is lost."""
    try:
        return vault.partial.lock(row.id, row.item_id)
    except IntegrityError:
        if _read_again(vault, row).state in (UploadState.OPEN, UploadState.DONE):
            raise
        raise Gone("upload", "it has ended") from None  # its row first, then its file


def held_row(vault: Vault, row: ResumableUpload, file: PartialFile) -> ResumableUpload:
    """Return the row as it is now that the file is held. Raises Gone and Conflict unless it is open."""
    now = unfinished_row(vault, row, file)
    _require_there(vault, now)
    return now


def unfinished_row(vault: Vault, row: ResumableUpload, file: PartialFile) -> ResumableUpload:
    """Return the row as it is now, of what is no item. Raises Gone, Conflict, IntegrityError.

    A file gets its last name only when all of it is counted. One that has it while bytes are missing is of a later
    time than the database, which was restored: it may be an item's, and nothing here may touch it.
    """
    now = _read_again(vault, row)
    if now.state == UploadState.DONE or find_deposited(vault, row.item_id) is not None:
        raise Conflict("upload", "it is an item by now")
    if file.is_placed and now.received < now.size:
        raise IntegrityError(
            row.id, f"{now.received} bytes in incoming", f"the file of {row.item_id}: run `recover`"
        )
    return now


def _read_again(vault: Vault, row: ResumableUpload) -> ResumableUpload:
    with vault.database.read() as session:
        now = uploads.get_upload(session, row.id)
    if now is None:
        raise Gone("upload", "it has ended")
    return now


def _require_there(vault: Vault, row: ResumableUpload) -> None:
    match UploadState(row.state):
        case UploadState.OPEN:
            if row.expires_at <= vault.clock() and row.received < row.size:
                raise Gone("upload", "nothing came for too long; begin a new one")
        case UploadState.DONE:
            return
        case UploadState.MISMATCH:
            raise Gone("upload", "what arrived was not what was announced; begin a new one")
        case UploadState.TERMINATED:
            raise Gone("upload", "it was terminated")
        case UploadState.EXPIRED:
            raise Gone("upload", "nothing came for too long; begin a new one")


def end_upload(
    vault: Vault, row: ResumableUpload, file: PartialFile, state: UploadState, *, received: int
) -> None:
    """End an upload without an item: first its row, then its file.

    A crash between leaves a file that nobody knows, which is swept.
    """
    with vault.database.write() as session:
        uploads.end(session, row.id, state, received=received, until=vault.clock() + row_keep_for(vault))
    file.remove()


def _note_done(vault: Vault, row: ResumableUpload) -> None:
    until = vault.clock() + (keep_for(vault) if row.metadata_sent else row_keep_for(vault))
    with suppress(Conflict), vault.database.write() as session:  # whoever was quicker noted the same
        uploads.end_done(session, row.id, size=row.size, until=until)


def keep_for(vault: Vault) -> timedelta:
    """Return how long an upload lives without news, and what was said of it is told after it was done."""
    return timedelta(hours=vault.settings.upload_keep_hours)


def row_keep_for(vault: Vault) -> timedelta:
    """Return how long it is told that an upload has ended, and how."""
    return timedelta(days=vault.settings.upload_row_keep_days)


def _frozen(wish: Wish) -> Mapping[str, Any]:
    return {
        **wish.disclosures(),
        "secret": wish.secret,
        "sha256": None if wish.declared_sha256 is None else wish.declared_sha256.hex(),
        "role": wish.actor.role,
        "auth": wish.actor.auth,
        "on_behalf_of": wish.actor.on_behalf_of,
    }


def _wish(row: ResumableUpload, token_sha256: bytes | None) -> Wish:
    """Return the wish as it was frozen, with the upload's id as its idempotency key."""
    sha256 = row.wish["sha256"]
    return Wish(
        actor=EventActor(
            id=row.actor_id,
            role=row.wish["role"],
            auth=row.wish["auth"],
            on_behalf_of=row.wish.get("on_behalf_of"),
        ),
        file_name=row.wish.get("file_name"),
        media_type=row.wish.get("media_type"),
        note=row.wish.get("note"),
        secret=row.wish["secret"],
        declared_sha256=None if sha256 is None else bytes.fromhex(sha256),
        declared_size=row.size,
        idempotency_key=row.id,
        token_sha256=token_sha256,
        endpoint=ENDPOINT,
    )
