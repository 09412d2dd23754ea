"""Idempotency keys: a request that comes twice is done once.

no row ──claim──► held until lease_until ──complete──► done: request digest and answer, for good
         ▲                 │ lease over: the holder died, or is too slow to matter
         └─────────────────┘

A deposit may take hours, so its key is held under a lease. Any other act is one transaction, in which its key is
claimed and bound: a repetition that comes meanwhile waits for that.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, bindparam, delete, select, update
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.errors import Conflict, InProgress
from evidence_vault.store.columns import table
from evidence_vault.store.models import IdempotencyKey
from evidence_vault.store.rows import Rows


@value
class Scope:
    """Whose key it is, and for what: two actors, or two endpoints, never share one."""

    actor_id: str
    endpoint: str
    key: str


@value
class Binding:
    """A key and what was done under it. request_sha256: over digest, size and metadata."""

    scope: Scope
    request_sha256: bytes
    item_id: str


@value
class Completed:
    """What the first request with this key was, and what came of it: the item of a deposit, else an answer."""

    request_sha256: bytes
    answer: str


def claim(
    session: Session, scope: Scope, *, holder: str, now: datetime, lease_until: datetime
) -> Completed | None:
    """Take the key for `holder`, or return what was done under it before.

    Raises InProgress while another holder's lease runs.
    """
    new = (*_place(scope), holder, lease_until, None, None, now)
    if _NEW.insert(session.connection(), [new]):
        return None
    row = session.scalar(_select(scope).with_for_update())
    if row is None:  # it was freed since: whoever held it came to nothing
        raise InProgress("idempotency key", 1.0)
    if row.request_sha256 is not None:
        answer = row.answer if row.item_id is None else row.item_id
        assert answer is not None  # a constraint of the table
        return Completed(request_sha256=row.request_sha256, answer=answer)
    if row.lease_until > now:
        raise InProgress("idempotency key", max(1.0, (row.lease_until - now).total_seconds()))
    row.holder, row.lease_until = holder, lease_until
    session.flush()
    return None


_NEW = Rows(
    IdempotencyKey,
    *("actor_id", "endpoint", "key", "holder", "lease_until", "request_sha256", "item_id", "created_at"),
    returning=("actor_id", "endpoint", "key"),
    skip_known=True,
)
"""Takes keys that nobody ever used; where another transaction is just taking one, it waits for that."""

_HELD = table(IdempotencyKey).c
_BIND = (
    update(table(IdempotencyKey))
    .where(
        _HELD.actor_id == bindparam("of_actor"),
        _HELD.endpoint == bindparam("of_endpoint"),
        _HELD.key == bindparam("of_key"),
    )
    .values(request_sha256=bindparam("done_sha256"), item_id=bindparam("done_item"))
)


def bind_new(session: Session, bindings: Sequence[Binding], *, holder: str, now: datetime) -> set[Scope]:
    """Bind those of these keys that nobody ever used, in one statement; return them. Each is named once.

    Their items must be there when the transaction is committed. Where another transaction is just taking one of
    the keys, this waits for it: sorted, so that two such groups don't wait for each other.
    """
    ordered = sorted(bindings, key=lambda one: _place(one.scope))
    taken = _NEW.insert(
        session.connection(),
        [(*_place(one.scope), holder, now, one.request_sha256, one.item_id, now) for one in ordered],
    )
    return {Scope(actor_id=actor_id, endpoint=endpoint, key=key) for actor_id, endpoint, key in taken}


def bind(session: Session, binding: Binding) -> None:
    """Bind a key that its holder has in this transaction to what is done under it."""
    session.connection().execute(
        _BIND,
        {
            "of_actor": binding.scope.actor_id,
            "of_endpoint": binding.scope.endpoint,
            "of_key": binding.scope.key,
            "done_sha256": binding.request_sha256,
            "done_item": binding.item_id,
        },
    )


def bind_answer(session: Session, scope: Scope, *, request_sha256: bytes, answer: str) -> None:
    """Bind a key that was claimed in this transaction to what came of the act that was done in it."""
    session.execute(
        update(IdempotencyKey)
        .where(*_is(scope))
        .values(request_sha256=request_sha256, answer=answer)
        .execution_options(synchronize_session=False)
    )


def unbind(session: Session, binding: Binding) -> None:
    """Free a key that was bound in this transaction to what came to nothing."""
    session.execute(
        delete(IdempotencyKey)
        .where(*_is(binding.scope), IdempotencyKey.item_id == binding.item_id)
        .execution_options(synchronize_session=False)
    )


def renew(session: Session, scope: Scope, *, holder: str, lease_until: datetime) -> None:
    """Keep the key while a long upload runs. Raises Conflict if it was lost."""
    _update_held(session, scope, holder, {"lease_until": lease_until})


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


def _place(scope: Scope) -> tuple[str, str, str]:
    return scope.actor_id, scope.endpoint, scope.key


def _select(scope: Scope) -> Select[IdempotencyKey]:
    return select(IdempotencyKey).where(*_is(scope)).execution_options(populate_existing=True)


def _is(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotencyKey.actor_id == scope.actor_id,
        IdempotencyKey.endpoint == scope.endpoint,
        IdempotencyKey.key == scope.key,
    )
