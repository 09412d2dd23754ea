"""Resumable uploads: whose they are, how much is here, how they ended.

         ┌── received rises, each step by compare-and-swap ──┐
insert ──► OPEN ──► DONE | MISMATCH | TERMINATED | EXPIRED
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.states import UploadState
from evidence_vault.errors import Conflict
from evidence_vault.store.columns import table
from evidence_vault.store.people_models import Actor
from evidence_vault.store.rows import among
from evidence_vault.store.upload_models import ResumableUpload

_NOTHING_SAID: Mapping[str, Any] = {"wish": {}, "metadata_sent": ""}
"""File names and notes are personal: they don't outlive an upload's use in a table that nobody looks into."""


@value
class OpenUploads:
    """How many uploads an actor has open, and how many bytes they announce."""

    count: int
    size: int


def lock_open_uploads(session: Session, actor_id: str) -> OpenUploads:
    """Count an actor's open uploads under a lock on the actor: two that begin at once are both counted."""
    session.execute(select(Actor.id).where(Actor.id == actor_id).with_for_update())
    count, size = session.execute(
        select(func.count(), func.coalesce(func.sum(ResumableUpload.size), 0)).where(
            ResumableUpload.actor_id == actor_id, ResumableUpload.state == UploadState.OPEN
        )
    ).one()
    return OpenUploads(count=int(count), size=int(size))


def insert_upload(
    session: Session,
    *,
    upload_id: str,
    actor_id: str,
    item_id: str,
    size: int,
    token_sha256: bytes | None,
    wish: Mapping[str, Any],
    metadata_sent: str,
    at: datetime,
    expires_at: datetime,
) -> None:
    """Insert a new, empty upload."""
    session.execute(
        insert(table(ResumableUpload)),
        {
            "id": upload_id,
            "actor_id": actor_id,
            "item_id": item_id,
            "state": UploadState.OPEN,
            "size": size,
            "received": 0,
            "token_sha256": token_sha256,
            "wish": dict(wish),
            "metadata_sent": metadata_sent,
            "created_at": at,
            "expires_at": expires_at,
        },
    )


def get_upload(session: Session, upload_id: str) -> ResumableUpload | None:
    """Return the upload, or None."""
    return session.get(ResumableUpload, upload_id, populate_existing=True)


def advance(
    session: Session,
    upload_id: str,
    *,
    received_before: int,
    received: int,
    token_sha256: bytes | None,
    expires_at: datetime,
) -> None:
    """Note that so much is durable, and by whose token. Raises Conflict if it stands elsewhere."""
    values = {"received": received, "token_sha256": token_sha256, "expires_at": expires_at}
    _update_open(session, upload_id, received_before, values)


def end(session: Session, upload_id: str, state: UploadState, *, received: int, until: datetime) -> None:
    """End an open upload without an item. Raises Conflict if it is not open, or stands elsewhere.

    until: its row is kept so long; what its maker said of the content goes at once.
    """
    _update_open(session, upload_id, received, {"state": state, "expires_at": until, **_NOTHING_SAID})


def end_done(session: Session, upload_id: str, *, size: int, until: datetime) -> None:
    """End an open upload that is an item, wherever it stands here. Raises Conflict if it is not open.

    until: what its maker said of the content is told so long.
    """
    _update_open(session, upload_id, None, {"state": UploadState.DONE, "received": size, "expires_at": until})


def open_whole(session: Session) -> Sequence[ResumableUpload]:
    """Return the uploads that are whole, and no item yet: a crash came between."""
    return session.scalars(
        select(ResumableUpload)
        .where(ResumableUpload.state == UploadState.OPEN, ResumableUpload.received == ResumableUpload.size)
        .order_by(ResumableUpload.id)
    ).all()


def open_since(session: Session, before: datetime) -> Sequence[ResumableUpload]:
    """Return the open uploads whose time is over."""
    return session.scalars(
        select(ResumableUpload)
        .where(ResumableUpload.state == UploadState.OPEN, ResumableUpload.expires_at <= before)
        .order_by(ResumableUpload.id)
    ).all()


def open_upload_ids(session: Session, upload_ids: Iterable[str]) -> set[str]:
    """Return those of the ids that are open uploads."""
    return among(session, ResumableUpload.id, upload_ids, ResumableUpload.state == UploadState.OPEN)


def open_item_ids(session: Session, item_ids: Iterable[str]) -> set[str]:
    """Return those of the ids that are of items which open uploads will become."""
    return among(session, ResumableUpload.item_id, item_ids, ResumableUpload.state == UploadState.OPEN)


def forget_ended(session: Session, now: datetime, *, keep_until: datetime) -> None:
    """Delete the rows whose time is over, and take from those that were done what their makers said of them."""
    ended = (ResumableUpload.state != UploadState.OPEN, ResumableUpload.expires_at <= now)
    for change in (
        delete(ResumableUpload).where(*ended, ResumableUpload.metadata_sent == ""),
        update(ResumableUpload)
        .where(*ended, ResumableUpload.metadata_sent != "")
        .values(**_NOTHING_SAID, expires_at=keep_until),
    ):
        session.execute(change.execution_options(synchronize_session=False))


def _update_open(
    session: Session, upload_id: str, received: int | None, values: Mapping[str, object]
) -> None:
    done = session.execute(
        update(ResumableUpload)
        .where(
            ResumableUpload.id == upload_id,
            ResumableUpload.state == UploadState.OPEN,
            *([] if received is None else [ResumableUpload.received == received]),
        )
        .values(**values)
        .returning(ResumableUpload.id)
        .execution_options(synchronize_session=False)
    )
    if done.first() is None:
        raise Conflict("upload", "another request has changed it")
