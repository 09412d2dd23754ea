"""What was shown of the log, or signed, as far as the files of this home remember: nobody may be told otherwise.

the published checkpoint     public/checkpoint
a published note             public/checkpoints/…: a note whose checkpoint was then lost, with the lines of others
the signer's guard           keys/log.guard
a signed checkpoint          the database's own row
"""

from typing import Literal

from sqlalchemy.orm import Session

from anchors.base import TreeHead
from anchors.values import value
from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.note_keys import VerifierKey
from evidence_vault.core.notes import Verified, parse_signatures
from evidence_vault.errors import EvidenceError, IntegrityError
from evidence_vault.pipeline.log.log_keys import log_keys, named_keys
from evidence_vault.pipeline.log.publish import published_head
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import cosignatures, log

Where = Literal["published", "note", "guard", "signed", "cosigned", "anchored"]


@value
class Shown:
    """A tree head that stands somewhere outside the log's own rows. what: in words."""

    where: Where
    what: str
    head: TreeHead


def published_heads(vault: Vault) -> list[Shown]:
    """Return the published checkpoint, and the largest note if it is beyond that. Raises IntegrityError."""
    head = published_head(vault)
    found = [Shown(where="published", what="the published checkpoint", head=head)] if head.size else []
    beyond = max(vault.public.note_sizes(above=head.size), default=0)
    if beyond:
        note, lines = vault.public.note(beyond)
        others = len(parse_signatures(lines)) if lines else 0
        what = "a published note" if not others else f"a note that {others} others have cosigned"
        found.append(Shown(where="note", what=what, head=open_own(vault, note, place=f"{beyond}.note")))
    return found


def recorded_heads(vault: Vault) -> list[Shown]:
    """Return what the database itself says was signed, cosigned and anchored; the largest of each."""
    with vault.database.read() as session:
        found: list[tuple[Where, str, int | None]] = [
            ("signed", "the newest signed checkpoint", log.newest_signed(session)),
            ("cosigned", "the newest cosigned checkpoint", cosignatures.newest_size(session)),
            ("anchored", "the newest anchored checkpoint", log.newest_anchored(session)),
        ]
        heads = [(where, what, log.tree_head_at(session, size)) for where, what, size in found if size]
    return [Shown(where=where, what=what, head=head) for where, what, head in heads if head is not None]


@value
class Disagreement:
    """Why a head that others have seen is none of this log's. words: what follows its name."""

    expected: str
    found: str
    words: str


def disagreement(session: Session, head: TreeHead) -> Disagreement | None:
    """Return what is wrong between the log in the database and a head that was shown; None if it is one of its."""
    if head.size == 0:
        return None
    size = log.current_row(session).size
    if head.size > size:
        return Disagreement(
            expected=f"at most the {size} leaves of the database",
            found=f"{head.size} leaves",
            words=f"has {head.size} leaves, but the database {size}: it was restored from an older backup; "
            "see `evidence-vault recover --dry-run`",
        )
    ours, theirs = log.tree_head_at(session, head.size), head.root_hash.hex()
    if ours is None:
        expected, words = (
            "a size where this log stopped",
            f"has size {head.size}, where this log never stopped",
        )
        return Disagreement(expected=expected, found=theirs, words=words)
    if ours.root_hash != head.root_hash:
        words = f"has another root at size {head.size}: two histories"
        return Disagreement(expected=ours.root_hash.hex(), found=theirs, words=words)
    return None


def guard_head(vault: Vault) -> Shown:
    """Return the guard. Raises ReadOnly if it is missing, IntegrityError or FormatError if it is damaged."""
    return Shown(where="guard", what="the signer's guard", head=vault.log_signer.guarded_head())


def open_own(vault: Vault, note: bytes, *, place: str) -> TreeHead:
    """Return what one of our notes says. Raises IntegrityError unless a key of this log signed it."""
    try:
        opened = open_checkpoint(note, origin=vault.settings.origin, trusted=own_keys(vault))
    except EvidenceError as error:
        raise IntegrityError(place, "a note of this log", str(error)) from None
    if not isinstance(opened.signed, Verified):
        raise IntegrityError(place, f"a signature by {vault.settings.origin}", "none")
    return opened.checkpoint.tree_head


def own_keys(vault: Vault) -> list[VerifierKey]:
    """Return all keys of this log; after a restore the new one of a rotation is known by its file alone."""
    with vault.database.read() as session:
        named = [*named_keys(session, "log"), *(key.key for key in log_keys(session))]
    return list(dict.fromkeys([*vault.log_signer.verifier_keys, *named]))


def receipt_keys(vault: Vault) -> list[VerifierKey]:
    """Return the keys whose receipts are ours: those that the log names, and the one that signs now."""
    with vault.database.read() as session:
        named = named_keys(session, "receipt")
    return list(dict.fromkeys([*named, vault.receipt_signer.verifier_key]))
