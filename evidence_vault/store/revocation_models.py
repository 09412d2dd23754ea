"""The tables of revocation evidence: what is wanted for an authority's chain, and what came."""

from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from evidence_vault.store.columns import Base, UtcDateTime, length_check


class RevocationWant(Base):
    """A chain (PEM, as in proof parts) under which tokens were made, and up to when evidence should cover them."""

    __tablename__ = "revocation_wants"
    __table_args__ = (length_check("chain_sha256", 32),)
    chain_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    chain: Mapped[bytes] = mapped_column(LargeBinary)
    wanted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RevocationEvidence(Base):
    """A CRL or an OCSP response about a certificate, judged before it was kept. Append-only, as `models` lists.

    No event records it: its issuer signed it, and a bundle's seal says when it was there (ADR 0019).
    """

    __tablename__ = "revocation_evidence"
    __table_args__ = (
        length_check("certificate_sha256", 32),
        length_check("sha256", 32),
        CheckConstraint("kind IN ('crl', 'ocsp')", name="kind"),
    )
    certificate_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(4))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    this_update: Mapped[datetime] = mapped_column(UtcDateTime)
    next_update: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)
