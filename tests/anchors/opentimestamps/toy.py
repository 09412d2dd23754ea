"""A toy Bitcoin and calendars that write to it: real headers with real (easy) work, over real HTTP on loopback.

bitcoin = ToyBitcoin()                 regtest from its true genesis
calendar = ToyCalendar("alice", bitcoin)
with serving(bitcoin, calendar) as urls: …
calendar.seal()                        what was handed in goes under the root of the next block
bitcoin.mine(5)
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from anchors.base import Statement
from anchors.opentimestamps.bitcoin import NETWORKS, parse_header, shown
from anchors.opentimestamps.operations import APPEND, PREPEND, SHA256, Operation, apply_operation
from anchors.opentimestamps.proof import encode_proof
from anchors.opentimestamps.stamp import (
    Branch,
    Timestamp,
    below,
    bitcoin_attestation,
    encode_ots,
    encode_timestamp,
    join,
    pending_attestation,
    stamp_of_sha256,
)
from anchors.opentimestamps.submit import blinded

GENESIS = bytes.fromhex(
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc8"
    "1bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f2002000000"
)
EASY = bytes.fromhex("ffff7f20")
"""Bits of regtest: every second hash will do."""
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOTE = b"vault.example/log\n40\nroot\n"
Answer = tuple[int, bytes]


def statement(note: bytes = NOTE) -> Statement:
    return Statement(sha256=hashlib.sha256(note).digest(), preimage=note)


def mine(previous: bytes, root: bytes, at: datetime, *, bits: bytes = EASY) -> bytes:
    """A header with its work."""
    head = (4).to_bytes(4, "little") + previous + root + int(at.timestamp()).to_bytes(4, "little") + bits
    nonce = 0
    while True:
        header = parse_header(head + nonce.to_bytes(4, "little"))
        if int.from_bytes(header.block_hash, "little") <= header.target:
            return header.raw
        nonce += 1


class ToyBitcoin:
    """Headers by height, and JSON-RPC about them."""

    def __init__(self, *, seed: bytes = b"honest") -> None:
        self.headers, self.seed = [GENESIS], seed
        self.asked: list[str] = []
        self.authorization: list[str | None] = []

    @property
    def height(self) -> int:
        return len(self.headers) - 1

    def mine(self, count: int = 1, *, root: bytes | None = None) -> int:
        """Mine blocks, ten minutes apart; the first has `root`. Returns its height."""
        first = self.height + 1
        for _ in range(count):
            height = self.height + 1
            fill = hashlib.sha256(self.seed + height.to_bytes(4, "big")).digest()
            before = parse_header(self.headers[-1])
            self.headers.append(mine(before.block_hash, root or fill, START + timedelta(minutes=10 * height)))
            root = None
        return first

    def reorganise(self, height: int, count: int) -> None:
        """Forget the blocks from `height` on and mine others."""
        del self.headers[height:]
        self.seed += b"'"
        self.mine(count)

    def shown_headers(self, height: int, most: int = 6) -> tuple[bytes, ...]:
        return tuple(self.headers[height : height + most])

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        call = json.loads(body)
        self.asked.append(call["method"])
        hashes = [shown(parse_header(raw).block_hash) for raw in self.headers]
        result: object = None
        try:
            match call["method"], call["params"]:
                case "getblockcount", []:
                    result = self.height
                case "getblockhash", [int(height)]:
                    result = hashes[height]
                case "getblockheader", [str(block_hash), False]:
                    result = self.headers[hashes.index(block_hash)].hex()
                case "getblockheader", [str(block_hash), True] | [str(block_hash)]:
                    result = {"height": hashes.index(block_hash)}
                case "getblockchaininfo" | "getinfo", []:
                    result = {"blocks": self.height}
                case _:
                    return 404, json.dumps({"result": None, "error": "no such method", "id": 1}).encode()
        except (IndexError, ValueError):
            error = {"code": -8, "message": "Block height out of range"}
            return 500, json.dumps({"result": None, "error": error, "id": call["id"]}).encode()
        return 200, json.dumps({"result": result, "error": None, "id": call["id"]}).encode()


class ToyCalendar:
    """Collects digests, and brings all of them under one root when told to."""

    def __init__(self, name: str, bitcoin: ToyBitcoin) -> None:
        self.name, self.bitcoin = name, bitcoin
        self.url = ""
        self.asked: list[tuple[str, str]] = []
        self.received: list[bytes] = []
        self.waiting: list[bytes] = []
        self.done: dict[bytes, Timestamp] = {}
        self.lie: Callable[[str, str, bytes], Answer | None] = lambda method, path, body: None

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        self.asked.append((method, path))
        lied = self.lie(method, path, body)
        if lied is not None:
            return lied
        if (method, path) == ("POST", "/digest"):
            self.received.append(body)
            steps = (Operation(PREPEND, self.name.encode()), Operation(SHA256))
            message = walk(body, steps)
            self.waiting.append(message)
            promise = Timestamp(message=message, ends={Branch((), pending_attestation(self.url)): message})
            return 200, encode_timestamp(below(steps, promise, message=body))
        found = self.done.get(bytes.fromhex(path.removeprefix("/timestamp/")))
        return (
            (404, b"Pending confirmation in Bitcoin blockchain")
            if found is None
            else (200, encode_timestamp(found))
        )

    def seal(self) -> int:
        """Put what waits under the root of the next block, as a transaction's output would."""
        steps = [
            (Operation(APPEND, hashlib.sha256(b"sibling").digest()), Operation(SHA256), Operation(SHA256))
            for _ in self.waiting
        ]
        assert len(self.waiting) == 1, "one at a time"
        root = walk(self.waiting[0], steps[0])
        height = self.bitcoin.mine(root=root)
        for message in self.waiting:
            self.done[message] = in_block(message, steps[0], height)
        self.waiting.clear()
        return height


def walk(message: bytes, steps: Sequence[Operation]) -> bytes:
    for step in steps:
        message = apply_operation(step, message, place="toy")
    return message


def in_block(message: bytes, steps: Sequence[Operation], height: int) -> Timestamp:
    root = walk(message, steps)
    end = Timestamp(message=root, ends={Branch((), bitcoin_attestation(height)): root})
    return below(steps, end, message=message)


def made_proof(
    bitcoin: ToyBitcoin,
    sha256: bytes,
    *,
    bury: int = 5,
    with_header: bool = True,
    pending: str | None = "https://alice.example",
    network: str = "regtest",
) -> tuple[bytes, bytes]:
    """The `.json` and the `.ots` of a proof in the next block, with `bury` blocks on top."""
    nonce = hashlib.sha256(b"nonce" + sha256).digest()[:16]
    steps = blinded(nonce)
    commitment = walk(sha256, steps)
    way = (
        Operation(APPEND, b"\x01" * 32),
        Operation(SHA256),
        Operation(PREPEND, b"\x02" * 32),
        Operation(SHA256),
    )
    height = bitcoin.mine(1 + bury, root=walk(commitment, way))
    trees = [in_block(commitment, way, height)]
    if pending:
        trees.append(
            Timestamp(message=commitment, ends={Branch((), pending_attestation(pending)): commitment})
        )
    ots = encode_ots(stamp_of_sha256(below(steps, join(*trees), message=sha256)))
    header = bitcoin.headers[height] if with_header else None
    return encode_proof(network=network, height=height, header=header, ots=ots), ots


@contextmanager
def serving(*parts: ToyBitcoin | ToyCalendar) -> Iterator[list[str]]:
    """Serve each on a port of its own; yields their addresses."""
    servers = []
    for part in parts:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(part))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        if isinstance(part, ToyCalendar):
            part.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _handler(part: ToyBitcoin | ToyCalendar) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if isinstance(part, ToyBitcoin):
                part.authorization.append(self.headers.get("Authorization"))
            status, data = part.answer(method, self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = True

        def do_GET(self) -> None:
            self._reply("GET")

        def do_POST(self) -> None:
            self._reply("POST")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    return Handler


REGTEST = NETWORKS["regtest"]
