"""An Ethereum node over HTTP, asked through the injected client: a web3 provider that shows raw answers.

Blocks and receipts are read as raw JSON, because proofs are rebuilt from them byte by byte. Errors name the
node by its host alone: the address often holds the key to it. A node that does not answer raises
UnavailableError; one that answers with an error raises NodeError, which is one too, so that what nobody
expects is tried again.

A node may say anything. Each value is read by its kind (number, bytes, digest, object, list), a block must be the
one that was asked for, and whatever else comes is an UnavailableError that shows little of it.
"""

import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

import anchors.ethereum.recursion  # noqa: F401 - what these libraries do to the process is undone
from anchors.base import HttpClient
from anchors.errors import ConfigError, UnavailableError

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""All receipts of a full block come to some megabytes."""


_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


class NodeError(UnavailableError):
    """The node answered with a JSON-RPC error: `code`, `message`."""

    def __init__(self, host: str, method: str, code: int, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(host, f"{method}: {message} ({code})")


class Node(JSONBaseProvider):
    """One node. `ask` gives the result of a method; `host` names the node."""

    def __init__(
        self, url: str, http: HttpClient, timeout_s: float, *, within_s: float | None = None
    ) -> None:
        """ConfigError for a `url` that is not http(s) with a host. within_s: for all questions, from now."""
        super().__init__()
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError("ethereum rpc url", "must be an http or https address with a host")
        self.host = parts.netloc.rpartition("@")[2]
        self._url = url
        self._http = http
        self._timeout_s = timeout_s
        self._until = None if within_s is None else time.monotonic() + within_s

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request, as web3 makes them; UnavailableError if there is no JSON-RPC answer to it."""
        reply = self._http.post(
            self._url,
            self.encode_rpc_request(method, params),
            content_type="application/json",
            headers={},
            max_bytes=MAX_ANSWER_BYTES,
            timeout_s=self._left_s(method),
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

    def _left_s(self, method: str) -> float:
        """Attack: a node that answers each question just in time, until the worker's lease is over."""
        if self._until is None:
            return self._timeout_s
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise UnavailableError(self.host, f"{method}: not asked, the time of this step is over")
        return min(left_s, self._timeout_s)

    def ask(self, method: str, *params: object) -> Any:
        """The result of a method, as raw JSON; NodeError if the node answers with an error."""
        answer: Any = self.make_request(RPCEndpoint(method), params)
        if "error" in answer:
            error = answer["error"] if isinstance(answer["error"], dict) else {"message": answer["error"]}
            code, message = error.get("code"), error.get("message")
            told = message[:300] if isinstance(message, str) else "an error without a message"
            raise NodeError(self.host, method, code if isinstance(code, int) else 0, told)
        return answer["result"]

    def ask_number(self, method: str, *params: object) -> int:
        """As `ask`, for a method that answers with a quantity."""
        return self.read_number(method, self.ask(method, *params))

    def ask_bytes(self, method: str, *params: object) -> bytes:
        """As `ask`, for a method that answers with bytes."""
        return self.read_bytes(method, self.ask(method, *params))

    def ask_block(self, block: str) -> dict[str, Any] | None:
        """The block of this hash, number (both 0x…) or tag, with transactions by hash; None if unknown.

        UnavailableError for another block than the one that was asked for.
        """
        method = "eth_getBlockByHash" if len(block) == 66 else "eth_getBlockByNumber"
        answer = self.ask(method, block, False)
        if answer is None:
            return None
        found = self.read_object("block", answer)
        found_hash = self.read_digest("block hash", found.get("hash"))
        number = self.read_number("block number", found.get("number"))
        if method == "eth_getBlockByHash" and found_hash != block:
            raise UnavailableError(self.host, f"{method}: asked for {block}, answers with {found_hash}")
        if method == "eth_getBlockByNumber" and block.startswith("0x") and number != int(block, 16):
            raise UnavailableError(self.host, f"{method}: asked for {int(block, 16)}, answers with {number}")
        return found

    def read_number(self, what: str, value: object) -> int:
        """A quantity of JSON-RPC of at most 32 bytes; UnavailableError if it is none."""
        if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
            raise self._misread(what, "quantity", value)
        return int(value, 16)

    def read_bytes(self, what: str, value: object) -> bytes:
        """Bytes of JSON-RPC; UnavailableError if they are none."""
        if not isinstance(value, str) or not _DATA.fullmatch(value):
            raise self._misread(what, "hex", value)
        return bytes.fromhex(value[2:])

    def read_digest(self, what: str, value: object) -> str:
        """32 bytes of JSON-RPC, as text that can be compared: 0x, lower case."""
        raw = self.read_bytes(what, value)
        if len(raw) != 32:
            raise self._misread(what, "hash", value)
        return as_hex(raw)

    def read_object(self, what: str, value: object) -> dict[str, Any]:
        """An object of JSON-RPC; UnavailableError if it is none."""
        if not isinstance(value, dict):
            raise self._misread(what, "object", value)
        return value

    def read_list(self, what: str, value: object) -> list[Any]:
        """An array of JSON-RPC; UnavailableError if it is none."""
        if not isinstance(value, list):
            raise self._misread(what, "array", value)
        return value

    def _misread(self, what: str, kind: str, value: object) -> UnavailableError:
        shown = repr(value[:80]) if isinstance(value, str) else type(value).__name__
        return UnavailableError(self.host, f"{what}: {shown:.80} is no {kind}")


def as_hex(raw: bytes) -> str:
    """Bytes in JSON-RPC."""
    return "0x" + raw.hex()


def ask_price(node: Node) -> int:
    """What a unit of gas costs now, in wei: the base fee, and what the node suggests on top."""
    block = node.ask_block("latest") or {}
    return node.read_number("baseFeePerGas", block.get("baseFeePerGas")) + node.ask_number(
        "eth_maxPriorityFeePerGas"
    )
