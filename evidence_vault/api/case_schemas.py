"""What requests and answers about cases, grants and orders look like. Requests are closed."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from evidence_vault.access_settings import Jurisdiction
from evidence_vault.api.schemas import View
from evidence_vault.core.names import ACTOR_ID, CASE_ID, CODE, GRANT_ID, ITEM_ID, SHA256

ActorId = Annotated[str, StringConstraints(pattern=f"^{ACTOR_ID.pattern}$")]
CaseId = Annotated[str, StringConstraints(pattern=f"^{CASE_ID.pattern}$")]
GrantId = Annotated[str, StringConstraints(pattern=f"^{GRANT_ID.pattern}$")]
ItemId = Annotated[str, StringConstraints(pattern=f"^{ITEM_ID.pattern}$")]


Code = Annotated[str, StringConstraints(pattern=f"^{CODE.pattern}$")]
Digest256 = Annotated[str, StringConstraints(pattern=f"^{SHA256.pattern}$")]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]{1,2000}$")]
Role = Literal["AT", "NO", "AP", "TI", "AM", "JU", "CL"]


class Asked(View):
    """A request: closed, and nothing in it is guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PartyAsked(Asked):
    """A party: its side, its name in words, its account if it has one."""

    side: Code = Field(examples=["claimant"])
    name: Line | None = None
    person: ActorId | None = None
    party: int | None = Field(default=None, ge=1, le=64, description="To give a party its account.")


class CaseAsked(Asked):
    """A case to open. Number, forum's name and title are kept as disclosures, never in the event."""

    forum: Literal["court", "arbitration", "mediation", "administrative", "internal"]
    jurisdiction: Jurisdiction = Field(examples=["cn"])
    confidentiality: Literal["open", "parties", "bench"] = "parties"
    mediation_only: bool = Field(default=False, strict=True)
    number: Line | None = None
    forum_name: Line | None = None
    title: Line | None = None
    parties: list[PartyAsked] = Field(default_factory=list, max_length=64)


class ItemAsked(Asked):
    """One's own item, to put into a case, or to change its line in the list of evidence."""

    item: ItemId
    copies: int | None = Field(default=None, ge=1, le=10_000)
    source: Words | None = None
    proves: Words | None = None


class ConsentAsked(Asked):
    """A party's consent that items of a mediation be used in another case."""

    for_case: CaseId
    items: list[ItemId] = Field(min_length=1, max_length=500)


class GrantAsked(Asked):
    """A grant to give. Without items it is about the case as a whole."""

    grantee: ActorId
    role: Role = Field(description="In which the grantee may use it.")
    actions: list[Code] = Field(min_length=1, max_length=16)
    items: list[ItemId] = Field(default_factory=list, max_length=500)
    case: CaseId | None = None
    parent: GrantId | None = Field(default=None, description="The grant that is given on.")
    purpose: Words | None = None
    basis: Words | None = Field(default=None, description="The legal ground, in words.")
    not_before: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    view_limit: int | None = Field(default=None, ge=1, le=1_000_000)
    onward: bool = Field(default=False, strict=True)
    jurisdiction: Jurisdiction | None = Field(default=None, description="Of a foreign authority.")


class ReasonAsked(Asked):
    """Why something ends."""

    reason: Words | None = None


class UndertakingAsked(Asked):
    """The signing of the undertaking for one trade secret, by name; `text_sha256` is of the text that was read."""

    item: ItemId
    text_sha256: Digest256
    name: Line


class LawyerAsked(Asked):
    """A lawyer of an order, with the licence number that the order has."""

    person: ActorId
    licence: Line
    name: Line | None = None


class OrderAsked(Asked):
    """An investigation order, as the court issued it."""

    case: CaseId
    court: Line
    lawyers: list[LawyerAsked] = Field(min_length=1, max_length=10)
    items: list[ItemId] = Field(min_length=1, max_length=500)
    issued_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    number: Line | None = None
    officer: Line | None = None
    purpose: Words | None = None
    respondent: ActorId | None = None
    respondent_name: Line | None = None
    document_sha256: Digest256 | None = None
    actions: list[Code] | None = Field(default=None, min_length=1, max_length=16)
    view_limit: int | None = Field(default=None, ge=1, le=1_000_000)
    reveals: bool = Field(
        default=False, strict=True, description="It asks who stands behind its items' pseudonyms."
    )


class RevelationAsked(Asked):
    """An item of the order, deposited under a pseudonym."""

    item: ItemId


class RevealedView(View):
    """Who stands behind a pseudonym: told to the court alone, and kept nowhere.

    disclosures: by name, to show what the event commits to (salt, name and value, as RFC 9901 has them).
    """

    pseudonym: str
    person: str
    name: str
    seq: int
    disclosures: dict[str, str]


class ReturnAsked(Asked):
    """What came of an order."""

    asked: int = Field(ge=0, le=100_000)
    produced: list[ItemId] = Field(default_factory=list, max_length=500)
    refused: list[ItemId] = Field(default_factory=list, max_length=500)
    not_found: int = Field(default=0, ge=0, le=100_000)
    note: Words | None = None


class GlassAsked(Asked):
    """Why an administrator opens what nobody let him in to."""

    reason: Words


class PartyView(View):
    """A party of a case."""

    party: int
    side: str
    name: str | None
    person: str | None


class CaseItemView(View):
    """A line in a case's list of evidence."""

    number: int
    item: str
    copies: int | None
    source: str | None
    proves: str | None


class CaseSummary(View):
    """A case in a list."""

    id: str
    forum: str
    jurisdiction: str
    mediation_only: bool
    opened_at: str


class CaseView(CaseSummary):
    """A case, for whom it concerns."""

    confidentiality: str
    opened_by: str
    number: str | None
    forum_name: str | None
    title: str | None
    parties: list[PartyView]
    items: list[CaseItemView]
    orders: list[str]


class CaseList(View):
    """A page of cases."""

    cases: list[CaseSummary]
    next: str | None


class GrantedItem(View):
    """An item of a grant. undertaking: `needed` before a trade secret opens, `signed`, or none asked."""

    item: str
    undertaking: Literal["none", "needed", "signed"]


class GrantView(View):
    """A grant as it stands."""

    id: str
    state: Literal["not-yet", "live", "expired", "revoked"]
    grantee: str
    role: str
    given_by: str
    on_behalf_of: str | None = Field(description="For whom it was given; none for a court's.")
    case: str | None
    order: str | None
    parent: str | None
    whole_case: bool
    actions: list[str]
    items: list[GrantedItem]
    purpose: str | None
    basis: str | None
    not_before: str
    expires_at: str
    view_limit: int | None
    views_used: int
    onward: bool
    jurisdiction: str | None
    given_at: str


class GrantList(View):
    """A page of grants."""

    grants: list[GrantView]
    next: str | None


class UndertakingView(View):
    """The text that is signed before a trade secret opens."""

    text: str
    sha256: str


class OrderView(View):
    """An investigation order as it stands."""

    id: str
    case: str
    court: str
    number: str | None
    officer: str | None
    purpose: str | None
    lawyers: list[LawyerAsked]
    respondent: str | None
    respondent_name: str | None
    items: list[str]
    issued_at: str
    expires_at: str
    registered_by: str
    registered_at: str
    document_sha256: str | None
    reveals: bool
    grants: list[str]
    returned: "ReturnView | None"


class ReturnView(View):
    """What came of an order, as it was told last."""

    asked: int
    produced: list[str]
    refused: list[str]
    not_found: int
    note: str | None
    at: str


class AccessView(View):
    """One access: who did what, when, why, and in which event that stands."""

    item: str
    seq: int
    at: str
    type: str
    what: str | None
    result: str
    actor: str
    role: str
    on_behalf_of: str | None
    basis: str | None
    grant: str | None
    case: str | None
    order: str | None


class AccessList(View):
    """Who saw what, when, under which order; and who may, where an item is asked about."""

    accesses: list[AccessView]
    grants: list[GrantView] = Field(default_factory=list)
    next: int | None


class NoticeView(View):
    """Something that somebody did, and that this person or role is to know."""

    id: int
    kind: str
    subject: str
    seq: int
    at: str


class NoticeList(View):
    """A page of notices, oldest first."""

    notices: list[NoticeView]
    next: int | None
