"""The judgement over a soak: by what anyone can read, and then by what the vault itself says.

(1) every receipt      signed by a receipt key of the log; its event is a leaf, by a proof from public tiles alone
(2) every content      is there, byte for byte
(3) every checkpoint   that was ever seen is signed by the key of its time, and the newest one contains it
(4) the vault          `log fsck` finds nothing that disagrees; nothing waits for the log
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anchors.base import TreeHead
from evidence_vault.core.checkpoint import open_checkpoint, parse_checkpoint
from evidence_vault.core.events import encode_leaf_entry, first_slot
from evidence_vault.core.merkle import (
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)
from evidence_vault.core.notes import Verified, parse_note
from evidence_vault.core.receipt import parse_receipt, verify_receipt
from evidence_vault.core.tiles import WIDTH, Tile, TileNodeReader, parse_entries, width_at
from evidence_vault.errors import EvidenceError
from evidence_vault.pipeline.log.log_keys import log_keys
from evidence_vault.pipeline.log.shown import receipt_keys
from evidence_vault.pipeline.operation.fsck import fsck
from evidence_vault.pipeline.vault import Vault, build_vault
from evidence_vault.settings import load_settings
from tests.soak.clients import Given


@dataclass
class Judgement:
    """lost: receipts not honoured. forks: checkpoints that the newest doesn't contain. faults: all else."""

    lost: list[str]
    forks: list[str]
    faults: list[str]


def judge(home: Path, given: Sequence[Given], checkpoints: set[bytes]) -> Judgement:
    """Judge the vault in `home`, which is not served any more."""
    vault = build_vault(load_settings(home))
    try:
        forks, head = _judge_checkpoints(vault, checkpoints)
        lost = _judge_receipts(vault, given, head)
        faults = []
        try:
            checked = fsck(vault)
            if checked.pending:
                faults.append(f"{checked.pending} events still wait for the log")
        except EvidenceError as error:
            faults.append(f"fsck: {error}")
    finally:
        vault.database.dispose()
    return Judgement(lost=lost, forks=forks, faults=faults)


def _judge_checkpoints(vault: Vault, checkpoints: set[bytes]) -> tuple[list[str], TreeHead]:
    with vault.database.read() as session:
        keys = log_keys(session)
    newest, origin = vault.public.checkpoint(), vault.settings.origin
    assert newest is not None
    opened = open_checkpoint(newest, origin=origin, trusted=[keys[-1].key])
    assert isinstance(opened.signed, Verified), "the newest checkpoint is not signed by the newest key"
    last = opened.checkpoint.tree_head
    read = TileNodeReader(vault.public.read_tile, last.size)
    forks = []
    for note in checkpoints:
        try:
            size = parse_checkpoint(parse_note(note).text).tree_head.size
            its = [
                k.key for k in keys if k.from_size <= size and (k.last_size is None or size <= k.last_size)
            ]
            opened = open_checkpoint(note, origin=origin, trusted=its)
            assert isinstance(opened.signed, Verified)
            older = opened.checkpoint.tree_head
            proof = prove_consistency(older.size, last.size, read)
            verify_consistency(older=older, newer=last, proof=proof)
        except (EvidenceError, AssertionError, ValueError) as error:
            forks.append(f"{note!r}: {error}")
    return forks, last


def _judge_receipts(vault: Vault, given: Sequence[Given], head: TreeHead) -> list[str]:
    indexes: dict[bytes, int] = {}
    for number in range((head.size + WIDTH - 1) // WIDTH):
        tile = Tile(level="entries", index=number, width=width_at(head.size, "entries", number))
        for offset, entry in enumerate(parse_entries(vault.public.read_tile(tile), tile=tile)):
            indexes[entry] = number * WIDTH + offset
    read = TileNodeReader(vault.public.read_tile, head.size)
    lost, keys = [], receipt_keys(vault)
    for one in given:
        try:
            receipt = parse_receipt(one.receipt)
            verify_receipt(receipt, trusted=keys)
            event = receipt.event
            assert event.subject.id == one.item_id, "the receipt is about another item"
            digests = event.fields["digests"]
            assert isinstance(digests, dict)
            assert digests["sha256"] == one.sha256, "the receipt is about other bytes"
            entry = encode_leaf_entry(event.sha256, first_slot(event.subject))
            index = indexes.get(entry)
            assert index is not None, "not in the log"
            proof = prove_inclusion(index, head.size, read)
            verify_inclusion(tree_head=head, leaf_index=index, leaf_hash=leaf_hash(entry), proof=proof)
            if one.has_content:
                assert vault.blobs.digest(one.item_id).sha256.hex() == one.sha256, "other bytes"
        except (EvidenceError, AssertionError) as error:
            lost.append(f"{one.item_id}: {error}")
    return lost
