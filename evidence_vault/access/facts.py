"""What a decision needs to know, as values: who asks, what the item is, which grants there are.

Facts are gathered elsewhere and may be about anybody's grants; which of them count is decided in `decisions`.
"""

from datetime import datetime

from anchors.values import field, value


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
class GrantFacts:
    """A grant to the requester, as it stands.

    holder_id: on whose behalf it was given: the owner of the items, null for a court's. whole_case: it is about
    the case and lists no items. confirmed_at: when it was given, or confirmed last; trusted_since: since when the
    grantee's login is what it is now. views_left: how often content may still be opened, null for no limit.
    undertaken: the undertaking for this item is signed. other_side: the grantee is an appraiser here and a
    technical investigator in the same case, or the other way round. jurisdiction: of a foreign authority.
    """

    id: str
    grantee_id: str
    grantee_role: str
    actions: frozenset[str]
    not_before: datetime
    expires_at: datetime
    confirmed_at: datetime
    trusted_since: datetime | None = None
    organisation_id: str | None = None
    holder_id: str | None = None
    case_id: str | None = None
    order_id: str | None = None
    revoked: bool = False
    whole_case: bool = False
    onward: bool = False
    views_left: int | None = None
    undertaken: bool = False
    other_side: bool = False
    jurisdiction: str | None = None


@value
class ItemFacts:
    """An item, and what there is between it and the requester.

    compartments: the mediation-only cases it is in. opened_for: the cases for which all parties of all of those
    consented to its use. party_in: the cases it is in to which the requester is a party. opinion_in: the case to
    whose bench it is sealed; unsealed: not any more. experts: as what the requester was an expert in its cases.
    """

    item_id: str
    owner_id: str
    secret: bool = False
    has_content: bool = True
    grants: tuple[GrantFacts, ...] = ()
    compartments: frozenset[str] = field(default_factory=frozenset)
    opened_for: frozenset[str] = field(default_factory=frozenset)
    party_in: frozenset[str] = field(default_factory=frozenset)
    opinion_in: str | None = None
    unsealed: bool = False
    experts: frozenset[str] = field(default_factory=frozenset)


@value
class CaseFacts:
    """A case, and what there is between it and the requester. parties: those that the requester is."""

    case_id: str
    opened_by: str
    opened_role: str
    confidentiality: str
    mediation_only: bool = False
    parties: frozenset[int] = field(default_factory=frozenset)
    grants: tuple[GrantFacts, ...] = ()


@value
class Rules:
    """What the deployer decides. cross_border: a grant to a foreign authority is worth something here."""

    cross_border: bool = True
