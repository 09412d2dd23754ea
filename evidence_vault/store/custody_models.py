"""The tables of custody: how contents were found when they were read again, and the vault's last sign of life."""

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from evidence_vault.store.columns import Base, UtcDateTime, length_check

SOUND: Literal["sound"] = "sound"
"""The state of a content that was read and found whole."""

FAILURES = ("altered", "missing", "unreadable")
"""The others, each a cause in FIXITY_FAILED."""


class ContentCheck(Base):
    """How an item's content was when it was last read again.

    state: null until it was read again. found_sha256: of what was there instead, if it could be read. sound_at:
    when it was last found whole. event_at: of the last event about it.
    """

    __tablename__ = "content_checks"
    __table_args__ = (
        length_check("found_sha256", 32),
        CheckConstraint("state IN ('sound', 'altered', 'missing', 'unreadable')", name="state"),
        Index("ix_content_checks_state", "state"),
    )
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True)
    state: Mapped[str | None] = mapped_column(String(10))
    found_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sound_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    event_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class FixitySweep(Base):
    """The sweep that goes on, or went last: one row, so that any process goes on where another one stopped.

    after_event_id: items up to it are done, in the order of their deposit. free_at: when the next round may begin,
    whoever works. finished_at null: it goes on. asked: the next one begins at once.
    """

    __tablename__ = "fixity_sweep"
    __table_args__ = (CheckConstraint("id = 1", name="singleton"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    after_event_id: Mapped[int] = mapped_column(BigInteger)
    items: Mapped[int] = mapped_column(BigInteger)
    bytes_read: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    free_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked: Mapped[bool]


class Heartbeat(Base):
    """When the vault last showed a sign of life, over all its processes.

    shut_since, shut_at: while it takes nothing in, since when, and its last sign of that.
    """

    __tablename__ = "heartbeat"
    __table_args__ = (CheckConstraint("id = 1", name="singleton"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    shut_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    shut_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Hold(Base):
    """What keeps content from being erased: of an item, or of a case and so of all its items.

    source: owner, retention (until its date, and not to be released), or bench, of `case_id`. Follows from events.
    """

    __tablename__ = "holds"
    subject_kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    subject_id: Mapped[str] = mapped_column(String(29), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String(64))
    placed_by: Mapped[str] = mapped_column(ForeignKey("actors.id"))
    case_id: Mapped[str | None] = mapped_column(String(29))
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_seq: Mapped[int | None] = mapped_column(BigInteger)


class Transfer(Base):
    """An offer to answer for an item from now on. state: offered, accepted, refused. Follows from events."""

    __tablename__ = "transfers"
    __table_args__ = (CheckConstraint("state IN ('offered', 'accepted', 'refused')", name="state"),)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    giver_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    receiver_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    offered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(8))


class Opinion(Base):
    """A technical investigator's opinion, sealed to the bench of a case. Follows from events.

    unsealed_seq: of the event that opened it to the parties.
    """

    __tablename__ = "opinions"
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    author_id: Mapped[str] = mapped_column(ForeignKey("actors.id"), index=True)
    sealed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    unsealed_seq: Mapped[int | None] = mapped_column(BigInteger)


class Objection(Base):
    """What somebody holds against an item. state: open, or its newest answer's outcome. Follows from events."""

    __tablename__ = "objections"
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    raised_by: Mapped[str] = mapped_column(ForeignKey("actors.id"))
    case_id: Mapped[str | None] = mapped_column(String(29))
    party: Mapped[int | None]
    ground: Mapped[str] = mapped_column(String(16))
    period: Mapped[str | None] = mapped_column(String(16))
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(10))
