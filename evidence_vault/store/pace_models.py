"""The table of those who are asked from outside: when each may be asked again, and how it answered last."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from evidence_vault.store.columns import Base, UtcDateTime


class Pace(Base):
    """One target, over all workers: public authorities block whoever is hasty, and broken ones need rest.

    free_at: when it may next be asked. failures: since its last answer; last_error: of the newest. answered_at:
    its last answer. clock_offset_ms: how far its verified time was from our clock at clock_compared_at, ahead is
    positive.
    """

    __tablename__ = "paces"
    __table_args__ = (
        CheckConstraint("failures >= 0", name="failures_from_zero"),
        CheckConstraint("(clock_offset_ms IS NULL) = (clock_compared_at IS NULL)", name="offset_has_time"),
    )
    target: Mapped[str] = mapped_column(String(64), primary_key=True)
    free_at: Mapped[datetime] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(Text)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    clock_offset_ms: Mapped[int | None] = mapped_column(BigInteger)
    clock_compared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
