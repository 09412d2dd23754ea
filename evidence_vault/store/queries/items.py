"""Items, and how far each has come: its state is no column but follows from facts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from anchors.values import value
from evidence_vault.core.states import JobState
from evidence_vault.store.columns import table
from evidence_vault.store.models import Item, Job, Leaf, Upload
from evidence_vault.store.queries.log import first_published_above
from evidence_vault.store.rows import among

ItemState = Literal["received", "timestamped", "logged", "anchored", "final"]


@value
class ItemProgress:
    """The facts about an item from which its state follows.

    tokens: authorities whose token over the content digest is recorded. awaited: those still to answer. refused:
    those that said no for good.
    leaf_index: of ITEM_RECEIVED. logged_size: the first published checkpoint that covers it.
    record_tokens: authorities whose token over a covering checkpoint is recorded. record_awaited: the others that
    were asked about the first one.
    anchored_size, final_size: the first covering checkpoint that is in a block, and in a final one.
    """

    tokens: tuple[str, ...]
    awaited: tuple[str, ...]
    refused: tuple[str, ...]
    leaf_index: int | None
    logged_size: int | None
    record_tokens: tuple[str, ...]
    record_awaited: tuple[str, ...]
    anchored_size: int | None
    final_size: int | None

    @property
    def state(self) -> ItemState:
        """The furthest that was reached; later stages don't wait for every authority's token."""
        if self.final_size is not None:
            return "final"
        if self.anchored_size is not None:
            return "anchored"
        if self.logged_size is not None:
            return "logged"
        return "timestamped" if self.tokens else "received"


def insert_item(
    session: Session,
    *,
    item_id: str,
    owner_id: str,
    event_id: int,
    mode: str,
    secret: bool,
    sha256: bytes | None,
    size: int | None,
    crc32: int | None,
    receipt: bytes,
    at: datetime,
) -> None:
    """Add an item with its first event and its receipt."""
    session.execute(
        insert(table(Item)),
        {
            "id": item_id,
            "owner_id": owner_id,
            "event_id": event_id,
            "mode": mode,
            "secret": secret,
            "sha256": sha256,
            "size": size,
            "crc32": crc32,
            "receipt": receipt,
            "received_at": at,
        },
    )


def get_item(session: Session, item_id: str) -> Item | None:
    """Return the item. Who may see it is not decided here."""
    return session.get(Item, item_id)


def get_items(session: Session, item_ids: Iterable[str]) -> Sequence[Item]:
    """Return these items in id order; those that there are."""
    return session.scalars(select(Item).where(Item.id.in_(list(item_ids))).order_by(Item.id)).all()


def digests_of(session: Session, item_ids: Iterable[str]) -> dict[str, bytes]:
    """Return the SHA-256 of each of these items' contents, where it is known. A few hundred ids at most."""
    rows = session.execute(
        select(Item.id, Item.sha256).where(Item.id.in_(list(item_ids)), Item.sha256.is_not(None))
    )
    return {item_id: sha256 for item_id, sha256 in rows if sha256 is not None}


def owned_by(session: Session, owner_id: str, item_ids: Iterable[str]) -> set[str]:
    """Return which of these items are this owner's."""
    return among(session, Item.id, item_ids, Item.owner_id == owner_id)


def list_items(session: Session, *, owner_id: str, limit: int, after: str | None = None) -> Sequence[Item]:
    """Return an owner's items, newest first; `after`: the last id of the page before."""
    statement = select(Item).where(Item.owner_id == owner_id).order_by(Item.event_id.desc()).limit(limit)
    if after is not None:
        cursor = select(Item.event_id).where(Item.id == after, Item.owner_id == owner_id).scalar_subquery()
        statement = statement.where(Item.event_id < cursor)
    return session.scalars(statement).all()


def known_item_ids(session: Session, item_ids: Iterable[str]) -> set[str]:
    """Return which of these ids are items."""
    return among(session, Item.id, item_ids)


def item_progress(session: Session, item: Item) -> ItemProgress:
    """Return how far the item has come."""
    jobs = session.execute(
        select(Job.target, Job.state).where(
            Job.kind == "timestamp", Job.subject_kind == "item", Job.subject_id == item.id
        )
    ).all()
    index = session.scalar(select(Leaf.leaf_index).where(Leaf.event_id == item.event_id))
    logged = None
    if index is not None:
        checkpoint = first_published_above(session, index)
        logged = None if checkpoint is None else checkpoint.size
    anchored = final = None
    record_tokens: tuple[str, ...] = ()
    record_awaited: tuple[str, ...] = ()
    if index is not None and logged is not None:
        anchored = _first_checkpoint(session, "anchor", index, (JobState.INCLUDED, JobState.FINAL))
        final = _first_checkpoint(session, "anchor", index, (JobState.FINAL,))
        record_tokens, record_awaited = _record_tokens(session, index)
    return ItemProgress(
        tokens=tuple(sorted(target for target, state in jobs if state == JobState.DONE)),
        awaited=tuple(sorted(target for target, state in jobs if state == JobState.READY)),
        refused=tuple(sorted(target for target, state in jobs if state == JobState.FAILED)),
        leaf_index=index,
        logged_size=logged,
        record_tokens=record_tokens,
        record_awaited=record_awaited,
        anchored_size=anchored,
        final_size=final,
    )


def note_upload(session: Session, *, item_id: str, actor_id: str | None, state: str, at: datetime) -> None:
    """Write down what is known about bytes without an item; overwrites what was known before."""
    session.merge(Upload(item_id=item_id, actor_id=actor_id, state=state, noted_at=at))
    session.flush()


def noted_ids(session: Session, item_ids: Iterable[str]) -> set[str]:
    """Return about which of these ids something is written down."""
    return among(session, Upload.item_id, item_ids)


def _first_checkpoint(
    session: Session, kind: str, leaf_index: int, states: tuple[JobState, ...], target: str | None = None
) -> int | None:
    """Return the smallest checkpoint above the leaf with a job of this kind in one of these states."""
    statement = (
        select(Job.checkpoint_size)
        .where(Job.kind == kind, Job.state.in_(states), Job.checkpoint_size > leaf_index)
        .order_by(Job.checkpoint_size)
        .limit(1)
    )
    return session.scalar(statement if target is None else statement.where(Job.target == target))


def _record_tokens(session: Session, leaf_index: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of those asked about the first checkpoint above the leaf: who has a token over it or a later one, who not."""
    first = _first_checkpoint(session, "timestamp", leaf_index, tuple(JobState))
    asked = session.scalars(
        select(Job.target)
        .where(Job.kind == "timestamp", Job.subject_kind == "checkpoint", Job.subject_id == str(first))
        .order_by(Job.target)
    ).all()
    done = {
        target
        for target in asked
        if _first_checkpoint(session, "timestamp", leaf_index, (JobState.DONE,), target) is not None
    }
    return tuple(t for t in asked if t in done), tuple(t for t in asked if t not in done)
