"""Adopt: rebuild the signer's guard from everything that was shown of the log. An operator's decision.

    (1) gather     published checkpoint and notes; what the database says was signed, cosigned, anchored; the guard
    (2) compare    each must be a head of the log in the database: else nothing is adopted
    (3) adopt      the largest of them becomes the guard; a line in audit.log says so

Durable after return. A crash before (3) means: nothing happened; after it: the guard is there, a line may miss.

Offline: what only others hold (a chain's anchor, a witness, a bundle in somebody's hands) can't be asked here.
`serve` asks the chains before it goes on, and refuses what they contradict; for the rest the operator vouches.
Not done here: to lower a guard. A guard that is larger than the database shows a backup, for `recover`.
"""

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.core.canonical import Json
from evidence_vault.core.merkle import EMPTY_ROOT
from evidence_vault.errors import FormatError, IntegrityError, ReadOnly
from evidence_vault.pipeline.log.sequence import stored_frontier
from evidence_vault.pipeline.log.shown import Shown, disagreement, guard_head, published_heads, recorded_heads
from evidence_vault.pipeline.operation.audit import write_audit_line
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import log


@value
class Adoption:
    """What is to be the guard, and what speaks for it. before: the guard that is there; None: missing, damaged."""

    head: TreeHead
    before: TreeHead | None
    seen: tuple[Shown, ...]

    @property
    def is_needed(self) -> bool:
        """Whether the guard is not that already."""
        return self.head != self.before


def plan_adoption(vault: Vault) -> Adoption:
    """(1) and (2). Changes nothing. Raises IntegrityError, naming what disagrees with the database."""
    seen = [*published_heads(vault), *recorded_heads(vault)]
    try:
        seen.append(guard := guard_head(vault))
        before: TreeHead | None = guard.head
    except (ReadOnly, FormatError):
        before = None
    with vault.database.read() as session:
        stored_frontier(log.current_row(session))
        for one in seen:
            if wrong := disagreement(session, one.head):
                raise IntegrityError(f"{one.what}, size {one.head.size}", wrong.expected, wrong.found)
    largest = max(
        (one.head for one in seen),
        key=lambda head: head.size,
        default=TreeHead(size=0, root_hash=EMPTY_ROOT),
    )
    return Adoption(head=largest, before=before, seen=tuple(seen))


def adopt(vault: Vault, adoption: Adoption) -> None:
    """(3) Write the guard. Raises IntegrityError if it remembers more by now."""
    vault.log_signer.adopt(adoption.head)
    write_audit_line(
        vault,
        "log adopt",
        {
            "size": adoption.head.size,
            "root": adoption.head.root_hash.hex(),
            "before": None if adoption.before is None else adoption.before.size,
            "seen": list[Json](f"{one.what}: {one.head.size}" for one in adoption.seen),
        },
    )
