"""The table of resumable uploads; `models` has all others and says how they hang together."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from evidence_vault.store.columns import Base, UtcDateTime


class ResumableUpload(Base):
    """Content that comes in several requests. What it will be is frozen when it is made; its bytes are a file.

    received: how much of `size` is durable. item_id: of the item it becomes, chosen beforehand, so that a crash
    between the file's last name and the commit finds the same name again. token_sha256: of the token that brought
    what was counted last. state: as in `core.states`. expires_at: when an open upload ends; then, when
    what was said of it is forgotten, and at last the row.
    """

    __tablename__ = "resumable_uploads"
    __table_args__ = (
        CheckConstraint("received BETWEEN 0 AND size", name="received_within_size"),
        CheckConstraint("state <> 'DONE' OR received = size", name="done_when_whole"),
        Index("ix_resumable_uploads_state_actor_id", "state", "actor_id"),
    )
    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    actor_id: Mapped[str] = mapped_column(ForeignKey("actors.id"))
    item_id: Mapped[str] = mapped_column(String(29), unique=True)
    state: Mapped[str] = mapped_column(String(10))
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger)
    token_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    wish: Mapped[dict[str, Any]] = mapped_column(JSON)
    metadata_sent: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
