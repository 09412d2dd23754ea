import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from anchors.base import AnchorProof, Attested, HttpReply, Progress, Statement
from anchors.errors import ConfigError, FormatError, UnavailableError, VerificationError
from anchors.rfc3161.certificate import parse_chain
from anchors.rfc3161.der import SEQUENCE, encode_integer, tlv
from anchors.rfc3161.devtsa import BAD_ALGORITHM, encode_rejection
from anchors.rfc3161.errors import RefusedError
from anchors.rfc3161.submit import (
    QUERY_TYPE,
    REPLY_TYPE,
    Rfc3161Submitter,
    TsaConfig,
    encode_request,
)
from anchors.rfc3161.token import parse_request
from anchors.rfc3161.verifier import Rfc3161Verifier
from anchors.values import replace
from tests.anchors.answering import Answering, Posted
from tests.anchors.rfc3161.conftest import NOW, SHA256, World

STATEMENT = Statement(sha256=SHA256)


@dataclass
class FakeHttp(Answering):
    """An authority reached without a network: `answer` makes the reply to a request."""

    answer: Callable[[bytes], HttpReply]
    sent: list[Posted] = field(default_factory=list)

    def reply_to(self, sent: Posted) -> HttpReply:
        self.sent.append(sent)
        return self.answer(sent.body)


def reply(body: bytes, status: int = 200, content_type: str = REPLY_TYPE) -> HttpReply:
    return HttpReply(status=status, content_type=content_type, body=body)


def config_for(world: World) -> TsaConfig:
    return TsaConfig(
        name="dev",
        group="dev",
        url="http://tsa.example/tsr",
        roots=parse_chain(world.tsa.root_pem.encode()),
        headers={"Authorization": "Bearer x"},
    )


def submitter(
    world: World, answer: Callable[[bytes], HttpReply], **changes: object
) -> tuple[Rfc3161Submitter, FakeHttp]:
    http = FakeHttp(answer)
    config = replace(config_for(world), **changes)
    return Rfc3161Submitter(config, http, lambda: NOW), http


def honest(world: World, at: datetime = NOW) -> Callable[[bytes], HttpReply]:
    return lambda request: reply(world.tsa.respond(request, at))


def test_advance_gives_a_proof_that_the_verifier_attests(world: World) -> None:
    sending, http = submitter(world, honest(world))
    progress = sending.prepare(STATEMENT)
    proof = sending.advance(STATEMENT, progress)
    assert set(proof.parts) == {"request.tsq", "response.tsr", "chain.pem"}
    assert proof.parts["request.tsq"] == http.sent[0].body
    _, root = parse_chain(proof.parts["chain.pem"])
    assert root == world.trusted.authorities[0].roots[0]
    assert proof.parts["chain.pem"].startswith(b"-----BEGIN CERTIFICATE-----\n")
    verdict = Rfc3161Verifier().verify(proof, statement=STATEMENT, trusted=world.trusted)
    assert isinstance(verdict, Attested)
    assert verdict.time == NOW


def test_advance_sends_what_the_configuration_says(world: World) -> None:
    sending, http = submitter(world, honest(world), timeout_s=3.0, max_bytes=9000)
    sending.advance(STATEMENT, sending.prepare(STATEMENT))
    [sent] = http.sent
    assert (sent.url, sent.content_type) == ("http://tsa.example/tsr", QUERY_TYPE)
    assert (sent.max_bytes, sent.timeout_s) == (9000, 3.0)
    assert sent.headers == {"Authorization": "Bearer x"}
    request = parse_request(sent.body)
    assert (request.imprint_algorithm, request.imprint) == ("sha256", SHA256)
    assert request.wants_certificate
    assert request.nonce is not None
    assert request.nonce.bit_length() == 64


def test_prepare_is_json_and_never_repeats_a_nonce(world: World) -> None:
    sending, http = submitter(world, honest(world))
    prepared = [sending.prepare(STATEMENT) for _ in range(50)]
    assert len({json.dumps(dict(one.data)) for one in prepared}) == 50
    assert http.sent == []


def test_advance_repeated_sends_the_identical_request(world: World) -> None:
    sending, http = submitter(world, honest(world))
    progress = sending.prepare(STATEMENT)
    stored = Progress(kind="rfc3161", state="PREPARED", data=json.loads(json.dumps(dict(progress.data))))
    sending.advance(STATEMENT, progress)
    sending.advance(STATEMENT, stored)
    assert http.sent[0].body == http.sent[1].body


def test_prepare_asks_for_the_configured_policy(world: World) -> None:
    sending, http = submitter(world, honest(world), policy=world.tsa.policy)
    proof = sending.advance(STATEMENT, sending.prepare(STATEMENT))
    assert isinstance(proof, AnchorProof)
    assert parse_request(http.sent[0].body).policy == world.tsa.policy


def other_nonce(world: World) -> Callable[[bytes], HttpReply]:
    return lambda _: reply(world.tsa.respond(encode_request(SHA256, nonce=5, policy=None), NOW))


def other_digest(world: World) -> Callable[[bytes], HttpReply]:
    def answer(request: bytes) -> HttpReply:
        nonce = parse_request(request).nonce
        assert nonce is not None
        forged = encode_request(hashlib.sha256(b"other").digest(), nonce=nonce, policy=None)
        return reply(world.tsa.respond(forged, NOW))

    return answer


LIES: list[tuple[str, Callable[[World], Callable[[bytes], HttpReply]], str]] = [
    ("nonce", other_nonce, "nonce of the request"),
    ("digest", other_digest, "imprint"),
    ("html", lambda _: lambda _: reply(b"<html>", content_type="text/html"), "content type 'text/html'"),
    ("html-lying", lambda _: lambda _: reply(b"<html>"), "doesn't verify"),
    ("empty", lambda _: lambda _: reply(b""), "doesn't verify"),
    ("oversize", lambda _: lambda _: reply(bytes(70_000)), "more than 65536 bytes"),
    ("busy", lambda _: lambda _: reply(b"", status=503), "HTTP status 503"),
    ("rate-limit", lambda _: lambda _: reply(b"", status=429), "HTTP status 429"),
    ("no-access", lambda _: lambda _: reply(b"", status=401), "HTTP status 401"),
    ("moved", lambda _: lambda _: reply(b"", status=404), "HTTP status 404"),
    ("redirect", lambda _: lambda _: reply(b"", status=302), "HTTP status 302"),
    ("slow-clock", lambda w: honest(w, NOW - timedelta(minutes=5)), "300 s behind our clock"),
    ("fast-clock", lambda w: honest(w, NOW + timedelta(minutes=5)), "300 s ahead of our clock"),
    ("waiting", lambda _: lambda _: reply(tlv(SEQUENCE, tlv(SEQUENCE, encode_integer(3)))), "status waiting"),
    ("no-clock", lambda _: lambda _: reply(encode_rejection(14, "no GPS")), "timeNotAvailable.*no GPS"),
]


@pytest.mark.parametrize(("answer", "reason"), [case[1:] for case in LIES], ids=[case[0] for case in LIES])
def test_advance_counts_no_answer_that_may_be_better_next_time(
    world: World, answer: Callable[[World], Callable[[bytes], HttpReply]], reason: str
) -> None:
    sending, _ = submitter(world, answer(world))
    with pytest.raises(UnavailableError, match=reason) as caught:
        sending.advance(STATEMENT, sending.prepare(STATEMENT))
    assert caught.value.service == "dev"
    assert caught.value.retry_after_s == 15.0


def test_advance_keeps_the_lie_as_the_cause(world: World) -> None:
    sending, _ = submitter(world, other_nonce(world))
    with pytest.raises(UnavailableError) as caught:
        sending.advance(STATEMENT, sending.prepare(STATEMENT))
    assert isinstance(caught.value.__cause__, VerificationError)


def test_advance_refuses_an_authority_of_the_same_name_and_another_root(
    world: World, make_world: Callable[[], World]
) -> None:
    sending, _ = submitter(world, honest(make_world()))
    with pytest.raises(UnavailableError, match="NO_CERTIFICATE_CHAIN_FOUND"):
        sending.advance(STATEMENT, sending.prepare(STATEMENT))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(encode_rejection(BAD_ALGORITHM, "no")), "badAlg: unrecognized or unsupported.*; no"),
        (reply(encode_rejection(15, "no")), "unacceptedPolicy"),
        (reply(b"", status=400), "HTTP status 400"),
        (reply(b"", status=413), "HTTP status 413"),
    ],
)
def test_advance_tells_a_refusal_that_no_retry_cures(world: World, answer: HttpReply, reason: str) -> None:
    sending, _ = submitter(world, lambda _: answer)
    with pytest.raises(RefusedError, match=reason):
        sending.advance(STATEMENT, sending.prepare(STATEMENT))


def test_advance_lets_a_failing_network_through(world: World) -> None:
    def fail(_: bytes) -> HttpReply:
        raise UnavailableError("tsa.example", "10 s passed")

    sending, _ = submitter(world, fail)
    with pytest.raises(UnavailableError, match="10 s passed"):
        sending.advance(STATEMENT, sending.prepare(STATEMENT))


@pytest.mark.parametrize(
    "progress",
    [
        Progress(kind="ethereum", state="PREPARED", data={"request": "00"}),
        Progress(kind="rfc3161", state="SUBMITTED", data={"request": "00"}),
        Progress(kind="rfc3161", state="PREPARED", data={}),
        Progress(kind="rfc3161", state="PREPARED", data={"request": "zz"}),
        Progress(kind="rfc3161", state="PREPARED", data={"request": "3000"}),
    ],
)
def test_advance_sends_nothing_for_a_foreign_progress(world: World, progress: Progress) -> None:
    sending, http = submitter(world, honest(world))
    with pytest.raises(FormatError):
        sending.advance(STATEMENT, progress)
    assert http.sent == []


def test_advance_sends_nothing_for_another_statement(world: World) -> None:
    sending, http = submitter(world, honest(world))
    with pytest.raises(FormatError, match="over this statement"):
        sending.advance(Statement(sha256=bytes(32)), sending.prepare(STATEMENT))
    assert http.sent == []


@pytest.mark.parametrize("changes", [{"roots": ()}, {"roots": (b"x",)}, {"max_bytes": 0}, {"policy": "any"}])
def test_config_is_refused_where_no_answer_could_count(world: World, changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="tsa dev"):
        replace(config_for(world), **changes)


@pytest.mark.parametrize("policy", [None, "1.3.6.1.4.1.4146.2.3.1.1"])
@pytest.mark.parametrize("nonce", [0, 127, 128, 2**63, 2**64 - 1])
def test_request_is_read_by_openssl(nonce: int, policy: str | None) -> None:
    asked = encode_request(SHA256, nonce=nonce, policy=policy)
    done = subprocess.run(
        ["openssl", "ts", "-query", "-in", "/dev/stdin", "-text"],
        input=asked,
        capture_output=True,
        check=True,
    )
    told = done.stdout.decode()
    assert "Hash Algorithm: sha256" in told
    assert f"Policy OID: {policy or 'unspecified'}" in told
    assert "Certificate required: yes" in told
    shown = re.search(r"Nonce: 0x([0-9A-F]+)", told)
    assert shown is not None
    assert int(shown[1], 16) == nonce
