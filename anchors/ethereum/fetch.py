"""Asks several nodes about blocks and writes down what they say: the network half of the headers file.

Each header is rebuilt and hashed, so that a node can't name a hash that its own block doesn't have. Nothing
is decided here: the offline verifier compares the sources.
"""

from collections.abc import Sequence
from datetime import datetime

from anchors.base import HttpClient
from anchors.errors import ConfigError, UnavailableError
from anchors.ethereum.build import encode_header
from anchors.ethereum.headers import HeadersFile, HeaderSource, SourcedBlock
from anchors.ethereum.keccak import keccak256
from anchors.ethereum.node import Node


def fetch_headers(
    *,
    chain_id: int,
    block_numbers: Sequence[int],
    rpc_urls: Sequence[str],
    http: HttpClient,
    fetched_at: datetime,
    timeout_s: float = 20.0,
) -> HeadersFile:
    """What each node of `rpc_urls` says about the blocks at these heights; unknown blocks are left out.

    Raises ConfigError for a node on another chain, UnavailableError for one that doesn't answer or
    contradicts itself: a file with fewer sources than asked for could hide the one that disagrees.
    """
    sources = tuple(
        _ask(Node(url, http, timeout_s), chain_id=chain_id, block_numbers=sorted(set(block_numbers)))
        for url in rpc_urls
    )
    return HeadersFile(chain_id=chain_id, fetched_at=fetched_at, sources=sources)


def _ask(node: Node, *, chain_id: int, block_numbers: Sequence[int]) -> HeaderSource:
    found = node.ask_number("eth_chainId")
    if found != chain_id:
        raise ConfigError("ethereum rpc url", f"{node.host} is on chain {found}, not on {chain_id}")
    final = node.ask_block("finalized")
    final_number = -1 if final is None else node.read_number("number", final.get("number"))
    blocks = []
    for number in block_numbers:
        block = node.ask_block(hex(number))
        if block is None:
            continue
        block_hash = node.read_bytes("hash", block.get("hash"))
        if keccak256(encode_header(node, block)) != block_hash:
            raise UnavailableError(node.host, f"the fields of block {number} don't give its hash")
        blocks.append(SourcedBlock(number=number, block_hash=block_hash, finalized=number <= final_number))
    return HeaderSource(host=node.host, blocks=tuple(blocks))
