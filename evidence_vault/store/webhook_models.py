"""The table of webhooks: who is told what happened, where, and how far he has heard."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from evidence_vault.store.columns import Base, UtcDateTime


class Webhook(Base):
    """A receiver. Its job in `jobs` says when it is told next; ended ones are told nothing, and deleted later.

    role, organisation_id: as which its owner sees things. token_sha256: of the token that made it, and with which
    it ends; null: a person made it in a session. types: event types that are told, space-separated, all if empty.
    position: the leaf from which on nothing was told yet. failing_since: of the first failure after the last
    success. slow_until: it took its time lately, and is told among those who do.
    """

    __tablename__ = "webhooks"
    __table_args__ = (CheckConstraint("position >= 0", name="position_from_zero"),)
    id: Mapped[str] = mapped_column(String(29), primary_key=True)
    actor_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    role: Mapped[str] = mapped_column(String(6))
    organisation_id: Mapped[str | None] = mapped_column(String(29))
    token_sha256: Mapped[bytes | None] = mapped_column(ForeignKey("credentials.token_sha256"))
    url: Mapped[str] = mapped_column(Text)
    types: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    slow_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str | None] = mapped_column(String(64))
