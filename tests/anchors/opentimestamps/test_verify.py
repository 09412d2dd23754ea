"""The offline verifier of OpenTimestamps: what it accepts, and everything that it must not."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import bitcoin.core
import pytest

from anchors.base import AnchorProof, Attested, Indeterminate, Verifier
from anchors.errors import FormatError, VerificationError
from anchors.opentimestamps.bitcoin import (
    DIFFICULTY_1,
    LEAST_DIFFICULTY,
    NETWORKS,
    parse_header,
    shown,
    verify_work,
)
from anchors.opentimestamps.headers import (
    BitcoinHeaders,
    ShownBlock,
    ShownBy,
    encode_bitcoin_headers,
    is_bitcoin_headers,
    parse_bitcoin_headers,
)
from anchors.opentimestamps.proof import KIND, OTS_PART, PART, encode_proof, parse_proof
from anchors.opentimestamps.stamp import bitcoin_attestation
from anchors.opentimestamps.verify import (
    BitcoinTrust,
    KnownHeader,
    OpenTimestampsVerifier,
    TrustedNetwork,
    verify_stamp,
)
from tests.anchors.opentimestamps.toy import EASY, GENESIS, START, ToyBitcoin, made_proof, mine, statement

VERIFIER: Verifier[BitcoinTrust] = OpenTimestampsVerifier()
AT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
STATEMENT = statement()


def anchored(proof: bytes, ots: bytes) -> AnchorProof:
    return AnchorProof(kind=KIND, parts={PART: proof, OTS_PART: ots})


def trust(
    bitcoin: ToyBitcoin | None = None,
    height: int = 1,
    *,
    known: tuple[KnownHeader, ...] = (),
    shown_by: dict[str, tuple[bytes, ...]] | None = None,
    network: str = "regtest",
    least: int = 0,
) -> BitcoinTrust:
    """What is trusted: the block at `height` of a chain by its hash, or what is given."""
    if bitcoin is not None:
        known = (KnownHeader(height=height, block_hash=parse_header(bitcoin.headers[height]).block_hash),)
    sources = tuple(
        ShownBy(host=host, blocks=(ShownBlock(height=height, headers=headers),))
        for host, headers in (shown_by or {}).items()
    )
    files = (BitcoinHeaders(network=network, fetched_at=AT, sources=sources),) if sources else ()
    named = TrustedNetwork(network=network, known_blocks=known, least_difficulty=least)
    return BitcoinTrust(networks=(named,), headers=files)


def judge(proof: tuple[bytes, bytes], trusted: BitcoinTrust) -> Attested | Indeterminate:
    return VERIFIER.verify(anchored(*proof), statement=STATEMENT, trusted=trusted)


@pytest.fixture
def chain() -> ToyBitcoin:
    return ToyBitcoin()


def test_block_known_by_its_hash_attests_its_time(chain: ToyBitcoin) -> None:
    proof = made_proof(chain, STATEMENT.sha256)
    attested = judge(proof, trust(chain))
    assert isinstance(attested, Attested)
    assert attested.time == START + timedelta(minutes=10)
    assert attested.accuracy == timedelta(hours=2)
    assert attested.source == "bitcoin regtest block 1"


def test_block_known_by_its_header_needs_no_carried_one(chain: ToyBitcoin) -> None:
    proof = made_proof(chain, STATEMENT.sha256, with_header=False)
    first = parse_header(chain.headers[1])
    by_hash = KnownHeader(height=1, block_hash=first.block_hash)
    by_header = KnownHeader(height=1, block_hash=first.block_hash, header=first.raw)
    assert isinstance(judge(proof, trust(known=(by_header,))), Attested)
    without = judge(proof, trust(known=(by_hash,)))
    assert isinstance(without, Indeterminate)
    assert "no header is carried" in without.reason


@pytest.mark.parametrize("with_header", [True, False])
def test_headers_file_attests_a_block_with_five_on_top(chain: ToyBitcoin, with_header: bool) -> None:
    proof = made_proof(chain, STATEMENT.sha256, with_header=with_header)
    one = trust(shown_by={"a.example": chain.shown_headers(1)})
    assert isinstance(judge(proof, one), Attested)
    both = trust(shown_by={"a.example": chain.shown_headers(1), "b.example": chain.shown_headers(1)})
    attested = judge(proof, both)
    assert isinstance(attested, Attested)
    assert "a.example, b.example" in attested.assumptions[0]


def test_nothing_known_is_indeterminate_and_says_what_to_compare(chain: ToyBitcoin) -> None:
    proof = made_proof(chain, STATEMENT.sha256)
    told = judge(proof, trust())
    assert isinstance(told, Indeterminate)
    assert told.sub_indication == "NO_POE"
    header = parse_header(chain.headers[1])
    for part in (
        "block 1 of bitcoin regtest",
        shown(header.merkle_root),
        shown(header.block_hash),
        "any explorer",
    ):
        assert part in told.reason
    nobody = judge(proof, BitcoinTrust())
    assert isinstance(nobody, Indeterminate)
    assert nobody.sub_indication == "NO_CERTIFICATE_CHAIN_FOUND"


def test_another_block_at_this_height_denies_whoever_shows_it(chain: ToyBitcoin) -> None:
    proof = made_proof(chain, STATEMENT.sha256)
    other = ToyBitcoin(seed=b"other")
    other.mine(6)
    for trusted in (
        trust(other),
        trust(shown_by={"a.example": chain.shown_headers(1), "liar.example": other.shown_headers(1)}),
        trust(
            known=(KnownHeader(height=1, block_hash=parse_header(chain.headers[1]).block_hash),),
            shown_by={"liar.example": other.shown_headers(1)},
        ),
    ):
        denied = judge(proof, trusted)
        assert isinstance(denied, Indeterminate)
        assert "lost or source wrong" in denied.reason


def test_headers_file_without_enough_on_top_is_not_enough(chain: ToyBitcoin) -> None:
    proof = made_proof(chain, STATEMENT.sha256)
    unlinked = (*chain.shown_headers(1, 5), chain.headers[5])
    no_work = list(chain.shown_headers(1))
    while True:  # the last one's nonce, until it is none
        no_work[-1] = no_work[-1][:-1] + bytes([(no_work[-1][-1] + 1) % 256])
        last = parse_header(no_work[-1])
        if int.from_bytes(last.block_hash, "little") > last.target:
            break
    for headers, expected in (
        (chain.shown_headers(1, 5), "blocks shown"),
        (unlinked, "previous block"),
        (tuple(no_work), "proof of work"),
    ):
        told = judge(proof, trust(shown_by={"a.example": headers}))
        assert isinstance(told, Indeterminate)
        assert expected in told.reason


def test_easy_header_is_none_of_main_net(chain: ToyBitcoin) -> None:
    proof, ots = made_proof(chain, STATEMENT.sha256, network="main")
    with pytest.raises(VerificationError, match="bitcoin target on main"):
        judge((proof, ots), trust(chain, network="main"))


def test_headers_of_difficulty_1_are_refused_on_main_net_from_a_file(chain: ToyBitcoin) -> None:
    # Genesis of main net has difficulty 1: a real header with real work, and far too little of it today.
    raw = bitcoin.core.CoreMainParams.GENESIS_BLOCK.get_header().serialize()
    header = parse_header(raw)
    verify_work(header, NETWORKS["main"])
    with pytest.raises(VerificationError, match="bitcoin difficulty"):
        verify_work(header, NETWORKS["main"], least_difficulty=LEAST_DIFFICULTY["main"])
    # … and the same rule decides in the verifier: on a network whose policy asks for more than the chain has.
    proof = made_proof(chain, STATEMENT.sha256)
    told = judge(proof, trust(shown_by={"a.example": chain.shown_headers(1)}, least=1))
    assert isinstance(told, Indeterminate)
    assert "bitcoin difficulty" in told.reason
    # What the policy itself knows needs no work: its author looked.
    known = (KnownHeader(height=1, block_hash=parse_header(chain.headers[1]).block_hash),)
    assert isinstance(judge(proof, trust(known=known, least=1)), Attested)


def test_networks_are_those_of_another_implementation() -> None:
    theirs = (
        bitcoin.core.CoreMainParams,
        bitcoin.core.CoreTestNetParams,
        bitcoin.core.CoreRegTestParams,
    )
    for ours, params in zip(NETWORKS.values(), theirs, strict=True):
        header = parse_header(params.GENESIS_BLOCK.get_header().serialize())
        assert shown(header.block_hash) == ours.genesis == bitcoin.core.b2lx(params.GENESIS_BLOCK.GetHash())
        assert header.target == ours.easiest
        assert header.target == bitcoin.core.uint256_from_compact(params.GENESIS_BLOCK.nBits)
        verify_work(header, ours)
    assert NETWORKS["main"].easiest == DIFFICULTY_1
    assert parse_header(GENESIS).raw == GENESIS


def test_wrong_digest_and_wrong_root_are_wrong(chain: ToyBitcoin) -> None:
    proof, ots = made_proof(chain, STATEMENT.sha256)
    other = statement(b"another note")
    with pytest.raises(VerificationError, match="opentimestamps digest"):
        VERIFIER.verify(anchored(proof, ots), statement=other, trusted=trust(chain))
    next_header = encode_proof(network="regtest", height=1, header=chain.headers[2], ots=ots)
    with pytest.raises(VerificationError, match="bitcoin merkle root"):
        judge((next_header, ots), trust(chain))
    no_such = encode_proof(network="regtest", height=2, header=chain.headers[2], ots=ots)
    with pytest.raises(VerificationError, match="bitcoin block 2"):
        judge((no_such, ots), trust(chain))
    _, other_ots = made_proof(chain, STATEMENT.sha256)
    with pytest.raises(VerificationError, match=r"opentimestamps \.ots"):
        judge((proof, other_ots), trust(chain))
    stripped = ots.replace(bitcoin_attestation(1).tag, b"\xee" * 8)
    unknown = encode_proof(network="regtest", height=1, header=chain.headers[1], ots=stripped)
    with pytest.raises(VerificationError, match="opentimestamps attestation"):
        judge((unknown, stripped), trust(chain))


def test_a_promise_proves_nothing(chain: ToyBitcoin) -> None:
    _, ots = made_proof(chain, STATEMENT.sha256)
    promise = encode_proof(network="regtest", height=None, header=None, ots=ots)
    told = judge((promise, ots), trust(chain))
    assert isinstance(told, Indeterminate)
    assert "https://alice.example" in told.reason


def test_every_changed_bit_of_the_stamp_is_refused(chain: ToyBitcoin) -> None:
    proof, ots = made_proof(chain, STATEMENT.sha256)
    good = judge((proof, ots), trust(chain))
    passed = 0
    for at in range(len(ots)):
        for bit in range(8):
            changed = ots[:at] + bytes([ots[at] ^ 1 << bit]) + ots[at + 1 :]
            # As it is, and with a .json that was written anew about it.
            with pytest.raises((VerificationError, FormatError)):
                judge((proof, changed), trust(chain))
            resealed = encode_proof(network="regtest", height=1, header=chain.headers[1], ots=changed)
            try:
                verdict = judge((resealed, changed), trust(chain))
            except (VerificationError, FormatError):
                continue
            assert verdict == good
            passed += 1
    # What can change and still pass is the pending attestation beside the way: it says nothing about this block.
    assert passed <= 8 * (len("https://alice.example") + 11)


def test_every_changed_bit_of_the_json_is_refused(chain: ToyBitcoin) -> None:
    proof, ots = made_proof(chain, STATEMENT.sha256)
    for at in range(len(proof)):
        for bit in range(8):
            changed = proof[:at] + bytes([proof[at] ^ 1 << bit]) + proof[at + 1 :]
            try:
                verdict = judge((changed, ots), trust(chain))
            except (VerificationError, FormatError):
                continue
            assert isinstance(verdict, Indeterminate), changed


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((b'"v":1', b'"v":2'), "v"),
        ((b'"regtest"', b'"mainnet"'), "network"),
        ((b'"kind":"opentimestamps"', b'"kind":"ethereum"'), "kind"),
        ((b'"height":1', b'"height":-1'), "height"),
        ((b'"height":1', b'"height":null'), "height"),
        ((b'"v":1', b'"v":1,"x":1'), "x"),
        ((b'"v":1', b'"v": 1'), "canonical"),
    ],
)
def test_malformed_json_is_refused(chain: ToyBitcoin, change: tuple[bytes, bytes], expected: str) -> None:
    proof, ots = made_proof(chain, STATEMENT.sha256)
    with pytest.raises(FormatError, match=expected):
        parse_proof(proof.replace(*change), ots)


@pytest.mark.parametrize("bits", ["00000000", "ffff8020", "01000021", "ffffff22", "ffff7fff"])
def test_bits_that_are_no_target_are_refused(bits: str) -> None:
    raw = GENESIS[:72] + bytes.fromhex(bits) + GENESIS[76:]
    with pytest.raises((FormatError, VerificationError)):
        verify_work(parse_header(raw), NETWORKS["regtest"])


def test_headers_file_is_read_back_and_nothing_else_is(chain: ToyBitcoin) -> None:
    chain.mine(7)
    file = trust(shown_by={"a.example:8332": chain.shown_headers(1)}).headers[0]
    data = encode_bitcoin_headers(file)
    assert parse_bitcoin_headers(data) == file
    assert is_bitcoin_headers(data)
    for old, new in (
        (b'"v":1', b'"v":2'),
        (b'"bitcoin"', b'"ethereum"'),
        (b'"regtest"', b'"moon"'),
        (b"a.example:8332", b"user@a.example"),
        (b'"height":1', b'"height":1.0'),
        (b"2026-11-22T18:00:00.000Z", b"2026-11-22"),
        (chain.headers[1].hex().encode(), b"00"),
        (b'"headers":[', b'"headers":["' + b"00" * 80 + b'",'),
    ):
        assert old in data
        with pytest.raises(FormatError):
            parse_bitcoin_headers(data.replace(old, new))


def test_mined_header_has_its_work() -> None:
    header = parse_header(mine(bytes(32), b"\x01" * 32, START, bits=EASY))
    verify_work(header, NETWORKS["regtest"])
    assert header.time == START
    assert header.merkle_root == b"\x01" * 32


def test_a_proof_is_judged_in_a_moment(chain: ToyBitcoin) -> None:
    proof, ots = made_proof(chain, STATEMENT.sha256)
    trusted = trust(chain)
    best = min(_timed(lambda: judge((proof, ots), trusted)) for _ in range(5))
    assert len(proof) + len(ots) < 1024
    assert best < 0.02


def _timed(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


def test_verifying_loads_nothing_heavy() -> None:
    code = (
        "import sys, anchors.opentimestamps.verify\n"
        "heavy = {'web3', 'httpcore', 'pydantic', 'sqlalchemy', 'fastapi', 'socket', 'ssl', 'urllib.request',"
        " 'bitcoin', 'opentimestamps', 'anchors.opentimestamps.submit', 'anchors.opentimestamps.node'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_stamp_alone_names_its_root(chain: ToyBitcoin) -> None:
    proof, ots = made_proof(chain, STATEMENT.sha256, with_header=False)
    stamped = verify_stamp(parse_proof(proof, ots), sha256=STATEMENT.sha256)
    assert not isinstance(stamped, Indeterminate)
    assert stamped.merkle_root == parse_header(chain.headers[1]).merkle_root
    assert stamped.header is None
