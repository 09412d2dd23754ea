"""Orphans: bytes on the disk that no row knows, looked for a little at a time.

    contents   a content or journal without an item: set aside in `quarantine/`, with a row that says so
    packs      a record without an item: reported by a row; it stays, for others share its pack

A pack that can't be read is told (the log, /readyz), looked at again every hour, and keeps nobody waiting: others
don't depend on it. What is lost with it is for `log fsck` and the operator's backup.

Nothing is ever deleted: a restored database doesn't know the items that were committed after its backup, and
`recover` reads quarantine and packs alike. Only what lies in `incoming`, which was never acknowledged, is swept.

A store may hold millions of files, and a start must not wait for them: each round looks at one of 256 parts of the
store and at one pack. Where a round stands is no state worth keeping: the walk begins at a part chosen by chance,
so that a process that is often started again passes over no part for ever.
"""

import logging
from datetime import datetime, timedelta

from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.blobs import PARTS
from evidence_vault.store.queries import items, uploads

LOG = logging.getLogger("evidence_vault.pipeline")

ORPHAN_AFTER = timedelta(hours=1)
"""An upload so old is not being committed any more by another process."""

ROUND_S = 3600 / PARTS
"""Between two rounds: 14 seconds, so that everything has been looked at within the hour."""


class OrphanWalk:
    """One process's way round the store. `step` is a round."""

    def __init__(self, vault: Vault) -> None:
        """Begin somewhere."""
        self._vault = vault
        self._part = vault.random(1)[0] % PARTS
        self._rounds = 0
        self._judged: dict[str, int] = {}  # packs, with the size they had: a process may add to its own
        self._damaged: set[str] = set()  # of those; the vault's own notes of them have room for some hundred

    def step(self) -> list[str]:
        """Look at the next part and the next pack; return the ids of the orphans that are new."""
        vault, now = self._vault, self._vault.clock()
        if vault.gate.reasons:
            return []
        vault.blobs.sweep_incoming(older_than_s=ORPHAN_AFTER.total_seconds(), now_s=now.timestamp())
        self._part = (self._part + 1) % PARTS
        self._rounds += 1
        if self._rounds % PARTS == 0:
            for pack in self._damaged:  # somebody may have mended them
                self._judged.pop(pack, None)
        found = set_orphans_aside(vault, now=now, part=self._part)
        packs = vault.blobs.pack_sizes(older_than_s=ORPHAN_AFTER.total_seconds(), now_s=now.timestamp())
        for pack, size in packs:
            if self._judged.get(pack) != size:
                self._judged[pack] = size
                found += self._judge(pack, now=now)
                break
        return found

    def _judge(self, pack: str, *, now: datetime) -> list[str]:
        """Look at one pack; return the ids of its orphans that are new."""
        try:
            found = self._vault.blobs.packed_ids(pack)
        except (IntegrityError, OSError) as error:
            self._damaged.add(pack)
            self._vault.damage[pack] = str(error)
            LOG.critical("a pack can't be read", extra={"target": pack, "error": str(error)})
            return []
        self._damaged.discard(pack)
        self._vault.damage.pop(pack, None)
        return report_packed(self._vault, found, now=now)


def set_orphans_aside(
    vault: Vault, *, now: datetime, part: int, older_than: timedelta = ORPHAN_AFTER
) -> list[str]:
    """Quarantine the contents of one part that no row knows; return their ids.

    Does nothing while the vault is read-only. Durable after return. A crash midway means: the rest is found again.
    """
    if vault.gate.reasons:
        return []
    found = vault.blobs.item_ids(part, older_than_s=older_than.total_seconds(), now_s=now.timestamp())
    with vault.database.read() as session:
        orphans = sorted(found - items.known_item_ids(session, found) - uploads.open_item_ids(session, found))
    for item_id in orphans:
        vault.blobs.quarantine(item_id)
        with vault.database.write() as session:
            items.note_upload(session, item_id=item_id, actor_id=None, state="ORPHANED", at=now)
    return orphans


def report_packed(vault: Vault, found: set[str], *, now: datetime) -> list[str]:
    """Note which of these records of a pack no row knows, each once; return their ids.

    A group that was never committed leaves such records, and so does a database that was restored.
    """
    with vault.database.read() as session:
        orphans = found - items.known_item_ids(session, found)
        new = sorted(orphans - items.noted_ids(session, orphans))
    if new:
        with vault.database.write() as session:
            for item_id in new:
                items.note_upload(session, item_id=item_id, actor_id=None, state="ORPHANED", at=now)
    return new
