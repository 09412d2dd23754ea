"""A development chain for tests, with a clock that a test moves, and an account that signs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from anchors.ethereum.devchain import DEVELOPMENT_CHAIN_ID, DevelopmentChain

GWEI = 10**9


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Client:
    """Calls JSON-RPC methods of a chain in this process, without a socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.chain = DevelopmentChain.open(folder, self.clock)
        self.account: Any = Account.from_key((folder / "development.key").read_text().strip())

    def reopen(self) -> None:
        self.chain.close()
        self.chain = DevelopmentChain.open(self.folder, self.clock)

    def request(self, method: str, *params: object) -> dict[str, Any]:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer: dict[str, Any] = json.loads(self.chain.handle(json.dumps(call).encode()))
        return answer

    def call(self, method: str, *params: object) -> Any:
        answer = self.request(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method: str, *params: object) -> dict[str, Any]:
        error: dict[str, Any] = self.request(method, *params)["error"]
        return error

    def sign(self, *, nonce: int, to: str | None = None, data: bytes = b"", **changes: Any) -> str:
        fields: dict[str, Any] = {
            "chainId": DEVELOPMENT_CHAIN_ID,
            "nonce": nonce,
            "gas": 300_000,
            "maxFeePerGas": 10 * GWEI,
            "maxPriorityFeePerGas": GWEI,
            "value": 0,
            "data": data,
        }
        if to is not None:
            fields["to"] = to_checksum_address(to)
        raw = bytes(self.account.sign_transaction(fields | changes).raw_transaction)
        return "0x" + raw.hex()

    def send(self, **fields: Any) -> str:
        return str(self.call("eth_sendRawTransaction", self.sign(**fields)))

    def mine(self, **fields: Any) -> dict[str, Any]:
        """Send, let a second pass, and give the transaction receipt."""
        transaction_hash = self.send(**fields)
        self.clock.forward(1)
        receipt: dict[str, Any] = self.call("eth_getTransactionReceipt", transaction_hash)
        assert receipt is not None
        return receipt
