"""The headers file of Bitcoin: what several nodes, asked at some time, showed of blocks and of what followed them.

`headers fetch` writes it (`anchors.opentimestamps.node`), the offline verifier reads it. Canonical JSON:

    {"fetched_at":"2026-11-22T16:37:00.123Z","kind":"bitcoin","network":"main","sources":[
      {"blocks":[{"headers":["<80 bytes>","<80 bytes>",…],"height":900000}],"host":"node.example"},…],"v":1}

`headers` are that of the block at `height` and of those that follow it, at most six. What the file is worth, and
how sources are named: `anchors.sources`.
"""

from collections.abc import Mapping
from datetime import datetime

from anchors.canonical import (
    as_array,
    as_hex,
    as_integer,
    as_object,
    as_time,
    encode_canonical,
    encode_time,
    parse_canonical,
)
from anchors.errors import FormatError
from anchors.opentimestamps.bitcoin import HEADER_BYTES, NETWORKS
from anchors.opentimestamps.proof import MAX_HEIGHT
from anchors.sources import parse_sources
from anchors.values import value

KIND = "bitcoin"
MAX_HEADERS_BYTES = 1_048_576
"""A block of one source takes about 1 kB: room for some 1,000."""

MAX_BLOCKS = 1000

DEPTH = 6
"""Headers to be shown of a block, its own among them: the six confirmations that payments wait for."""

_PLACE = "bitcoin headers file"


@value
class ShownBlock:
    """One source's word: these headers stand at `height` and above, each 80 bytes, lowest first."""

    height: int
    headers: tuple[bytes, ...]


@value
class ShownBy:
    """A node, by its host, and what it showed."""

    host: str
    blocks: tuple[ShownBlock, ...]


@value
class BitcoinHeaders:
    """What the sources showed of one network, and when they were asked (UTC)."""

    network: str
    fetched_at: datetime
    sources: tuple[ShownBy, ...]


def parse_bitcoin_headers(data: bytes) -> BitcoinHeaders:
    """Read a headers file; FormatError names the place of anything else."""
    found = parse_canonical(data, place=_PLACE, max_bytes=MAX_HEADERS_BYTES)
    top = as_object(found, _PLACE, frozenset({"v", "kind", "network", "fetched_at", "sources"}))
    as_integer(top["v"], f"{_PLACE} v", 1, 1)
    if top["kind"] != KIND:
        raise FormatError(f"{_PLACE} kind", KIND, top["kind"])
    network = top["network"]
    if not isinstance(network, str) or network not in NETWORKS:
        raise FormatError(f"{_PLACE} network", ", ".join(NETWORKS), network)
    sources = parse_sources(
        top["sources"], f"{_PLACE} sources", max_blocks=MAX_BLOCKS, parse_block=_parse_block
    )
    return BitcoinHeaders(
        network=network,
        fetched_at=as_time(top["fetched_at"], f"{_PLACE} fetched_at"),
        sources=tuple(ShownBy(host=host, blocks=blocks) for host, blocks in sources),
    )


def is_bitcoin_headers(data: bytes) -> bool:
    """Whether a headers file says that it is one of Bitcoin; it may still be none."""
    return b'"kind":"bitcoin"' in data[:MAX_HEADERS_BYTES]


def encode_bitcoin_headers(headers: BitcoinHeaders) -> bytes:
    """The canonical bytes of a headers file; `parse_bitcoin_headers` reads them back."""
    return encode_canonical(
        {
            "v": 1,
            "kind": KIND,
            "network": headers.network,
            "fetched_at": encode_time(headers.fetched_at),
            "sources": [_source_value(source) for source in headers.sources],
        }
    )


def _source_value(source: ShownBy) -> Mapping[str, object]:
    blocks = [{"height": one.height, "headers": [raw.hex() for raw in one.headers]} for one in source.blocks]
    return {"host": source.host, "blocks": blocks}


def _parse_block(found: object, place: str) -> ShownBlock:
    block = as_object(found, place, frozenset({"height", "headers"}))
    headers = as_array(block["headers"], f"{place} headers", DEPTH)
    if not headers:
        raise FormatError(f"{place} headers", "at least the block's own", "none")
    return ShownBlock(
        height=as_integer(block["height"], f"{place} height", 0, MAX_HEIGHT),
        headers=tuple(
            as_hex(raw, f"{place} headers[{n}]", length=HEADER_BYTES) for n, raw in enumerate(headers)
        ),
    )
