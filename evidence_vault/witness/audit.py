"""Full audit: before a checkpoint is cosigned, everything it covers is read, checked and kept in a mirror.

A consistency proof shows that a log grew. It doesn't show what the log holds: two entries for one slot are two
histories of one subject, in one log that only grew. A witness that follows sees that too, and whoever asks it gets
the log from it when the operator is gone.
"""

from collections.abc import Sequence
from pathlib import Path

from anchors.base import TreeHead
from evidence_vault.core.note_keys import VerifierKey
from evidence_vault.errors import FormatError, UnavailableError, VerificationError
from evidence_vault.mirror.evidence import LogMisbehaved
from evidence_vault.mirror.folder import MirrorFolder
from evidence_vault.mirror.follow import SignedHead, check_growth, follow_once, held_head
from evidence_vault.mirror.pinning import pin_keys
from evidence_vault.mirror.source import Source, TileFetcher
from evidence_vault.witness.witness import Audit


def mirror_audit(folder: Path, source: Source, *, keys: Sequence[VerifierKey]) -> Audit:
    """Return an audit that keeps its mirror in `folder`. Raises ConfigError if that is pinned to other keys."""
    mirror = MirrorFolder(folder)
    pin_keys(mirror, source, keys)

    def audit(head: TreeHead, note: bytes) -> None:
        try:
            growth = follow_once(mirror, source)
            if growth.after.size < head.size:
                raise UnavailableError(source.name, f"shows {growth.after.size} leaves, not {head.size} yet")
            # What it shows us and what it asks us to sign must be one history too.
            known = held_head(mirror, mirror.pinned_keys())
            check_growth(mirror, TileFetcher(source), known=known, shown=SignedHead(head=head, note=note))
        except LogMisbehaved:
            raise
        except (VerificationError, FormatError) as error:
            raise UnavailableError(source.name, f"its files don't fit themselves: {error}") from None

    return audit
