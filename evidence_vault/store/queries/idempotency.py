"""Idempotency keys: a request that comes twice is done once.

no row ──claim──► held until lease_until ──complete──► done: request digest and item, for good
         ▲                 │ lease over: the holder died, or is too slow to matter
         └─────────────────┘
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, insert, select, update
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.errors import Conflict, InProgress
from evidence_vault.store.columns import table
from evidence_vault.store.models import IdempotencyKey


@value
class Scope:
    """Whose key it is, and for what: two actors, or two endpoints, never share one."""

    actor_id: str
    endpoint: str
    key: str


@value
class Completed:
    """What the first request with this key was, and what came of it."""

    request_sha256: bytes
    item_id: str


def claim(
    session: Session, scope: Scope, *, holder: str, now: datetime, lease_until: datetime
) -> Completed | None:
    """Take the key for `holder`, or return what was done under it before.

    Raises InProgress while another holder's lease runs.
    """
    row = session.scalar(_select(scope).with_for_update())
    if row is None:
        session.execute(
            insert(table(IdempotencyKey)),
            {
                "actor_id": scope.actor_id,
                "endpoint": scope.endpoint,
                "key": scope.key,
                "holder": holder,
                "lease_until": lease_until,
                "created_at": now,
            },
        )
        return None
    if row.item_id is not None and row.request_sha256 is not None:
        return Completed(request_sha256=row.request_sha256, item_id=row.item_id)
    if row.lease_until > now:
        raise InProgress("idempotency key", max(1.0, (row.lease_until - now).total_seconds()))
    row.holder, row.lease_until = holder, lease_until
    session.flush()
    return None


def renew(session: Session, scope: Scope, *, holder: str, lease_until: datetime) -> None:
    """Keep the key while a long upload runs. Raises Conflict if it was lost."""
    _update_held(session, scope, holder, {"lease_until": lease_until})


def complete(session: Session, scope: Scope, *, holder: str, request_sha256: bytes, item_id: str) -> None:
    """Bind the key to its request and item, in the item's own transaction. Raises Conflict if it was lost."""
    _update_held(session, scope, holder, {"request_sha256": request_sha256, "item_id": item_id})


def forget(session: Session, scope: Scope, *, holder: str) -> None:
    """Free the key of a request that came to nothing."""
    session.execute(
        delete(IdempotencyKey)
        .where(*_is(scope), IdempotencyKey.holder == holder, IdempotencyKey.item_id.is_(None))
        .execution_options(synchronize_session=False)
    )


def _update_held(session: Session, scope: Scope, holder: str, values: dict[str, object]) -> None:
    done = session.execute(
        update(IdempotencyKey)
        .where(*_is(scope), IdempotencyKey.holder == holder, IdempotencyKey.item_id.is_(None))
        .values(**values)
        .returning(IdempotencyKey.key)
        .execution_options(synchronize_session=False)
    )
    if done.first() is None:
        raise Conflict("idempotency key", "its lease ran out and another request took it")


def _select(scope: Scope) -> Select[IdempotencyKey]:
    return select(IdempotencyKey).where(*_is(scope)).execution_options(populate_existing=True)


def _is(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotencyKey.actor_id == scope.actor_id,
        IdempotencyKey.endpoint == scope.endpoint,
        IdempotencyKey.key == scope.key,
    )
