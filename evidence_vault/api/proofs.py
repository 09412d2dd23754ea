"""What shows an item's existence so far: tokens, place in the log, and what covers that place from outside."""

import base64
from collections.abc import Collection

from sqlalchemy.orm import Session

from evidence_vault.api.schemas import ProofList, ProofView
from evidence_vault.core.checkpoint import parse_checkpoint
from evidence_vault.core.events import Subject
from evidence_vault.core.merkle import prove_inclusion
from evidence_vault.core.notes import parse_note
from evidence_vault.core.tiles import TileNodeReader
from evidence_vault.core.tlog_proof import TlogProof, encode_tlog_proof
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Item
from evidence_vault.store.queries import events, items

_OF_CHECKPOINTS = ("CHECKPOINT_TIMESTAMPED", "CHECKPOINT_ANCHORED")


def list_proofs(session: Session, vault: Vault, item: Item) -> ProofList:
    """Return the tokens over the item, its inclusion in the newest checkpoint, and that checkpoint's kin."""
    progress = items.item_progress(session, item)
    covering = {progress.logged_size, progress.anchored_size, progress.final_size} - {None}
    return ProofList(
        item=item.id,
        timestamps=_recorded(session, Subject(kind="item", id=item.id), ("TIMESTAMP_OBTAINED",)),
        inclusion=None if progress.leaf_index is None else _inclusion(vault, progress.leaf_index),
        checkpoints=[
            view
            for size in sorted(size for size in covering if size)
            for view in _recorded(session, Subject(kind="checkpoint", id=str(size)), _OF_CHECKPOINTS)
        ],
    )


def _recorded(session: Session, subject: Subject, types: Collection[str]) -> list[ProofView]:
    """Return what came back from outside: signed statements, which came in, are in the list of attestations."""
    views = []
    for event in events.events_of(session, subject):
        if event.type in types:
            parts = events.proof_parts_of(session, event.id)
            encoded = {name: base64.b64encode(body).decode("ascii") for name, body in parts.items()}
            views.append(ProofView(recorded_by=event.type, subject=subject.id, seq=event.seq, parts=encoded))
    return views


def _inclusion(vault: Vault, leaf_index: int) -> str | None:
    """Return the tlog-proof of a leaf against the newest published checkpoint; none if it isn't in it yet."""
    note = vault.public.checkpoint()
    if note is None:
        return None
    size = parse_checkpoint(parse_note(note).text).tree_head.size
    if leaf_index >= size:
        return None
    hashes = prove_inclusion(leaf_index, size, TileNodeReader(vault.public.read_tile, size))
    proof = TlogProof(index=leaf_index, hashes=tuple(hashes), checkpoint_note=note)
    return encode_tlog_proof(proof).decode("utf-8")
