"""Sequence: pending events become leaves, each at its index for ever.

Durable after return: the leaves, the tree head and the frontier that the next batch grows from.
A crash before the commit means: nothing happened; the events are still pending.
A crash after it means: the leaves are in the log; the next checkpoint shows them.

Safety is the lock on the tree-head row and the compare-and-swap on (size, epoch): two sequencers, in one
process or several, never give one index twice. Within a subject the index rises with seq, because rows are
taken by id and ids are given under the lock of the subject's head.
"""

from anchors.base import TreeHead
from evidence_vault.core.merkle import Frontier, leaf_hash
from evidence_vault.errors import IntegrityError
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import CurrentTreeHead
from evidence_vault.store.queries import log

BATCH_LEAVES = 4000
"""Leaves in one transaction: enough that what a transaction costs by itself (4 ms) is a tenth of it, few enough to
let deposits in, which on SQLite wait 40 ms for it. Only a backlog makes so many."""


def sequence(vault: Vault, *, max_leaves: int = BATCH_LEAVES) -> int:
    """Give up to `max_leaves` pending events their leaves; return how many.

    Raises ReadOnly while the vault is, and IntegrityError if the tree head disagrees with itself.
    """
    vault.gate.require_open()
    with vault.database.write(alone=True) as session:
        row = log.lock_tree_head(session)
        pending = log.pending_events(session, max_leaves)
        if not pending.event_ids:
            return 0
        frontier = stored_frontier(row)
        log.insert_leaves(session, first_index=row.size, event_ids=pending.event_ids)
        swapped = log.swap_tree_head(
            session,
            old_size=row.size,
            old_epoch=row.epoch,
            frontier=frontier.extend([leaf_hash(entry) for entry in pending.entries]),
            at=vault.clock(),
        )
        if not swapped:  # the row was locked and yet moved: roll back, and let an operator look
            raise IntegrityError("tree head", f"({row.size}, epoch {row.epoch})", "another")
    return len(pending.event_ids)


def stored_frontier(row: CurrentTreeHead) -> Frontier:
    """Return the right edge stored with the head. Raises IntegrityError unless it has the head's root."""
    hashes = tuple(row.frontier[at : at + 32] for at in range(0, len(row.frontier), 32))
    frontier = Frontier(size=row.size, hashes=hashes)
    if frontier.tree_head() != TreeHead(size=row.size, root_hash=row.root_hash):
        raise IntegrityError("tree head", row.root_hash.hex(), frontier.tree_head().root_hash.hex())
    return frontier
