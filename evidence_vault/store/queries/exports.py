"""Exports: who asked for which items, the parts as they were frozen, and the bundle that came of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from evidence_vault.core.events import Subject
from evidence_vault.core.states import JobState
from evidence_vault.store.models import Export, ExportItem, ExportPart, Job


def add_export(
    session: Session,
    *,
    export_id: str,
    actor_id: str,
    item_ids: Sequence[str],
    case_id: str | None,
    options: Mapping[str, Any],
    at: datetime,
) -> None:
    """Add an export of these items, and of the case with them if there is one."""
    row = {"id": export_id, "actor_id": actor_id, "case_id": case_id}
    session.execute(insert(Export), {**row, "options": dict(options), "created_at": at})
    session.execute(insert(ExportItem), [{"export_id": export_id, "item_id": i} for i in item_ids])


def get_export(session: Session, export_id: str) -> Export | None:
    """Return the export. Who may see it is not decided here."""
    return session.get(Export, export_id, populate_existing=True)


def newest_finished(session: Session, actor_id: str, about: Subject) -> Export | None:
    """Return the actor's newest finished export of this item by itself, or of this case."""
    finished = select(Job.subject_id).where(
        Job.subject_kind == "export", Job.kind == "export", Job.state == JobState.VERIFIED
    )
    statement = select(Export).where(Export.actor_id == actor_id, Export.id.in_(finished))
    if about.kind == "case":
        statement = statement.where(Export.case_id == about.id)
    else:
        items = select(ExportItem.export_id).where(ExportItem.item_id == about.id)
        statement = statement.where(Export.case_id.is_(None), Export.id.in_(items))
    return session.scalars(statement.order_by(Export.created_at.desc(), Export.id).limit(1)).one_or_none()


def update_export(session: Session, export_id: str, **values: Any) -> None:
    """Set columns of the export: cut_size, parts_sha256, checkpoint_size, bundle_sha256 and the like."""
    session.execute(
        update(Export)
        .where(Export.id == export_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def export_items(session: Session, export_id: str) -> Sequence[ExportItem]:
    """Return the items of an export in id order: the order in which their subjects are locked."""
    return session.scalars(
        select(ExportItem).where(ExportItem.export_id == export_id).order_by(ExportItem.item_id)
    ).all()


def set_exported_event(session: Session, export_id: str, item_id: str, event_id: int) -> None:
    """Note which event seals this item's part of the export."""
    session.execute(
        update(ExportItem)
        .where(ExportItem.export_id == export_id, ExportItem.item_id == item_id)
        .values(event_id=event_id)
        .execution_options(synchronize_session=False)
    )


def freeze_parts(session: Session, export_id: str, parts: Mapping[str, tuple[bytes, bytes | None]]) -> None:
    """Keep the parts: path → (sha256, body); body null for an item's content, which stays a blob."""
    session.execute(
        insert(ExportPart),
        [
            {"export_id": export_id, "path": path, "sha256": sha256, "body": body}
            for path, (sha256, body) in parts.items()
        ],
    )


def frozen_parts(session: Session, export_id: str) -> Sequence[ExportPart]:
    """Return the frozen parts, sorted by path."""
    return session.scalars(
        select(ExportPart).where(ExportPart.export_id == export_id).order_by(ExportPart.path)
    ).all()


def frozen_texts(session: Session, export_id: str, *, under: str) -> dict[str, bytes]:
    """Return by path the frozen parts whose paths begin like this, and that have their bytes here."""
    rows = session.execute(
        select(ExportPart.path, ExportPart.body).where(
            ExportPart.export_id == export_id,
            ExportPart.path.startswith(under, autoescape=True),
            ExportPart.body.is_not(None),
        )
    )
    return {path: body for path, body in rows if body is not None}


def drop_parts(session: Session, export_id: str) -> None:
    """Delete the frozen parts of an export whose bundle nobody gets any more: values may be erased since."""
    session.execute(
        delete(ExportPart)
        .where(ExportPart.export_id == export_id)
        .execution_options(synchronize_session=False)
    )
