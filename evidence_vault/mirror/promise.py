"""Was the promise of a deposit receipt kept? The event's leaf is looked for in the whole log, by its entry.

(1) the log's newest checkpoint is signed by a key that the asker trusts
(2) every entry up to it is read, and authenticated against it
(3) the entry of the receipt's event stands there: kept
(4) another entry stands in its slot: the log holds another history of this item
(5) neither, and `log-by` has passed: broken; else it may still be kept
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.core.authentic import AuthenticTiles
from evidence_vault.core.events import encode_leaf_entry, first_slot
from evidence_vault.core.note_keys import VerifierKey
from evidence_vault.core.receipt import Receipt
from evidence_vault.core.tiles import WIDTH, Tile, width_at
from evidence_vault.mirror.follow import AHEAD_BUNDLES, open_head
from evidence_vault.mirror.source import Source, TileFetcher, fetch_checkpoint


class Promise(StrEnum):
    """What became of it."""

    KEPT = "kept"
    WAITING = "waiting"
    BROKEN = "broken"
    REPLACED = "replaced"


@value
class Answer:
    """What became of the promise as of `head`; leaf_index: where the entry, or the one in its place, stands."""

    promise: Promise
    leaf_index: int | None
    head: TreeHead
    note: bytes


def check_promise(receipt: Receipt, source: Source, keys: Sequence[VerifierKey], *, now: datetime) -> Answer:
    """Look for the receipt's event. keys: the log's, trusted. The receipt's own signature is the caller's to check.

    Raises VerificationError or FormatError for an answer that doesn't fit itself, UnavailableError for none.
    """
    # (1) Whose log it is.
    signed = open_head(fetch_checkpoint(source), keys)
    size = signed.head.size
    slot = first_slot(receipt.event.subject)
    wanted = encode_leaf_entry(receipt.event.sha256, slot)
    # (2) One pass; the newest entries first, because most receipts are checked soon.
    fetcher = TileFetcher(source)
    tiles = AuthenticTiles(signed.head, fetcher)
    replaced: int | None = None
    for last in range(-(-size // WIDTH), 0, -AHEAD_BUNDLES):
        indexes = range(max(0, last - AHEAD_BUNDLES), last)
        bundles = [Tile(level="entries", index=i, width=width_at(size, 0, i)) for i in indexes]
        full = [Tile(level=0, index=i) for i in indexes if width_at(size, 0, i) == WIDTH]
        fetcher.fetch_ahead([*bundles, *full])
        for bundle in bundles:
            for number, entry in enumerate(tiles.read_entries(bundle.index), bundle.index * WIDTH):
                if entry == wanted:  # (3)
                    return Answer(promise=Promise.KEPT, leaf_index=number, head=signed.head, note=signed.note)
                if entry[33:] == slot:
                    replaced = number
    # (4) before (5): what stands in its place shows more than its absence.
    if replaced is not None:
        promise = Promise.REPLACED
    else:
        promise = Promise.BROKEN if now > receipt.log_by else Promise.WAITING
    return Answer(promise=promise, leaf_index=replaced, head=signed.head, note=signed.note)
