"""Submitting to the development chain over HTTP: the whole way, every crash, two workers, a hostile node."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anchors.base import AnchorProof, Attested, Progress
from anchors.errors import ConfigError, UnavailableError, VerificationError
from anchors.ethereum.keccak import keccak256
from anchors.ethereum.network import GWEI
from anchors.ethereum.node import NodeError
from anchors.ethereum.onchain import InsufficientFundsError
from anchors.ethereum.proof import parse_proof
from anchors.ethereum.signer import KeySigner
from anchors.ethereum.verify import (
    EthereumTrust,
    EthereumVerifier,
    KnownBlock,
    TrustedContract,
    decode_prev,
    verify_inclusion,
)
from anchors.values import replace
from tests.anchors.ethereum.submitting import Site, open_site, statement

pytestmark = pytest.mark.socket


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path / "chain") as made:
        yield made


def _stored(progress: Progress) -> Progress:
    """As a database keeps it: through JSON and back."""
    return replace(progress, data=json.loads(json.dumps(dict(progress.data))))


def _proof(answer: Progress | AnchorProof) -> AnchorProof:
    assert isinstance(answer, AnchorProof), answer
    return answer


def _progress(answer: Progress | AnchorProof) -> Progress:
    assert isinstance(answer, Progress)
    return answer


def _trusted(site: Site) -> TrustedContract:
    return TrustedContract(chain_id=site.network.chain_id, contract=site.contract, sender=site.signer.address)


def test_submit_goes_through_every_state_and_ends_with_a_proof_that_verifies(site: Site) -> None:
    submitter, wanted = site.submitter(), statement(40)
    progress = submitter.prepare(wanted)
    states = [progress.state]
    assert site.http.sent("eth_sendRawTransaction") == 1  # the deployment
    answer: Progress | AnchorProof = progress
    while isinstance(answer, Progress):
        answer = submitter.advance(wanted, _stored(answer))
        site.client.clock.forward(1)
        if isinstance(answer, Progress):
            states.append(answer.state)
    assert list(dict.fromkeys(states)) == ["PREPARED", "SUBMITTED", "INCLUDED"]
    assert wanted.tree_head is not None
    included = verify_inclusion(
        parse_proof(answer.parts["proof.json"]), tree_head=wanted.tree_head, trusted=_trusted(site)
    )
    assert decode_prev(included.prev) is None
    known = KnownBlock(chain_id=included.chain_id, block_hash=included.block_hash)
    trust = EthereumTrust(contracts=(_trusted(site),), known_blocks=(known,))
    assert isinstance(EthereumVerifier().verify(answer, statement=wanted, trusted=trust), Attested)
    assert (site.anchors_on_chain(), site.transactions_on_chain()) == (1, 1)


def test_submit_of_the_next_tree_head_links_to_the_one_before(site: Site) -> None:
    submitter = site.submitter()
    for size, prev in ((40, None), (50, (40, b"\x28" * 24))):
        wanted = statement(size)
        assert wanted.tree_head is not None
        proof = _proof(site.drive(submitter, wanted, submitter.prepare(wanted)))
        parsed = parse_proof(proof.parts["proof.json"])
        assert (
            decode_prev(verify_inclusion(parsed, tree_head=wanted.tree_head, trusted=_trusted(site)).prev)
            == prev
        )


def test_submit_signs_in_one_step_and_sends_in_the_next(site: Site) -> None:
    submitter, wanted = site.submitter(), statement(40)
    before = site.http.sent("eth_sendRawTransaction")
    signed = _progress(submitter.advance(wanted, submitter.prepare(wanted)))
    assert signed.state == "PREPARED"
    (attempt,) = _attempts(signed)
    assert attempt["hash"] == "0x" + keccak256(bytes.fromhex(attempt["raw"][2:])).hex()
    assert site.http.sent("eth_sendRawTransaction") == before
    sent = _progress(submitter.advance(wanted, _stored(signed)))
    assert sent.state == "SUBMITTED"
    assert site.http.sent("eth_sendRawTransaction") == before + 1


def _attempts(progress: Progress) -> list[dict[str, Any]]:
    attempts: Any = progress.data["attempts"]
    return list(attempts)


@pytest.mark.parametrize("lost", range(8))
def test_submit_after_a_crash_that_lost_one_step_anchors_exactly_once(site: Site, lost: int) -> None:
    """The step's work was done, its result never persisted: it is taken again from what was stored."""
    wanted = statement(40)
    stored = site.submitter().prepare(wanted)
    for number in range(40):
        answer = site.submitter().advance(wanted, _stored(stored))
        site.client.clock.forward(1)
        if number == lost:
            continue
        if isinstance(answer, AnchorProof):
            break
        stored = answer
    assert isinstance(answer, AnchorProof)
    assert (site.anchors_on_chain(), site.transactions_on_chain()) == (1, 1)


def test_submit_after_a_crash_that_lost_every_step_twice_anchors_exactly_once(site: Site) -> None:
    wanted = statement(40)
    stored = site.submitter().prepare(wanted)
    for _ in range(40):
        for _ in range(3):
            answer = site.submitter().advance(wanted, _stored(stored))
            site.client.clock.forward(1)
        if isinstance(answer, AnchorProof):
            break
        stored = answer
    assert isinstance(answer, AnchorProof)
    assert (site.anchors_on_chain(), site.transactions_on_chain()) == (1, 1)


def test_submit_by_two_workers_with_one_key_anchors_once_and_gives_both_the_proof(site: Site) -> None:
    wanted = statement(40)
    workers = [site.submitter(), site.submitter()]
    at: list[Progress | AnchorProof] = [worker.prepare(wanted) for worker in workers]
    for _ in range(20):
        for number, worker in enumerate(workers):
            current = at[number]
            if isinstance(current, Progress):
                at[number] = worker.advance(wanted, _stored(current))
        site.client.clock.forward(1)
    first, second = at
    assert _proof(first) == _proof(second)
    assert (site.anchors_on_chain(), site.transactions_on_chain()) == (1, 1)


def test_submit_by_two_workers_with_two_tree_heads_uses_two_nonces(site: Site) -> None:
    wanted = [statement(40), statement(50)]
    worker = site.submitter()
    signed = [_progress(worker.advance(each, worker.prepare(each))) for each in wanted]
    assert [_attempts(each)[0]["nonce"] for each in signed] == [1, 2]
    for each, progress in zip(wanted, signed, strict=True):
        signed_and_sent = _progress(worker.advance(each, progress))
        assert signed_and_sent.state == "SUBMITTED"
    for each, progress in zip(wanted, signed, strict=True):
        _proof(site.drive(worker, each, progress))
    assert site.anchors_on_chain() == 2


def test_submit_of_a_smaller_size_is_superseded_without_a_transaction(site: Site) -> None:
    submitter = site.submitter()
    older, newer = statement(40), statement(50)
    signed = _progress(submitter.advance(older, submitter.prepare(older)))
    site.nonces.release(
        chain_id=site.network.chain_id, sender=site.signer.address, purpose=f"{site.contract.hex()}/40"
    )
    _proof(site.drive(submitter, newer, submitter.prepare(newer)))
    for progress in (submitter.prepare(older), signed):
        answer = _progress(submitter.advance(older, progress))
        assert answer.state == "SUPERSEDED"
        assert answer.data["reason"] == "size 50 is on the chain"
        assert submitter.advance(older, answer) == answer
    assert site.transactions_on_chain() == 1
    assert site.nonces.held() == {f"{site.contract.hex()}/50"}


def test_submit_of_another_root_at_an_anchored_size_fails_and_says_fork(site: Site) -> None:
    submitter = site.submitter()
    _proof(site.drive(submitter, statement(40), submitter.prepare(statement(40))))
    forked = statement(40, b"\x66" * 32)
    answer = _progress(submitter.advance(forked, submitter.prepare(forked)))
    assert answer.state == "FAILED"
    assert "two histories" in str(answer.data["reason"])
    assert site.transactions_on_chain() == 1


def test_submit_with_an_empty_database_finds_its_own_anchor_again(site: Site) -> None:
    wanted = statement(40)
    proof = _proof(site.drive(site.submitter(), wanted, site.submitter().prepare(wanted)))
    again = _proof(site.drive(site.submitter(), wanted, site.submitter().prepare(wanted)))
    assert again == proof
    assert site.transactions_on_chain() == 1


def test_submit_offers_more_for_a_stuck_transaction_and_polls_every_attempt(site: Site) -> None:
    submitter, wanted = site.submitter(max_fee_per_gas_wei=5 * GWEI), statement(40)
    signed = _progress(submitter.advance(wanted, submitter.prepare(wanted)))
    # An offer far below the base fee, as after a sudden rise.
    low = site.client.sign(
        nonce=1,
        to="0x" + site.contract.hex(),
        data=_call_data(40),
        gas=60_000,
        maxFeePerGas=GWEI // 100,
        maxPriorityFeePerGas=1,
    )
    attempt = _attempts(signed)[0] | {
        "raw": low,
        "hash": "0x" + keccak256(bytes.fromhex(low[2:])).hex(),
        "max_fee": GWEI // 100,
        "priority_fee": 1,
    }
    progress = replace(signed, data={**signed.data, "attempts": [attempt]})
    for _ in range(12):
        progress = _progress(submitter.advance(wanted, _stored(progress)))
        site.client.clock.forward(1)
        if progress.state == "INCLUDED":
            break
    first, second = _attempts(progress)
    assert (first["nonce"], second["nonce"]) == (1, 1)
    assert second["max_fee"] * 10 >= first["max_fee"] * 11
    assert second["priority_fee"] * 10 >= first["priority_fee"] * 11
    _proof(site.drive(submitter, wanted, progress))
    assert (site.anchors_on_chain(), site.transactions_on_chain()) == (1, 1)


def _call_data(size: int) -> bytes:
    return keccak256(b"anchor(uint64,bytes32)")[:4] + size.to_bytes(32, "big") + bytes([size]) * 32


def test_submit_sends_again_what_the_node_forgot(site: Site) -> None:
    submitter, wanted = site.submitter(), statement(40)
    site.client.clock.now = site.client.clock.now.replace(microsecond=0)
    signed = _progress(submitter.advance(wanted, submitter.prepare(wanted)))
    head = site.client.call("eth_blockNumber")
    sent = _progress(submitter.advance(wanted, signed))
    if site.client.call("eth_blockNumber") == head:
        site.client.chain.pool.clear()  # a node restarted with its pool empty
    _proof(site.drive(submitter, wanted, sent))
    assert (site.anchors_on_chain(), site.transactions_on_chain()) == (1, 1)


def test_submit_takes_a_new_nonce_when_another_use_of_the_key_took_its_own(site: Site) -> None:
    submitter, wanted = site.submitter(), statement(40)
    signed = _progress(submitter.advance(wanted, submitter.prepare(wanted)))
    site.client.mine(nonce=1, to="0x" + "0e" * 20, value=1)
    proof = _proof(site.drive(submitter, wanted, signed))
    assert parse_proof(proof.parts["proof.json"]).sender == site.signer.address
    assert site.anchors_on_chain() == 1
    assert site.transactions_on_chain() == 2


def test_submit_back_from_included_when_the_block_is_gone(site: Site) -> None:
    submitter, wanted = site.submitter(), statement(40)
    included = _progress(site.drive(submitter, wanted, submitter.prepare(wanted), until="INCLUDED"))
    found: Any = included.data["found"]
    vanished = replace(included, data={**included.data, "found": {**found, "transaction": "0x" + "77" * 32}})
    assert _progress(submitter.advance(wanted, vanished)).state == "SUBMITTED"
    moved = replace(included, data={**included.data, "found": {**found, "block": "0x" + "77" * 32}})
    back = _progress(submitter.advance(wanted, moved))
    assert (back.state, back.data["found"]) == ("INCLUDED", found)


def test_submit_refuses_a_node_on_another_chain_before_it_signs(site: Site) -> None:
    wanted = statement(40)
    for changes in ({"chain_id": 1}, {"genesis_hash": bytes(32)}):
        submitter = site.submitter(**changes)
        with pytest.raises(ConfigError, match=r"ethereum (chain id|genesis)"):
            submitter.advance(wanted, submitter.prepare(wanted))
    assert site.nonces.held() == set()


def test_submit_refuses_an_address_with_other_code(site: Site) -> None:
    wanted = statement(40)
    elsewhere = replace(site, contract=b"\x09" * 20)
    submitter = elsewhere.submitter()
    with pytest.raises(ConfigError, match="not EvidenceAnchor"):
        submitter.advance(wanted, submitter.prepare(wanted))


def test_submit_tells_unreachable_from_a_poor_sender_and_from_high_fees(site: Site) -> None:
    wanted = statement(40)
    submitter = site.submitter()
    site.http.down = True
    with pytest.raises(UnavailableError, match="connection refused") as unreachable:
        submitter.advance(wanted, submitter.prepare(wanted))
    assert not isinstance(unreachable.value, NodeError)
    site.http.down = False
    poor = replace(site, signer=KeySigner(b"\x07" * 32)).submitter()
    with pytest.raises(InsufficientFundsError, match="has 0 wei and needs") as caught:
        poor.advance(wanted, poor.prepare(wanted))
    assert caught.value.needed_wei > 0
    frugal = site.submitter(max_fee_per_gas_wei=10)
    with pytest.raises(UnavailableError, match="above the limit of 10 wei"):
        frugal.advance(wanted, frugal.prepare(wanted))


def test_submit_goes_on_with_the_second_node_when_the_first_is_down(site: Site) -> None:
    submitter, wanted = site.submitter(rpc_urls=("http://127.0.0.1:9", site.url)), statement(40)
    _proof(site.drive(submitter, wanted, submitter.prepare(wanted)))


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("eth_getBlockByHash", {"timestamp": "0x1"}),
        ("eth_getBlockByHash", {"receiptsRoot": "0x" + "00" * 32}),
        ("eth_getBlockReceipts", [{"cumulativeGasUsed": "0x1"}]),
        ("eth_getBlockReceipts", [{"logs": []}]),
        ("eth_getBlockReceipts", []),
        ("eth_getBlockReceipts", None),
    ],
)
def test_submit_stores_nothing_that_a_lying_node_made_up(
    site: Site, monkeypatch: pytest.MonkeyPatch, method: str, change: Any
) -> None:
    submitter, wanted = site.submitter(), statement(40)
    included = _progress(site.drive(submitter, wanted, submitter.prepare(wanted), until="INCLUDED"))
    for _ in range(4):
        site.client.clock.forward(1)
        site.client.call("eth_blockNumber")
    honest = site.client.chain.handle

    def lie(payload: bytes) -> bytes:
        answer = json.loads(honest(payload))
        if json.loads(payload)["method"] == method:
            result = answer["result"]
            if isinstance(change, dict):
                result.update(change)
            elif change:
                result[0].update(change[0])
            else:
                answer["result"] = change
        return json.dumps(answer).encode()

    monkeypatch.setattr(site.client.chain, "handle", lie)
    with pytest.raises(UnavailableError, match=r"don't give|shows 0 receipts|no array|no valid proof|lacks"):
        submitter.advance(wanted, included)
    monkeypatch.undo()
    _proof(submitter.advance(wanted, included))


def test_submit_builds_the_proof_from_single_receipts_where_the_call_for_all_is_missing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anchors.ethereum.devchain.methods import METHODS

    submitter, wanted = site.submitter(), statement(40)
    monkeypatch.delitem(METHODS, "eth_getBlockReceipts")
    _proof(site.drive(submitter, wanted, submitter.prepare(wanted)))


def test_submit_waits_while_nodes_disagree_about_the_block(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitter, wanted = site.submitter(), statement(40)
    included = _progress(site.drive(submitter, wanted, submitter.prepare(wanted), until="INCLUDED"))
    for _ in range(4):
        site.client.clock.forward(1)
        site.client.call("eth_blockNumber")
    found: Any = included.data["found"]
    honest = site.client.chain.handle

    def lie(payload: bytes) -> bytes:
        answer = json.loads(honest(payload))
        call = json.loads(payload)
        if call["method"] == "eth_getBlockByNumber" and call["params"][0] == hex(found["number"]):
            answer["result"]["hash"] = "0x" + "66" * 32
        return json.dumps(answer).encode()

    monkeypatch.setattr(site.client.chain, "handle", lie)
    with pytest.raises(UnavailableError, match="names block 0x6666"):
        submitter.advance(wanted, included)


def test_advance_refuses_progress_of_another_tree_head(site: Site) -> None:
    submitter = site.submitter()
    with pytest.raises(VerificationError, match="ethereum progress"):
        submitter.advance(statement(41), submitter.prepare(statement(40)))
