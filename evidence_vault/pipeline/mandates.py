"""Whether somebody may deposit, on his own behalf or, as a lawyer, on a holder's.

A lawyer's mandate is the holder's grant in a case that names `deposit`. It is asked again in the transaction that
commits the deposit; whoever deposits for himself costs no statement.
"""

from sqlalchemy.orm import Session

from evidence_vault.access.decisions import decide_on_deposit
from evidence_vault.access.facts import Requester
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import grants


def require_deposit(vault: Vault, requester: Requester, session: Session | None = None) -> None:
    """Return if `requester` may deposit now. Raises NotPermitted."""
    if requester.on_behalf_of is None:
        decide_on_deposit(requester)
    elif session is not None:
        found = grants.mandates(session, requester.actor_id, requester.on_behalf_of)
        decide_on_deposit(requester, found, now=vault.clock())
    else:
        with vault.database.read() as reading:
            require_deposit(vault, requester, reading)
