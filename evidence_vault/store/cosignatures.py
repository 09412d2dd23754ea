"""The table of cosignatures: who else has signed a checkpoint. Append-only, as `models` lists."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from evidence_vault.store.columns import BIG_ID, Base, UtcDateTime, length_check


class Cosignature(Base):
    """A signature by somebody else over a checkpoint, verified before it was kept. Append-only.

    By a witness (its vkey's name and key id), or at a rotation by the log's next key, under the origin.
    signature: what follows the key id in its line. timestamp: POSIX seconds by the witness's clock.
    """

    __tablename__ = "cosignatures"
    __table_args__ = (length_check("key_id", 4),)
    size: Mapped[int] = mapped_column(
        BIG_ID, ForeignKey("checkpoints.size"), primary_key=True, autoincrement=False
    )
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    key_id: Mapped[bytes] = mapped_column(LargeBinary(4), primary_key=True)
    signature: Mapped[bytes] = mapped_column(LargeBinary)
    timestamp: Mapped[int | None] = mapped_column(BigInteger)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
