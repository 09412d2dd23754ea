"""Schemas of the feed and of webhooks."""

from pydantic import ConfigDict, Field

from evidence_vault.api.schemas import View


class SubjectView(View):
    """What an event is about."""

    kind: str = Field(description="item, case or platform")
    id: str


class FeedEntry(View):
    """That something happened: which event, to what. The rest is asked for by the subject's own address."""

    leaf_index: int = Field(description="Its place in the public log.")
    event_sha256: str
    subject: SubjectView
    seq: int
    type: str
    at: str = Field(description="When, as the vault says.")


class FeedPage(View):
    """Some entries, in the order of the log."""

    entries: list[FeedEntry]
    position: int = Field(description="Ask for the next page with this.")
    at_end: bool = Field(description="Nothing more is published now.")


class NewWebhook(View):
    """A receiver to be told."""

    model_config = ConfigDict(strict=True)

    url: str = Field(max_length=1000, description="https, at a public address.")
    types: list[str] = Field(
        default=[], max_length=20, description="Only events of these types; all if empty."
    )


class WebhookView(View):
    """A receiver, and how it answered last."""

    id: str
    url: str
    types: list[str]
    position: int = Field(description="The leaf from which on nothing was told yet.")
    created_at: str
    told_at: str | None
    failing_since: str | None
    last_error: str | None
    slow_until: str | None = Field(
        description="It was slow lately: till then it is told among those who are."
    )
    token: str | None = Field(description="The token that made it, with which it ends; null: a person did.")
    ended_at: str | None
    end_reason: str | None


class WebhookCreated(WebhookView):
    """A new receiver, with the secret that its messages are signed with."""

    secret: str = Field(description="whsec_ and base64; shown now and never again.")


class WebhookList(View):
    """Receivers of one actor. next: `after` for the next page; null when this was the last."""

    webhooks: list[WebhookView]
    next: str | None
