"""The Merkle tree of the log: hashes, proofs, and the right edge a log grows by (RFC 9162 §2.1).

    leaf_hash = SHA-256(0x00 ‖ entry)        node_hash = SHA-256(0x01 ‖ left ‖ right)

A node is named by (level, index): the hash over the leaves [index·2^level, (index+1)·2^level). Only
*complete* subtrees have such a name, so a node, once it exists, never changes; tiles can be immutable.

The path from a leaf to the root has two parts. Below the point where it meets the path of the last leaf,
siblings stand left or right, as the bits of the index say (*inner*); above it every sibling stands left, one
for each bit still set (*border*). A proof's length is therefore known before any hash is computed.

Deliberately not checked here: the length of a root hash, and whose tree head it is; `checkpoint` does both.
"""

import hashlib
from collections.abc import Callable, Sequence

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.errors import IntegrityError, VerificationError

NodeReader = Callable[[int, int], bytes]
"""`read(level, index)`: the 32-byte hash of one complete subtree."""

_NODE = hashlib.sha256(b"\x01")

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root hash of the tree without leaves. RFC 9162 §2.1.1."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash one log entry into a leaf, 32 bytes. RFC 9162 §2.1.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent, 32 bytes. RFC 9162 §2.1.1."""
    parent = _NODE.copy()  # a copy costs a quarter less than a beginning
    parent.update(left)
    parent.update(right)
    return parent.digest()


def verify_inclusion(
    *, tree_head: TreeHead, leaf_index: int, leaf_hash: bytes, proof: Sequence[bytes]
) -> None:
    """Check that `leaf_hash` is leaf `leaf_index` (from 0) of the tree `tree_head`. RFC 9162 §2.1.3.2.

    The tree head is what the caller trusts, all else may come from a stranger. Raises VerificationError.

    (1) The index lies in the tree.
    (2) The proof has exactly the length that index and size dictate, and every hash is one.
    (3) Leaf and proof hash to the trusted root.
    """
    # (1) The index lies in the tree.
    if not 0 <= leaf_index < tree_head.size:
        raise VerificationError(
            "RFC 9162 §2.1.3.2 leaf index", f"an index below tree size {tree_head.size}", leaf_index
        )
    # (2) Without this, hashes could be appended above the root or below the leaf.
    inner, border = _path_shape(leaf_index, tree_head.size)
    if len(proof) != inner + border:
        raise VerificationError("RFC 9162 §2.1.3.2 inclusion proof length", inner + border, len(proof))
    _require_hashes([leaf_hash, *proof])
    # (3) The climb ends at the trusted root.
    root = _climb_border(_climb_inner(leaf_hash, leaf_index, proof[:inner]), proof[inner:])
    if root != tree_head.root_hash:
        raise VerificationError(
            "RFC 9162 §2.1.3.2 root hash of the inclusion proof", tree_head.root_hash, root
        )


def verify_consistency(*, older: TreeHead, newer: TreeHead, proof: Sequence[bytes]) -> None:
    """Check that the tree `newer` begins with all leaves of the tree `older`. RFC 9162 §2.1.4.2.

    Raises VerificationError; where a root differs, `expected` is the given and `found` the computed one.

    (1) The older tree isn't empty: it would be a prefix of anything, and the proof would say nothing.
    (2) Sizes do not fall.
    (3) At equal sizes the proof is empty and the roots are equal.
    (4) The proof has exactly the length that the sizes dictate, and every hash is one.
    (5) It hashes to the older root, and (6) to the newer one.
    """
    # (1) Attack: a log that starts over would be consistent with every empty tree.
    if older.size < 1:
        raise VerificationError("RFC 9162 §2.1.4.2 older tree size", "at least 1", older.size)
    # (2) A log never shrinks.
    if newer.size < older.size:
        raise VerificationError("RFC 9162 §2.1.4.2 newer tree size", f"at least {older.size}", newer.size)
    # (3) Two roots at one size are a fork.
    if newer.size == older.size:
        if proof:
            raise VerificationError("RFC 9162 §2.1.4.2 consistency proof length", 0, len(proof))
        if newer.root_hash != older.root_hash:
            raise VerificationError(
                f"one root hash for tree size {older.size}", older.root_hash, newer.root_hash
            )
        return
    # (4) The climb starts at the last complete subtree of the older tree. If that is the whole older tree,
    #     its hash is the older root and isn't sent; otherwise it is the first hash of the proof.
    level = _trailing_zeros(older.size)
    inner, border = _path_shape(older.size - 1, newer.size)
    inner -= level
    seeded = older.size == 1 << level
    expected = inner + border + (0 if seeded else 1)
    if len(proof) != expected:
        raise VerificationError("RFC 9162 §2.1.4.2 consistency proof length", expected, len(proof))
    _require_hashes(proof)
    seed, path = (older.root_hash, proof) if seeded else (proof[0], proof[1:])
    index = (older.size - 1) >> level
    # (5) Of the inner siblings the older tree has only those on the left.
    left_only = [sibling for bit, sibling in enumerate(path[:inner]) if index >> bit & 1]
    root = _climb_border(_climb_border(seed, left_only), path[inner:])
    if root != older.root_hash:
        raise VerificationError("RFC 9162 §2.1.4.2 root hash of the older tree", older.root_hash, root)
    # (6) With all siblings the same climb gives the newer tree.
    root = _climb_border(_climb_inner(seed, index, path[:inner]), path[inner:])
    if root != newer.root_hash:
        raise VerificationError("RFC 9162 §2.1.4.2 root hash of the newer tree", newer.root_hash, root)


def prove_inclusion(index: int, size: int, read: NodeReader) -> list[bytes]:
    """Return the hashes that prove leaf `index` in a tree of `size` leaves, lowest first. RFC 9162 §2.1.3.1.

    Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of size {size}")
    return _path(index, 0, size, read)


def prove_consistency(size1: int, size2: int, read: NodeReader) -> list[bytes]:
    """Return the hashes that prove the tree of `size1` leaves a prefix of that of `size2`. RFC 9162 §2.1.4.1.

    Empty for equal sizes. Raises ValueError unless 1 <= size1 <= size2.
    """
    if not 1 <= size1 <= size2:
        raise ValueError(f"no consistency proof from size {size1} to size {size2}")
    if size1 == size2:
        return []
    level = _trailing_zeros(size1)
    seed = [] if size1 == 1 << level else [read(level, (size1 - 1) >> level)]
    return seed + _path(size1 - 1, level, size2, read)


def root_hash(size: int, read: NodeReader) -> bytes:
    """Return the root hash of the tree of `size` leaves, 32 bytes. RFC 9162 §2.1.1."""
    return EMPTY_ROOT if size == 0 else _span_hash(0, size, read)


@value
class Frontier:
    """The right edge of a tree: all that a log must remember to grow and to know its root.

    hashes: one complete subtree for each bit set in `size`, the largest and leftmost first; 32 bytes each.
    Size 6 = 0b110 has two: the hash over leaves 0-3 and the hash over leaves 4-5.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise IntegrityError(
                f"frontier of size {self.size}", f"{self.size.bit_count()} hashes", f"{len(self.hashes)}"
            )

    def extend(self, leaf_hashes: Sequence[bytes]) -> "Frontier":
        """Return the frontier after appending `leaf_hashes`; this one stays as it is.

        A whole batch is hashed level by level: what is left over at a level is its hash on the new edge.
        """
        old = list(self.hashes)
        edge: list[bytes] = []
        carried = list(leaf_hashes)
        level = 0
        while carried or old:
            if self.size >> level & 1:
                carried.insert(0, old.pop())
            if len(carried) & 1:
                edge.append(carried.pop())
            carried = [node_hash(*pair) for pair in zip(carried[::2], carried[1::2], strict=True)]
            level += 1
        return Frontier(size=self.size + len(leaf_hashes), hashes=tuple(reversed(edge)))

    def tree_head(self) -> TreeHead:
        """Return size and root hash of the tree with this edge."""
        root = _fold(self.hashes) if self.hashes else EMPTY_ROOT
        return TreeHead(size=self.size, root_hash=root)


def _path_shape(index: int, size: int) -> tuple[int, int]:
    """Split the path from leaf `index` to the root of `size` leaves: (inner length, border length)."""
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _require_hashes(hashes: Sequence[bytes]) -> None:
    """Refuse other lengths: `left ‖ right` is the same after a byte moved from one to the other."""
    for each in hashes:
        if len(each) != 32:
            raise VerificationError("RFC 9162 §2.1.1 hash length in a proof", "32 bytes", each)


def _climb_inner(seed: bytes, index: int, siblings: Sequence[bytes]) -> bytes:
    """Hash upwards from node `index` of its level: an odd node is a right child, an even one a left child."""
    for sibling in siblings:
        seed = node_hash(sibling, seed) if index & 1 else node_hash(seed, sibling)
        index >>= 1
    return seed


def _climb_border(seed: bytes, siblings: Sequence[bytes]) -> bytes:
    """Hash upwards along the right edge of a tree, where every sibling stands on the left."""
    for sibling in siblings:
        seed = node_hash(sibling, seed)
    return seed


def _path(leaf_index: int, level: int, size: int, read: NodeReader) -> list[bytes]:
    """Collect the siblings from the node at `level` over leaf `leaf_index` up to the root of size `size`."""
    inner, _ = _path_shape(leaf_index, size)
    path = []
    for height in range(level, inner):
        sibling = leaf_index >> height ^ 1
        if sibling + 1 << height <= size:
            path.append(read(height, sibling))
        else:  # the right end of the tree, not complete: only the topmost inner sibling can be it
            path.append(_span_hash(sibling << height, size, read))
    for height in range(inner, leaf_index.bit_length()):
        if leaf_index >> height & 1:
            path.append(read(height, (leaf_index >> height) - 1))
    return path


def _span_hash(start: int, end: int, read: NodeReader) -> bytes:
    """Hash the leaves [start, end), where no subtree of the span reaches over `start`: RFC 9162's MTH."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append(read(level, start >> level))
        start += 1 << level
    return _fold(nodes)


def _fold(nodes: Sequence[bytes]) -> bytes:
    """Hash neighbouring subtrees of falling size into one: the smallest two first."""
    return _climb_border(nodes[-1], nodes[-2::-1])


def _trailing_zeros(size: int) -> int:
    return (size & -size).bit_length() - 1
