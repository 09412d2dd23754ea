"""Who may manage people: the administrator alone. What takes two of them is the business of `pipeline.proposals`.

Managing people opens no evidence: the administrator's column of the table has no letter there.
"""

from evidence_vault.access.decisions import MANAGE_SCOPE, NotPermitted, Requester


def decide_on_management(requester: Requester) -> None:
    """Return if `requester` may manage people. Raises NotPermitted, whatever he asked about."""
    if requester.role != "AD":
        raise NotPermitted("manage_people")
    if MANAGE_SCOPE not in requester.scopes:
        raise NotPermitted("manage_people", missing_scope=MANAGE_SCOPE)
