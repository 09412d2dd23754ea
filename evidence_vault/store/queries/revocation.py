"""Revocation evidence: what chains want, and what came for each certificate."""

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from evidence_vault.store.columns import table
from evidence_vault.store.revocation_models import RevocationEvidence, RevocationWant


def get_want(session: Session, chain_sha256: bytes, *, lock: bool = False) -> RevocationWant | None:
    """Return what is wanted for a chain; locked, so that a token and the job that ends agree about it."""
    return session.get(
        RevocationWant, chain_sha256, with_for_update=True if lock else None, populate_existing=True
    )


def add_want(session: Session, chain_sha256: bytes, chain: bytes, wanted_at: datetime) -> None:
    """Note that tokens are made under a chain."""
    session.execute(
        insert(table(RevocationWant)),
        {"chain_sha256": chain_sha256, "chain": chain, "wanted_at": wanted_at},
    )


def add_evidence(
    session: Session,
    certificate_sha256: bytes,
    *,
    sha256: bytes,
    kind: str,
    body: bytes,
    this_update: datetime,
    next_update: datetime | None,
    fetched_at: datetime,
) -> None:
    """Keep a piece of evidence; one that is already there stays as it is."""
    if session.get(RevocationEvidence, (certificate_sha256, sha256)) is not None:
        return
    session.execute(
        insert(table(RevocationEvidence)),
        {
            "certificate_sha256": certificate_sha256,
            "sha256": sha256,
            "kind": kind,
            "body": body,
            "this_update": this_update,
            "next_update": next_update,
            "fetched_at": fetched_at,
        },
    )


def newest_evidence(session: Session, certificate_sha256: bytes) -> RevocationEvidence | None:
    """Return the piece about a certificate that was issued last."""
    return session.scalar(
        select(RevocationEvidence)
        .where(RevocationEvidence.certificate_sha256 == certificate_sha256)
        .order_by(RevocationEvidence.this_update.desc(), RevocationEvidence.sha256)
        .limit(1)
    )
