"""Undertakings: what a grantee signs before a trade secret opens to him.

The text is the deployer's; its digest stands in the event, so that nobody can say later that he signed another. One
for each secret item. *Durable after return:* the event, and from then on the grant opens the item.
"""

import hashlib

from sqlalchemy.orm import Session

from evidence_vault.access.decisions import is_live, require_scope
from evidence_vault.access.facts import Requester
from evidence_vault.core.events import Subject
from evidence_vault.errors import AccessRefused, Conflict
from evidence_vault.pipeline.cases.entering import decide, event_actor
from evidence_vault.pipeline.consequences import append_and_follow
from evidence_vault.pipeline.record import Draft
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import grants


def sign_undertaking(
    vault: Vault, caller: Requester, grant_id: str, item_id: str, *, text_sha256: str, name: str
) -> None:
    """Record the grantee's undertaking for one trade secret. Raises AccessRefused; Conflict for another text."""
    require_scope("see-metadata", caller)
    with vault.database.write() as session:
        grants.lock_grants(session, [grant_id])
        entered = decide(vault, session, caller, "see-metadata", item_id)
        if entered.permission.grant != grant_id and not _is_grantee(
            vault, session, caller, grant_id, item_id
        ):
            raise AccessRefused("undertake", grant_id)
        if text_sha256 != undertaking_sha256(vault):
            raise Conflict("undertaking", "the text is another now; read it again")
        line = grants.get_grant_item(session, grant_id, item_id)
        if line is not None and line.undertaking_event_id is not None:
            return
        append_and_follow(
            vault,
            session,
            Draft(
                subject=Subject(kind="item", id=item_id),
                type="UNDERTAKING_SIGNED",
                actor=event_actor(caller),
                fields={"grant": grant_id, "text_sha256": text_sha256, "signature_sha256": None},
                disclosures={"name": name},
            ),
        )


def undertaking_sha256(vault: Vault) -> str:
    """Return the digest of the undertaking's text as it is now."""
    return hashlib.sha256(vault.settings.access.undertaking.encode()).hexdigest()


def _is_grantee(vault: Vault, session: Session, caller: Requester, grant_id: str, item_id: str) -> bool:
    grant = grants.get_grant(session, grant_id)
    if grant is None or (not grant.whole_case and grants.get_grant_item(session, grant_id, item_id) is None):
        return False
    return is_live(grants.facts_of_grant(session, grant), caller, now=vault.clock())
