"""A Bitcoin node over JSON-RPC, asked for headers only; and the network half of Bitcoin's headers file.

    getblockcount · getblockhash <height> · getblockheader <hash> false

Whatever a node says of a block is held against the block's own hash. Errors name the node by its host
alone; a user and password in its address are sent as HTTP Basic, as bitcoind wants them.
"""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import unquote, urlsplit, urlunsplit

from anchors.base import HttpClient
from anchors.errors import ConfigError, FormatError, UnavailableError, VerificationError
from anchors.opentimestamps.bitcoin import BitcoinNetwork, BlockHeader, from_shown, parse_header, verify_links
from anchors.opentimestamps.headers import DEPTH, BitcoinHeaders, ShownBlock, ShownBy

MAX_ANSWER_BYTES = 65_536
"""A header in hex takes 160 bytes."""


class BitcoinNode:
    """One node. `host` names it."""

    def __init__(self, url: str, http: HttpClient, timeout_s: float) -> None:
        """ConfigError for a `url` that is not http(s) with a host."""
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError("bitcoin node url", "must be an http or https address with a host")
        user, _, self.host = parts.netloc.rpartition("@")
        self._url = urlunsplit(parts._replace(netloc=self.host))
        self._http, self._timeout_s = http, timeout_s
        basic = base64.b64encode(unquote(user).encode()).decode()
        self._headers = {"Authorization": f"Basic {basic}"} if user else {}

    def check_network(self, network: BitcoinNetwork) -> None:
        """ConfigError unless block 0 of the node is the network's."""
        found = self._hash_at(0)
        if found != network.genesis:
            reason = f"{self.host} has block 0 {found}, not that of {network.name}"
            raise ConfigError("bitcoin network", reason)

    def height(self) -> int:
        """The height of the newest block."""
        found = self._ask("getblockcount")
        if type(found) is not int or not 0 <= found < 1 << 31:
            raise UnavailableError(self.host, "getblockcount: the answer is no height")
        return found

    def headers_from(self, height: int, *, most: int = DEPTH) -> tuple[BlockHeader, ...]:
        """The headers at `height` and above, at most `most`, linked. Raises UnavailableError."""
        newest = self.height()
        found = tuple(self._header_at(each) for each in range(height, min(newest, height + most - 1) + 1))
        try:
            verify_links(found)
        except VerificationError as error:
            raise UnavailableError(
                self.host, f"its blocks from {height} on are not linked: {error}"
            ) from error
        return found

    def _header_at(self, height: int) -> BlockHeader:
        block_hash = self._hash_at(height)
        raw = self._ask("getblockheader", block_hash, False)
        try:
            header = parse_header(bytes.fromhex(str(raw)), place=f"block {height}")
        except (ValueError, FormatError) as error:
            raise UnavailableError(self.host, f"getblockheader: {error}") from error
        if header.block_hash != from_shown(block_hash):
            raise UnavailableError(self.host, f"the header of block {height} doesn't have the hash it names")
        return header

    def _hash_at(self, height: int) -> str:
        found = self._ask("getblockhash", height)
        if not isinstance(found, str) or len(found) != 64 or not set(found) <= set("0123456789abcdef"):
            raise UnavailableError(self.host, "getblockhash: the answer is no hash")
        return found

    def _ask(self, method: str, *params: object) -> object:
        reply = self._http.post(
            self._url,
            json.dumps({"jsonrpc": "1.0", "id": 1, "method": method, "params": params}).encode(),
            content_type="application/json",
            headers=self._headers,
            max_bytes=MAX_ANSWER_BYTES,
            timeout_s=self._timeout_s,
        )
        try:
            answer = json.loads(reply.body)
        except (ValueError, RecursionError) as error:
            raise UnavailableError(self.host, f"{method}: HTTP status {reply.status}, and no JSON") from error
        if not isinstance(answer, dict) or answer.get("error") is not None or "result" not in answer:
            told = str(answer.get("error"))[:200] if isinstance(answer, dict) else "no object"
            raise UnavailableError(self.host, f"{method}: {told}")
        return answer["result"]


def fetch_bitcoin_headers(
    *,
    network: BitcoinNetwork,
    heights: Sequence[int],
    urls: Sequence[str],
    http: HttpClient,
    fetched_at: datetime,
    timeout_s: float = 20.0,
) -> BitcoinHeaders:
    """What each node shows of the blocks at these heights; blocks that it doesn't have are left out.

    Raises ConfigError for a node of another network, UnavailableError for one that doesn't answer or
    contradicts itself: a file with fewer sources than asked for could hide the one that disagrees.
    """
    sources = []
    for url in urls:
        node = BitcoinNode(url, http, timeout_s)
        node.check_network(network)
        blocks = [(height, node.headers_from(height)) for height in sorted(set(heights))]
        shown = tuple(
            ShownBlock(height=height, headers=tuple(header.raw for header in headers))
            for height, headers in blocks
            if headers
        )
        sources.append(ShownBy(host=node.host, blocks=shown))
    return BitcoinHeaders(network=network.name, fetched_at=fetched_at, sources=tuple(sources))
