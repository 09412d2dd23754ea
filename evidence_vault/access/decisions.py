"""Decisions about items and deposits: from the matrix and the facts, default deny.

A decision needs three yeses: the role's cell, the facts that its letter asks for, and the token's scope (a token
may be narrower than its holder, never wider). A grant counts when

1. it was not revoked, 2. its time has begun, 3. and not ended, 4. the grantee acts in the role it was given for,
5. its grantee's login is still the one it was given to, or it was confirmed since, 6. he is still of the
organisation he was of, 7. he acts for nobody but whom it came from, 8. it names the action, 9. it lists the item,
or is the bench's, 10. the item may leave its mediation for that case, 11. no border is in the way, 12. he is not
on two sides of the expert's table, 13. the undertaking is signed where the matrix asks for one, 14. a view is left,
15. whoever it came from still answers for the item; of the bench's, given by the forum, that is not asked,
16. of an opinion that is sealed, it is that bench's; of an unsealed one, that bench's or an order's in that case.

Pure: who asks, what the item is and the time come as parameters; nothing is looked up here. Whether somebody *is*
who he says is the business of `identity`; recording what was allowed or refused is the caller's. A refusal looks
the same as an item that doesn't exist: its reason is for the item's history, never for whoever was refused.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, TypeAlias

from anchors.values import value
from evidence_vault.access.facts import GrantFacts, ItemFacts, Requester, Rules
from evidence_vault.access.matrix import ALL_SCOPES, BENCH, EXPERTS, NAMED_AS, SCOPES, Action, cell
from evidence_vault.errors import AccessRefused

__all__ = ["ALL_SCOPES", "SCOPES", "Requester"]

Basis: TypeAlias = Literal["owner", "grant", "order", "role", "break-glass"]
"""Why somebody was let in; stands in the `why` of the event that records the access."""

MANAGE_SCOPE = SCOPES["manage"]
"""To manage people, which is no action on evidence: see `management`."""


@value
class Permission:
    """Why the action is allowed, and with what restriction.

    counts: it uses up a view of the grant. working_copy, without_content, redacted: as W, N and R in the matrix.
    """

    basis: Basis
    grant: str | None = None
    case: str | None = None
    counts: bool = False
    working_copy: bool = False
    without_content: bool = False
    redacted: bool = False


class NotPermitted(AccessRefused):
    """May not do `action` on anything: saying so tells nothing about any subject.

    missing_scope: what the token lacks, where another token of the same person would do.
    """

    def __init__(self, action: str, missing_scope: str | None = None) -> None:
        self.missing_scope = missing_scope
        super().__init__(action, "anything")


def decide_on_item(
    action: Action,
    requester: Requester,
    item: ItemFacts | None,
    *,
    asked_id: str,
    now: datetime,
    rules: Rules,
) -> Permission:
    """Return why `requester` may do `action` on the item, None standing for one that doesn't exist.

    Raises AccessRefused, the same for forbidden and unknown; NotPermitted if the token is too narrow, which
    is judged before the item is looked at.
    """
    require_scope(action, requester)
    if item is None:
        raise AccessRefused(action, asked_id)
    letters = _letters(action, requester.role, item)
    own = item.owner_id == requester.actor_id and requester.on_behalf_of is None
    sealed = item.opinion_in is not None and not item.unsealed
    if "O" in letters and own and (item.opinion_in is None or requester.role == "TI"):
        return Permission(basis="owner")
    if "R" in letters:
        return Permission(basis="role", redacted=True)
    if "P" in letters and item.party_in and requester.on_behalf_of is None and not sealed:
        return Permission(basis="role", case=min(item.party_in))
    as_party = item.opinion_in in item.party_in and requester.on_behalf_of is None
    if "E" in letters and as_party and item.unsealed:
        return Permission(basis="role", case=item.opinion_in)
    if action == "attest" and own:
        raise AccessRefused(action, asked_id, reason="own")
    content = action == "open-content" or (action == "export" and item.has_content and "N" not in letters)
    if content and action == "export" and _letters("open-content", requester.role, item) == "-":
        raise AccessRefused(action, asked_id, reason="role")
    blocked: list[tuple[GrantFacts, str]] = []
    for grant in _by_use(item.grants, requester):
        reason = _blocked(grant, action, letters, requester, item, content=content, now=now, rules=rules)
        if reason is None:
            return Permission(
                basis="grant" if grant.order_id is None else "order",
                grant=grant.id,
                case=grant.case_id,
                counts=content and grant.views_left is not None,
                working_copy="W" in letters and action == "open-content",
                without_content="N" in letters,
            )
        blocked.append((grant, reason))
    if "Y" in letters and not item.compartments and not sealed and not _on_two_sides(requester, item):
        return Permission(basis="role")  # by his office alone
    raise _refusal(action, asked_id, blocked)


def decide_on_deposit(
    requester: Requester, mandates: Iterable[GrantFacts] = (), *, now: datetime | None = None
) -> None:
    """Return if `requester` may deposit; on somebody's behalf, by one of `mandates` at `now`.

    mandates: of an investigator, his places on benches. Raises NotPermitted.
    """
    require_scope("deposit", requester)
    letters = cell("deposit", requester.role)
    if letters == "Y" and requester.on_behalf_of is None:
        return
    if letters == "D" and requester.on_behalf_of is not None and now is not None:
        for grant in mandates:
            if is_mandate(grant, requester, "deposit", now=now):
                return
    if letters == "S" and requester.on_behalf_of is None and now is not None:
        for grant in mandates:
            if grant.whole_case and is_live(grant, requester, now=now):
                return
    raise NotPermitted("deposit")


def rests_on_grants(requester: Requester) -> bool:
    """Whether it takes grants to decide if he may deposit."""
    return requester.on_behalf_of is not None or cell("deposit", requester.role) == "S"


def is_mandate(grant: GrantFacts, requester: Requester, action: Action, *, now: datetime) -> bool:
    """Whether the grant lets its grantee do this for the holder that he names."""
    return (
        requester.role == "AT"
        and grant.grantee_id == requester.actor_id
        and grant.holder_id == requester.on_behalf_of
        and action in grant.actions
        and _dead(grant, requester, now=now) is None
    )


def require_scope(action: Action, requester: Requester) -> None:
    """Return if the token is good for `action`. Raises NotPermitted."""
    if SCOPES[action] not in requester.scopes:
        raise NotPermitted(action, missing_scope=SCOPES[action])


def is_live(grant: GrantFacts, requester: Requester, *, now: datetime) -> bool:
    """Whether the grant is worth anything to `requester` at `now`, whatever it names."""
    return grant.grantee_id == requester.actor_id and _dead(grant, requester, now=now) is None


def _refusal(action: Action, asked_id: str, blocked: Iterable[tuple[GrantFacts, str]]) -> AccessRefused:
    """Name the grant that he would have meant: of those that name the action the newest, else the newest."""
    named = NAMED_AS.get(action, action)
    key = {grant.id: (named in grant.actions, grant.confirmed_at, grant.id) for grant, _ in blocked}
    newest = max(blocked, key=lambda one: key[one[0].id], default=None)
    if newest is None:
        return AccessRefused(action, asked_id)
    return AccessRefused(action, asked_id, reason=newest[1], grant=newest[0].id)


def _letters(action: Action, role: str, item: ItemFacts) -> str:
    """Return what the matrix asks of this role for this item: a trade secret has a row of its own."""
    letters = cell(action, role)
    if item.secret and action == "open-content" and letters != "-":
        return cell("open-secret", role)
    return letters


def _by_use(grants: Iterable[GrantFacts], requester: Requester) -> list[GrantFacts]:
    """The requester's own, first those without a limit, then those that last longest."""
    own = [grant for grant in grants if grant.grantee_id == requester.actor_id]
    return sorted(own, key=lambda one: (one.views_left is not None, -one.expires_at.timestamp(), one.id))


def _dead(grant: GrantFacts, requester: Requester, *, now: datetime) -> str | None:
    if grant.revoked:  # (1)
        return "revoked"
    if now < grant.not_before:  # (2)
        return "not-yet"
    if now >= grant.expires_at:  # (3) by the clock alone: no worker has to have noticed
        return "expired"
    if grant.grantee_role != requester.role:  # (4)
        return "role"
    if grant.trusted_since is not None and grant.confirmed_at < grant.trusted_since:
        return "identity"  # (5) stops an administrator who takes over a judge's login
    if grant.organisation_id != requester.organisation_id:  # (6)
        return "organisation"
    if requester.on_behalf_of not in (None, grant.holder_id):  # (7)
        return "delegation"
    return None


def _blocked(
    grant: GrantFacts,
    action: Action,
    letters: str,
    requester: Requester,
    item: ItemFacts,
    *,
    content: bool,
    now: datetime,
    rules: Rules,
) -> str | None:
    """Return what keeps the grant from allowing the action on the item, or None."""
    if reason := _dead(grant, requester, now=now):
        return reason
    bench = grant.whole_case and grant.grantee_role in BENCH
    if not (set(letters) & set("GWUN") or ("F" in letters and grant.onward) or ("C" in letters and bench)):
        return "role"
    if not bench and grant.holder_id not in (None, item.owner_id):  # (15) it was given away since
        return "owner"
    needed = {NAMED_AS.get(action, action)} | ({"open-content"} if content else set())
    if "F" not in letters and not needed <= grant.actions:  # (8)
        return "action"
    if grant.whole_case and not bench:  # (9)
        return "not-listed"
    inside = grant.case_id in item.compartments and action != "export"
    if item.compartments and not inside and grant.case_id not in item.opened_for:
        return "mediation"  # (10) a bundle is what would leave: inside, all else is allowed
    if grant.jurisdiction is not None and not rules.cross_border:  # (11)
        return "cross-border"
    if _on_two_sides(requester, item):  # (12)
        return "two-sides"
    secret = content and item.secret and "U" in cell("open-secret", requester.role)
    if secret and not grant.undertaken:  # (13)
        return "undertaking"
    if content and grant.views_left is not None and grant.views_left <= 0:  # (14)
        return "view-limit"
    if item.opinion_in is not None:  # (16)
        within = bench or (item.unsealed and grant.order_id is not None)
        return None if within and grant.case_id == item.opinion_in else "sealed"
    return None


def _on_two_sides(requester: Requester, item: ItemFacts) -> bool:
    """Whether he is, or was, appraiser and technical investigator in one case, or of one item."""
    other = EXPERTS.get(requester.role)
    return (
        any(grant.other_side for grant in item.grants)
        or other in item.experts
        or any(grant.grantee_role == other and not grant.revoked for grant in item.grants)
    )
