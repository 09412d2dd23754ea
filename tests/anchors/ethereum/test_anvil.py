"""The submitter against a node that is not ours: anvil."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from anchors.base import AnchorProof, Attested, Indeterminate, Progress
from anchors.errors import ConfigError, UnavailableError
from anchors.ethereum.build import encode_header
from anchors.ethereum.fetch import fetch_headers
from anchors.ethereum.header import parse_header
from anchors.ethereum.headers import HeadersFile, encode_headers, parse_headers
from anchors.ethereum.keccak import keccak256
from anchors.ethereum.network import GWEI
from anchors.ethereum.node import NodeError, as_hex
from anchors.ethereum.onchain import InsufficientFundsError
from anchors.ethereum.proof import parse_proof
from anchors.ethereum.signer import KeySigner
from anchors.ethereum.verify import EthereumTrust, TrustedContract, confirm_block, verify_inclusion
from anchors.values import replace
from tests.anchors.ethereum.anvil import Anvil, running
from tests.anchors.ethereum.faces import Faces, at, change, flip, flip_block, later_hash, nothing
from tests.anchors.ethereum.submitting import MemoryNonces, statement

pytestmark = pytest.mark.socket


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with running() as made:
        made.mine(10)  # so that a reorganisation leaves the contract where it is
        yield made


def test_anvil_includes_and_finalizes_and_its_proofs_verify(anvil: Anvil) -> None:
    for size in (40, 50):
        anvil.prove(size, anvil.step(size, anvil.submitter.prepare(statement(size)), 12))
    assert anvil.paid() == 2


def test_anvil_reorganised_before_finality_takes_the_same_transaction_again(anvil: Anvil) -> None:
    included = anvil.step(40, anvil.submitter.prepare(statement(40)), 6, until="INCLUDED")
    assert isinstance(included, Progress)
    anvil.node.ask("anvil_reorg", 1, [])
    back = anvil.submitter.advance(statement(40), included)
    assert isinstance(back, Progress)
    assert back.state == "SUBMITTED"
    anvil.prove(40, anvil.step(40, back, 12))
    assert anvil.paid() == 1


def test_anvil_stuck_transaction_is_replaced_by_a_higher_offer(anvil: Anvil) -> None:
    anvil.node.ask("evm_setAutomine", False)
    sent = anvil.step(40, anvil.submitter.prepare(statement(40)), 5, until="SUBMITTED")
    anvil.node.ask("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
    anvil.mine()
    answer: Any = sent
    attempts = 0
    for _ in range(40):
        with suppress(NodeError):  # refused while the offer is under the base fee: a worker tries again
            answer = anvil.submitter.advance(statement(40), answer)
        if isinstance(answer, AnchorProof):
            break
        attempts = len(answer.data["attempts"])
        anvil.mine()
    anvil.prove(40, answer)
    assert attempts >= 2
    assert anvil.paid() == 1


def test_anvil_reorganised_by_three_blocks_before_finality_goes_back_and_pays_once(anvil: Anvil) -> None:
    included = anvil.step(40, anvil.submitter.prepare(statement(40)), 6, until="INCLUDED")
    assert isinstance(included, Progress)
    anvil.mine()  # one more above it: with two it would be final
    anvil.reorganise(3)
    back = anvil.submitter.advance(statement(40), included)
    assert isinstance(back, Progress)
    assert (back.state, back.data["attempts"]) == ("SUBMITTED", included.data["attempts"])
    anvil.prove(40, anvil.step(40, back, 12))
    assert anvil.paid() == 1


def test_anvil_reorganised_beyond_finality_is_found_lost_and_anchored_again_by_the_same_bytes(
    anvil: Anvil,
) -> None:
    progress = anvil.step(40, anvil.submitter.prepare(statement(40)), 6, until="INCLUDED")
    assert isinstance(progress, Progress)
    anvil.mine(3)
    proof = anvil.prove(40, anvil.submitter.advance(statement(40), progress))
    assert anvil.submitter.find_lost(proof) is None
    anvil.reorganise(6)
    assert anvil.submitter.find_lost(proof) is not None
    again = anvil.submitter.restart(statement(40), progress)
    assert (again.state, again.data["attempts"]) == ("SUBMITTED", progress.data["attempts"])
    second = anvil.prove(40, anvil.step(40, again, 12))
    assert second != proof
    assert anvil.submitter.find_lost(second) is None
    assert anvil.paid() == 1


def test_anvil_that_drops_a_transaction_gets_the_same_bytes_again(anvil: Anvil) -> None:
    anvil.node.ask("evm_setAutomine", False)
    sent = anvil.step(40, anvil.submitter.prepare(statement(40)), 5, until="SUBMITTED")
    assert isinstance(sent, Progress)
    attempts: Any = sent.data["attempts"]
    anvil.node.ask("anvil_dropTransaction", attempts[-1]["hash"])
    assert anvil.node.ask("eth_getTransactionByHash", attempts[-1]["hash"]) is None
    again = anvil.submitter.advance(statement(40), sent)
    assert isinstance(again, Progress)
    assert again.data["attempts"] == attempts
    assert anvil.node.ask("eth_getTransactionByHash", attempts[-1]["hash"]) is not None
    anvil.prove(40, anvil.step(40, again, 12))
    assert anvil.paid() == 1


def test_anvil_first_offer_that_is_included_after_it_was_replaced_is_found(anvil: Anvil) -> None:
    anvil.node.ask("evm_setAutomine", False)
    sent = anvil.step(40, anvil.submitter.prepare(statement(40)), 5, until="SUBMITTED")
    assert isinstance(sent, Progress)
    attempts: Any = sent.data["attempts"]
    better = [*attempts, {**attempts[0], "hash": "0x" + "77" * 32, "sent": True}]  # never got there
    anvil.mine()
    found = anvil.submitter.advance(statement(40), replace(sent, data={**sent.data, "attempts": better}))
    assert isinstance(found, Progress)
    assert found.state == "INCLUDED"
    anvil.prove(40, anvil.step(40, found, 12))
    assert anvil.paid() == 1


LIES = {
    "hides every receipt": {"eth_getTransactionReceipt": nothing},
    "forgets every transaction": {"eth_getTransactionByHash": nothing},
    "shows a receipt of another block": {"eth_getTransactionReceipt": change(blockHash="0x" + "66" * 32)},
    "says that it reverted": {"eth_getTransactionReceipt": change(status="0x0")},
    "changes a log": {"eth_getBlockReceipts": at(0, logs=[])},
    "leaves out the receipts": {"eth_getBlockReceipts": flip([])},
    "changes the block's time": {"eth_getBlockByHash": change(timestamp="0x1")},
    "says that all nonces are used": {"eth_getTransactionCount": flip("0x64")},
    "says that a larger size is there": {"eth_call": flip("0x" + "00" * 6 + "ffff" + "66" * 24)},
    "says that another root is there": {"eth_call": flip("0x" + f"{40:016x}" + "66" * 24)},
}
"""What a node may say that isn't so, while another one is honest."""


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("first", [True, False])
def test_anvil_beside_a_node_that_lies_is_neither_lost_nor_paid_twice(
    anvil: Anvil, lie: str, first: bool
) -> None:
    """The one thing a lie may do is delay; the errors name who disagrees, and without the liar all is well."""
    faces = Faces(anvil.url)
    urls = [faces.honest, faces.face("liar", LIES[lie])]
    anvil.http = faces
    doubtful = anvil.submitting(*(reversed(urls) if first else urls))
    wanted = statement(40)
    answer: Any = doubtful.prepare(wanted)
    for _ in range(12):
        with suppress(UnavailableError):
            answer = doubtful.advance(wanted, answer)
        if isinstance(answer, AnchorProof):
            break
        assert answer.state not in {"FAILED", "SUPERSEDED"}, answer.data
        anvil.mine()
    if not isinstance(answer, AnchorProof):
        with pytest.raises(UnavailableError, match=r"liar\.example"):
            doubtful.advance(wanted, answer)
        answer = anvil.step(40, answer, 12)
    anvil.prove(40, answer)
    assert anvil.paid() == 1


def test_anvil_errors_say_which_it_was(anvil: Anvil) -> None:
    faces = Faces(anvil.url)
    anvil.http = faces
    wanted = statement(40)

    def said(*urls: str, signer: KeySigner | None = None, **changes: object) -> str:
        if signer is not None:
            anvil.signer = signer
        submitter = anvil.submitting(*urls, **changes)
        with pytest.raises((UnavailableError, ConfigError)) as caught:
            submitter.advance(wanted, submitter.prepare(wanted))
        return f"{type(caught.value).__name__}: {caught.value}"

    faces.absent.add("gone")
    words = [
        said(faces.face("gone", {})),
        said(faces.honest, faces.face("else", {"eth_chainId": flip("0x1")})),
        said(faces.face("fork", {"eth_getBlockByNumber": change(hash="0x" + "66" * 32)})),
        said(faces.honest, max_fee_per_gas_wei=10),
        said(faces.honest, signer=KeySigner(b"\x07" * 32)),
    ]
    assert words == [
        "UnavailableError: ethereum: gone.example: connection refused",
        "ConfigError: ethereum chain id: else.example is on chain 1, the settings say 31337",
        f"ConfigError: ethereum genesis: fork.example has {'66' * 32}, the settings say "
        f"{anvil.network.genesis_hash.hex()}",
        "FeesError: honest.example: fees are above the limit of 10 wei",
        words[-1],
    ]
    assert words[-1].startswith(f"{InsufficientFundsError.__name__}: honest.example: 0x")
    assert "has 0 wei and needs" in words[-1]


def test_anvil_node_that_denies_a_final_block_alone_is_named_and_loses_nothing(anvil: Anvil) -> None:
    proof = anvil.prove(40, anvil.step(40, anvil.submitter.prepare(statement(40)), 12))
    height = parse_header(parse_proof(proof.parts["proof.json"]).header).number
    other = {**(anvil.node.ask_block("0x1") or {}), "number": hex(height)}
    other["hash"] = as_hex(keccak256(encode_header(anvil.node, other)))  # another block, and whole
    faces = Faces(anvil.url)
    anvil.http = faces
    liar = faces.face("liar", {"eth_getBlockByNumber": flip_block(other)})
    with pytest.raises(UnavailableError, match=r"liar\.example says [0-9a-f]{64}: nodes disagree"):
        anvil.submitting(liar, faces.honest).find_lost(proof)
    forged = faces.face("forger", {"eth_getBlockByNumber": later_hash("0x" + "66" * 32)})
    with pytest.raises(
        UnavailableError, match=r"forger\.example: the fields of block \d+ don't give its hash"
    ):
        anvil.submitting(forged).find_lost(proof)


def test_headers_of_two_nodes_that_disagree_are_fetched_and_confirm_nothing(anvil: Anvil) -> None:
    proof = anvil.prove(40, anvil.step(40, anvil.submitter.prepare(statement(40)), 12))
    parsed = parse_proof(proof.parts["proof.json"])
    contract = TrustedContract(chain_id=31337, contract=anvil.contract, sender=anvil.signer.address)
    head = statement(40).tree_head
    assert head is not None
    included = verify_inclusion(parsed, tree_head=head, trusted=contract)
    with running() as other:  # the same chain id, and a history of its own
        other.mine(included.block_number + 5)

        def fetched(*urls: str) -> HeadersFile:
            file = fetch_headers(
                chain_id=31337,
                block_numbers=[included.block_number],
                rpc_urls=urls,
                http=anvil.http,
                fetched_at=datetime(2026, 11, 22, 12, tzinfo=UTC),
            )
            return parse_headers(encode_headers(file))

        agreeing, disagreeing = fetched(anvil.url, anvil.url), fetched(anvil.url, other.url)
    assert isinstance(confirm_block(included, trusted=EthereumTrust(headers=(agreeing,))), Attested)
    denied = confirm_block(included, trusted=EthereumTrust(headers=(disagreeing,)))
    assert isinstance(denied, Indeterminate)
    host, theirs = disagreeing.sources[1].host, disagreeing.sources[1].blocks[0].block_hash.hex()
    assert f"{host} says {theirs}" in denied.reason
    unasked = confirm_block(included, trusted=EthereumTrust())
    assert isinstance(unasked, Indeterminate)
    for told in (str(included.block_number), included.block_hash.hex(), "any explorer", "headers fetch"):
        assert told in unasked.reason


def test_anvil_after_a_restore_with_a_forgotten_ledger_pays_once_for_each_size(anvil: Anvil) -> None:
    anvil.prove(40, anvil.step(40, anvil.submitter.prepare(statement(40)), 12))
    sent = anvil.step(50, anvil.submitter.prepare(statement(50)), 4, until="SUBMITTED")
    assert isinstance(sent, Progress)
    anvil.nonces = MemoryNonces()  # an older database: it knows neither the nonces nor what was signed
    anvil.submitter = anvil.submitting()
    for size in (50, 60):
        anvil.prove(size, anvil.step(size, anvil.submitter.prepare(statement(size)), 14))
    assert anvil.paid() == 3


def test_anvil_with_another_key_in_the_settings_never_takes_the_anchors_of_the_first(anvil: Anvil) -> None:
    anvil.prove(40, anvil.step(40, anvil.submitter.prepare(statement(40)), 12))
    signed = anvil.submitter.advance(statement(50), anvil.submitter.prepare(statement(50)))
    assert isinstance(signed, Progress)
    anvil.signer = KeySigner(
        bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
    )  # anvil's second, public
    swapped = anvil.submitting()
    answer: Any = swapped.prepare(statement(40))
    for _ in range(12):
        answer = swapped.advance(statement(40), answer)
        if isinstance(answer, AnchorProof):
            break
        anvil.mine()
    assert parse_proof(answer.parts["proof.json"]).sender == anvil.signer.address  # its own, first anchor


def test_anvil_that_began_anew_is_another_chain_and_is_told_so(anvil: Anvil) -> None:
    proof = anvil.prove(40, anvil.step(40, anvil.submitter.prepare(statement(40)), 12))
    with running(["--timestamp", "1700000000"], deployed=False) as reset:
        after = anvil.submitting(reset.url)
        with pytest.raises(ConfigError, match="ethereum genesis"):
            after.advance(statement(50), after.prepare(statement(50)))
        with pytest.raises(ConfigError, match="ethereum genesis"):
            after.find_lost(proof)
