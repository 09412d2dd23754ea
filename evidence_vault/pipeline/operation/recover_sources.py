"""What lies beside a database that doesn't know it: deposits in journals, and events in the journal of the log.

A journal is believed for its receipt: a key that the log names for receipts has signed it, and it holds the
event. So nobody who can merely write files makes an item. An event is believed for its leaf: what the log
published is its digest.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from anchors.values import value
from evidence_vault.core.events import Event, parse_event, parse_leaf_entry
from evidence_vault.errors import EvidenceError, FormatError
from evidence_vault.pipeline.intake.deposited import Journal, open_journal
from evidence_vault.pipeline.log.shown import receipt_keys
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.blobs import PARTS, Told
from evidence_vault.store.packs import Damage, Location
from evidence_vault.store.queries import items

T = TypeVar("T")


@value
class FoundDeposit:
    """A deposit that the database doesn't know. is_aside: it lies in quarantine. location: it lies in a pack."""

    item_id: str
    journal: Journal
    is_aside: bool
    location: Location | None = None

    @property
    def event(self) -> Event:
        """Its ITEM_RECEIVED."""
        return self.journal.receipt.event


@value
class FoundEvent:
    """An event that was read from a journal, with the files of the proof that it records."""

    event: Event
    parts: Mapping[str, bytes]
    deposit: FoundDeposit | None


@value
class Deposits:
    """All deposits beside the database, by event_sha256; refused: files that are no journal of ours, and why.

    unreadable: packs, or pieces of them, in which deposits may be that nobody can read any more.
    torn: ends of packs that a crash may have left: of deposits that were never acknowledged then.
    """

    found: Mapping[bytes, FoundDeposit]
    refused: tuple[str, ...]
    unreadable: tuple[str, ...] = ()
    torn: tuple[str, ...] = ()


def find_deposits(vault: Vault) -> Deposits:
    """Read every journal whose item the database doesn't know, in the store and in quarantine."""
    found: dict[bytes, FoundDeposit] = {}
    refused: list[str] = []
    unreadable: list[str] = []
    torn: list[str] = []
    sizes = dict(vault.blobs.pack_sizes())

    def told(pack: str, what: Damage | Exception) -> None:
        if isinstance(what, Damage):
            ends = what.end == sizes.get(pack) and what.start > 0
            (torn if ends else unreadable).append(f"pack {pack}, bytes {what.start} to {what.end}: no record")
        else:
            unreadable.append(f"pack {pack}: {what}")

    trusted = receipt_keys(vault)
    for item_id, raw, is_aside, location in _unknown_journals(vault, told):
        try:
            if raw is None:
                raise FormatError(item_id, "a journal beside the content", "none")
            journal = open_journal(raw, item_id=item_id, origin=vault.settings.origin, trusted=trusted)
        except EvidenceError as error:
            refused.append(str(error))
            continue
        found[journal.receipt.event.sha256] = FoundDeposit(
            item_id=item_id, journal=journal, is_aside=is_aside, location=location
        )
    return Deposits(found=found, refused=tuple(refused), unreadable=tuple(unreadable), torn=tuple(torn))


def find_events(
    vault: Vault, deposits: Deposits, entries: Sequence[bytes], *, start: int
) -> dict[bytes, FoundEvent]:
    """Return the events that are found behind these leaf entries, the first of which is leaf `start`, by digest."""
    wanted = {parse_leaf_entry(entry)[0] for entry in entries}
    found: dict[bytes, FoundEvent] = {}
    for logged in vault.log_journal.read(start=start, end=start + len(entries)):
        sha256 = hashlib.sha256(logged.raw).digest()
        if sha256 in wanted:
            found[sha256] = FoundEvent(event=parse_event(logged.raw), parts=logged.parts, deposit=None)
    for sha256 in wanted & deposits.found.keys():
        deposit = deposits.found[sha256]
        found[sha256] = FoundEvent(event=deposit.event, parts={}, deposit=deposit)
    return found


def _unknown_journals(vault: Vault, told: Told) -> Iterator[tuple[str, bytes | None, bool, Location | None]]:
    """Yield of each item without a row: id, journal, whether it lies in quarantine, its place in a pack."""
    everywhere = [
        *((sorted(vault.blobs.item_ids(part)), False) for part in range(PARTS)),
        (sorted(set(vault.blobs.quarantined())), True),
    ]
    for item_ids, is_aside in everywhere:
        with vault.database.read() as session:
            known = items.known_item_ids(session, item_ids)
        for item_id in item_ids:
            if item_id not in known:
                read = vault.blobs.quarantined_journal if is_aside else vault.blobs.journal
                yield item_id, read(item_id), is_aside, None
    for records in _batched(vault.blobs.packed(told), 500):
        with vault.database.read() as session:
            known = items.known_item_ids(session, [record.item_id for _, record in records])
        for location, record in records:
            if record.item_id not in known:
                yield record.item_id, record.journal, False, location


def _batched(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the things in lists of at most `size`."""
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch
