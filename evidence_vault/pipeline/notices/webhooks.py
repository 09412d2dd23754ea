"""Webhooks: tell other systems what happened, one event a message, in the order of the log.

    POST https://receiver.example/vault
    webhook-id, webhook-timestamp, webhook-signature      (`signer.webhook_signer`)

    {"data":{"event_sha256":"…","leaf_index":17,"origin":"vault.example/log","seq":3,
     "subject":{"id":"it_…","kind":"item"}},"timestamp":"2026-11-22T16:37:00.123Z","type":"TIMESTAMP_OBTAINED"}

A message names an event and says nothing of its content, of people or of files: the receiver asks for it, with
a token of its own, under the rights of that moment. What isn't answered with 2xx is sent again, later and
later; the next message waits, so that the order holds. A receiver that has failed for `webhooks.give_up_days`,
or answers 410, is told nothing more. Whether its owner may know of an event is judged anew for each message.

A webhook doesn't outlive what made it. It ends, saying why, when its owner is disabled, loses the role in which he
made it, or has his login or a power given anew after that; and when the token that made it is revoked or runs out.
One that a person made in a session doesn't end with the session: it is his, not the browser's.

Each receiver is told by a thread of its own and none waits for another, while threads last. They are in two lanes:
whoever is new, or was slow to answer lately, is told among those until he has answered promptly, so that any number
of slow receivers leaves the prompt ones alone.

Durable after return: the position. A crash after a message was sent and before the position is written means
that it is sent again, under the same id.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from anchors.base import HttpClient
from evidence_vault.access.decisions import Requester
from evidence_vault.client.addresses import NotPublicError, endpoint_of
from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.event_types.table import EVENT_TYPES
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_id, encode_time
from evidence_vault.core.states import JobState
from evidence_vault.errors import AccessRefused, FormatError, Gone, TooMany, UnavailableError
from evidence_vault.pipeline.notices.feed import Entry, See, read_feed
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors, jobs, log, webhooks
from evidence_vault.store.webhook_models import Webhook
from evidence_vault.webhook_settings import PROMPT_S, SLOW_FOR_S, TURN_S

SUBJECT_KIND = "webhook"
PROMPT, SLOW = "receiver", "slow receiver"
"""What a webhook's job is about: the lane in which its receiver is told."""

RECEIVERS_AT_ONCE = {PROMPT: 8, SLOW: 8}
"""Told at the same time in each lane: a thread and a connection each."""

MAX_URL_CHARS = 1000

GIVE_UP_FAILURES = 10
"""Before a receiver is given up: days in which the vault itself was down say nothing of it."""

IDLE_S = 60.0
"""Whoever rests is woken by the next checkpoint; this is for a process that died between the two."""


SeeAs = Callable[[Vault, Requester], See]
"""What somebody may know of, at the time of asking."""


def add_webhook(
    vault: Vault, owner: Requester, *, url: str, types: tuple[str, ...], token_sha256: bytes | None = None
) -> tuple[Webhook, str]:
    """Tell `url` from now on what `owner` may know of; return the webhook and its secret, which is shown once.

    token_sha256: of what he came with. Raises FormatError for a URL that isn't https (or one that the operator
    named) or an unknown type, TooMany. Durable after return: the row and its job.
    """
    vault.gate.require_open()
    _require_url(vault, url)
    if unknown := sorted(set(types) - set(EVENT_TYPES)):
        raise FormatError("types", "types of events, as in the specification", ", ".join(unknown))
    now = vault.clock()
    webhook_id = encode_id("wh", vault.random(16))
    with vault.database.write(alone=True) as session:
        webhooks.delete_ended(session, owner.actor_id, before=listed_since(vault))
        if webhooks.count_live(session, owner.actor_id) >= vault.settings.webhooks.max_per_actor:
            raise TooMany(
                "webhooks", f"{vault.settings.webhooks.max_per_actor} are there already; end one first"
            )
        published = log.latest_published(session)
        webhooks.add_webhook(
            session,
            id=webhook_id,
            actor_id=owner.actor_id,
            role=owner.role,
            organisation_id=owner.organisation_id,
            token_sha256=token_sha256 if actors.is_token(session, token_sha256) else None,
            url=url,
            types=" ".join(sorted(set(types))),
            position=0 if published is None else published.size,
            created_at=now,
        )
        jobs.add_jobs(session, "webhook", Subject(kind=SUBJECT_KIND, id=webhook_id), [SLOW], at=now)
        webhook = webhooks.get_webhook(session, webhook_id)
        assert webhook is not None
        return webhook, vault.webhook_signer.secret_of(webhook_id)


def end_webhook(vault: Vault, actor_id: str, webhook_id: str) -> None:
    """Tell this receiver nothing more. Raises AccessRefused, the same for another's and none."""
    with vault.database.write() as session:
        webhook = webhooks.get_webhook(session, webhook_id)
        if webhook is None or webhook.actor_id != actor_id:
            raise AccessRefused("webhook", webhook_id)
        webhooks.end_webhook(session, webhook_id, at=vault.clock(), reason="taken back")


def listed_since(vault: Vault) -> datetime:
    """Return since when a webhook must have ended to be listed still."""
    return vault.clock() - timedelta(days=vault.settings.webhooks.keep_ended_days)


def advance_webhook(vault: Vault, job: jobs.Claimed, *, http: HttpClient, see_as: SeeAs) -> None:
    """Tell a receiver what is new, and record how far it has heard."""
    until, is_told = vault.clock() + timedelta(seconds=TURN_S), False
    while True:
        with vault.database.read() as session:
            webhook = webhooks.get_webhook(session, job.subject.id)
            if webhook is None or webhook.ended_at is not None:
                break
            over = _why_over(session, webhook, now=vault.clock())
            see = see_as(vault, _owner(webhook))
            page = read_feed(
                session, position=webhook.position, limit=1, see=see, types=webhook.types.split()
            )
        if over is not None:
            with vault.database.write() as session:
                webhooks.end_webhook(session, webhook.id, at=vault.clock(), reason=over)
            break
        if page.position == webhook.position:
            break
        began = vault.clock()
        try:
            for entry in page.entries:
                _tell(vault, webhook, entry, http)
        except (UnavailableError, Gone) as error:
            _note_pace(vault, webhook, began=began)
            _note_failure(vault, job, webhook, error)
            return
        _note_pace(vault, webhook, began=began)
        is_told = is_told or bool(page.entries)
        with vault.database.write() as session:
            told_at = vault.clock() if page.entries else None
            moved = webhooks.move_on(session, webhook, position=page.position, told_at=told_at)
        if not moved or page.at_end or vault.clock() >= until:
            break
    _rest(vault, job, is_told=is_told)


def _why_over(session: Session, webhook: Webhook, *, now: datetime) -> str | None:
    """Return why this webhook tells nothing any more, if so: what made it has ended."""
    owner = actors.get_actor(session, webhook.actor_id)
    if owner is None or not actors.holds_role(session, webhook.actor_id, webhook.role):
        return "its owner has no access"
    if owner.trusted_since > webhook.created_at:
        return "its owner's login or power was given anew"
    if webhook.token_sha256 is None:
        return None
    return actors.why_token_ended(session, webhook.token_sha256, now=now)


def _note_pace(vault: Vault, webhook: Webhook, *, began: datetime) -> None:
    """Whoever takes his time is told among the slow from now on."""
    now = vault.clock()
    if now - began > timedelta(seconds=PROMPT_S):
        with vault.database.write() as session:
            webhooks.note_slow(session, webhook.id, until=now + timedelta(seconds=SLOW_FOR_S))


def _lane(webhook: Webhook, job: jobs.Claimed, *, is_told: bool, now: datetime) -> str:
    """Where it is told next: among the prompt only after it has shown that it is."""
    if webhook.slow_until is not None and webhook.slow_until > now:
        return SLOW
    return PROMPT if is_told else job.target


def _owner(webhook: Webhook) -> Requester:
    return Requester(
        actor_id=webhook.actor_id,
        role=webhook.role,
        scopes=frozenset({"read"}),
        auth="webhook",
        organisation_id=webhook.organisation_id,
    )


def hasten_webhooks(vault: Vault) -> None:
    """Have all receivers that are not failing told at once: there is something new."""
    with vault.database.read() as session:
        if not jobs.any_open(session, "webhook"):
            return
    with vault.database.write() as session:
        jobs.hasten(session, "webhook", now=vault.clock())


def _tell(vault: Vault, webhook: Webhook, entry: Entry, http: HttpClient) -> None:
    """Send one message. A crash here means that it is sent again. Raises UnavailableError, or Gone for 410."""
    body = encode_message(vault.settings.origin, entry)
    message_id = entry.event_sha256.hex()
    headers = vault.webhook_signer.sign(webhook.id, message_id=message_id, at=vault.clock(), body=body)
    reply = http.post(
        webhook.url,
        body,
        content_type="application/json",
        headers=headers,
        max_bytes=0,  # only the status counts
        timeout_s=vault.settings.webhooks.timeout_s,
    )
    if reply.status == HTTPStatus.GONE:
        raise Gone("webhook", "the receiver wants no more messages")
    if not 200 <= reply.status < 300:
        raise UnavailableError(endpoint_of(webhook.url), f"answered {reply.status}")


def encode_message(origin: str, entry: Entry) -> bytes:
    """Return the body of a message: canonical JSON."""
    return encode_canonical(
        {
            "type": entry.type,
            "timestamp": encode_time(entry.at),
            "data": {
                "origin": origin,
                "subject": {"kind": entry.subject.kind, "id": entry.subject.id},
                "seq": entry.seq,
                "event_sha256": entry.event_sha256.hex(),
                "leaf_index": entry.leaf_index,
            },
        }
    )


def _note_failure(vault: Vault, job: jobs.Claimed, webhook: Webhook, error: UnavailableError | Gone) -> None:
    now = vault.clock()
    patience = timedelta(days=vault.settings.webhooks.give_up_days)
    said = "not a public address" if isinstance(error, NotPublicError) else str(error)
    with vault.database.write() as session:
        webhooks.note_failure(session, webhook, at=now, error=said)
        if isinstance(error, Gone):
            reason = "it wants no more"
        elif (
            webhook.failing_since is not None
            and now - webhook.failing_since >= patience
            and webhook.failures >= GIVE_UP_FAILURES
        ):
            reason = "it failed for too long"
        else:
            wait = max(vault.backoff(webhook.failures), timedelta(seconds=error.retry_after_s or 0))
            told = webhooks.get_webhook(session, webhook.id) or webhook
            lane = _lane(told, job, is_told=False, now=now)
            jobs.record(
                session, job, JobState.READY, now=now, run_at=now + wait, error=str(error), target=lane
            )
            return
        webhooks.end_webhook(session, webhook.id, at=now, reason=reason)
        jobs.record(session, job, JobState.DONE, now=now, run_at=None)


def _rest(vault: Vault, job: jobs.Claimed, *, is_told: bool) -> None:
    """Due again soon; never again if it has ended."""
    now = vault.clock()
    with vault.database.write() as session:
        webhook = webhooks.get_webhook(session, job.subject.id)
        if webhook is None or webhook.ended_at is not None:
            jobs.record(session, job, JobState.DONE, now=now, run_at=None)
            return
        published = log.latest_published(session)
        behind = published is not None and webhook.position < published.size
        wait = timedelta(seconds=0 if behind else IDLE_S)
        lane = _lane(webhook, job, is_told=is_told, now=now)
        jobs.record(session, job, JobState.READY, now=now, run_at=now + wait, target=lane)


def _require_url(vault: Vault, url: str) -> None:
    """Only https, and http to an endpoint that the operator named; the address is judged at each connection."""
    try:
        parts = urlsplit(url)
        named = endpoint_of(url) in vault.settings.webhooks.private_endpoints and parts.scheme == "http"
        good = (
            len(url) <= MAX_URL_CHARS
            and url.isascii()
            and url.isprintable()
            and " " not in url
            and (parts.scheme == "https" or named)
            and bool(parts.hostname)
            and parts.username is None
            and parts.password is None
            and not parts.fragment
        )
    except ValueError:
        good = False
    if not good:
        raise FormatError("url", "an https URL without user name and fragment", url[:200])
