"""Which anchors of a sender a chain holds by now: for whoever has a bundle and no vault.

    later_proofs    searches the contract's events for given tree heads, and builds a proof for each that is final

Nothing is decided here: what comes out is judged by the offline verifier, like anybody's proof.
"""

from collections.abc import Collection, Sequence

from anchors.base import TreeHead
from anchors.errors import FormatError, UnavailableError, VerificationError
from anchors.ethereum.agreement import receipts_of, require_finality
from anchors.ethereum.build import build_proof
from anchors.ethereum.node import Node
from anchors.ethereum.onchain import AnchorContract
from anchors.ethereum.proof import encode_proof
from anchors.ethereum.verify import TrustedContract, decode_prev, verify_inclusion


def later_proofs(
    nodes: Sequence[Node],
    trusted: TrustedContract,
    heads: Collection[TreeHead],
    *,
    known_blocks: Collection[bytes],
    first_block: int,
) -> list[tuple[TreeHead, bytes]]:
    """The proof of each of `heads` that `trusted` anchored in a final block that is none of `known_blocks`.

    The first node searches; all must agree on the block. Left out: an anchor that is linked to one that is not
    among `heads`, which no verifier of theirs could follow. Raises UnavailableError.
    """
    contract = AnchorContract(nodes[0], trusted.contract, trusted.sender)
    known = {"0x" + block.hex() for block in known_blocks}
    by_prefix = {(head.size, head.root_hash[:24]) for head in heads}
    made = []
    for head, found in contract.anchors(first_block=first_block):
        if head not in heads or found.block in known or not require_finality(nodes, found):
            continue
        block = nodes[0].ask_block(found.block)
        seen = receipts_of(nodes[:1], found.transaction)
        if block is None or not seen:
            raise UnavailableError(nodes[0].host, f"names block {found.block}, and doesn't show it")
        proof = build_proof(
            nodes[0],
            block,
            index=nodes[0].read_number("transactionIndex", seen[0][1].get("transactionIndex")),
            chain_id=trusted.chain_id,
            contract=trusted.contract,
            sender=trusted.sender,
        )
        try:
            before = decode_prev(verify_inclusion(proof, tree_head=head, trusted=trusted).prev)
        except (VerificationError, FormatError) as error:
            raise UnavailableError(nodes[0].host, f"what it says gives no valid proof: {error}") from error
        if before is None or before in by_prefix:
            made.append((head, encode_proof(proof)))
    return made
