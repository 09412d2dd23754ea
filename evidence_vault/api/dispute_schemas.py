"""What requests and answers about holds, transfers and objections look like. Requests are closed."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import AwareDatetime, Field

from evidence_vault.api.case_schemas import ActorId, Asked, CaseId, Digest256, ItemId, Line, Words
from evidence_vault.api.schemas import View
from evidence_vault.core.names import BUNDLE_ID

Seq = Annotated[int, Path(ge=1, le=2**53, description="Of the event in the history.")]


class HoldAsked(Asked):
    """A hold: one's own on one's item, or the bench's, which names its case. retention: not to be released."""

    case: CaseId | None = None
    retention: bool = Field(default=False, strict=True)
    until: AwareDatetime | None = None
    reason: Words | None = None
    reference: Line | None = None


class HoldView(View):
    """A hold. of: item, or the case that the item is in. released_seq: of the event that released it."""

    of: Literal["item", "case"]
    seq: int
    source: str
    placed_at: str
    until: str | None
    released_seq: int | None


class HoldList(View):
    """Holds. live: content can't be erased. warning: the last of them ends so soon that its owner should know."""

    holds: list[HoldView]
    live: bool
    warning: str | None


class RetentionView(View):
    """A retention of one's own item. state: kept, ending (soon), over."""

    item: str
    seq: int
    until: str
    state: Literal["kept", "ending", "over"]


class RetentionList(View):
    """Retentions, the next to end first."""

    retentions: list[RetentionView]


class TransferAsked(Asked):
    """An offer of one's own item."""

    receiver: ActorId
    expires_at: AwareDatetime | None = None
    reason: Words | None = None


class AcceptanceAsked(Asked):
    """sha256: of the receiver's own copy; without it the vault reads its bytes again."""

    sha256: Digest256 | None = None


class TransferView(View):
    """An offer, as giver and receiver see it. state: offered, accepted, refused, or ended by its time."""

    item: str
    seq: int
    giver: str
    receiver: str
    mode: str
    sha256: str | None
    size: int | None
    offered_at: str
    expires_at: str
    state: Literal["offered", "accepted", "refused", "ended"]


class TransferList(View):
    """Offers from and to oneself, newest first."""

    transfers: list[TransferView]


class Compared(View):
    """How the bytes were compared: the stored ones, the receiver's, or none where there are none."""

    compared: Literal["stored", "held", "none"]


class Told(View):
    """Where it stands in the item's history."""

    seq: int


class OpinionAsked(Asked):
    """An opinion that one deposited, to be sealed to the bench. about: the items of the case that it is on."""

    item: ItemId
    about: list[ItemId] = Field(default_factory=list, max_length=500)


class OpinionView(View):
    """An opinion. state: sealed to the bench, or unsealed to the parties too."""

    item: str
    author: str
    sealed_at: str
    state: Literal["sealed", "unsealed"]


class OpinionList(View):
    """Opinions, oldest first."""

    opinions: list[OpinionView]


class OpinionNumber(View):
    """Its number on the list of evidence."""

    number: int


class ObjectionAsked(Asked):
    """An objection. period: where authenticity is disputed, before or since anchoring."""

    ground: Literal["authenticity", "legality", "relevance"]
    period: Literal["before-anchoring", "since-anchoring"] | None = None
    case: CaseId | None = None
    party: int | None = Field(default=None, ge=1, le=64, description="Whose, where the bench records it.")
    text: Words


class AnswerAsked(Asked):
    """An answer: the owner's, the withdrawal of whoever raised it, the decision of the bench."""

    outcome: Literal["answered", "withdrawn", "upheld", "rejected"]
    text: Words | None = None


class AnswerView(View):
    """What was said to an objection. text: as of the objection."""

    seq: int
    by: str
    role: str
    at: str
    outcome: str
    text: str | None


class ObjectionView(View):
    """An objection. state: open, or the outcome of its newest answer.

    text: null if there is none any more, or the reader may not read the item's history.
    """

    seq: int
    raised_by: str
    case: str | None
    party: int | None
    ground: str
    period: str | None
    raised_at: str
    state: str
    text: str | None
    answers: list[AnswerView]


class ObjectionList(View):
    """Objections, oldest first."""

    objections: list[ObjectionView]


class ReceiptAsked(Asked):
    """That the forum of a case received an item."""

    case: CaseId
    received_at: AwareDatetime
    bundle: str | None = Field(default=None, pattern=f"^{BUNDLE_ID.pattern}$")
    bundle_sha256: Digest256 | None = None
    number: Line | None = None
    receiver: Line | None = None


class PresentationAsked(Asked):
    """That an item was shown at a hearing."""

    case: CaseId
    presented_at: AwareDatetime
    place: Line | None = None
    note: Words | None = None
