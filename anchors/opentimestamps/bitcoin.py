"""Bitcoin block headers: 80 bytes, their hash, and the work that is in them.

    version 4 ‖ previous 32 ‖ merkle root 32 ‖ time 4 ‖ bits 4 ‖ nonce 4          integers little-endian

The hash is SHA-256 of SHA-256. It must not be above the target that `bits` encodes; whoever makes a header
has tried 2^256 / (target + 1) times on average. Hashes and roots are shown as everyone shows them: bytes
backwards, in hex.

Not checked here: that the target was the right one at this height, which takes all headers before it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from anchors.errors import FormatError, VerificationError
from anchors.values import value

HEADER_BYTES = 80
DIFFICULTY_1 = 0xFFFF << 208
"""The target of difficulty 1: what main net began with, and its easiest."""


@value
class BitcoinNetwork:
    """A network, by its name in policies and proofs. genesis: hash of block 0 as shown. easiest: a target."""

    name: str
    genesis: str
    easiest: int


NETWORKS: Mapping[str, BitcoinNetwork] = {
    network.name: network
    for network in (
        BitcoinNetwork(
            name="main",
            genesis="000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
            easiest=DIFFICULTY_1,
        ),
        BitcoinNetwork(
            name="test",
            genesis="000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
            easiest=DIFFICULTY_1,
        ),
        BitcoinNetwork(
            name="regtest",
            genesis="0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            easiest=0x7FFFFF << 232,
        ),
    )
}

LEAST_DIFFICULTY: Mapping[str, int] = {"main": 10**13}
"""What a header from a headers file must have on a network, where the policy says nothing else. Main net has been
above it since January 2020, at the lowest with 13.67 × 10^12 on 2021-07-18 (ADR 0021 names who reported it); one
such header costs 4 × 10^22 hashes on average."""


@value
class BlockHeader:
    """A header that was parsed. block_hash, previous, merkle_root: 32 bytes in the order of hashing."""

    raw: bytes
    block_hash: bytes
    previous: bytes
    merkle_root: bytes
    time: datetime
    target: int


def parse_header(raw: bytes, *, place: str = "bitcoin header") -> BlockHeader:
    """Read a header. Raises FormatError for another length, or bits that encode no target."""
    if len(raw) != HEADER_BYTES:
        raise FormatError(place, f"{HEADER_BYTES} bytes", len(raw))
    bits = int.from_bytes(raw[72:76], "little")
    exponent, mantissa = bits >> 24, bits & 0xFFFFFF
    target = mantissa << 8 * (exponent - 3) if exponent >= 3 else mantissa >> 8 * (3 - exponent)
    if mantissa > 0x7FFFFF or not 0 < target < 1 << 256:
        raise FormatError(f"{place} bits", "a target", raw[72:76])
    return BlockHeader(
        raw=raw,
        block_hash=hashlib.sha256(hashlib.sha256(raw).digest()).digest(),
        previous=raw[4:36],
        merkle_root=raw[36:68],
        time=datetime.fromtimestamp(int.from_bytes(raw[68:72], "little"), UTC),
        target=target,
    )


def verify_work(header: BlockHeader, network: BitcoinNetwork, *, least_difficulty: int = 0) -> None:
    """Raise VerificationError unless the hash meets the header's own target, and that is hard enough."""
    if int.from_bytes(header.block_hash, "little") > header.target:
        raise VerificationError(
            "bitcoin proof of work", f"at most {header.target:064x}", shown(header.block_hash)
        )
    if header.target > network.easiest:
        raise VerificationError(
            f"bitcoin target on {network.name}", f"at most {network.easiest:x}", f"{header.target:x}"
        )
    if header.target * least_difficulty > DIFFICULTY_1:
        raise VerificationError(
            "bitcoin difficulty", f"at least {least_difficulty}", DIFFICULTY_1 // header.target
        )


def verify_links(headers: Sequence[BlockHeader]) -> None:
    """Raise VerificationError unless each header names the one before it."""
    for before, after in pairwise(headers):
        if after.previous != before.block_hash:
            raise VerificationError("bitcoin previous block", shown(before.block_hash), shown(after.previous))


def shown(digest: bytes) -> str:
    """Return a hash or root as everyone shows it."""
    return digest[::-1].hex()


def from_shown(text: str) -> bytes:
    """Return the bytes of a hash that was written as everyone shows it. Raises ValueError."""
    return bytes.fromhex(text)[::-1]
