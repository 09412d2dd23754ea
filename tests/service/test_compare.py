"""At start the log waits for the chains: a backup of a whole home agrees with itself, only a chain knows better."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anchors.ethereum.node import Node
from anchors.ethereum.onchain import AnchorContract
from evidence_vault.errors import UnavailableError
from evidence_vault.pipeline.vault import Vault
from evidence_vault.service import compose, networks
from evidence_vault.store.queries import log
from tests.anchors.ethereum.submitting import PlainHttp
from tests.pipeline.running import run_once
from tests.pipeline.vaults import SetClock, new_vault

NETWORK = {
    "name": "chain",
    "chain_id": 1,
    "genesis": "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",  # main net's
    "contract": "00" * 20,
    "rpc_urls": ["http://127.0.0.1:1/"],
}


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = new_vault(tmp_path, networks=[NETWORK])
    yield made
    made.database.dispose()


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], str | None]) -> None:
    monkeypatch.setattr(compose, "_compare_with_chain", lambda *_: answer())


def test_log_does_not_begin_before_the_chain_has_answered(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answers, began = threading.Event(), threading.Event(), threading.Event()
    gate_at_begin: list[str] = []

    def answer() -> str:
        asked.set()
        assert answers.wait(10)
        return "the chain holds an anchor of 42 leaves"

    def begin() -> None:
        gate_at_begin.extend(vault.gate.reasons)
        began.set()

    answer_with(monkeypatch, answer)
    compared = compose.Comparison(vault, then=begin)
    compared.start()
    assert asked.wait(10)
    assert not began.is_set()
    answers.set()
    assert began.wait(10)
    compared.stop()
    assert gate_at_begin == ["the chain holds an anchor of 42 leaves"]


def test_log_begins_without_a_chain_that_is_down_and_asks_on(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, left = threading.Event(), [UnavailableError("chain", "down")] * 2

    def answer() -> str | None:
        if left:
            raise left.pop()
        assert began.is_set()
        return "too old"

    shut = threading.Event()
    monkeypatch.setattr(vault.gate, "shut", lambda _: shut.set())
    monkeypatch.setattr(compose, "COMPARE_WITHIN_S", 0.0)
    answer_with(monkeypatch, answer)
    compared = compose.Comparison(vault, then=began.set)
    compared.start()
    assert shut.wait(10)
    compared.stop()


def test_log_does_not_begin_after_the_vault_was_stopped(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answers, began = threading.Event(), threading.Event(), threading.Event()

    def answer() -> None:
        asked.set()
        answers.wait(10)

    answer_with(monkeypatch, answer)
    compared = compose.Comparison(vault, then=began.set)
    compared.start()
    assert asked.wait(10)
    compared.stop()
    answers.set()
    assert not began.wait(0.2)


Slot = tuple[int, bytes] | None


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        ([(0, b""), (0, b"")], None),
        ([(1, b""), (0, b"")], None),
        (
            [(0, b""), (9, bytes(24))],
            "chain, says node1, holds our anchor of 9 leaves, where",
        ),
        (
            [None, (9, bytes(24))],
            "chain, says node1, holds our anchor of 9 leaves, where",
        ),
        ([(1, bytes(24)), (1, b"")], "chain, says node0, holds our anchor of "),
    ],
)
def test_compare_asks_every_node_and_believes_the_one_that_knows_more(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, slots: list[Slot], said: str | None
) -> None:
    assert isinstance(vault.clock, SetClock)
    vault.clock.advance(600)
    run_once(vault, {})
    with vault.database.read() as session:
        head = log.current_tree_head(session)
    assert 0 < head.size < 9

    def last_anchor(contract: AnchorContract, _block: str) -> tuple[int, bytes]:
        slot = slots[int(contract.node.host[-1])]
        if slot is None:
            raise UnavailableError(contract.node.host, "down")
        return (head.size if slot[0] == 1 else slot[0]), slot[1] or head.root_hash[:24]

    def nodes(*_: object) -> list[Node]:
        return [Node(f"http://node{n}/", PlainHttp(), 1.0) for n in range(len(slots))]

    monkeypatch.setattr(networks, "reach", nodes)
    monkeypatch.setattr(AnchorContract, "last_anchor", last_anchor)
    found = networks.compare_with_chain(vault, vault.settings.networks[0])
    assert (found or "").startswith(said or "")
    assert (found is None) is (said is None)
