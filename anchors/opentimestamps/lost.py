"""Whether a block under which an anchor stood is still on Bitcoin's chain: six blocks deep is no certainty.

A block goes when miners built more on another one. Nothing in a proof shows it, so the newest final anchors are
looked up again for as long as nodes answer.
"""

from collections.abc import Sequence

from anchors.errors import UnavailableError, VerificationError
from anchors.opentimestamps.bitcoin import BitcoinNetwork, BlockHeader, shown, verify_work
from anchors.opentimestamps.headers import DEPTH
from anchors.opentimestamps.node import BitcoinNode


def find_lost(
    nodes: Sequence[BitcoinNode],
    network: BitcoinNetwork,
    header: BlockHeader,
    *,
    height: int,
    least_difficulty: int = 0,
) -> str | None:
    """Why the anchor in this block is void: another one is as deep as it was. None: it is there, or nobody knows.

    One node with another block is not enough while a second one has ours; one that shows too few blocks on top,
    or too little work, says nothing. UnavailableError where nodes disagree, or none answers.
    """
    confirming: list[str] = []
    denying: list[tuple[str, str]] = []
    failures: list[str] = []
    for node in nodes:
        try:
            node.check_network(network)
            found = node.headers_from(height)
            for each in found:
                verify_work(each, network, least_difficulty=least_difficulty)
        except (UnavailableError, VerificationError) as error:
            failures.append(str(error))
            continue
        if found and found[0].raw == header.raw:
            confirming.append(node.host)
        elif len(found) >= DEPTH:
            denying.append((node.host, shown(found[0].block_hash)))
    if len(failures) == len(nodes):
        raise UnavailableError("bitcoin nodes", "; ".join(failures))
    ours = f"block {height} was {shown(header.block_hash)}"
    if confirming and denying:
        named = ", ".join(f"{host} says {block_hash}" for host, block_hash in denying)
        raise UnavailableError("bitcoin nodes", f"{ours}, and is to {confirming[0]}; {named}: nodes disagree")
    return f"{ours} and is {denying[0][1]} now, says {denying[0][0]}" if denying else None
