"""The contract on py-evm: compiled again, every revert, event, gas, and random calls against a model."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vyper
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors.ethereum import contract
from anchors.ethereum.cost import DEPLOY_GAS, FIRST_GAS, NEXT_GAS
from anchors.ethereum.keccak import keccak256
from anchors.ethereum.verify import EVENT_TOPIC
from tests.anchors.ethereum.devchain_client import Client

SOURCE = Path(contract.__file__).parent / "EvidenceAnchor.vy"
ANCHOR = keccak256(b"anchor(uint64,bytes32)")[:4]
SLOT = keccak256(b"slot(address)")[:4]
MAX_SIZE = 2**64 - 1


def _anchor(size: int, root: bytes) -> bytes:
    return ANCHOR + size.to_bytes(32, "big") + root


def _floor(data: bytes) -> int:
    """The least that a transaction with this data costs (EIP-7623)."""
    return 21_000 + 10 * sum(4 if byte else 1 for byte in data)


def _packed(size: int, root: bytes) -> bytes:
    return size.to_bytes(8, "big") + root[:24]


class Deployed:
    """The contract on a development chain of its own."""

    def __init__(self, folder: Path) -> None:
        self.client = Client(folder)
        self.client.clock.forward(1)
        self.nonce = 0
        receipt = self.send(None, contract.load_creation_code())
        self.address = receipt["contractAddress"]
        self.deploy_gas = int(receipt["gasUsed"], 16)

    def send(self, to: str | None, data: bytes, **changes: Any) -> dict[str, Any]:
        self.nonce += 1
        return self.client.mine(nonce=self.nonce - 1, to=to, data=data, **changes)

    def anchor(self, size: int, root: bytes) -> dict[str, Any]:
        return self.send(self.address, _anchor(size, root))

    def slot(self, owner: str) -> bytes:
        data = "0x" + (SLOT + bytes(12) + bytes.fromhex(owner[2:])).hex()
        return bytes.fromhex(self.client.call("eth_call", {"to": self.address, "data": data}, "latest")[2:])

    def try_call(self, data: bytes, sender: str | None = None, **changes: Any) -> dict[str, Any]:
        call = {"from": sender or self.client.account.address, "to": self.address, "data": "0x" + data.hex()}
        return self.client.request("eth_call", call | changes, "latest")


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    made = Deployed(tmp_path / "chain")
    yield made
    made.client.chain.close()


def test_contract_compiled_again_is_what_is_committed() -> None:
    outputs = vyper.compile_code(SOURCE.read_text(), output_formats=["abi", "bytecode", "bytecode_runtime"])
    assert outputs["abi"] == contract.load_abi()
    assert bytes.fromhex(outputs["bytecode"][2:]) == contract.load_creation_code()
    runtime = bytes.fromhex(outputs["bytecode_runtime"][2:])
    assert hashlib.sha256(runtime).digest() == contract.load_runtime_sha256()


def test_contract_deployed_has_the_pinned_code(deployed: Deployed) -> None:
    code = bytes.fromhex(deployed.client.call("eth_getCode", deployed.address, "latest")[2:])
    assert hashlib.sha256(code).digest() == contract.load_runtime_sha256()


def test_contract_interface_is_one_function_one_getter_one_event() -> None:
    abi = {entry["name"]: entry for entry in contract.load_abi()}
    assert set(abi) == {"anchor", "slot", "Anchored"}
    assert abi["anchor"]["stateMutability"] == "nonpayable"
    assert [(i["name"], i["type"], i["indexed"]) for i in abi["Anchored"]["inputs"]] == [
        ("log_owner", "address", True),
        ("size", "uint64", False),
        ("root", "bytes32", False),
        ("prev", "bytes32", False),
    ]


def test_contract_code_holds_no_instruction_that_moves_ether_or_changes_code() -> None:
    outputs = vyper.compile_code(SOURCE.read_text(), output_formats=["opcodes_runtime"])
    words = set(re.findall(r"[A-Z][A-Z0-9]+", outputs["opcodes_runtime"]))
    assert not words & {"CALL", "CALLCODE", "DELEGATECALL", "STATICCALL", "CREATE", "CREATE2", "SELFDESTRUCT"}


def test_anchor_emits_size_root_and_the_slot_before(deployed: Deployed) -> None:
    first, second = b"\x11" * 32, bytes(range(32))
    owner = deployed.client.account.address
    logs = [deployed.anchor(size, root)["logs"] for size, root in ((40, first), (41, second))]
    for (log,), size, root, prev in zip(
        logs, (40, 41), (first, second), (bytes(32), _packed(40, first)), strict=True
    ):
        assert log["address"] == deployed.address
        assert log["topics"] == ["0x" + EVENT_TOPIC.hex(), "0x" + "00" * 12 + owner[2:].lower()]
        assert log["data"] == "0x" + (size.to_bytes(32, "big") + root + prev).hex()
    assert deployed.slot(owner) == _packed(41, second)
    assert deployed.slot("0x" + "ab" * 20) == bytes(32)


@pytest.mark.parametrize("size", [0, 1, 39, 40])
def test_anchor_of_a_size_not_larger_reverts_and_changes_nothing(deployed: Deployed, size: int) -> None:
    deployed.anchor(40, b"\x11" * 32)
    answer = deployed.try_call(_anchor(size, b"\x22" * 32))
    assert answer["error"]["message"] == "execution reverted: size must grow"
    receipt = deployed.anchor(size, b"\x22" * 32)
    assert receipt["status"] == "0x0"
    assert receipt["logs"] == []
    assert deployed.slot(deployed.client.account.address) == _packed(40, b"\x11" * 32)


def test_anchor_of_size_zero_on_an_empty_slot_reverts(deployed: Deployed) -> None:
    assert deployed.try_call(_anchor(0, b"\x11" * 32))["error"]["code"] == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ANCHOR[:3],
        b"\x00\x00\x00\x00" + bytes(64),
        ANCHOR,
        _anchor(1, b"\x11" * 31),
        ANCHOR + (2**64).to_bytes(32, "big") + b"\x11" * 32,
        ANCHOR + b"\xff" * 32 + b"\x11" * 32,
        SLOT,
        SLOT + b"\x01" + bytes(31),
    ],
)
def test_contract_reverts_on_a_malformed_call(deployed: Deployed, data: bytes) -> None:
    assert deployed.try_call(data)["error"]["code"] == 3


@pytest.mark.parametrize("data", [b"", _anchor(1, b"\x11" * 32), SLOT + bytes(32)])
def test_contract_takes_no_ether(deployed: Deployed, data: bytes) -> None:
    assert deployed.send(deployed.address, data, value=1)["status"] == "0x0"
    assert deployed.client.call("eth_getBalance", deployed.address, "latest") == "0x0"


def test_anchor_of_the_largest_size_closes_its_own_sender_and_no_other(deployed: Deployed) -> None:
    deployed.anchor(MAX_SIZE, b"\x11" * 32)
    assert deployed.try_call(_anchor(MAX_SIZE, b"\x22" * 32))["error"]["code"] == 3
    other = Account.create().address
    assert "result" in deployed.try_call(_anchor(1, b"\x22" * 32), sender=other)


def test_anchor_gas_stays_within_its_bound(deployed: Deployed) -> None:
    first = int(deployed.anchor(10**6, b"\x11" * 32)["gasUsed"], 16)
    repeated = _anchor(10**6 + 1, b"\x22" * 32)
    later = int(deployed.send(deployed.address, repeated)["gasUsed"], 16)
    told = (deployed.deploy_gas - DEPLOY_GAS, first - FIRST_GAS, later - NEXT_GAS)
    assert all(abs(difference) < 100 for difference in told), told  # what `chain cost` says
    assert deployed.deploy_gas <= 135_000
    assert first <= 46_500
    assert later <= 29_400
    assert later <= 1.30 * _floor(repeated)


_STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.one_of(st.integers(0, 12), st.integers(MAX_SIZE - 3, MAX_SIZE), st.integers(0, MAX_SIZE)),
        st.binary(min_size=32, max_size=32),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15, deadline=None)
@given(_STEPS)
def test_anchor_over_random_calls_agrees_with_a_model(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bytes]]
) -> None:
    deployed = Deployed(tmp_path_factory.mktemp("chain"))
    client = deployed.client
    accounts = [Account.create() for _ in range(3)]
    for account in accounts:
        deployed.send(account.address, b"", value=10**18)
    model: dict[int, tuple[int, bytes]] = {}
    nonces = [0, 0, 0]
    for who, size, root in steps:
        client.account = accounts[who]
        receipt = client.mine(nonce=nonces[who], to=deployed.address, data=_anchor(size, root))
        nonces[who] += 1
        before = model.get(who)
        if size > (before[0] if before else 0):
            (log,) = receipt["logs"]
            prev = _packed(*before) if before else bytes(32)
            assert log["data"] == "0x" + (size.to_bytes(32, "big") + root + prev).hex()
            model[who] = (size, root)
        else:
            assert (receipt["status"], receipt["logs"]) == ("0x0", [])
        for number, account in enumerate(accounts):
            expected = _packed(*model[number]) if number in model else bytes(32)
            assert deployed.slot(account.address) == expected
    client.chain.close()


def test_contract_data_is_readable_as_text() -> None:
    folder = SOURCE.parent
    assert json.loads((folder / "abi.json").read_text()) == contract.load_abi()
    assert len(contract.load_runtime_sha256()) == 32
