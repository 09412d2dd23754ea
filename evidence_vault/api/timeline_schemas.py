"""What the judge's view looks like. `seq`, `type`, `at`, `not_before`, `not_after` are as in a report's bounds."""

from typing import Any, Literal

from pydantic import Field

from evidence_vault.api.case_schemas import CaseItemView
from evidence_vault.api.schemas import View

Stage = Literal["logged", "published", "dated", "anchored", "final"]


class PersonView(View):
    """Who acted: id, role, how he proved himself, for whom."""

    id: str
    role: str
    auth: str
    on_behalf_of: str | None


class CustodyEventView(View):
    """An event with what proves it. `event` null: the reader may know that it is there, and no more."""

    kind: str
    subject: str
    seq: int
    sha256: str
    type: str | None
    at: str | None = Field(description="The vault's own time: a claim, no proof.")
    leaf_index: int | None
    state: Literal["pending", "logged", "published", "dated", "anchored", "final"]
    reached: list[Stage] = Field(
        description="Each stage of its proof: a leaf, a published checkpoint, a token, a block, a final block."
    )
    not_before: str | None = Field(
        description="Logged between this outside time; null: not bounded on this side."
    )
    not_after: str | None = Field(description="… and this one; null: not yet.")
    result: str | None
    actor: PersonView | None
    basis: str | None
    grant: str | None
    case: str | None
    order: str | None = Field(description="The order under which it was.")
    event: dict[str, Any] | None
    disclosures: dict[str, str]
    undisclosed: int = Field(description="Personal values that it commits to and that are not shown here.")


class GapView(View):
    """A time of which nobody can say that all was well. item null: the platform's."""

    kind: str
    item: str | None
    began_at: str
    ended_at: str | None
    cause: str


class CustodyView(View):
    """A page of a history; `next` is the `place` of the page that follows."""

    origin: str
    log_size: int = Field(description="Of the published log as of this answer.")
    items: list[str]
    withheld: int | None = Field(
        description="Items of the case whose histories this reader may not read; null: he is not told."
    )
    gaps: list[GapView]
    events: list[CustodyEventView]
    next: str | None
    report: str = Field(description="Where the verifier's report of one's own newest bundle of it is.")


class EvidenceListView(View):
    """A case's list of evidence, by number."""

    case: str
    evidence: list[CaseItemView]
