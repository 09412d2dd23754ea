"""Inclusion of a receipt in a block's receipts trie, a Merkle Patricia trie (Yellow Paper, appendix D).

The key is RLP of the receipt's index in the block, walked nibble by nibble; the proof is the list of nodes
from the root to the leaf, each found by its Keccak-256. Exactly those: a node too many is refused like one
too few.

No node on the way to one of our receipts is short enough (under 32 bytes) to stand inside its parent, since a
leaf holds a whole receipt with at least one log; an embedded node on the way is refused. Keys in RLP are
prefix-free, so a key never ends at a branch.
"""

from collections.abc import Sequence

from anchors.errors import FormatError, VerificationError
from anchors.ethereum.keccak import Digest, keccak256
from anchors.ethereum.rlp import Item, as_bytes, decode_list, encode_uint

MAX_INDEX = (1 << 24) - 1
"""Largest receipt index read. A block of 16 million transactions is far beyond any gas limit."""

MAX_NODES = 9
"""A key of an index up to MAX_INDEX has at most 8 nibbles: a branch for each, and the leaf."""


def verify_receipt_inclusion(
    *, receipts_root: bytes, index: int, nodes: Sequence[bytes], digest: Digest = keccak256
) -> bytes:
    """The bytes of receipt `index` (0-based) in the trie whose root is `receipts_root` (32 bytes).

    Raises FormatError for a node that is none, VerificationError for nodes that don't lead from root to leaf.
    """
    path = encode_uint(index).hex()
    wanted = receipts_root
    for number, node in enumerate(nodes):
        place = f"nodes[{number}]"
        found = digest(node)
        if found != wanted:
            raise VerificationError(f"receipts trie {place} hash", wanted, found)
        items = decode_list(node, place)
        if len(items) == 17:
            if not path:
                raise VerificationError(f"receipts trie {place}", "a leaf where the key ends", "a branch")
            wanted, path = _child(items[int(path[0], 16)], place), path[1:]
            continue
        is_leaf, shared = _compact_path(items, place)
        if not path.startswith(shared) or (is_leaf and path != shared):
            raise VerificationError(f"receipts trie {place} path", path, shared)
        path = path[len(shared) :]
        if is_leaf:
            if number != len(nodes) - 1:
                raise VerificationError("receipts trie nodes", f"{number + 1} nodes", f"{len(nodes)} nodes")
            return as_bytes(items[1], f"{place} value")
        wanted = _child(items[1], place)
    raise VerificationError("receipts trie nodes", "a leaf at the end", f"{len(nodes)} nodes without one")


def _child(item: Item, place: str) -> bytes:
    """The hash of the next node on the way."""
    if item == b"":
        raise VerificationError(f"receipts trie {place}", "a child on the way to the receipt", "none")
    return as_bytes(item, f"{place} child", 32)


def _compact_path(items: Sequence[Item], place: str) -> tuple[bool, str]:
    """Hex-prefix encoding (Yellow Paper, appendix C): whether this is a leaf, and its nibbles."""
    if len(items) != 2:
        raise FormatError(place, "a list of 2 or 17 items", f"{len(items)} items")
    encoded = as_bytes(items[0], f"{place} path").hex()
    flag, nibbles = encoded[:2], encoded[2:]
    if flag in {"00", "20"}:
        shared = nibbles
    elif flag[:1] in {"1", "3"}:
        shared = flag[1] + nibbles
    else:
        raise FormatError(f"{place} path", "a hex-prefix flag", encoded)
    is_leaf = flag[0] in {"2", "3"}
    if not is_leaf and not shared:
        raise FormatError(f"{place} path", "an extension of at least one nibble", encoded)
    return is_leaf, shared
