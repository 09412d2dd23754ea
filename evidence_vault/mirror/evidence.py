"""Evidence against a log: files with which anyone can show, without us, that it signed what can't both be true.

A fork: two signed notes, and the nodes by which the newer one commits to another root at the older one's size.
A slot that stands twice: one signed note, and two inclusion proofs of entries that end in the same slot.
"""

import base64
from pathlib import Path

from anchors.base import TreeHead
from evidence_vault.core.authentic import AuthenticTiles
from evidence_vault.core.canonical import Json, encode_canonical
from evidence_vault.core.merkle import prove_consistency, prove_inclusion
from evidence_vault.core.tiles import WIDTH
from evidence_vault.core.tlog_proof import TlogProof, encode_tlog_proof
from evidence_vault.errors import VerificationError
from evidence_vault.mirror.slots import Repeat


class LogMisbehaved(VerificationError):  # noqa: N818 - it says who did wrong, and that it is proved
    """The log itself signed a contradiction; `evidence` is the folder that proves it."""

    def __init__(self, check: str, expected: object, found: object, *, evidence: Path) -> None:
        self.evidence = evidence
        super().__init__(check, expected, found)


def fork_evidence(
    older: TreeHead, newer: TreeHead, *, notes: tuple[bytes, bytes], tiles: AuthenticTiles, root: bytes
) -> dict[str, bytes]:
    """Return the files that prove a fork. root: what `newer` commits to at the size of `older`.

    The proof shows `newer` consistent with (older.size, root); `older` was signed with another root. At equal
    sizes the two notes say it all.
    """
    proof = prove_consistency(older.size, newer.size, tiles.node)
    hashes: list[Json] = [base64.b64encode(each).decode() for each in proof]
    claim: dict[str, Json] = {
        "v": 1,
        "older_size": older.size,
        "newer_size": newer.size,
        "older_root": older.root_hash.hex(),
        "older_root_by_newer": root.hex(),
        "proof": hashes,
    }
    return {"older.note": notes[0], "newer.note": notes[1], "fork.json": encode_canonical(claim)}


def repeat_evidence(repeat: Repeat, note: bytes, tiles: AuthenticTiles) -> dict[str, bytes]:
    """Return the files that prove a slot twice in one log: the entries, and their inclusion in one checkpoint."""
    files = {}
    for name, index in (("first", repeat.first), ("second", repeat.second)):
        proof = TlogProof(
            index=index,
            hashes=tuple(prove_inclusion(index, tiles.tree_head.size, tiles.node)),
            checkpoint_note=note,
        )
        files[f"{name}.entry"] = tiles.read_entries(index // WIDTH)[index % WIDTH]
        files[f"{name}.tlog-proof"] = encode_tlog_proof(proof)
    return files
