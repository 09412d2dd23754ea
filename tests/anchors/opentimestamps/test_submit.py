"""Calendars and nodes over real HTTP: handing in, upgrading, reorganisations, and everything that lies."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from anchors.base import AnchorProof, Attested, Progress, Submitter
from anchors.errors import ConfigError, UnavailableError
from anchors.opentimestamps.bitcoin import parse_header
from anchors.opentimestamps.calendar import Calendar
from anchors.opentimestamps.node import BitcoinNode, fetch_bitcoin_headers
from anchors.opentimestamps.operations import APPEND, SHA256, Operation
from anchors.opentimestamps.proof import OTS_PART
from anchors.opentimestamps.stamp import (
    Branch,
    Timestamp,
    below,
    bitcoin_attestation,
    encode_timestamp,
    parse_ots,
    pending_attestation,
)
from anchors.opentimestamps.submit import OpenTimestampsConfig, OpenTimestampsSubmitter
from anchors.opentimestamps.verify import BitcoinTrust, OpenTimestampsVerifier, TrustedNetwork
from evidence_vault.client.addresses import endpoint_of
from evidence_vault.client.http import GuardedClient
from tests.anchors.opentimestamps.toy import (
    REGTEST,
    Answer,
    ToyBitcoin,
    ToyCalendar,
    serving,
    statement,
    walk,
)

pytestmark = pytest.mark.socket
NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
WANTED = statement()


@dataclass
class Site:
    """A chain, two calendars that write to it, and a submitter that knows both."""

    bitcoin: ToyBitcoin
    alice: ToyCalendar
    bob: ToyCalendar
    urls: list[str]
    now: datetime = NOW
    second_node: ToyBitcoin | None = None
    node_urls: list[str] = field(default_factory=list)

    def submitter(self, *, timeout_s: float = 20.0, calendars: int = 2) -> Submitter:
        named = (Calendar(name="alice", url=self.alice.url), Calendar(name="bob", url=self.bob.url + "/"))
        return OpenTimestampsSubmitter(
            OpenTimestampsConfig(
                network=REGTEST,
                calendars=named[:calendars],
                node_urls=tuple(self.node_urls),
                timeout_s=timeout_s,
            ),
            http=GuardedClient(permitted=[endpoint_of(url) for url in (*self.urls, *self.node_urls)]),
            clock=lambda: self.now,
            random=lambda length: bytes(range(length)),
        )


@pytest.fixture
def site() -> Iterator[Site]:
    chain, other = ToyBitcoin(), ToyBitcoin()
    alice, bob = ToyCalendar("alice", chain), ToyCalendar("bob", chain)
    with serving(alice, bob, chain, other) as urls:
        chain.mine(3)
        yield Site(chain, alice, bob, urls, second_node=other, node_urls=[urls[2]])


def step(submitter: Submitter, progress: Progress | AnchorProof) -> Progress:
    assert isinstance(progress, Progress)
    found = submitter.advance(WANTED, progress)
    assert isinstance(found, Progress)
    return found


def answered(pending: Progress) -> set[str]:
    answers = pending.data["answers"]
    assert isinstance(answers, dict)
    return set(answers)


def submitted(submitter: Submitter) -> Progress:
    return step(submitter, submitter.prepare(WANTED))


def test_a_checkpoint_comes_into_a_block_and_is_proven(site: Site) -> None:
    submitter = site.submitter()
    prepared = submitter.prepare(WANTED)
    assert (prepared.state, site.alice.asked, site.bob.asked) == ("PREPARED", [], [])
    pending = step(submitter, prepared)
    assert pending.state == "SUBMITTED"
    assert answered(pending) == {"alice", "bob"}
    # Neither the note nor its digest is told; both calendars get the same 32 bytes.
    nonce = bytes(range(16))
    assert (
        site.alice.received
        == site.bob.received
        == [walk(WANTED.sha256, (Operation(APPEND, nonce), Operation(SHA256)))]
    )
    assert step(submitter, pending).state == "SUBMITTED"  # nothing yet
    height = site.alice.seal()
    included = step(submitter, pending)
    assert included.state == "INCLUDED"
    assert step(submitter, included).state == "INCLUDED"  # nothing on top of it yet
    site.bitcoin.mine(5)
    proof = submitter.advance(WANTED, included)
    assert isinstance(proof, AnchorProof)
    # The promise of the other calendar stays in the file: whoever holds it may ask for more.
    urls = {branch.attestation.url for branch in parse_ots(proof.parts[OTS_PART]).timestamp.ends}
    assert urls == {None, site.alice.url, site.bob.url}
    headers = fetch_bitcoin_headers(
        network=REGTEST,
        heights=[height],
        urls=site.node_urls,
        http=GuardedClient(permitted=[endpoint_of(url) for url in site.node_urls]),
        fetched_at=NOW,
    )
    trusted = BitcoinTrust(networks=(TrustedNetwork(network="regtest"),), headers=(headers,))
    attested = OpenTimestampsVerifier().verify(proof, statement=WANTED, trusted=trusted)
    assert isinstance(attested, Attested)
    assert attested.time == parse_header(site.bitcoin.headers[height]).time


def test_any_step_may_be_taken_again_after_a_crash(site: Site) -> None:
    submitter = site.submitter()
    prepared = submitter.prepare(WANTED)
    first, again = step(submitter, prepared), step(submitter, prepared)
    assert first.data["answers"] == again.data["answers"]
    site.alice.waiting = site.alice.waiting[:1]
    site.alice.seal()
    one, two = step(submitter, first), step(submitter, again)
    assert one.data == two.data
    site.bitcoin.mine(5)
    assert submitter.advance(WANTED, one) == submitter.advance(WANTED, two)


def test_a_calendar_that_was_down_is_asked_again(site: Site) -> None:
    site.bob.lie = lambda method, path, body: (500, b"")
    submitter = site.submitter()
    pending = submitted(submitter)
    assert answered(pending) == {"alice"}
    assert "bob: answered 500" in str(pending.data["trouble"])
    site.bob.lie = lambda method, path, body: None
    pending = step(submitter, pending)
    assert answered(pending) == {"alice", "bob"}
    assert pending.data["trouble"] is None


def test_no_calendar_at_all_is_waited_out(site: Site) -> None:
    for calendar in (site.alice, site.bob):
        calendar.lie = lambda method, path, body: (302, b"")
    with pytest.raises(UnavailableError, match="redirect"):
        submitted(site.submitter())


def test_a_promise_of_weeks_is_told_and_still_asked_for(site: Site) -> None:
    submitter = site.submitter()
    pending = submitted(submitter)
    site.now = NOW + timedelta(days=15)
    told = step(submitter, pending)
    assert told.state == "SUBMITTED"
    assert "15 days ago" in str(told.data["trouble"])
    site.bob.seal()
    assert step(submitter, told).state == "INCLUDED"


def test_a_reorganisation_sends_it_back_and_on(site: Site) -> None:
    submitter = site.submitter()
    pending = submitted(submitter)
    height = site.alice.seal()
    included = step(submitter, pending)
    site.bitcoin.reorganise(height, 7)
    lost = step(submitter, included)
    assert (lost.state, lost.data["found"]) == ("SUBMITTED", None)
    # The calendar still tells the old way: it is told, and no proof comes of it.
    again = step(submitter, lost)
    assert again.state == "SUBMITTED"
    assert "merkle root" in str(again.data["trouble"])
    site.bob.seal()
    site.bitcoin.mine(5)
    proof = submitter.advance(WANTED, step(submitter, again))
    assert isinstance(proof, AnchorProof)


def lying(
    site: Site, make: Callable[[bytes], Timestamp | bytes]
) -> Callable[[str, str, bytes], Answer | None]:
    """A calendar that promises as it should, then answers with what `make` makes of the message."""

    def lie(method: str, path: str, body: bytes) -> Answer | None:
        if method == "POST":
            return None
        made = make(bytes.fromhex(path.removeprefix("/timestamp/")))
        return 200, made if isinstance(made, bytes) else encode_timestamp(made)

    return lie


def _in(message: bytes, height: int) -> Timestamp:
    return Timestamp(message=message, ends={Branch((), bitcoin_attestation(height)): message})


@pytest.mark.parametrize(
    "make",
    [
        lambda message: _in(message, 2),  # a block that is there, and another root
        lambda message: _in(message, 900_000),  # a block that nobody has
        lambda message: below(
            (Operation(SHA256),) * 200, _in(walk(message, (Operation(SHA256),) * 200), 2), message=message
        ),
        lambda message: b"\x08" * 9_000,  # a tree without an end
        lambda message: b"\xff" * 9_000,
        lambda message: b"\x08" * 300 + encode_timestamp(_in(message, 2)),  # too deep
        lambda message: b"\x00" * 20_000,  # more than is read
        lambda message: b"",
        lambda message: Timestamp(
            message=message, ends={Branch((), pending_attestation("http://169.254.1.1")): message}
        ),
    ],
)
def test_a_lying_calendar_gives_no_proof_and_hinders_none(
    site: Site, make: Callable[[bytes], Timestamp | bytes]
) -> None:
    site.alice.lie = lying(site, make)
    submitter = site.submitter()
    pending = step(submitter, submitted(submitter))
    assert pending.state == "SUBMITTED"
    assert {path.split("/")[1] for _, path in site.alice.asked} == {"digest", "timestamp"}
    site.bob.seal()
    site.bitcoin.mine(5)
    proof = submitter.advance(WANTED, step(submitter, pending))
    assert isinstance(proof, AnchorProof)


def test_a_calendar_that_says_too_much_does_not_drown_the_others(site: Site) -> None:
    def much(message: bytes) -> Timestamp:
        ends = {
            Branch((Operation(APPEND, bytes([n])),), bitcoin_attestation(10**6)): message + bytes([n])
            for n in range(63)
        }
        return Timestamp(message=message, ends=ends)

    site.alice.lie = lying(site, much)
    submitter = site.submitter()
    pending = step(submitter, submitted(submitter))
    site.bob.seal()
    site.bitcoin.mine(5)
    included = step(submitter, pending)
    assert included.state == "INCLUDED"
    proof = submitter.advance(WANTED, included)
    assert isinstance(proof, AnchorProof)
    assert {one.attestation.url for one in parse_ots(proof.parts[OTS_PART]).timestamp.ends} == {
        None,
        site.bob.url,
    }


def test_a_promise_over_another_digest_is_no_promise(site: Site) -> None:
    site.alice.lie = lambda method, path, body: (200, b"\x00" + b"\xee" * 8 + b"\x00")
    submitter = site.submitter()
    pending = submitted(submitter)
    assert "without a promise" in str(pending.data["trouble"])


def test_nodes_must_agree_before_a_proof_leaves(site: Site) -> None:
    site.node_urls = site.urls[2:4]
    assert site.second_node is not None
    submitter = site.submitter()
    site.second_node.headers = list(site.bitcoin.headers)
    pending = submitted(submitter)
    height = site.alice.seal()
    site.bitcoin.mine(5)
    # The second node has not seen the block yet; then it shows another; then it agrees.
    assert "no block" in str(step(submitter, pending).data["trouble"])
    site.second_node.headers = list(site.bitcoin.headers)
    included = step(submitter, pending)
    site.second_node.reorganise(height, 7)
    assert step(submitter, included).state == "SUBMITTED"
    site.second_node.headers = list(site.bitcoin.headers)
    assert isinstance(submitter.advance(WANTED, included), AnchorProof)


def test_a_node_of_another_network_is_a_mistake_in_the_settings(site: Site) -> None:
    submitter = site.submitter()
    pending = submitted(submitter)
    site.alice.seal()
    site.bitcoin.headers[0] = bytes([5]) + site.bitcoin.headers[0][1:]
    with pytest.raises(ConfigError, match="block 0"):
        submitter.advance(WANTED, pending)


def test_a_node_that_lies_about_a_header_is_unavailable(site: Site) -> None:
    http = GuardedClient(permitted=[endpoint_of(url) for url in site.node_urls])
    node = BitcoinNode(site.node_urls[0], http, 5.0)
    honest = list(site.bitcoin.headers)
    assert [header.raw for header in node.headers_from(1)] == honest[1:4]
    site.bitcoin.headers[2] = honest[3]
    with pytest.raises(UnavailableError, match="not linked"):
        node.headers_from(1)
    assert node.headers_from(9) == ()


def test_user_and_password_go_as_basic_and_stand_in_no_error(site: Site) -> None:
    http = GuardedClient(permitted=[endpoint_of(url) for url in site.node_urls])
    node = BitcoinNode(site.node_urls[0].replace("http://", "http://someone:s3cret@"), http, 5.0)
    node.check_network(REGTEST)
    assert site.bitcoin.authorization[-1] == "Basic c29tZW9uZTpzM2NyZXQ="
    site.bitcoin.headers.clear()
    with pytest.raises(UnavailableError) as caught:
        node.check_network(REGTEST)
    assert "s3cret" not in str(caught.value)
    assert "someone" not in node.host


def test_one_step_ends_by_its_deadline(site: Site) -> None:
    ticks = itertools.count(step=15)
    submitter = OpenTimestampsSubmitter(
        OpenTimestampsConfig(
            network=REGTEST,
            calendars=(Calendar(name="alice", url=site.alice.url), Calendar(name="bob", url=site.bob.url)),
            node_urls=tuple(site.node_urls),
            timeout_s=20.0,
        ),
        http=GuardedClient(permitted=[endpoint_of(url) for url in site.urls]),
        clock=lambda: NOW,
        random=bytes,
        monotonic=lambda: float(next(ticks)),
    )
    pending = submitted(submitter)
    assert "bob: not asked" in str(pending.data["trouble"])
