"""The nonce ledger of the anchor senders (`anchors.ethereum.nonces.NonceLedger`), kept in the database."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from evidence_vault.store.models import AnchorNonce
from evidence_vault.store.session import Database, serialize


class DatabaseNonceLedger:
    """Which nonce of a sender belongs to which checkpoint, for all workers of that sender's key.

    Durable before return. One reservation of a sender at a time; the constraints hold whatever else happens.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(
        self,
        *,
        chain_id: int,
        sender: bytes,
        purpose: str,
        chain_nonce: int,
        yields_to: Callable[[str], bool],
    ) -> int | None:
        """Return the nonce that `purpose` holds, if it is at least `chain_nonce`, else the smallest free one.

        None while one that it yields to holds one that the chain has not used.
        """
        with self._database.write() as session:
            serialize(session, f"nonces {chain_id} {sender.hex()}")
            held = {row.purpose: row.nonce for row in _rows(session, chain_id, sender)}
            own = held.get(purpose)
            if own is not None and own >= chain_nonce:
                return own
            if any(nonce >= chain_nonce and yields_to(name) for name, nonce in held.items()):
                return None
            taken = {nonce for name, nonce in held.items() if name != purpose}
            nonce = next(n for n in range(chain_nonce, chain_nonce + len(taken) + 1) if n not in taken)
            if own is None:
                session.add(AnchorNonce(chain_id=chain_id, sender=sender, nonce=nonce, purpose=purpose))
            else:
                session.execute(
                    update(AnchorNonce).where(*_is(chain_id, sender, purpose)).values(nonce=nonce)
                )
            return nonce

    def release(self, *, chain_id: int, sender: bytes, purpose: str) -> None:
        """Free the nonce of a purpose that sent nothing and never will."""
        with self._database.write() as session:
            session.execute(delete(AnchorNonce).where(*_is(chain_id, sender, purpose)))


def purpose_of(session: Session, *, chain_id: int, sender: bytes, nonce: int) -> str | None:
    """Return what holds this nonce of a sender; None if nothing does."""
    return session.scalar(
        select(AnchorNonce.purpose).where(
            AnchorNonce.chain_id == chain_id, AnchorNonce.sender == sender, AnchorNonce.nonce == nonce
        )
    )


def _rows(session: Session, chain_id: int, sender: bytes) -> list[AnchorNonce]:
    return list(
        session.scalars(
            select(AnchorNonce)
            .where(AnchorNonce.chain_id == chain_id, AnchorNonce.sender == sender)
            .with_for_update()
        )
    )


def _is(chain_id: int, sender: bytes, purpose: str) -> tuple[ColumnElement[bool], ...]:
    return (
        AnchorNonce.chain_id == chain_id,
        AnchorNonce.sender == sender,
        AnchorNonce.purpose == purpose,
    )
