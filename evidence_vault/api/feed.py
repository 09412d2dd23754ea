"""What happened, for programs that keep up: a feed to ask, and webhooks that tell.

    GET  /v1/feed?position=0        entries, and the position to go on from; nothing is missed, nothing comes twice
    POST /v1/webhooks               a receiver; its secret is in the answer, and never shown again

Both tell that something happened, to what, and which event it is; nothing personal, and nothing of contents.
Asking for the feed is no event: an entry is what its reader may ask for one by one.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from evidence_vault.access.decisions import require_scope
from evidence_vault.api.caller import Caller, CallerWithSecret, VaultHere
from evidence_vault.api.description import may_answer
from evidence_vault.api.items import MAX_PAGE
from evidence_vault.api.schemas_feed import (
    FeedEntry,
    FeedPage,
    NewWebhook,
    SubjectView,
    WebhookCreated,
    WebhookList,
    WebhookView,
)
from evidence_vault.core.event_types.table import EVENT_TYPES
from evidence_vault.core.names import WEBHOOK_ID, encode_time
from evidence_vault.errors import FormatError
from evidence_vault.pipeline.cases.visible import visible_to
from evidence_vault.pipeline.notices.feed import read_feed
from evidence_vault.pipeline.notices.webhooks import add_webhook, end_webhook, listed_since
from evidence_vault.store.queries import webhooks
from evidence_vault.store.webhook_models import Webhook

MAX_ENTRIES = 500
"""Entries in one answer."""

router = APIRouter(tags=["feed"])


@router.get("/feed")
def show_feed(
    vault: VaultHere,
    caller: Caller,
    position: Annotated[int, Query(ge=0, le=2**53, description="`position` of the page before; 0: all.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 100,
    types: Annotated[
        list[str] | None, Query(max_length=20, description="Only events of these types.")
    ] = None,
) -> FeedPage:
    """Show what happened to what one may see, in the order of the public log, from a position on.

    Of a case that one sees in part: what `custody` shows of it, and nothing of the rest.
    """
    require_scope("see-metadata", caller)
    if unknown := sorted(set(types or ()) - set(EVENT_TYPES)):
        raise FormatError("types", "types of events, as in the specification", ", ".join(unknown))
    with vault.database.read() as session:
        see = visible_to(vault, caller)
        page = read_feed(session, position=position, limit=limit, see=see, types=types or ())
    return FeedPage(
        entries=[
            FeedEntry(
                leaf_index=entry.leaf_index,
                event_sha256=entry.event_sha256.hex(),
                subject=SubjectView(kind=entry.subject.kind, id=entry.subject.id),
                seq=entry.seq,
                type=entry.type,
                at=encode_time(entry.at),
            )
            for entry in page.entries
        ],
        position=page.position,
        at_end=page.at_end,
    )


@router.post("/webhooks", status_code=201, openapi_extra=may_answer("too-many"))
def create_webhook(wanted: NewWebhook, vault: VaultHere, caller: CallerWithSecret) -> WebhookCreated:
    """Have a URL told what happens from now on, as Standard Webhooks. The answer alone shows the secret.

    What a token made ends with the token.
    """
    require_scope("see-metadata", caller.requester)
    webhook, secret = add_webhook(
        vault,
        caller.requester,
        url=wanted.url,
        types=tuple(wanted.types),
        token_sha256=caller.token_sha256,
    )
    return WebhookCreated(**_facts(webhook), secret=secret)


@router.get("/webhooks")
def list_webhooks(
    vault: VaultHere,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    after: Annotated[str | None, Query(pattern=f"^{WEBHOOK_ID.pattern}$")] = None,
) -> WebhookList:
    """List one's own receivers, with how they answered last; those that ended lately too, with the reason."""
    require_scope("see-metadata", caller)
    with vault.database.read() as session:
        rows = webhooks.webhooks_of(
            session, caller.actor_id, ended_since=listed_since(vault), limit=limit + 1, after=after
        )
    return WebhookList(
        webhooks=[WebhookView(**_facts(row)) for row in rows[:limit]],
        next=rows[limit - 1].id if len(rows) > limit else None,
    )


@router.delete("/webhooks/{webhook_id}", status_code=204, response_class=Response)
def delete_webhook(webhook_id: str, vault: VaultHere, caller: Caller) -> Response:
    """Tell this receiver nothing more."""
    require_scope("see-metadata", caller)
    end_webhook(vault, caller.actor_id, webhook_id)
    return Response(status_code=204)


def _facts(row: Webhook) -> dict[str, Any]:
    return {
        "id": row.id,
        "url": row.url,
        "types": row.types.split(),
        "position": row.position,
        "created_at": encode_time(row.created_at),
        "told_at": None if row.told_at is None else encode_time(row.told_at),
        "failing_since": None if row.failing_since is None else encode_time(row.failing_since),
        "last_error": row.last_error,
        "slow_until": None if row.slow_until is None else encode_time(row.slow_until),
        "token": None if row.token_sha256 is None else row.token_sha256.hex()[:16],
        "ended_at": None if row.ended_at is None else encode_time(row.ended_at),
        "end_reason": row.end_reason,
    }
