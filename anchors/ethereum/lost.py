"""Whether an anchor that was final is still on its chain: a block can go even after the network called it final.

A network that stops finalizing and starts again from an older block, a test network that is wound back: nothing
in a proof shows it. So the newest final anchors are looked up again for as long as the network answers.
"""

from collections.abc import Mapping, Sequence

from anchors.base import AnchorProof
from anchors.errors import UnavailableError
from anchors.ethereum.build import encode_header
from anchors.ethereum.header import parse_header
from anchors.ethereum.keccak import keccak256
from anchors.ethereum.node import Node
from anchors.ethereum.proof import KIND, PART, EthereumProof, parse_proof


def block_of(proof: AnchorProof, anchor: Mapping[str, str | int]) -> int | None:
    """The number of the proof's block; None for a proof of another chain, contract or sender than `anchor`'s."""
    if proof.kind != KIND:
        return None
    parsed = parse_proof(proof.parts[PART])
    named = (parsed.chain_id, parsed.contract.hex(), parsed.sender.hex())
    if named != (anchor["chain_id"], anchor["contract"], anchor["sender"]):
        return None
    return parse_header(parsed.header).number


def find_lost(nodes: Sequence[Node], proof: EthereumProof) -> str | None:
    """Why the proof is void: another block is final at its height. None if its block is there, or nobody knows.

    One node that has another block is not enough while a second one has ours; a node that has none at this
    height says nothing. UnavailableError where nodes disagree, or one shows a block that doesn't have its hash.
    """
    ours = parse_header(proof.header)
    confirming: list[str] = []
    denying: list[tuple[str, str]] = []
    for node in nodes:
        block = node.ask_block(hex(ours.number))
        final = node.ask_block("finalized")
        if block is None or final is None:
            continue
        found = node.read_bytes("block hash", block.get("hash"))
        if found == ours.block_hash:
            confirming.append(node.host)
        elif node.read_number("number", final.get("number")) >= ours.number:
            if keccak256(encode_header(node, block)) != found:
                raise UnavailableError(node.host, f"the fields of block {ours.number} don't give its hash")
            denying.append((node.host, found.hex()))
    if confirming and denying:
        named = ", ".join(f"{host} says {block_hash}" for host, block_hash in denying)
        reason = f"block {ours.number} is {ours.block_hash.hex()} to {confirming[0]}, {named}: nodes disagree"
        raise UnavailableError("ethereum", reason)
    if not denying:
        return None
    return f"block {ours.number} was {ours.block_hash.hex()} and is {denying[0][1]} now, says {denying[0][0]}"
