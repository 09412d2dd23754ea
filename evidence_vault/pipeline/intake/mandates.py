"""Whether somebody may deposit, on his own behalf or, as a lawyer, on a holder's.

A lawyer's mandate is the holder's grant in a case that names `deposit`; a technical investigator's, his place on
a bench. It is asked again in the transaction that commits the deposit; who deposits for himself costs no statement.
"""

from sqlalchemy.orm import Session

from evidence_vault.access.decisions import decide_on_deposit, rests_on_grants
from evidence_vault.access.facts import Requester
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import grants


def require_deposit(vault: Vault, requester: Requester, session: Session | None = None) -> None:
    """Return if `requester` may deposit now. Raises NotPermitted."""
    if not rests_on_grants(requester):
        decide_on_deposit(requester)
    elif session is not None:
        holder = requester.on_behalf_of
        found = (
            grants.seats(session, requester.actor_id, requester.role)
            if holder is None
            else grants.mandates(session, requester.actor_id, holder)
        )
        decide_on_deposit(requester, found, now=vault.clock())
    else:
        with vault.database.read() as reading:
            require_deposit(vault, requester, reading)
