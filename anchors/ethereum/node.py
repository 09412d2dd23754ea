"""An Ethereum node over HTTP, asked through the injected client: a web3 provider that shows raw answers.

Blocks and receipts are read as raw JSON, because proofs are rebuilt from them byte by byte. Errors name the
node by its host alone: the address often holds the key to it. A node that does not answer raises
UnavailableError; one that answers with an error raises NodeError, which is one too, so that what nobody
expects is tried again.
"""

import json
from typing import Any
from urllib.parse import urlsplit

from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from anchors.base import HttpClient
from anchors.errors import ConfigError, UnavailableError

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""All receipts of a full block come to some megabytes."""


class NodeError(UnavailableError):
    """The node answered with a JSON-RPC error: `code`, `message`."""

    def __init__(self, host: str, method: str, code: int, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(host, f"{method}: {message} ({code})")


class Node(JSONBaseProvider):
    """One node. `ask` gives the result of a method; `host` names the node."""

    def __init__(self, url: str, http: HttpClient, timeout_s: float) -> None:
        """ConfigError for a `url` that is not http(s) with a host."""
        super().__init__()
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError("ethereum rpc url", "must be an http or https address with a host")
        self.host = parts.netloc.rpartition("@")[2]
        self._url = url
        self._http = http
        self._timeout_s = timeout_s

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request, as web3 makes them; UnavailableError if there is no JSON-RPC answer to it."""
        reply = self._http.post(
            self._url,
            self.encode_rpc_request(method, params),
            content_type="application/json",
            headers={},
            max_bytes=MAX_ANSWER_BYTES,
            timeout_s=self._timeout_s,
        )
        if reply.status != 200:
            raise UnavailableError(self.host, f"{method}: HTTP status {reply.status}")
        try:
            answer = json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise UnavailableError(self.host, f"{method}: the answer is no JSON") from error
        if not isinstance(answer, dict) or ("result" in answer) == ("error" in answer):
            raise UnavailableError(self.host, f"{method}: the answer is neither a result nor an error")
        return answer  # type: ignore[return-value]  # web3's type lists keys that nobody has checked yet

    def ask(self, method: str, *params: object) -> Any:
        """The result of a method, as raw JSON; NodeError if the node answers with an error."""
        answer: Any = self.make_request(RPCEndpoint(method), params)
        if "error" in answer:
            error = answer["error"] if isinstance(answer["error"], dict) else {}
            code = error.get("code")
            message = str(error.get("message", answer["error"]))[:300]
            raise NodeError(self.host, method, code if isinstance(code, int) else 0, message)
        return answer["result"]

    def ask_number(self, method: str, *params: object) -> int:
        """As `ask`, for a method that answers with a quantity."""
        return self.read_number(method, self.ask(method, *params))

    def ask_bytes(self, method: str, *params: object) -> bytes:
        """As `ask`, for a method that answers with bytes."""
        return self.read_bytes(method, self.ask(method, *params))

    def ask_block(self, block: str) -> dict[str, Any] | None:
        """The block of this hash, number (both 0x…) or tag, with transactions by hash; None if unknown."""
        method = "eth_getBlockByHash" if len(block) == 66 else "eth_getBlockByNumber"
        found = self.ask(method, block, False)
        if found is not None and not isinstance(found, dict):
            raise UnavailableError(self.host, f"{method}: the answer is no block")
        return found

    def read_number(self, what: str, value: object) -> int:
        """A quantity of JSON-RPC; UnavailableError if it is none."""
        try:
            return int(str(value), 16)
        except ValueError as error:
            raise UnavailableError(self.host, f"{what}: {value!r:.80} is no quantity") from error

    def read_object(self, what: str, value: object) -> dict[str, Any]:
        """An object of JSON-RPC; UnavailableError if it is none."""
        if not isinstance(value, dict):
            raise UnavailableError(self.host, f"{what}: {value!r:.80} is no object")
        return value

    def read_bytes(self, what: str, value: object) -> bytes:
        """Bytes of JSON-RPC; UnavailableError if they are none."""
        try:
            return bytes.fromhex(str(value).removeprefix("0x"))
        except ValueError as error:
            raise UnavailableError(self.host, f"{what}: {value!r:.80} is no hex") from error


def as_hex(raw: bytes) -> str:
    """Bytes in JSON-RPC."""
    return "0x" + raw.hex()


def ask_price(node: Node) -> int:
    """What a unit of gas costs now, in wei: the base fee, and what the node suggests on top."""
    block = node.ask_block("latest") or {}
    return node.read_number("baseFeePerGas", block.get("baseFeePerGas")) + node.ask_number(
        "eth_maxPriorityFeePerGas"
    )
