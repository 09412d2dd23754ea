"""Decisions about cases: who may see one, add to it, appoint to it, order in it. Default deny, as for items.

    see        whoever opened it, its parties, and whoever has a live grant in it
    history    as its confidentiality says: `open` as above with `read-custody`; `parties` they, whoever opened it
               and the bench; `bench` the bench alone
    add        whoever opened it, its parties, who deposits for one of them; what is added must be his own besides
    appoint    whoever opened it, and the bench: parties are named, grants on the case as a whole are given
    order      the bench, by a live grant on the case that names it
    consent    the party itself: nobody consents for another
    opine      its technical investigator: gives an opinion that is sealed to the bench
    opinions   the bench: sees which opinions there are
    reveal     judge or arbitrator of the bench, by a grant that names `order`

The bench are those with a live grant on the case as a whole, in a role that may be on a bench. Nobody sees a case
whose id he guessed: the refusal is that of a case that doesn't exist.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from anchors.values import value
from evidence_vault.access.decisions import (
    Basis,
    NotPermitted,
    Permission,
    is_live,
    is_mandate,
    require_scope,
)
from evidence_vault.access.facts import CaseFacts, GrantFacts, Requester
from evidence_vault.access.matrix import BENCH, Action, cell
from evidence_vault.errors import AccessRefused

CaseAction: TypeAlias = Literal[
    "see", "history", "add", "appoint", "order", "consent", "opine", "opinions", "reveal"
]

OPENERS = ("RH", "AM", "JU", "CL")
"""Who may open a case; one for mediation only, the forum's people alone."""

_SCOPE_OF: dict[CaseAction, Action] = {
    "see": "see-metadata",
    "history": "read-custody",
    "add": "grant",
    "appoint": "grant",
    "order": "order",
    "consent": "grant",
    "opine": "deposit",
    "opinions": "see-metadata",
    "reveal": "unseal",
}


def decide_on_opening(requester: Requester, *, mediation_only: bool) -> None:
    """Return if `requester` may open such a case. Raises NotPermitted."""
    require_scope("grant", requester)
    if requester.role not in OPENERS or requester.on_behalf_of is not None:
        raise NotPermitted("open-case")
    if mediation_only and requester.role == "RH":
        raise NotPermitted("open-case")


def decide_on_case(
    action: CaseAction, requester: Requester, case: CaseFacts | None, *, asked_id: str, now: datetime
) -> Permission:
    """Return why `requester` may do this in the case. Raises AccessRefused, the same for forbidden and unknown."""
    require_scope(_SCOPE_OF[action], requester)
    if case is None:
        raise AccessRefused(f"case:{action}", asked_id)
    live = live_in(case, requester, now=now)
    standing = _Standing(
        case=case,
        requester=requester,
        live=live,
        bench=tuple(grant for grant in live if grant.whole_case and grant.grantee_role in BENCH),
        opened=(case.opened_by, case.opened_role) == (requester.actor_id, requester.role),
        party=bool(case.parties) and requester.on_behalf_of is None and requester.role in ("RH", "AT"),
    )
    permission = _GROUNDS[action](standing, now)
    if permission is None:
        raise AccessRefused(f"case:{action}", asked_id)
    return permission


def live_in(case: CaseFacts, requester: Requester, *, now: datetime) -> tuple[GrantFacts, ...]:
    """Return the requester's grants that are worth something in the case: first those on it as a whole."""
    live = [grant for grant in case.grants if is_live(grant, requester, now=now) and not grant.other_side]
    return tuple(sorted(live, key=lambda one: (not one.whole_case, one.id)))


@value
class _Standing:
    """What the requester is in the case: opened it, is a party, has live grants, of which some are the bench's."""

    case: CaseFacts
    requester: Requester
    live: tuple[GrantFacts, ...]
    bench: tuple[GrantFacts, ...]
    opened: bool
    party: bool

    def inside(self) -> Permission | None:
        """As who opened it, or as a party."""
        if self.opened or self.party:
            return Permission(basis="owner" if self.opened else "role", case=self.case.case_id)
        return None


def _see(standing: _Standing, now: datetime) -> Permission | None:
    del now
    return standing.inside() or (_under(standing.live[0]) if standing.live else None)


def _history(standing: _Standing, now: datetime) -> Permission | None:
    del now
    secrecy = standing.case.confidentiality
    if secrecy != "bench" and (inside := standing.inside()):
        return inside
    readers = standing.live if secrecy == "open" else standing.bench
    return next((_under(grant) for grant in readers if "read-custody" in grant.actions), None)


def _add(standing: _Standing, now: datetime) -> Permission | None:
    if standing.opened or standing.party:
        return Permission(basis="owner", case=standing.case.case_id)
    mandates = [one for one in standing.live if is_mandate(one, standing.requester, "deposit", now=now)]
    return next((_under(grant) for grant in (*mandates, *standing.bench)), None)


def _appoint(standing: _Standing, now: datetime) -> Permission | None:
    del now
    if standing.opened:
        return Permission(basis="owner", case=standing.case.case_id)
    if standing.bench and standing.requester.role != "TI":
        return _under(standing.bench[0])
    return None


def _order(standing: _Standing, now: datetime) -> Permission | None:
    del now
    return _by_order("order", standing)


def _reveal(standing: _Standing, now: datetime) -> Permission | None:
    del now
    return _by_order("unseal", standing)


def _by_order(action: Action, standing: _Standing) -> Permission | None:
    if "C" not in cell(action, standing.requester.role):
        return None
    return next((_under(grant) for grant in standing.bench if "order" in grant.actions), None)


def _consent(standing: _Standing, now: datetime) -> Permission | None:
    del now
    return Permission(basis="role", case=standing.case.case_id) if standing.party else None


def _opine(standing: _Standing, now: datetime) -> Permission | None:
    del now
    if cell("attest", standing.requester.role) != "S" or standing.requester.on_behalf_of is not None:
        return None
    return next((_under(grant) for grant in standing.bench if "attest" in grant.actions), None)


def _opinions(standing: _Standing, now: datetime) -> Permission | None:
    del now
    return next((_under(grant) for grant in standing.bench if "see-metadata" in grant.actions), None)


def _under(grant: GrantFacts) -> Permission:
    basis: Basis = "grant" if grant.order_id is None else "order"
    return Permission(basis=basis, grant=grant.id, case=grant.case_id)


_GROUNDS: Mapping[CaseAction, Callable[[_Standing, datetime], Permission | None]] = {
    "see": _see,
    "history": _history,
    "add": _add,
    "appoint": _appoint,
    "order": _order,
    "consent": _consent,
    "opine": _opine,
    "opinions": _opinions,
    "reveal": _reveal,
}
