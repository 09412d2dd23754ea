import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors.base import AnchorProof, Attested, Indeterminate, Statement, TreeHead
from anchors.errors import FormatError, VerificationError
from anchors.ethereum.header import parse_header
from anchors.ethereum.headers import HeadersFile, HeaderSource, SourcedBlock
from anchors.ethereum.keccak import keccak256
from anchors.ethereum.proof import EthereumProof, encode_proof
from anchors.ethereum.verify import (
    EVENT,
    EVENT_TOPIC,
    EthereumTrust,
    EthereumVerifier,
    KnownBlock,
    TrustedContract,
    decode_prev,
    select_contract,
    verify_inclusion,
)
from anchors.values import replace
from tests.anchors.ethereum.made import CHAIN_ID, CONTRACT, SENDER, Log, Made, make_proof, make_receipt

HEAD = TreeHead(size=40, root_hash=b"\x11" * 32)
TRUSTED = TrustedContract(chain_id=CHAIN_ID, contract=CONTRACT, sender=SENDER)
PREV = (30).to_bytes(8, "big") + b"\x22" * 24
GOOD = make_proof(size=40, root_hash=HEAD.root_hash, prev=PREV)
HEADER = parse_header(GOOD.header)
STATEMENT = Statement(sha256=bytes(32), tree_head=HEAD)


def _proof(*logs: Log, status: int = 1, kind: int = 2) -> EthereumProof:
    return Made((make_receipt(), make_receipt(*logs, status=status, kind=kind))).proof(1)


def test_event_topic_is_the_hash_of_the_event() -> None:
    assert keccak256(EVENT.encode()) == EVENT_TOPIC


def test_verify_inclusion_of_a_good_proof_tells_what_the_block_records() -> None:
    included = verify_inclusion(GOOD, tree_head=HEAD, trusted=TRUSTED)
    assert included.block_hash == keccak256(GOOD.header)
    assert (included.block_number, included.block_time) == (
        7_000_000,
        datetime(2026, 11, 22, 16, 37, tzinfo=UTC),
    )
    assert (included.chain_id, included.contract, included.sender) == (CHAIN_ID, CONTRACT, SENDER)
    assert (included.size, included.root_hash) == (40, HEAD.root_hash)
    assert decode_prev(included.prev) == (30, b"\x22" * 24)


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_verify_inclusion_takes_every_type_of_receipt(kind: int) -> None:
    assert verify_inclusion(_proof(Log(), kind=kind), tree_head=HEAD, trusted=TRUSTED).size == 40


def test_verify_inclusion_refuses_an_unknown_type_of_receipt() -> None:
    with pytest.raises(FormatError, match="receipt type"):
        verify_inclusion(_proof(Log(), kind=5), tree_head=HEAD, trusted=TRUSTED)


def test_verify_inclusion_tolerates_fields_that_coming_forks_append_to_the_header() -> None:
    made = Made((make_receipt(Log()),), trailing=(b"\x07", b"\x01" * 32, b"", b"\xff" * 300))
    assert verify_inclusion(made.proof(0), tree_head=HEAD, trusted=TRUSTED).size == 40


def test_verify_inclusion_finds_the_log_among_others_whatever_its_position() -> None:
    noise = [
        Log(address=b"\x01" * 20),
        Log(sender=b"\x02" * 20, size=41),
        Log(topic=b"\x03" * 32),
        Log(size=39),
    ]
    proof = _proof(*noise, Log(), *noise[:3])
    assert verify_inclusion(proof, tree_head=HEAD, trusted=TRUSTED).prev == PREV


@pytest.mark.parametrize(
    ("proof", "check"),
    [
        (replace(GOOD, chain_id=1), "ethereum chain id"),
        (replace(GOOD, contract=SENDER), "ethereum contract"),
        (replace(GOOD, sender=CONTRACT), "ethereum sender"),
        (replace(GOOD, receipt_index=2), "receipts trie nodes[2] hash"),
        (replace(GOOD, nodes=GOOD.nodes[:-1]), "receipts trie nodes"),
        (replace(GOOD, nodes=()), "receipts trie nodes"),
        (replace(GOOD, header=Made((make_receipt(),)).header), "receipts trie nodes[0] hash"),
        (_proof(Log(), status=0), "ethereum receipt status"),
        (_proof(), "ethereum log"),
        (_proof(Log(address=b"\x01" * 20)), "ethereum log"),
        (_proof(Log(sender=b"\x01" * 20)), "ethereum log"),
        (_proof(Log(topic=b"\x01" * 32)), "ethereum log"),
        (_proof(Log(size=41)), "ethereum anchored size"),
        (_proof(Log(), Log()), "ethereum anchored size"),
        (_proof(Log(root=b"\x12" + b"\x11" * 31)), "ethereum anchored root"),
        (_proof(Log(prev=(40).to_bytes(8, "big") + bytes(24))), "ethereum previous anchor"),
        (_proof(Log(prev=bytes(8) + b"\x01" * 24)), "ethereum previous anchor"),
    ],
)
def test_verify_inclusion_refuses_what_does_not_match(proof: EthereumProof, check: str) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_inclusion(proof, tree_head=HEAD, trusted=TRUSTED)
    assert caught.value.check.startswith(check)


def test_verify_inclusion_refuses_a_size_of_more_than_eight_bytes() -> None:
    with pytest.raises(FormatError, match="log data"):
        verify_inclusion(_proof(Log(size=40 + 2**64)), tree_head=HEAD, trusted=TRUSTED)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_verify_inclusion_with_a_flipped_bit_never_shows_the_same_block(data: st.DataObject) -> None:
    parts = [GOOD.header, *GOOD.nodes]
    part = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, len(parts[part]) * 8 - 1))
    flipped = bytearray(parts[part])
    flipped[bit // 8] ^= 1 << bit % 8
    parts[part] = bytes(flipped)
    try:
        proof = replace(GOOD, header=parts[0], nodes=tuple(parts[1:]))
        included = verify_inclusion(proof, tree_head=HEAD, trusted=TRUSTED)
    except (FormatError, VerificationError):
        return
    assert included.block_hash != HEADER.block_hash


def _answer(trusted: EthereumTrust, proof: EthereumProof = GOOD) -> Attested | Indeterminate:
    parts = {"proof.json": encode_proof(proof)}
    return EthereumVerifier().verify(
        AnchorProof(kind="ethereum", parts=parts), statement=STATEMENT, trusted=trusted
    )


def _headers(*sources: tuple[str, int, bytes, bool], chain_id: int = CHAIN_ID) -> HeadersFile:
    return HeadersFile(
        chain_id=chain_id,
        fetched_at=datetime(2026, 11, 22, tzinfo=UTC),
        sources=tuple(
            HeaderSource(
                host=host, blocks=(SourcedBlock(number=number, block_hash=block_hash, finalized=final),)
            )
            for host, number, block_hash, final in sources
        ),
    )


KNOWN = KnownBlock(chain_id=CHAIN_ID, block_hash=HEADER.block_hash)
N, H, OTHER = HEADER.number, HEADER.block_hash, b"\x66" * 32


@pytest.mark.parametrize(
    "trust",
    [
        EthereumTrust(contracts=(TRUSTED,), known_blocks=(KNOWN,)),
        EthereumTrust(contracts=(TRUSTED,), known_blocks=(replace(KNOWN, number=N),)),
        EthereumTrust(contracts=(TRUSTED,), headers=(_headers(("a.example", N, H, True)),)),
        EthereumTrust(
            contracts=(TRUSTED,), headers=(_headers(("a.example", N, H, False), ("b.example", N, H, True)),)
        ),
    ],
)
def test_verifier_attests_a_block_that_is_vouched_for(trust: EthereumTrust) -> None:
    answer = _answer(trust)
    assert isinstance(answer, Attested)
    assert answer.time == datetime(2026, 11, 22, 16, 37, tzinfo=UTC)
    assert answer.accuracy == timedelta(seconds=12)
    assert answer.source == "chain 11155111 block 7000000"
    assert any(H.hex() in sentence for sentence in answer.assumptions)


@pytest.mark.parametrize(
    ("trust", "reason"),
    [
        (EthereumTrust(contracts=(TRUSTED,)), "nothing at hand"),
        (EthereumTrust(contracts=(TRUSTED,), known_blocks=(replace(KNOWN, chain_id=1),)), "nothing at hand"),
        (
            EthereumTrust(contracts=(TRUSTED,), headers=(_headers(("a", N, H, True), chain_id=1),)),
            "nothing at",
        ),
        (
            EthereumTrust(contracts=(TRUSTED,), headers=(_headers(("a", N + 1, OTHER, True)),)),
            "nothing at hand",
        ),
        (EthereumTrust(contracts=(TRUSTED,), headers=(_headers(("a", N, H, False)),)), "not final yet"),
        (
            EthereumTrust(contracts=(TRUSTED,), headers=(_headers(("a", N, OTHER, True)),)),
            "anchor lost or source",
        ),
        (
            EthereumTrust(
                contracts=(TRUSTED,), headers=(_headers(("a", N, H, True), ("b", N, OTHER, False)),)
            ),
            "anchor lost or source wrong",
        ),
        (
            EthereumTrust(
                contracts=(TRUSTED,), known_blocks=(KNOWN,), headers=(_headers(("a", N, OTHER, True)),)
            ),
            "anchor lost or source wrong",
        ),
        (
            EthereumTrust(
                contracts=(TRUSTED,),
                known_blocks=(KnownBlock(chain_id=CHAIN_ID, block_hash=OTHER, number=N),),
                headers=(_headers(("a", N, H, True)),),
            ),
            "anchor lost or source wrong",
        ),
    ],
)
def test_verifier_is_indeterminate_and_shows_the_block(trust: EthereumTrust, reason: str) -> None:
    answer = _answer(trust)
    assert isinstance(answer, Indeterminate)
    assert answer.sub_indication == "NO_POE"
    assert reason in answer.reason
    assert H.hex() in answer.reason
    assert "7000000" in answer.reason
    assert "2026-11-22T16:37:00Z" in answer.reason


def test_verifier_without_a_contract_on_the_chain_is_indeterminate() -> None:
    elsewhere = replace(TRUSTED, chain_id=1)
    answer = _answer(EthereumTrust(contracts=(elsewhere,), known_blocks=(KNOWN,)))
    assert isinstance(answer, Indeterminate)
    assert "chain 11155111" in answer.reason


def test_verifier_fails_a_proof_from_another_contract_on_a_known_chain() -> None:
    other = replace(TRUSTED, contract=b"\x09" * 20)
    with pytest.raises(VerificationError, match="ethereum contract"):
        _answer(EthereumTrust(contracts=(other,), known_blocks=(KNOWN,)))


def test_verifier_refuses_other_parts_and_a_statement_without_tree_head() -> None:
    door = EthereumVerifier()
    good = AnchorProof(kind="ethereum", parts={"proof.json": encode_proof(GOOD)})
    with pytest.raises(FormatError, match="parts"):
        door.verify(replace(good, parts={}), statement=STATEMENT, trusted=EthereumTrust())
    with pytest.raises(VerificationError, match="tree head"):
        door.verify(good, statement=Statement(sha256=bytes(32)), trusted=EthereumTrust())


def test_select_contract_goes_by_size_and_prefers_the_one_named() -> None:
    old = replace(TRUSTED, contract=b"\x01" * 20, to_size=39)
    new = replace(TRUSTED, from_size=40)
    assert select_contract(GOOD, tree_head=HEAD, contracts=(old, new)) == new
    assert select_contract(GOOD, tree_head=replace(HEAD, size=39), contracts=(old, new)) == old
    assert select_contract(GOOD, tree_head=HEAD, contracts=(replace(old, to_size=None), new)) == new
    assert select_contract(GOOD, tree_head=HEAD, contracts=()) is None


def test_decode_prev_of_zero_is_none_and_of_another_length_refused() -> None:
    assert decode_prev(bytes(32)) is None
    with pytest.raises(FormatError):
        decode_prev(bytes(31))


def test_importing_the_verifier_loads_nothing_of_a_network_or_a_chain_client() -> None:
    code = (
        "import sys; import anchors.ethereum.verify; "
        "print(sorted({'socket','ssl','web3','rlp','trie','eth','eth_utils','Crypto','cryptography','http',"
        "'pydantic','sqlalchemy'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
