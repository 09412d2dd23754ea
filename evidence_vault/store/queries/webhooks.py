"""Webhooks: added, listed, moved on, ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from evidence_vault.store.columns import table
from evidence_vault.store.webhook_models import Webhook

MAX_ERROR_CHARS = 500
"""What of an error's text is kept."""


def add_webhook(session: Session, **values: Any) -> None:
    """Add a row, with all that `Webhook` doesn't fill in itself."""
    session.execute(insert(table(Webhook)), {"failures": 0, **values})


def get_webhook(session: Session, webhook_id: str) -> Webhook | None:
    """Return the webhook with this id, ended or not."""
    return session.get(Webhook, webhook_id, populate_existing=True)


def webhooks_of(
    session: Session, actor_id: str, *, ended_since: datetime, limit: int, after: str | None
) -> Sequence[Webhook]:
    """Return this actor's by id, those above `after`: all that live, and those that ended since then."""
    statement = (
        select(Webhook)
        .where(Webhook.actor_id == actor_id, or_(Webhook.ended_at.is_(None), Webhook.ended_at > ended_since))
        .order_by(Webhook.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(Webhook.id > after)
    return session.scalars(statement).all()


def delete_ended(session: Session, actor_id: str, *, before: datetime) -> None:
    """Delete those of an actor's that ended before then."""
    session.execute(
        delete(Webhook)
        .where(Webhook.actor_id == actor_id, Webhook.ended_at < before)
        .execution_options(synchronize_session=False)
    )


def count_live(session: Session, actor_id: str) -> int:
    """Return how many of an actor's webhooks have not ended."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Webhook)
            .where(Webhook.actor_id == actor_id, Webhook.ended_at.is_(None))
        )
        or 0
    )


def note_slow(session: Session, webhook_id: str, *, until: datetime) -> None:
    """Note that the receiver took its time."""
    _update(session, webhook_id, {"slow_until": until})


def move_on(session: Session, webhook: Webhook, *, position: int, told_at: datetime | None) -> bool:
    """Note that everything before `position` is settled; whether it stood where `webhook` says, and was not ended.

    told_at: when something was told, if anything was. What failed before is settled too.
    """
    values: dict[str, Any] = {
        "position": position,
        "failing_since": None,
        "last_error": None,
        "failures": 0,
        **({} if told_at is None else {"told_at": told_at}),
    }
    return _update(session, webhook.id, values, Webhook.position == webhook.position)


def note_failure(session: Session, webhook: Webhook, *, at: datetime, error: str) -> None:
    """Note that the receiver failed, again or for the first time."""
    _update(
        session,
        webhook.id,
        {
            "failing_since": webhook.failing_since or at,
            "failures": webhook.failures + 1,
            "last_error": error[:MAX_ERROR_CHARS],
        },
    )


def end_webhook(session: Session, webhook_id: str, *, at: datetime, reason: str) -> None:
    """End it for good. Does nothing the second time."""
    _update(session, webhook_id, {"ended_at": at, "end_reason": reason})


def _update(session: Session, webhook_id: str, values: dict[str, Any], *which: ColumnElement[bool]) -> bool:
    done = session.execute(
        update(Webhook)
        .where(Webhook.id == webhook_id, Webhook.ended_at.is_(None), *which)
        .values(**values)
        .returning(Webhook.id)
        .execution_options(synchronize_session=False)
    )
    return done.first() is not None
