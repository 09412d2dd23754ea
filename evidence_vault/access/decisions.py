"""Who may do what with an item: one table, read from top to bottom; what it doesn't allow is refused.

A decision needs three yeses: the role's cell, the facts that the cell asks for, and the token's scope (a
token may be narrower than its holder, never wider). The administrator runs the vault and sees no evidence:
his column has no letter. A refusal looks the same as an item that doesn't exist.

Pure: who asks and what the item is come as parameters; nothing is looked up here. Whether somebody *is* who
he says is the business of `identity`; recording an access that was allowed is the caller's.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from anchors.values import value
from evidence_vault.errors import AccessRefused

Action: TypeAlias = Literal["deposit", "see_metadata", "open_content", "export", "read_custody", "attest"]
Basis: TypeAlias = Literal["owner", "role"]
"""Why somebody was let in; stands in the `why` of the event that records the access."""

RULES = """
action         RH  AT  NO  AP  TI  AM  JU  CL  AU  AD
deposit        Y   -   -   -   -   -   -   -   -   -
see_metadata   O   -   -   -   -   -   -   -   -   -
open_content   O   -   -   -   -   -   -   -   -   -
export         O   -   -   -   -   -   -   -   -   -
read_custody   O   -   -   -   -   -   -   -   -   -
attest         -   -   Y   Y   -   -   -   -   -   -
"""
"""Y yes · O own item · - no. The roles: rights holder, attorney, notary, appraiser, technical investigator,
arbitrator or mediator, judge, clerk, auditor, administrator."""

SCOPES: Mapping[Action, str] = {
    "deposit": "deposit",
    "see_metadata": "read",
    "read_custody": "read",
    "open_content": "content",
    "export": "export",
    "attest": "attest",
}
"""The scope that a token needs for each action (RFC 6750 §3)."""

MANAGE_SCOPE = "manage"
"""To manage people, which is no action on evidence: see `management`."""

ALL_SCOPES = (*dict.fromkeys(SCOPES.values()), MANAGE_SCOPE)


@value
class Requester:
    """Who asks, as `identity` has found out: an actor in one role, with what his credential is good for.

    auth: how he proved himself, as events say it (`token`, `password`, `oidc`, `oidc-mfa`, …). on_behalf_of:
    the actor for whom he says he acts, in this request.
    """

    actor_id: str
    role: str
    scopes: frozenset[str]
    auth: str
    organisation_id: str | None = None
    on_behalf_of: str | None = None


@value
class ItemFacts:
    """What a decision needs to know of an item."""

    item_id: str
    owner_id: str


class NotPermitted(AccessRefused):
    """May not do `action` on anything: saying so tells nothing about any subject.

    missing_scope: what the token lacks, where another token of the same person would do.
    """

    def __init__(self, action: str, missing_scope: str | None = None) -> None:
        self.missing_scope = missing_scope
        super().__init__(action, "anything")


def decide_on_item(action: Action, requester: Requester, item: ItemFacts | None, *, asked_id: str) -> Basis:
    """Return why `requester` may do `action` on the item, None standing for one that doesn't exist.

    Raises AccessRefused, the same for forbidden and unknown; NotPermitted if the token is too narrow, which
    is judged before the item is looked at.
    """
    require_scope(action, requester)
    rule = _CELLS[action].get(requester.role, "-")
    if rule == "O" and item is not None and item.owner_id == requester.actor_id:
        return "owner"
    if rule == "Y" and item is not None:
        return "role"
    raise AccessRefused(action, asked_id)


def decide_on_deposit(requester: Requester) -> None:
    """Return if `requester` may deposit. Raises NotPermitted."""
    require_scope("deposit", requester)
    if _CELLS["deposit"].get(requester.role, "-") != "Y":
        raise NotPermitted("deposit")


def require_scope(action: Action, requester: Requester) -> None:
    """Return if the token is good for `action`. Raises NotPermitted."""
    if SCOPES[action] not in requester.scopes:
        raise NotPermitted(action, missing_scope=SCOPES[action])


def _read(table: str) -> Mapping[str, Mapping[str, str]]:
    (_, *roles), *rows = (line.split() for line in table.strip().splitlines())
    return {action: dict(zip(roles, cells, strict=True)) for action, *cells in rows}


_CELLS = _read(RULES)
