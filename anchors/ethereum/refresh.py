"""Which anchors of a sender a chain holds by now: for whoever has a bundle and no vault.

    later_anchors   searches the contract's events
    prove_anchor    builds the proof of one that is final

Nothing is decided here: what comes out is judged by the offline verifier, like anybody's proof.
"""

from collections.abc import Sequence

from anchors.base import TreeHead
from anchors.errors import FormatError, UnavailableError, VerificationError
from anchors.ethereum.agreement import receipts_of, require_finality
from anchors.ethereum.build import build_proof
from anchors.ethereum.node import Node
from anchors.ethereum.onchain import AnchorContract, Anchored
from anchors.ethereum.proof import encode_proof
from anchors.ethereum.verify import TrustedContract, verify_inclusion


def later_anchors(
    nodes: Sequence[Node], trusted: TrustedContract, *, above: int, first_block: int
) -> list[Anchored]:
    """Return the anchors of more than `above` leaves that the first node shows, by size; blocks from `first_block`.

    Raises UnavailableError.
    """
    contract = AnchorContract(nodes[0], trusted.contract, trusted.sender)
    if contract.last_anchor("latest")[0] <= above:
        return []  # nothing there: else the whole chain would be looked through
    found = contract.anchors(first_block=first_block, above=above)
    return sorted((one for one in found if one.head.size > above), key=lambda one: one.head.size)


def prove_anchor(
    nodes: Sequence[Node], trusted: TrustedContract, head: TreeHead, anchored: Anchored
) -> bytes | None:
    """Return the proof that this is an anchor of `head`; None while its block isn't final. All nodes must agree.

    Raises UnavailableError, also where what a node says gives no valid proof.
    """
    found = anchored.found
    if not require_finality(nodes, found):
        return None
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
        verify_inclusion(proof, tree_head=head, trusted=trusted)
    except (VerificationError, FormatError) as error:
        raise UnavailableError(nodes[0].host, f"what it says gives no valid proof: {error}") from error
    return encode_proof(proof)
