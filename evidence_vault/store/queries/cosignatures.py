"""Cosignatures: what others, and at a rotation the log's next key, have signed under a checkpoint."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from evidence_vault.core.note_keys import VerifierKey
from evidence_vault.core.notes import NoteSignature, VerifiedSignature
from evidence_vault.store.columns import table
from evidence_vault.store.cosignatures import Cosignature
from evidence_vault.store.models import Checkpoint


def add_cosignature(
    session: Session, size: int, line: NoteSignature, verified: VerifiedSignature, *, at: datetime
) -> bool:
    """Keep a verified line under the checkpoint of this size; false if that key has one there already."""
    if session.get(Cosignature, (size, line.name, line.key_id)) is not None:
        return False
    session.execute(
        insert(table(Cosignature)),
        {
            "size": size,
            "name": line.name,
            "key_id": line.key_id,
            "signature": line.signature,
            "timestamp": verified.timestamp,
            "received_at": at,
        },
    )
    return True


def cosignatures_of(session: Session, sizes: Sequence[int]) -> dict[int, tuple[NoteSignature, ...]]:
    """Return the lines under these checkpoints by size, sorted by name and key id; none where there is none."""
    rows = session.scalars(
        select(Cosignature)
        .where(Cosignature.size.in_(list(sizes)))
        .order_by(Cosignature.size, Cosignature.name, Cosignature.key_id)
    )
    found: dict[int, tuple[NoteSignature, ...]] = {}
    for row in rows:
        line = NoteSignature(name=row.name, key_id=row.key_id, signature=row.signature)
        found[row.size] = (*found.get(row.size, ()), line)
    return found


def newest_cosigned(session: Session, key: VerifierKey, *, up_to: int | None = None) -> Cosignature | None:
    """Return the cosignature by this key under the largest checkpoint, of those up to a size."""
    statement = select(Cosignature).where(Cosignature.name == key.name, Cosignature.key_id == key.key_id)
    if up_to is not None:
        statement = statement.where(Cosignature.size <= up_to)
    return session.scalar(statement.order_by(Cosignature.size.desc()).limit(1))


def first_signed_above(session: Session, leaf_index: int) -> int | None:
    """Return the size of the first checkpoint, published or only signed, that covers this leaf."""
    return session.scalar(select(func.min(Checkpoint.size)).where(Checkpoint.size > leaf_index))


def newest_size(session: Session) -> int | None:
    """Return the size of the largest checkpoint that somebody has cosigned."""
    return session.scalar(select(func.max(Cosignature.size)))
