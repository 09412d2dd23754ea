"""Webhooks: one message an event, in order, again until it is taken, and nothing to places it must not go."""

import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Judge

from anchors.base import HttpReply
from evidence_vault.access.decisions import ALL_SCOPES, Requester
from evidence_vault.client.http import GuardedClient
from evidence_vault.core.names import encode_id
from evidence_vault.errors import AccessRefused, FormatError, TooMany, UnavailableError
from evidence_vault.identity.actors import token_credential
from evidence_vault.identity.tokens import encode_token
from evidence_vault.pipeline.cases.visible import visible_to
from evidence_vault.pipeline.notices.webhooks import (
    IDLE_S,
    PROMPT,
    RECEIVERS_AT_ONCE,
    SLOW,
    add_webhook,
    advance_webhook,
    end_webhook,
    listed_since,
)
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import actors, jobs, people, webhooks
from evidence_vault.store.webhook_models import Webhook
from evidence_vault.webhook_settings import Webhooks
from evidence_vault.workers.runner import Choice, advance_due, advance_log, singly
from tests.anchors.answering import Answering, Posted
from tests.client.servers import Behaviour, dripping, own_certificate, pouring, replying, serving, silent
from tests.pipeline.vaults import OWNER, SetClock, deposit, new_vault

ME = Requester(actor_id=OWNER.id, role="RH", scopes=frozenset(ALL_SCOPES), auth="token")
URL = "https://receiver.example/in?from=vault"
MINUTE = 60.0


@dataclass(slots=True)
class Receiver(Answering):
    """Takes messages, or answers as told."""

    answers: list[int | Exception] = field(default_factory=list)
    taken: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)

    def reply_to(self, sent: Posted) -> HttpReply:
        assert (sent.url, sent.content_type, sent.timeout_s) == (URL, "application/json", 10.0)
        assert sent.max_bytes == 0
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, Exception):
            raise answer
        self.taken.append((sent.headers, sent.body))
        return HttpReply(status=answer, content_type="", body=b"")

    def get(self, url: str, *, headers: Mapping[str, str], max_bytes: int, timeout_s: float) -> HttpReply:
        raise AssertionError("a receiver is told, never asked")

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.taken]


@pytest.fixture
def clock() -> SetClock:
    return SetClock(now=datetime.now(UTC))


@pytest.fixture
def vault(tmp_path: Path, clock: SetClock) -> Vault:
    made = new_vault(tmp_path, clock=clock)
    advance_log(made)
    return made


def add(vault: Vault, *types: str, url: str = URL) -> tuple[Webhook, str]:
    return add_webhook(vault, ME, url=url, types=types)


def tell(vault: Vault, receiver: Receiver | GuardedClient) -> None:
    """Do what is due now, as long as something is."""
    while any([told_in(vault, lane, receiver) for lane in RECEIVERS_AT_ONCE]):
        pass


def told_in(vault: Vault, lane: str, receiver: Receiver | GuardedClient) -> bool:
    """Advance what is due in one lane, once; whether there was any."""
    stage = singly(partial(advance_webhook, http=receiver, see_as=visible_to))
    return advance_due(vault, "webhook", stage, owner="test", choice=Choice(target=lane, at_once=8))


def read(vault: Vault, webhook: Webhook) -> Webhook:
    with vault.database.read() as session:
        found = webhooks.get_webhook(session, webhook.id)
        assert found is not None
        return found


@pytest.mark.db
def test_webhook_is_told_what_happens_from_then_on(vault: Vault, clock: SetClock) -> None:
    deposit(vault, b"before")
    advance_log(vault)
    webhook, secret = add(vault)
    receiver = Receiver()
    tell(vault, receiver)
    assert receiver.taken == []
    items = [deposit(vault, bytes([n])) for n in range(3)]
    advance_log(vault)
    tell(vault, receiver)
    told = [json.loads(body) for _, body in receiver.taken]
    assert [one["data"]["subject"]["id"] for one in told] == [item.item_id for item in items]
    assert {one["type"] for one in told} == {"ITEM_RECEIVED"}
    assert all(
        one["data"].keys() == {"origin", "subject", "seq", "event_sha256", "leaf_index"} for one in told
    )
    for headers, body in receiver.taken:
        assert Judge(secret).verify(body, dict(headers)) == json.loads(body)
        assert headers["webhook-id"] == json.loads(body)["data"]["event_sha256"]
    assert read(vault, webhook).told_at == clock()


@pytest.mark.db
def test_webhook_that_fails_is_told_again_in_order_under_the_same_id(vault: Vault, clock: SetClock) -> None:
    webhook, _ = add(vault)
    deposit(vault, b"1")
    deposit(vault, b"2")
    advance_log(vault)
    receiver = Receiver(answers=[500, UnavailableError("receiver.example:443", "down", 120.0), 200])
    tell(vault, receiver)
    assert (len(receiver.taken), read(vault, webhook).last_error) == (1, "receiver.example:443: answered 500")
    clock.advance(5)
    tell(vault, receiver)
    assert read(vault, webhook).failures == 2
    clock.advance(100)  # it asked for two minutes
    tell(vault, receiver)
    assert len(receiver.taken) == 1
    clock.advance(30)
    tell(vault, receiver)
    assert receiver.ids[0] == receiver.ids[1]
    assert len(set(receiver.ids)) == 2
    after = read(vault, webhook)
    assert (after.failures, after.failing_since, after.last_error) == (0, None, None)


def test_webhook_that_fails_is_not_hastened_by_the_next_checkpoint(vault: Vault) -> None:
    add(vault)
    deposit(vault, b"1")
    advance_log(vault)
    receiver = Receiver(answers=[UnavailableError("receiver.example:443", "down", 3600.0)])
    tell(vault, receiver)
    deposit(vault, b"2")
    advance_log(vault)
    tell(vault, receiver)
    assert receiver.taken == []


def test_webhook_after_a_crash_between_sending_and_noting_is_told_again(
    vault: Vault, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(vault)
    deposit(vault)
    advance_log(vault)
    receiver = Receiver()

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "move_on", crash)
        with pytest.raises(KeyboardInterrupt):
            tell(vault, receiver)
    clock.advance(vault.settings.job_lease_s + 1)
    tell(vault, receiver)
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1


@pytest.mark.parametrize(("status", "reason"), [(410, "it wants no more"), (404, None)])
def test_webhook_that_wants_no_more_is_ended(vault: Vault, status: int, reason: str | None) -> None:
    webhook, _ = add(vault)
    deposit(vault)
    advance_log(vault)
    tell(vault, Receiver(answers=[status]))
    assert read(vault, webhook).end_reason == reason


def test_webhook_that_fails_too_long_is_ended(vault: Vault, clock: SetClock) -> None:
    webhook, _ = add(vault)
    deposit(vault)
    advance_log(vault)
    days = vault.settings.webhooks.give_up_days
    began = clock()
    receiver = Receiver()
    while read(vault, webhook).ended_at is None:
        receiver.answers = [503]
        tell(vault, receiver)
        clock.advance(6 * 3600)
    assert timedelta(days=days) <= clock() - began < timedelta(days=days, hours=13)
    assert read(vault, webhook).end_reason == "it failed for too long"
    taken = len(receiver.taken)
    clock.advance(10**6)
    tell(vault, receiver)
    assert len(receiver.taken) == taken


def test_webhook_is_not_ended_because_the_vault_was_down_for_long(vault: Vault, clock: SetClock) -> None:
    webhook, _ = add(vault)
    deposit(vault)
    advance_log(vault)
    tell(vault, Receiver(answers=[500]))
    clock.advance(30 * 86_400)
    receiver = Receiver(answers=[502])
    tell(vault, receiver)
    clock.advance(MINUTE)
    tell(vault, receiver)
    assert (len(set(receiver.ids)), read(vault, webhook).ended_at) == (1, None)


def test_webhook_past_a_message_that_its_owner_may_not_know_of_any_more_fails_no_longer(
    vault: Vault, clock: SetClock
) -> None:
    webhook, _ = add(vault)
    deposit(vault)
    advance_log(vault)
    tell(vault, Receiver(answers=[500]))
    clock.advance(MINUTE)
    sees_nothing = partial(advance_webhook, http=Receiver(), see_as=lambda *_: lambda *_: ())
    advance_due(vault, "webhook", singly(sees_nothing), owner="test", choice=Choice(target=SLOW))
    after = read(vault, webhook)
    assert (after.failing_since, after.last_error, after.failures, after.told_at) == (None, None, 0, None)


@pytest.mark.db
@pytest.mark.parametrize("lost", ["disabled", "role"])
def test_webhook_of_somebody_who_has_no_access_any_more_is_told_nothing_and_ended(
    vault: Vault, clock: SetClock, lost: str
) -> None:
    webhook, _ = add(vault)
    deposit(vault)
    advance_log(vault)
    with vault.database.write() as session:
        if lost == "disabled":
            people.disable(session, OWNER.id, now=clock())
        else:
            (held,) = actors.live_roles(session, OWNER.id)
            people.end_role(session, held.id, now=clock())
    receiver = Receiver()
    tell(vault, receiver)
    assert (receiver.taken, read(vault, webhook).end_reason) == ([], "its owner has no access")
    with vault.database.read() as session:
        assert not jobs.any_open(session, "webhook")


@pytest.mark.db
@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        ("revoked", "its token was revoked"),
        ("ran out", "its token ran out"),
        ("given anew", "its owner's login or power was given anew"),
    ],
)
def test_webhook_ends_with_what_made_it(vault: Vault, clock: SetClock, ended: str, reason: str) -> None:
    with vault.database.write() as session:
        (held,) = actors.live_roles(session, OWNER.id)
        token = token_credential(
            encode_token(bytes(32)),
            actor_id=OWNER.id,
            role_id=held.id,
            label="A program",
            scopes=ALL_SCOPES,
            now=clock(),
            life=timedelta(hours=1),
        )
        actors.add_credential(session, token)
    by_token, _ = add_webhook(vault, ME, url=URL, types=(), token_sha256=token.token_sha256)
    by_hand, _ = add(vault)
    deposit(vault)
    advance_log(vault)
    receiver = Receiver()
    tell(vault, receiver)
    assert len(receiver.taken) == 2
    clock.advance(IDLE_S + 1)
    with vault.database.write() as session:
        if ended == "revoked":
            actors.revoke_credential(session, token.token_sha256, now=clock())
        elif ended == "given anew":
            people.distrust(session, OWNER.id, now=clock())
    if ended == "ran out":
        clock.advance(3600)
    deposit(vault)
    advance_log(vault)
    tell(vault, receiver)
    assert read(vault, by_token).end_reason == reason
    assert read(vault, by_hand).end_reason == (reason if ended == "given anew" else None)
    assert len(receiver.taken) == (2 if ended == "given anew" else 3)


def test_webhook_that_ended_is_listed_for_a_time_and_then_deleted(vault: Vault, clock: SetClock) -> None:
    first, _ = add(vault)
    end_webhook(vault, OWNER.id, first.id)
    clock.advance(29 * 86_400)
    second, _ = add(vault)
    assert set(listed(vault)) == {first.id, second.id}
    clock.advance(2 * 86_400)
    assert listed(vault) == [second.id]
    with vault.database.read() as session:
        assert webhooks.get_webhook(session, first.id) is not None
    add(vault)
    with vault.database.read() as session:
        assert webhooks.get_webhook(session, first.id) is None


def listed(vault: Vault, **page: Any) -> list[str]:
    with vault.database.read() as session:
        rows = webhooks.webhooks_of(
            session, OWNER.id, ended_since=listed_since(vault), **{"limit": 50, "after": None, **page}
        )
        return [row.id for row in rows]


def test_webhooks_come_in_pages(vault: Vault) -> None:
    made = sorted(add(vault)[0].id for _ in range(5))
    assert listed(vault, limit=3) + listed(vault, limit=3, after=made[2]) == made


@pytest.mark.db
def test_webhook_that_is_slow_is_told_among_the_slow_until_it_was_prompt_for_long(
    vault: Vault, clock: SetClock
) -> None:
    webhook, _ = add(vault)

    @dataclass(slots=True)
    class Slow(Receiver):
        def reply_to(self, sent: Posted) -> HttpReply:
            clock.advance(3)
            return Receiver.reply_to(self, sent)

    def happens(receiver: Receiver, *lanes: str) -> list[bool]:
        deposit(vault)
        advance_log(vault)
        return [told_in(vault, lane, receiver) for lane in lanes]

    slow, prompt = Slow(), Receiver()
    assert happens(prompt, PROMPT, SLOW) == [False, True], "nobody knows a new one yet"
    assert happens(slow, SLOW, PROMPT) == [False, True]
    assert read(vault, webhook).slow_until is not None
    assert happens(prompt, PROMPT, SLOW) == [False, True]
    clock.advance(599)
    assert happens(prompt, PROMPT, SLOW) == [False, True], "not for one quick answer"
    clock.advance(10)
    assert [told_in(vault, lane, prompt) for lane in RECEIVERS_AT_ONCE].count(True) <= 1, "nor for silence"
    assert happens(prompt, PROMPT, SLOW) == [False, True]
    assert happens(prompt, SLOW, PROMPT) == [False, True]
    assert len(slow.ids + prompt.ids) == 6, "in order, each once"
    slow.answers = [UnavailableError("receiver.example:443", "silent")]
    assert happens(slow, PROMPT) == [True]
    clock.advance(MINUTE)
    assert happens(prompt, PROMPT, SLOW) == [False, True], "one that fails slowly is slow"


@pytest.mark.db
def test_webhook_whose_lease_was_lost_goes_not_back_in_the_order(vault: Vault, clock: SetClock) -> None:
    webhook, _ = add(vault)
    deposit(vault, b"1")
    deposit(vault, b"2")
    advance_log(vault)
    faster = Receiver()

    @dataclass(slots=True)
    class Slow(Receiver):
        def reply_to(self, sent: Posted) -> HttpReply:
            clock.advance(vault.settings.job_lease_s + 1)
            tell(vault, faster)
            return Receiver.reply_to(self, sent)

    slow = Slow()
    tell(vault, slow)
    assert (len(slow.ids), len(faster.ids), slow.ids[0]) == (1, 2, faster.ids[0])
    assert read(vault, webhook).position > json.loads(faster.taken[1][1])["data"]["leaf_index"]
    tell(vault, faster)
    assert len(faster.ids) == 2


def test_webhook_to_an_endpoint_that_was_named_for_the_vault_itself_is_refused(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, private_endpoints=["10.0.0.7:8545"])
    with pytest.raises(FormatError):
        add(vault, url="http://10.0.0.7:8545/")


@pytest.mark.socket
@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000,
        b"HTTP/1.1 202 Accepted\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["long", "compressed"],
)
def test_webhook_only_the_status_of_an_answer_counts(tmp_path: Path, reply: bytes) -> None:
    with serving(replying(reply)) as server:
        vault = new_vault(tmp_path, webhooks=Webhooks(private_endpoints=[server.endpoint]))
        advance_log(vault)
        webhook, _ = add(vault, url=server.url)
        deposit(vault)
        advance_log(vault)
        tell(vault, GuardedClient(permitted=[server.endpoint]))
        assert (read(vault, webhook).last_error, read(vault, webhook).failures) == (None, 0)


def test_webhook_taken_back_is_told_nothing_more(vault: Vault) -> None:
    webhook, _ = add(vault)
    deposit(vault)
    advance_log(vault)
    with pytest.raises(AccessRefused):
        end_webhook(vault, encode_id("ac", b"x" * 16), webhook.id)
    end_webhook(vault, OWNER.id, webhook.id)
    receiver = Receiver()
    tell(vault, receiver)
    assert receiver.taken == []
    with vault.database.read() as session:
        assert not jobs.any_open(session, "webhook")


def test_webhook_of_one_type_is_told_nothing_else(vault: Vault, clock: SetClock) -> None:
    webhook, _ = add(vault, "EXPORTED")
    deposit(vault)
    advance_log(vault)
    receiver = Receiver()
    tell(vault, receiver)
    assert receiver.taken == []
    assert read(vault, webhook).position == 3
    clock.advance(IDLE_S + 1)
    tell(vault, receiver)
    assert receiver.taken == []


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/in",
        "https://",
        "https://user:word@receiver.example/",
        "https://receiver.example/#part",
        "https://receiver.example:99999/",
        "https://receiver.example/a b",
        "https://receiver.example/\r\nX-Evil: 1",
        "https://[::1",
        "file:///etc/passwd",
        "https://" + "a" * 1000,
        "https://empfänger.example/",
    ],
)
def test_add_webhook_refuses_what_is_no_address_for_it(vault: Vault, url: str) -> None:
    with pytest.raises(FormatError):
        add(vault, url=url)


def test_add_webhook_refuses_an_unknown_type(vault: Vault) -> None:
    with pytest.raises(FormatError, match="ITEM_RECIEVED"):
        add(vault, "ITEM_RECIEVED")


def test_add_webhook_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, webhooks=Webhooks(max_per_actor=1))
    webhook, _ = add(vault)
    with pytest.raises(TooMany):
        add(vault)
    end_webhook(vault, OWNER.id, webhook.id)
    add(vault)


@pytest.mark.socket
@pytest.mark.parametrize("named", [True, False])
def test_webhook_to_a_private_address_only_where_the_operator_named_it(
    tmp_path: Path, *, named: bool
) -> None:
    with serving(replying(b"HTTP/1.1 204 No\r\n\r\n")) as server:
        vault = new_vault(tmp_path, webhooks=Webhooks(private_endpoints=[server.endpoint]))
        advance_log(vault)
        webhook, secret = add(vault, url=server.url)
        deposit(vault)
        advance_log(vault)
        tell(vault, GuardedClient(permitted=vault.settings.webhooks.private_endpoints if named else ()))
        after = read(vault, webhook)
        assert len(server.requests) == int(named)
    if named:
        assert b"webhook-signature: v1," in server.requests[0]
        assert (secret[:6], after.last_error) == ("whsec_", None)
    else:
        assert after.last_error == "not a public address"  # which one is nobody's who only chose a name


HOSTILE: dict[str, tuple[Behaviour, str | None]] = {
    "endless body": (pouring(b"HTTP/1.1 200 OK\r\n\r\n"), None),
    "endless head": (pouring(b"HTTP/1.1 200 OK\r\nX: "), "did not speak"),
    "huge field": (replying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"), "did not speak"),
    "dripping head": (dripping(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100, 0.02), "within 0.3 s"),
    "silence": (silent, "within 0.3 s"),
    "no HTTP": (replying(b"\x16\x03\x01\x00\x05hello"), "did not speak"),
    "redirect inwards": (
        replying(b"HTTP/1.1 307 Go\r\nLocation: http://169.254.169.254/latest/meta-data/\r\n\r\n"),
        "a redirect, which is not followed",
    ),
    "informational without end": (dripping(b"HTTP/1.1 103 Hints\r\n\r\n" * 100, 0.002), "within 0.3 s"),
}


@pytest.mark.socket
@pytest.mark.parametrize("kind", HOSTILE)
def test_webhook_to_a_hostile_receiver_ends_in_time_and_says_what_was_wrong(
    tmp_path: Path, kind: str
) -> None:
    behave, said = HOSTILE[kind]
    with serving(behave) as server:
        vault = new_vault(
            tmp_path, webhooks=Webhooks(private_endpoints=[server.endpoint], timeout_s=0.3), clock=SetClock()
        )
        advance_log(vault)
        webhook, _ = add(vault, url=server.url)
        deposit(vault)
        advance_log(vault)
        began = time.monotonic()
        tell(vault, GuardedClient(permitted=[server.endpoint]))
        assert time.monotonic() - began < 2
        after = read(vault, webhook)
        assert len(server.requests) == 1
    assert (after.last_error is None) == (said is None)
    assert said is None or (after.last_error is not None and said in after.last_error)


@pytest.mark.socket
def test_webhook_over_tls_that_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    theirs, _ = own_certificate(tmp_path, "IP:127.0.0.1")
    with serving(replying(b"HTTP/1.1 204 No\r\n\r\n"), tls=theirs) as server:
        url = server.url.replace("http:", "https:")
        vault = new_vault(tmp_path, webhooks=Webhooks(private_endpoints=[server.endpoint]))
        advance_log(vault)
        webhook, _ = add(vault, url=url)
        deposit(vault)
        advance_log(vault)
        tell(vault, GuardedClient(permitted=[server.endpoint]))
        assert server.requests == []
        assert "certificate verify failed" in (read(vault, webhook).last_error or "")


@pytest.mark.socket
def test_webhook_whose_name_means_another_address_each_time_reaches_none_inside(
    vault: Vault, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that is judged is the one that is connected to; the name is asked once for each message."""
    answers = iter(["192.0.2.1", "93.184.216.34", "127.0.0.1", "::ffff:10.0.0.1"])
    connected: list[str] = []

    def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 443))]

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    webhook, _ = add(vault, url="https://receiver.example/in")
    deposit(vault)
    advance_log(vault)
    errors = []
    for _ in range(4):
        tell(vault, GuardedClient())
        errors.append(read(vault, webhook).last_error)
        clock.advance(3600)
    assert connected == ["93.184.216.34"]
    assert [error == "not a public address" for error in errors] == [True, False, True, True]
