"""The headers file: what several Ethereum nodes, asked at some time, said about blocks.

`headers fetch` writes it (`anchors.ethereum.fetch`), the offline verifier reads it. Canonical JSON:

    {"chain_id":11155111,"fetched_at":"2026-11-22T16:37:00.123Z","sources":[
      {"blocks":[{"finalized":true,"hash":"<32 bytes>","number":7000000}],"host":"rpc.example"},…],"v":1}

What it is worth, and how sources are named: `anchors.sources`.
"""

from collections.abc import Mapping
from datetime import datetime

from anchors.canonical import (
    as_hex,
    as_integer,
    as_object,
    as_time,
    encode_canonical,
    encode_time,
    parse_canonical,
)
from anchors.errors import FormatError
from anchors.sources import parse_sources
from anchors.values import value

MAX_HEADERS_BYTES = 1_048_576
"""A block of one source takes about 110 bytes: room for some 9,000."""

MAX_BLOCKS = 10_000
"""Blocks of one source; a bundle has one for each anchor it carries."""

_PLACE = "headers file"


@value
class SourcedBlock:
    """One source's word: the block at `number` has this hash (32 bytes); `finalized` or not yet."""

    number: int
    block_hash: bytes
    finalized: bool


@value
class HeaderSource:
    """A node, by its host, and what it said."""

    host: str
    blocks: tuple[SourcedBlock, ...]


@value
class HeadersFile:
    """What the sources said about one chain, and when they were asked (UTC)."""

    chain_id: int
    fetched_at: datetime
    sources: tuple[HeaderSource, ...]


def parse_headers(data: bytes) -> HeadersFile:
    """Read a headers file; FormatError names the place of anything else."""
    value = parse_canonical(data, place=_PLACE, max_bytes=MAX_HEADERS_BYTES)
    top = as_object(value, _PLACE, frozenset({"v", "chain_id", "fetched_at", "sources"}))
    as_integer(top["v"], f"{_PLACE} v", 1, 1)
    sources = parse_sources(
        top["sources"], f"{_PLACE} sources", max_blocks=MAX_BLOCKS, parse_block=_parse_block
    )
    return HeadersFile(
        chain_id=as_integer(top["chain_id"], f"{_PLACE} chain_id", 1),
        fetched_at=as_time(top["fetched_at"], f"{_PLACE} fetched_at"),
        sources=tuple(HeaderSource(host=host, blocks=blocks) for host, blocks in sources),
    )


def encode_headers(headers: HeadersFile) -> bytes:
    """The canonical bytes of a headers file; `parse_headers` reads them back."""
    return encode_canonical(
        {
            "v": 1,
            "chain_id": headers.chain_id,
            "fetched_at": encode_time(headers.fetched_at),
            "sources": [_source_value(source) for source in headers.sources],
        }
    )


def _source_value(source: HeaderSource) -> Mapping[str, object]:
    blocks = [
        {"number": block.number, "hash": block.block_hash.hex(), "finalized": block.finalized}
        for block in source.blocks
    ]
    return {"host": source.host, "blocks": blocks}


def _parse_block(value: object, place: str) -> SourcedBlock:
    block = as_object(value, place, frozenset({"number", "hash", "finalized"}))
    finalized = block["finalized"]
    if not isinstance(finalized, bool):
        raise FormatError(f"{place} finalized", "true or false", finalized)
    return SourcedBlock(
        number=as_integer(block["number"], f"{place} number", 0),
        block_hash=as_hex(block["hash"], f"{place} hash", length=32),
        finalized=finalized,
    )
