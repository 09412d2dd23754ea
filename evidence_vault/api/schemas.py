"""What requests and answers look like: the schemas of the OpenAPI page. Times are RFC 3339, digests hex."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from evidence_vault.core.canonical import MAX_INTEGER

Digest = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{2}){32,64}$")]


class View(BaseModel):
    """An answer: closed and unchangeable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HashDeposit(View):
    """Digests of content that stays with its owner; `sha256` must be among them."""

    model_config = ConfigDict(strict=True)  # a secret given as "no" or 0 is refused, not guessed

    digests: dict[Literal["sha256", "sha512", "sha3-256", "sm3"], Digest] = Field(min_length=1)
    size: int | None = Field(default=None, ge=0, le=MAX_INTEGER, description="Bytes, if it may be known.")
    secret: bool = Field(default=False, description="No authority outside gets to see the digest.")

    def hex_digests(self) -> dict[str, str]:
        """Return the digests by name."""
        return {str(name): digest for name, digest in self.digests.items()}


class ReceiptView(View):
    """The signed deposit receipt. Its file is the canonical JSON (RFC 8785) of this object."""

    v: int
    event: str = Field(description="The event ITEM_RECEIVED, base64.")
    note: str = Field(description="The signed note.")


class DepositedView(View):
    """A deposit that is durable."""

    id: str
    sha256: str
    size: int | None
    log_by: str = Field(description="The receipt promises the log by this time.")
    receipt: ReceiptView


class UploadView(View):
    """A resumable upload, and what it has become."""

    id: str
    offset: int = Field(description="So many bytes are durable.")
    length: int
    expires_at: str = Field(description="It ends then, unless more comes; a finished one is told until then.")
    deposited: DepositedView | None = Field(default=None, description="Once it is whole, and an item.")


class Trouble(View):
    """An authority that failed since its last answer: why, and when it is asked again."""

    authority: str
    failures: int
    reason: str
    next_at: str


class LostView(View):
    """An anchor that was final and is on its chain no more; ANCHOR_LOST in the log says so."""

    network: str
    checkpoint: int
    at: str


class AnchorView(View):
    """How far a checkpoint that covers the item has come on one network, and what that network is worth.

    promised: calendars (`by`) have it `since` then, and no block yet. lost: was final, and is being anchored again.
    """

    network: str
    network_class: Literal["production", "test", "development"]
    state: Literal["waiting", "sent", "promised", "included", "final", "lost"]
    checkpoint: int | None = None
    by: list[str] = Field(default_factory=list)
    since: str | None = None


class Stage(View):
    """One stage of an item's way; `next_at` is an expectation, not a promise."""

    name: Literal["received", "timestamped", "logged", "dated", "anchored", "final"]
    state: Literal["done", "waiting", "off"]
    at: str | None = None
    by: list[str] = Field(default_factory=list, description="Who has answered.")
    awaited: list[str] = Field(default_factory=list, description="Who is still to answer.")
    leaf_index: int | None = None
    checkpoint: int | None = Field(default=None, description="The size of the checkpoint that did it.")
    next_at: str | None = None
    trouble: list[Trouble] = Field(default_factory=list, description="Who is awaited and being retried.")
    lost: list[LostView] = Field(default_factory=list, description="Anchors that the network took back.")
    networks: list[AnchorView] = Field(
        default_factory=list, description="Of the stage `final`: each network."
    )


class ItemView(View):
    """An item with its state, which is derived from facts, and what comes next."""

    id: str
    state: Literal["received", "timestamped", "logged", "anchored", "final"]
    mode: str = Field(description="content, hash or commitment")
    secret: bool
    sha256: str | None
    size: int | None
    file_name: str | None
    media_type: str | None
    note: str | None
    received_at: str
    stages: list[Stage]
    next: str = Field(description="What the depositor should know or do now, as a sentence.")
    warning: str | None = Field(description="That all that keeps its content ends soon, or ended.")


class ItemSummary(View):
    """An item in a list."""

    id: str
    state: Literal["received", "timestamped", "logged", "anchored", "final"]
    sha256: str | None
    size: int | None
    file_name: str | None
    received_at: str


class ItemList(View):
    """A page of one's own items, newest first; `next` is the `after` of the page that follows."""

    items: list[ItemSummary]
    next: str | None


class EventView(View):
    """A custody event. Its bytes are the canonical JSON of `event`; `disclosures` are its personal values.

    event: null where the reader may know that it is there, and no more.
    """

    seq: int
    sha256: str
    leaf_index: int | None
    not_before: str | None = Field(
        default=None, description="Logged between this outside time; null: not bounded on this side."
    )
    not_after: str | None = Field(default=None, description="… and this one; null: not yet.")
    event: dict[str, Any] | None
    disclosures: dict[str, str]


class EventList(View):
    """A page of an item's or a case's history; `next` is the `from_seq` of the page that follows."""

    events: list[EventView]
    next: int | None


class ProofView(View):
    """What came back from outside, by the event that records it. Files are base64."""

    recorded_by: str = Field(description="The event's type.")
    subject: str
    seq: int
    parts: dict[str, str]


class ProofList(View):
    """What shows that an item existed, so far. A bundle holds all of it and more."""

    item: str
    timestamps: list[ProofView]
    inclusion: str | None = Field(description="A C2SP tlog-proof against the newest checkpoint.")
    checkpoints: list[ProofView] = Field(description="Tokens and anchors of checkpoints that cover the item.")


class ExportView(View):
    """A bundle on its way or ready."""

    id: str
    state: str = Field(description="READY, SPOOLED, VERIFIED (fetch it), EXPIRED or FAILED")
    case: str | None = Field(default=None, description="That is exported with its items.")
    items: list[str]
    left_out: int | None = Field(
        default=None, description="Items of the case that one may not have; null where one may not know."
    )
    created_at: str
    size: int | None
    sha256: str | None
    expires_at: str | None
    reason: str | None = Field(default=None, description="Why it failed or waits, if it does.")


class WitnessView(View):
    """How far a witness has come: the largest checkpoint it cosigned, and when by its clock; null before."""

    name: str
    size: int | None
    at: str | None
    answered_at: str | None = Field(description="When its last line came, by the vault's clock.")
    behind: bool


class AuthorityView(View):
    """How an authority is doing. clock_offset_ms: at clock_compared_at, its time minus ours beyond its accuracy."""

    name: str
    required: bool
    answering: bool
    answered_at: str | None
    next_at: str | None = Field(description="When it is asked again, while it rests after failures.")
    clock_offset_ms: int | None
    clock_compared_at: str | None = Field(description="An hour later nothing follows from it any more.")


class NetworkView(View):
    """A network that anchors go to. chain_class: a test network or a development chain is never more than that.

    lasts_days: how long the sender's money lasts at the least; null until the vault has asked.
    """

    name: str
    chain_id: int
    chain_class: Literal["production", "test", "development"]
    in_log: bool = Field(description="Whether the log names it; else `chain add` is still to be run.")
    lasts_days: float | None
    low_balance: bool
    seen_at: str | None


class SweepView(View):
    """How the contents are. failing: how many were not sound when they were last read again."""

    since: str | None = Field(description="When the newest sweep began; null before the first.")
    finished_at: str | None = Field(description="Null while it goes on.")
    failing: int


class Readiness(View):
    """Whether the vault takes deposits in; if not, why. No witness and no authority keeps it from being ready.

    damaged: packs that can't be read, and why; others don't depend on them. incidents: those that go on.
    """

    ready: bool
    reasons: list[str]
    witnesses: list[WitnessView] = []
    authorities: list[AuthorityView] = []
    networks: list[NetworkView] = []
    damaged: list[str] = []
    fixity: SweepView | None = None
    incidents: list[str] = []


class ProblemKind(View):
    """A kind of problem and what to do about it."""

    type: str
    title: str
    status: int
    advice: str
