"""Fixity: the stored bytes of an item are read and hashed again, and what was found is an event.

    read all ──► SHA-256 ──► FIXITY_CHECKED, or FIXITY_FAILED

Before a notary signs, he sees it done. Each time reads the whole content, so there is a least time between two, and
one at a time for each item.

Durable after return: the event. A crash before the commit means: nothing was said. After it: it stands.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from anchors.values import value
from evidence_vault.core.events import Subject
from evidence_vault.errors import Conflict, IntegrityError, Locked, Overloaded
from evidence_vault.pipeline.record import Draft, EventActor, append_event
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Item
from evidence_vault.store.queries import attestations

CHECKED, FAILED = "FIXITY_CHECKED", "FIXITY_FAILED"
RETRY_AFTER_S = 2.0


@value
class FixityCheck:
    """What was found. found_sha256: None where the bytes could not be read to their end."""

    seq: int
    event_sha256: bytes
    intact: bool
    expected_sha256: bytes
    found_sha256: bytes | None
    at: datetime


def check_fixity(vault: Vault, item: Item, *, actor: EventActor) -> FixityCheck:
    """Read and hash the item's content again. Raises Conflict without content, Locked, Overloaded, ReadOnly."""
    vault.gate.require_open()
    if item.mode != "content" or item.sha256 is None:
        raise Conflict("fixity", "the vault holds no content of this item, only its digests")
    with _alone(item.id):
        _require_pause(vault, item.id)
        found = _hash_stored(vault, item.id)
        intact = found == item.sha256
        return _record(vault, item.id, item.sha256, found, intact=intact, actor=actor)


def _record(
    vault: Vault, item_id: str, expected: bytes, found: bytes | None, *, intact: bool, actor: EventActor
) -> FixityCheck:
    with vault.database.write() as session:
        recorded = append_event(
            vault,
            session,
            Draft(
                subject=Subject(kind="item", id=item_id),
                type=CHECKED if intact else FAILED,
                actor=actor,
                fields={"sha256": expected.hex()}
                if intact
                else {"expected_sha256": expected.hex(), "found_sha256": found.hex() if found else None},
                result="ok" if intact else "failed",
            ),
        )
    return FixityCheck(
        seq=recorded.event.seq,
        event_sha256=recorded.event.sha256,
        intact=intact,
        expected_sha256=expected,
        found_sha256=found,
        at=recorded.event.at,
    )


def _hash_stored(vault: Vault, item_id: str) -> bytes | None:
    running = hashlib.sha256()
    try:
        for chunk in vault.blobs.chunks(item_id):
            running.update(chunk)
    except IntegrityError:
        return None
    return running.digest()


def _require_pause(vault: Vault, item_id: str) -> None:
    with vault.database.read() as session:
        last = attestations.newest_of_types(session, item_id, [CHECKED, FAILED])
    if last is None:
        return
    free_at = last.at + timedelta(seconds=vault.settings.notary.rehash_interval_s)
    wait_s = (free_at - vault.clock()).total_seconds()
    if wait_s > 0:
        raise Overloaded("fixity", "the stored bytes were read again a moment ago", wait_s)


_READING: set[str] = set()
_LOCK = threading.Lock()


@contextmanager
def _alone(item_id: str) -> Iterator[None]:
    """One reader for each item in this process; another process is held off by the pause, once this one ends."""
    with _LOCK:
        if item_id in _READING:
            raise Locked("fixity", RETRY_AFTER_S)
        _READING.add(item_id)
    try:
        yield
    finally:
        with _LOCK:
            _READING.discard(item_id)
