"""Keeping: what becomes of resumable uploads that nobody asks for any more. A round every minute.

    whole       is finished, in the name of the token that brought its last bytes
    over        ends, and its bytes go
    unknown     a file that no open upload has, once it is old enough, goes

One that can't be dealt with, whatever its error, keeps no other waiting: the round goes on, and tells at its end.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from evidence_vault.core.states import UploadState
from evidence_vault.errors import (
    AccessRefused,
    Conflict,
    CredentialEnded,
    Gone,
    IntegrityError,
    Locked,
    VerificationError,
)
from evidence_vault.pipeline.intake.uploads import (
    deposited_by,
    end_upload,
    hold,
    keep_for,
    row_keep_for,
    unfinished_row,
)
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import uploads
from evidence_vault.store.upload_models import ResumableUpload


def keep_uploads(vault: Vault) -> None:
    """Finish what is whole, end what is over, and sweep what nobody knows: the keeper's round.

    Raises what an operator must see, after the round: an IntegrityError if there was one, else the first error,
    with the upload's id as its note.
    """
    now = vault.clock()
    if vault.gate.reasons:
        return
    with vault.database.read() as session:
        whole, over = uploads.open_whole(session), uploads.open_since(session, now)
    failed: list[Exception] = []
    refused: set[str] = set()
    for row in whole:
        with _apart(row.id, failed):
            try:
                deposited_by(vault, row, token_sha256=row.token_sha256)
            except (Locked, VerificationError, Gone):
                continue  # its own request is at it; or it has just ended, and whoever asks is told
            except (CredentialEnded, AccessRefused):
                refused.add(row.id)  # until its time is over, another token of the same person may ask for it
    for row in over:
        if row.received == row.size and row.id not in refused:
            continue  # whole: it is for us to finish
        with _apart(row.id, failed), suppress(Locked, Gone):  # somebody has just gone on with it, or ended it
            _expire(vault, row)
    for upload_id in _forgotten(vault):
        with _apart(upload_id, failed):
            vault.partial.remove(upload_id)
    if failed:
        raise min(failed, key=lambda error: not isinstance(error, IntegrityError))


@contextmanager
def _apart(upload_id: str, failed: list[Exception]) -> Iterator[None]:
    """Let an error end the work on this upload alone."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - this is a worker's loop; what is caught is raised at its end
        error.add_note(f"of the upload {upload_id}")
        failed.append(error)


def _expire(vault: Vault, row: ResumableUpload) -> None:
    """End an upload whose time is over, and remove its bytes; one without bytes too, as after a restore."""
    if vault.partial.is_lost(row.id, row.item_id):
        with suppress(Conflict), vault.database.write() as session:
            uploads.end(
                session,
                row.id,
                UploadState.EXPIRED,
                received=row.received,
                until=vault.clock() + row_keep_for(vault),
            )
        return
    with hold(vault, row) as file, suppress(Conflict):
        now = unfinished_row(vault, row, file)
        if now.state == UploadState.OPEN and now.expires_at <= vault.clock():
            end_upload(vault, now, file, UploadState.EXPIRED, received=now.received)


def _forgotten(vault: Vault) -> list[str]:
    """Forget the rows whose time is over; return the files that no open upload has."""
    now = vault.clock()
    with vault.database.write() as session:
        uploads.forget_ended(session, now, keep_until=now + row_keep_for(vault))
    stale = vault.partial.ids(older_than_s=keep_for(vault).total_seconds(), now_s=now.timestamp())
    with vault.database.read() as session:
        known = uploads.open_upload_ids(session, stale)
    return sorted(set(stale) - known)
