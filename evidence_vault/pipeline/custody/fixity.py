"""Fixity: the stored bytes of an item are read and hashed again, and what was found is an event.

    read all ──► SHA-256 ──► FIXITY_CHECKED, or FIXITY_FAILED

Before a notary signs, he sees it done. Each time reads the whole content, so there is a least time between two, and
in each process one at a time for each item, and a few in all: whoever asks for more waits his turn, and nobody for
him.

Durable after return: the event. A crash before the commit means: nothing was said. After it: it stands.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from anchors.values import value
from evidence_vault.core.names import encode_time
from evidence_vault.errors import Conflict, Locked, TooSoon
from evidence_vault.pipeline.custody.looks import check_now
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.custody_models import SOUND
from evidence_vault.store.models import Item
from evidence_vault.store.queries import attestations, sweep

CHECKED, FAILED = "FIXITY_CHECKED", "FIXITY_FAILED"
RETRY_AFTER_S = 2.0
READERS = 4
"""At a time in a process: each holds one of the threads that answer everybody, for as long as its content is."""


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
    """Read and hash the item's content again. Raises Conflict without content, Locked, TooSoon, ReadOnly."""
    vault.gate.require_open()
    if item.mode != "content" or item.sha256 is None:
        raise Conflict("fixity", "the vault holds no content of this item, only its digests")
    with _alone(item.id):
        _require_pause(vault, item.id)
        with vault.database.read() as session:
            content = sweep.content_of(session, item.id)
        assert content is not None  # it has content
        look, event = check_now(vault, content, actor=actor)
    intact = look.state == SOUND
    return FixityCheck(
        seq=event.seq,
        event_sha256=event.sha256,
        intact=intact,
        expected_sha256=item.sha256,
        found_sha256=item.sha256 if intact else look.found_sha256,
        at=event.at,
    )


def _require_pause(vault: Vault, item_id: str) -> None:
    with vault.database.read() as session:
        last = attestations.newest_of_types(session, item_id, [CHECKED, FAILED])
    if last is None:
        return
    free_at = last.at + timedelta(seconds=vault.settings.notary.rehash_interval_s)
    wait_s = (free_at - vault.clock()).total_seconds()
    if wait_s > 0:
        raise TooSoon("fixity", f"the stored bytes were read again at {encode_time(last.at)}", wait_s)


_READING: set[str] = set()
_LOCK = threading.Lock()


@contextmanager
def _alone(item_id: str) -> Iterator[None]:
    """One reader for each item in this process; another process is held off by the pause, once this one ends."""
    with _LOCK:
        if item_id in _READING or len(_READING) >= READERS:
            raise Locked("fixity", RETRY_AFTER_S)
        _READING.add(item_id)
    try:
        yield
    finally:
        with _LOCK:
            _READING.discard(item_id)
