"""Who may manage people: the administrator alone. What takes two of them is the business of `pipeline.proposals`.

Managing people opens no evidence: the administrator's column of the table has no letter there.
"""

from evidence_vault.access.decisions import MANAGE_SCOPE, NotPermitted, Requester


def decide_on_management(requester: Requester) -> None:
    """Return if `requester` may look at people. Raises NotPermitted, whatever he asked about."""
    if requester.role != "AD":
        raise NotPermitted("manage_people")
    if MANAGE_SCOPE not in requester.scopes:
        raise NotPermitted("manage_people", missing_scope=MANAGE_SCOPE)


def decide_on_change(requester: Requester) -> None:
    """Return if `requester` may change people: an administrator who is logged in. Raises NotPermitted.

    A token lies in files and pipelines; whoever finds one would be an administrator, or somebody's second.
    """
    decide_on_management(requester)
    if requester.auth == "token":
        raise NotPermitted("manage_people")
