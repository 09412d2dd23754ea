"""Nodes that say anything: no answer, of whatever type, breaks a submission, and none makes it pay twice."""

from collections.abc import Iterator
from typing import Any

import pytest

from anchors.base import AnchorProof, Progress
from anchors.errors import ConfigError, UnavailableError
from anchors.ethereum.attempt import read_attempts
from anchors.ethereum.network import GWEI
from anchors.ethereum.node import Node
from anchors.ethereum.onchain import MOST_GAS, FeesError
from anchors.values import replace
from tests.anchors.ethereum.anvil import Anvil, running
from tests.anchors.ethereum.faces import Faces, Lie, change, flip
from tests.anchors.ethereum.submitting import statement

pytestmark = pytest.mark.socket


def nested(depth: int) -> list[Any]:
    deep: list[Any] = []
    for _ in range(depth):
        deep = [deep]
    return deep


DIGEST = "0x" + "66" * 32
WEIRD: list[object] = [
    None,
    True,
    -1,
    1.5,
    "",
    "0x",
    "0x0",
    "-0x1",
    "0x-1",
    " 0x1",
    "0x_1",
    "66" * 32,
    "0x" + "f" * 65,
    DIGEST,
    "0x" + "00" * 20_000,
    "\x1b[2J",
    [],
    [None],
    [{}],
    [[]],
    {},
    {"hash": None, "number": "0x1"},
    {"hash": "0x" + "66" * 32, "number": "0x1"},
    nested(300),
    10**400,
]
ASKED = [
    "eth_chainId",
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getCode",
    "eth_blockNumber",
    "eth_getTransactionCount",
    "eth_call",
    "eth_getTransactionReceipt",
    "eth_getTransactionByHash",
    "eth_maxPriorityFeePerGas",
    "eth_getBalance",
    "eth_estimateGas",
    "eth_sendRawTransaction",
    "eth_getBlockReceipts",
    "eth_getLogs",
]


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with running() as made:
        yield made


class Trial:
    """The same tree head at every state it may stand in, and a node that lies about one thing."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil, self.faces = anvil, Faces(anvil.url)
        self.wanted = statement(40)
        submitter = anvil.submitter
        prepared = submitter.prepare(self.wanted)
        signed = self.advanced(prepared)
        sent = self.advanced(signed)
        anvil.mine()
        included = self.advanced(sent)
        anvil.mine(3)
        self.stages = [prepared, signed, sent, included]
        assert [one.state for one in self.stages] == ["PREPARED", "PREPARED", "SUBMITTED", "INCLUDED"]
        anvil.http = self.faces

    def advanced(self, progress: Progress) -> Progress:
        answer = self.anvil.submitter.advance(self.wanted, progress)
        assert isinstance(answer, Progress)
        return answer

    def survives(self, method: str, lie: Lie) -> None:
        liar = self.anvil.submitting(self.faces.face("liar", {method: lie}))
        for progress in self.stages:
            told, answer = "", None
            try:
                answer = liar.advance(self.wanted, progress)
            except (UnavailableError, ConfigError) as error:
                told = str(error)
            assert len(told) < 1000
            assert told.isprintable()
            if isinstance(answer, AnchorProof):
                self.anvil.prove(40, answer)
            elif answer is not None:
                assert answer.state not in {"SUPERSEDED", "FAILED"}, (method, answer)


@pytest.mark.parametrize("method", ASKED)
def test_a_node_that_answers_anything_at_all_is_told_and_breaks_nothing(anvil: Anvil, method: str) -> None:
    trial = Trial(anvil)
    for value in WEIRD:
        if (method, value) != ("eth_call", DIGEST):  # a slot in the right form: see below
            trial.survives(method, flip(value))
    assert anvil.paid() == 1


def slot(size: int, root: bytes) -> Lie:
    """An anchor that the contract never took."""
    return flip("0x" + size.to_bytes(8, "big").hex() + root[:24].hex())


@pytest.mark.parametrize("lie", [slot(2**63, bytes(32)), slot(40, bytes(32))], ids=["beyond", "another root"])
@pytest.mark.parametrize("liar_first", [True, False])
def test_an_anchor_that_one_node_alone_shows_ends_nothing(anvil: Anvil, lie: Lie, liar_first: bool) -> None:
    trial = Trial(anvil)  # 40 is on the chain, and a database that forgot it asks
    liar = trial.faces.face("liar", {"eth_call": lie})
    both = anvil.submitting(*([liar, trial.faces.honest] if liar_first else [trial.faces.honest, liar]))
    told, answer = "", None
    try:
        answer = both.advance(trial.wanted, both.prepare(trial.wanted))
    except UnavailableError as error:
        told = str(error)
    assert "liar.example" in told or (isinstance(answer, Progress) and answer.state == "INCLUDED")


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("eth_getTransactionReceipt", ["status", "transactionHash", "blockHash", "blockNumber"]),
        ("eth_getTransactionReceipt", ["transactionIndex"]),
        ("eth_getBlockByNumber", ["hash", "number", "baseFeePerGas"]),
        ("eth_getBlockByHash", ["hash", "number", "receiptsRoot", "timestamp", "extraData", "difficulty"]),
    ],
)
def test_a_field_that_is_anything_at_all_is_told_and_breaks_nothing(
    anvil: Anvil, method: str, fields: list[str]
) -> None:
    trial = Trial(anvil)
    for field in fields:
        for value in WEIRD:
            trial.survives(method, change(**{field: value}))
    assert anvil.paid() == 1


@pytest.mark.parametrize("field", ["type", "status", "cumulativeGasUsed", "logsBloom", "logs", "root"])
def test_a_receipt_that_is_anything_at_all_gives_no_proof(anvil: Anvil, field: str) -> None:
    trial = Trial(anvil)
    for value in WEIRD:

        def lie(_params: Any, honest: Any, value: object = value) -> Any:
            return [{**each, field: value} for each in honest]

        trial.survives("eth_getBlockReceipts", lie)


def test_a_receipt_of_somebody_elses_transaction_is_never_followed(anvil: Anvil) -> None:
    faces = Faces(anvil.url)
    other = anvil.node.ask_block("latest")
    assert other is not None
    foreign = anvil.node.ask("eth_getTransactionReceipt", other["transactions"][0])
    anvil.http = faces
    liar = faces.face("liar", {"eth_getTransactionReceipt": flip(foreign)})
    both = anvil.submitting(liar, faces.honest)
    wanted = statement(40)
    answer: Progress | AnchorProof = both.prepare(wanted)
    for _ in range(20):
        assert isinstance(answer, Progress)
        answer = both.advance(wanted, answer)
        if isinstance(answer, AnchorProof):
            break
        anvil.mine()
    anvil.prove(40, answer)
    assert anvil.paid() == 1


def test_an_anchor_that_was_looked_for_in_the_wrong_transaction_is_found_again(anvil: Anvil) -> None:
    trial = Trial(anvil)
    block = anvil.node.ask_block("0x1")
    assert block is not None
    found = {"transaction": block["transactions"][0], "block": block["hash"], "number": 1}
    included = trial.stages[-1]
    misled = replace(included, data={**included.data, "found": found})
    back = anvil.submitter.advance(trial.wanted, misled)
    assert isinstance(back, Progress)
    assert back.state == "SUBMITTED"
    assert "gives no valid proof" in str(back.data["trouble"])
    again = anvil.submitter.advance(trial.wanted, back)
    assert isinstance(again, Progress)
    assert "trouble" not in again.data
    anvil.prove(40, anvil.submitter.advance(trial.wanted, again))


def test_a_block_that_one_node_alone_calls_final_gives_no_proof(anvil: Anvil) -> None:
    wanted = statement(40)
    included = anvil.step(40, anvil.submitter.prepare(wanted), 3, until="INCLUDED")
    anvil.mine()
    included = anvil.step(40, included, 1, until="INCLUDED") if isinstance(included, Progress) else included
    assert isinstance(included, Progress)
    assert included.state == "INCLUDED"
    faces = Faces(anvil.url)

    def hasty(params: Any, honest: Any) -> Any:
        return anvil.node.ask_block("latest") if params[0] == "finalized" else honest

    anvil.http = faces
    liar = faces.face("hasty", {"eth_getBlockByNumber": hasty})
    both = anvil.submitting(liar, faces.honest)
    with pytest.raises(UnavailableError, match=r"is final to hasty\.example and not yet to honest\.example"):
        both.advance(wanted, included)
    anvil.mine(3)
    answer = both.advance(wanted, included)
    assert isinstance(answer, AnchorProof)
    anvil.prove(40, answer)


def test_a_tip_that_is_absurd_is_not_paid(anvil: Anvil) -> None:
    faces = Faces(anvil.url)
    anvil.http = faces
    wanted = statement(40)
    absurd = faces.face("absurd", {"eth_maxPriorityFeePerGas": flip(hex(100 * GWEI))})
    alone = anvil.submitting(absurd)
    with pytest.raises(FeesError, match=r"absurd\.example: suggests a tip of 100000000000 wei, the limit is"):
        alone.advance(wanted, alone.prepare(wanted))
    both = anvil.submitting(absurd, faces.honest)
    signed = both.advance(wanted, both.prepare(wanted))
    assert isinstance(signed, Progress)
    (attempt,) = read_attempts(signed)
    assert attempt.priority_fee <= 5 * GWEI
    # Raised while it is stuck: an eighth more of our own, whatever is suggested.
    anvil.node.ask("evm_setAutomine", False)
    sent = both.advance(wanted, signed)
    assert isinstance(sent, Progress)
    raised = anvil.submitting(absurd, bump_after_blocks=0).advance(wanted, sent)
    assert isinstance(raised, Progress)
    first, second = read_attempts(raised)
    assert first.priority_fee < second.priority_fee <= first.priority_fee * 9 // 8 + 1


@pytest.mark.parametrize("gas", [20_999, MOST_GAS + 1, 2**255])
def test_a_gas_estimate_that_no_transaction_may_have_is_refused(anvil: Anvil, gas: int) -> None:
    faces = Faces(anvil.url)
    anvil.http = faces
    liar = anvil.submitting(faces.face("liar", {"eth_estimateGas": flip(hex(gas))}))
    wanted = statement(40)
    with pytest.raises(UnavailableError, match=r"liar\.example: estimates \d+ gas"):
        liar.advance(wanted, liar.prepare(wanted))


def test_gas_about_which_nodes_disagree_is_not_signed_for(anvil: Anvil) -> None:
    faces = Faces(anvil.url)
    anvil.http = faces
    cheap = faces.face("cheap", {"eth_estimateGas": flip(hex(21_001))})
    wanted = statement(40)
    for urls in ([cheap, faces.honest], [faces.honest, cheap]):
        both = anvil.submitting(*urls)
        with pytest.raises(UnavailableError, match=r"disagree about the gas: .*cheap\.example says 25201"):
            both.advance(wanted, both.prepare(wanted))


def test_a_node_that_invents_heights_is_searched_for_no_longer_than_a_step_takes(anvil: Anvil) -> None:
    trial = Trial(anvil)
    nothing_there = {"eth_getLogs": flip([]), "eth_getTransactionReceipt": flip(None)}

    def answers(params: Any, honest: Any) -> Any:  # at any height, what is true now
        return anvil.node.ask("eth_call", params[0], "latest") or honest

    def nonce(params: Any, honest: Any) -> Any:
        return anvil.node.ask("eth_getTransactionCount", params[0], "latest") or honest

    far = trial.faces.face(
        "far",
        {
            **nothing_there,
            "eth_blockNumber": flip(hex(2**60)),
            "eth_call": answers,
            "eth_getTransactionCount": nonce,
        },
    )
    hurried = anvil.submitting(far, step_s=0.5)
    with pytest.raises(UnavailableError, match="eth_getLogs: not asked, the time of this step is over"):
        hurried.advance(trial.wanted, hurried.prepare(trial.wanted))


def test_a_node_of_which_all_time_is_used_up_is_asked_no_more(anvil: Anvil) -> None:
    node = Node(anvil.url, anvil.http, 5, within_s=0.0)
    with pytest.raises(UnavailableError, match="not asked"):
        node.ask_number("eth_chainId")
