"""The development chain: its JSON-RPC face, its clock, its pool, and what survives a kill -9."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from web3 import HTTPProvider, Web3
from web3.types import Nonce

from anchors.errors import ConfigError
from anchors.ethereum import contract
from anchors.ethereum.devchain import DEVELOPMENT_CHAIN_ID, DevelopmentChain
from anchors.ethereum.devchain.chain import FINALITY_DEPTH
from anchors.ethereum.devchain.serve import serve_loopback
from anchors.ethereum.header import parse_header
from tests.anchors.ethereum.blocks import header_from_rpc
from tests.anchors.ethereum.devchain_client import GWEI, Client

OTHER = "0x" + "0e" * 20


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    made = Client(tmp_path / "chain")
    yield made
    made.chain.close()


def test_open_makes_a_chain_of_its_own_class_and_a_private_key_of_mode_0600(client: Client) -> None:
    assert client.call("eth_chainId") == hex(DEVELOPMENT_CHAIN_ID)
    assert client.call("net_version") == str(DEVELOPMENT_CHAIN_ID)
    assert client.call("eth_blockNumber") == "0x0"
    assert client.chain.account == client.account.address
    assert int(client.call("eth_getBalance", client.account.address, "latest"), 16) == 10**24
    assert stat.S_IMODE((client.folder / "development.key").stat().st_mode) == 0o600


def test_every_header_says_development(client: Client) -> None:
    client.mine(nonce=0, to=OTHER)
    for number in ("0x0", "0x1"):
        extra = client.call("eth_getBlockByNumber", number, False)["extraData"]
        assert bytes.fromhex(extra[2:]) == b"evidence-vault DEVELOPMENT"


def test_block_view_is_enough_to_rebuild_the_header(client: Client) -> None:
    client.clock.forward(3)
    client.mine(nonce=0, data=contract.load_creation_code())
    for number in ("0x0", "0x1", "0x2"):
        block = client.call("eth_getBlockByNumber", number, False)
        assert "0x" + parse_header(header_from_rpc(block)).block_hash.hex() == block["hash"]
        assert client.call("eth_getBlockByHash", block["hash"], False) == block


def test_a_block_is_made_once_a_second_and_never_dated_ahead_of_the_clock(client: Client) -> None:
    client.clock.forward(5)
    hashes = [client.send(nonce=nonce, to=OTHER, value=1) for nonce in range(3)]
    assert client.call("eth_blockNumber") == "0x1"
    assert client.call("eth_getTransactionReceipt", hashes[1]) is None
    for _ in range(6):
        client.clock.forward(1)
        client.call("eth_blockNumber")
    times = [int(client.call("eth_getBlockByNumber", hex(n), False)["timestamp"], 16) for n in range(4)]
    assert times == sorted(set(times))
    assert times[1] == int(datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC).timestamp())
    assert times[3] <= client.clock.now.timestamp()
    assert [client.call("eth_getTransactionReceipt", h)["blockNumber"] for h in hashes] == [
        "0x1",
        "0x2",
        "0x3",
    ]


def test_blocks_follow_until_the_last_transaction_is_final_and_then_stop(client: Client) -> None:
    receipt = client.mine(nonce=0, to=OTHER)
    assert receipt["blockNumber"] == "0x1"
    assert client.call("eth_getBlockByNumber", "finalized", False)["number"] == "0x0"
    for _ in range(10):
        client.clock.forward(1)
        client.call("eth_chainId")
    head = int(client.call("eth_blockNumber"), 16)
    assert head == 1 + FINALITY_DEPTH
    assert client.call("eth_getBlockByNumber", "finalized", False)["number"] == "0x1"
    assert client.call("eth_getBlockByNumber", "safe", False)["number"] == hex(head - 1)
    assert client.call("eth_getBlockByNumber", "earliest", False)["number"] == "0x0"


def test_a_transaction_under_the_base_fee_waits_and_can_be_replaced(client: Client) -> None:
    client.clock.forward(2)
    low: dict[str, Any] = {"maxFeePerGas": GWEI // 2, "maxPriorityFeePerGas": 1}
    stuck = client.send(nonce=0, to=OTHER, **low)
    waiting = client.call("eth_getTransactionByHash", stuck)
    assert (waiting["blockHash"], waiting["nonce"]) == (None, "0x0")
    assert client.call("eth_getTransactionReceipt", stuck) is None
    assert client.call("eth_getTransactionCount", client.account.address, "pending") == "0x1"
    assert client.call("eth_getTransactionCount", client.account.address, "latest") == "0x0"
    under = client.sign(nonce=0, to=OTHER, maxFeePerGas=10 * GWEI, maxPriorityFeePerGas=1)
    assert "underpriced" in client.error("eth_sendRawTransaction", under)["message"]
    replaced = client.send(nonce=0, to=OTHER)
    client.clock.forward(1)
    assert client.call("eth_getTransactionReceipt", replaced)["status"] == "0x1"
    assert client.call("eth_getTransactionByHash", stuck) is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"chainId": 1}, "invalid chain id"),
        ({"nonce": 0, "value": 1}, "nonce too low"),
        ({"gas": 20_000}, "intrinsic gas too low"),
        ({"gas": 30_000_001}, "exceeds block gas limit"),
        ({"value": 10**25}, "insufficient funds"),
    ],
)
def test_send_refuses_in_the_words_of_a_node(client: Client, fields: dict[str, Any], message: str) -> None:
    client.mine(nonce=0, to=OTHER)
    changed: dict[str, Any] = {"nonce": 1, "to": OTHER} | fields
    error = client.error("eth_sendRawTransaction", client.sign(**changed))
    assert error["code"] == -32000
    assert message in error["message"]


def test_send_of_a_known_transaction_or_of_no_transaction_is_refused(client: Client) -> None:
    raw = client.sign(nonce=0, to=OTHER)
    client.call("eth_sendRawTransaction", raw)
    assert client.error("eth_sendRawTransaction", raw)["message"] == "already known"
    client.clock.forward(1)
    assert client.error("eth_sendRawTransaction", raw)["message"] == "already known"
    for junk in ("0x", "0x02", "0x02c0", "0xc0", raw[:-2]):
        assert "error" in client.request("eth_sendRawTransaction", junk), junk


def test_a_transaction_whose_funds_were_spent_is_dropped_and_the_rest_goes_on(client: Client) -> None:
    balance = 10**24
    client.send(nonce=0, to=OTHER, value=balance // 2)
    client.send(nonce=1, to=OTHER, value=balance * 9 // 10)
    for _ in range(4):
        client.clock.forward(1)
        client.call("eth_blockNumber")
    assert client.call("eth_getTransactionCount", client.account.address, "pending") == "0x1"
    assert client.mine(nonce=1, to=OTHER, value=1)["status"] == "0x1"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"1", -32600),
        (b'{"id":1,"method":"eth_chainId"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_mine"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":{}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber"}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["seven",false]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x12","latest"]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":[null]}', -32602),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x' + b"00" * 20 + b'","0xff"]}',
            -32000,
        ),
    ],
)
def test_handle_answers_nonsense_with_an_error_code(client: Client, payload: bytes, code: int) -> None:
    assert json.loads(client.chain.handle(payload))["error"]["code"] == code


def test_handle_answers_a_batch_in_order(client: Client) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": n, "method": m} for n, m in enumerate(["eth_chainId", "nope", "eth_syncing"])
    ]
    answers = json.loads(client.chain.handle(json.dumps(batch).encode()))
    assert [answer["id"] for answer in answers] == [0, 1, 2]
    assert answers[1]["error"]["code"] == -32601
    assert answers[2]["result"] is False


def test_unknown_blocks_and_transactions_are_null(client: Client) -> None:
    nothing = "0x" + "00" * 32
    assert client.call("eth_getBlockByNumber", "0x99", False) is None
    assert client.call("eth_getBlockByHash", nothing, False) is None
    assert client.call("eth_getBlockReceipts", "0x99") is None
    assert client.call("eth_getTransactionByHash", nothing) is None
    assert client.call("eth_getTransactionReceipt", nothing) is None


def test_reopened_chain_has_all_blocks_and_goes_on(client: Client) -> None:
    receipt = client.mine(nonce=0, to=OTHER, value=5)
    before = client.call("eth_getBlockByNumber", "latest", True)
    client.reopen()
    assert client.call("eth_getBlockByNumber", receipt["blockNumber"], True) == before
    assert client.call("eth_getTransactionReceipt", receipt["transactionHash"]) == receipt
    assert client.mine(nonce=1, to=OTHER, value=5)["status"] == "0x1"
    assert client.call("eth_getBalance", OTHER, "latest") == "0xa"


def test_open_refuses_a_chain_in_use_and_a_chain_without_its_key(client: Client) -> None:
    with pytest.raises(ConfigError, match=r"chain\.sqlite3"):
        DevelopmentChain.open(client.folder, client.clock)
    client.chain.close()
    key = client.folder / "development.key"
    key.rename(client.folder / "elsewhere")
    with pytest.raises(ConfigError, match=r"development\.key is missing"):
        DevelopmentChain.open(client.folder, client.clock)
    (client.folder / "elsewhere").rename(key)
    client.chain = DevelopmentChain.open(client.folder, client.clock)


_SENDER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tests.anchors.ethereum.devchain_client import Client
client = Client(Path(sys.argv[1]))
client.clock.now += timedelta(seconds=int(sys.argv[2]) * 1000)
first = int(client.call("eth_getTransactionCount", client.account.address, "latest"), 16)
for nonce in range(first, first + 1000):
    receipt = client.mine(nonce=nonce, to="0x" + "0e" * 20, value=1)
    print(receipt["transactionHash"], receipt["blockHash"], flush=True)
"""


def test_blocks_that_were_shown_survive_a_kill_minus_nine(tmp_path: Path) -> None:
    shown: list[list[str]] = []
    for turn in range(3):
        command = [sys.executable, "-W", "ignore", "-c", _SENDER, str(tmp_path), str(turn)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline().split() for _ in range(4 + turn)]
            os.kill(process.pid, signal.SIGKILL)
            lines += [line.split() for line in process.stdout if line.endswith("\n")]
        assert process.returncode == -signal.SIGKILL
        assert all(len(line) == 2 for line in lines)
        shown += lines
    client = Client(tmp_path)
    for transaction_hash, block_hash in shown:
        assert client.call("eth_getTransactionReceipt", transaction_hash)["blockHash"] == block_hash
    count = int(client.call("eth_getTransactionCount", client.account.address, "latest"), 16)
    assert len(shown) <= count <= len(shown) + 3
    assert client.call("eth_getBalance", OTHER, "latest") == hex(count)
    client.chain.close()


@pytest.mark.socket
def test_web3_over_http_deploys_calls_and_reads(client: Client) -> None:
    sender = client.account.address
    with serve_loopback(client.chain) as url:
        w3 = Web3(HTTPProvider(url, exception_retry_configuration=None))
        assert w3.is_connected()
        assert w3.eth.chain_id == DEVELOPMENT_CHAIN_ID

        def send(transaction: Any) -> Any:
            assert transaction["chainId"] == DEVELOPMENT_CHAIN_ID
            sent = w3.eth.send_raw_transaction(client.account.sign_transaction(transaction).raw_transaction)
            client.clock.forward(1)
            return w3.eth.wait_for_transaction_receipt(sent, timeout=5)

        factory = w3.eth.contract(abi=contract.load_abi(), bytecode=contract.load_creation_code().hex())
        deployed = send(factory.constructor().build_transaction({"from": sender, "nonce": Nonce(0)}))
        anchor = w3.eth.contract(address=deployed["contractAddress"], abi=contract.load_abi())
        call = anchor.functions.anchor(40, b"\x11" * 32)
        receipt = send(call.build_transaction({"from": sender, "nonce": Nonce(1)}))
        (event,) = anchor.events.Anchored().process_receipt(receipt)
        assert event["args"]["size"] == 40
        assert anchor.functions.slot(sender).call() == (40).to_bytes(8, "big") + b"\x11" * 24
        block = w3.eth.get_block(receipt["blockNumber"], full_transactions=True)
        assert len(block["transactions"]) == 1
        assert len(w3.eth.get_block_receipts(receipt["blockNumber"])) == 1
        assert w3.eth.get_transaction(receipt["transactionHash"])["blockHash"] == block["hash"]
        assert w3.eth.fee_history(4, "latest", [50.0])["oldestBlock"] == 0
        assert w3.eth.max_priority_fee == GWEI
        assert w3.eth.gas_price > GWEI
        assert int.from_bytes(w3.eth.get_storage_at(anchor.address, 0), "big") == 0
        assert w3.eth.syncing is False


def test_importing_the_chain_leaves_the_recursion_limit_safe() -> None:
    assert sys.getrecursionlimit() <= 1000


def test_handle_from_many_threads_at_once_answers_each_and_loses_nothing(client: Client) -> None:
    client.clock.forward(1)
    signed = [client.sign(nonce=nonce, to=OTHER, value=1) for nonce in range(8)]
    with ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(lambda raw: client.call("eth_sendRawTransaction", raw), signed))
        for _ in range(12):
            client.clock.forward(1)
            numbers = list(pool.map(lambda _: client.call("eth_blockNumber"), range(8)))
            assert len(set(numbers)) == 1
    receipts = [client.call("eth_getTransactionReceipt", transaction_hash) for transaction_hash in hashes]
    assert all(receipt["status"] == "0x1" for receipt in receipts)
    assert client.call("eth_getBalance", OTHER, "latest") == "0x8"
