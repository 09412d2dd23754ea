"""Where work in the background stands, and every way it may go on. Nothing else is a valid step.

An item's own state (received, timestamped, logged, anchored, final) is no column: it is derived from facts.
"""

from collections.abc import Mapping
from enum import StrEnum

from evidence_vault.errors import IntegrityError


class JobState(StrEnum):
    """All states of all kinds of jobs."""

    READY = "READY"
    PREPARED = "PREPARED"
    SUBMITTED = "SUBMITTED"
    INCLUDED = "INCLUDED"
    FINAL = "FINAL"
    SUPERSEDED = "SUPERSEDED"
    LOST = "LOST"
    SPOOLED = "SPOOLED"
    VERIFIED = "VERIFIED"
    EXPIRED = "EXPIRED"
    DONE = "DONE"
    FAILED = "FAILED"


class UploadState(StrEnum):
    """Where a resumable upload stands; all but OPEN is for good."""

    OPEN = "OPEN"  # bytes may come; whole, it waits to become an item
    DONE = "DONE"  # it is an item
    MISMATCH = "MISMATCH"  # whole, and not what was announced; its bytes are gone
    TERMINATED = "TERMINATED"  # its owner took it back
    EXPIRED = "EXPIRED"  # nothing came for too long


S = JobState
Steps = Mapping[JobState, frozenset[JobState]]

TIMESTAMP: Steps = {
    S.READY: frozenset({S.READY, S.DONE, S.FAILED}),  # READY again: asked, no answer yet; backing off
    S.DONE: frozenset(),  # a verified token and its event are committed
    S.FAILED: frozenset(
        {S.READY}
    ),  # it refused, and says so again until an operator, who mended something, asks
}
"""A token from one authority over one item or one checkpoint."""

ANCHOR: Steps = {
    S.READY: frozenset({S.READY, S.PREPARED, S.FAILED}),
    # PREPARED again: signed and stored, not yet sent. INCLUDED: found on the chain, sent by another worker or
    # before the database was restored.
    S.PREPARED: frozenset({S.PREPARED, S.SUBMITTED, S.INCLUDED, S.SUPERSEDED, S.FAILED}),
    S.SUBMITTED: frozenset({S.SUBMITTED, S.INCLUDED, S.SUPERSEDED, S.FAILED}),  # SUBMITTED again: fee raised
    S.INCLUDED: frozenset({S.INCLUDED, S.SUBMITTED, S.FINAL}),  # SUBMITTED: a reorganisation took it out
    S.FINAL: frozenset({S.LOST}),  # LOST: the chain went back behind what it called final
    S.SUPERSEDED: frozenset(),  # a larger checkpoint of ours is on the chain
    # Anchored again: what was signed is sent again, or is found where the network put it meanwhile.
    S.LOST: frozenset({S.LOST, S.PREPARED, S.SUBMITTED, S.INCLUDED, S.SUPERSEDED, S.FAILED}),
    S.FAILED: frozenset(),  # only with a reason that an operator can act on
}
"""A checkpoint on one network."""

EXPORT: Steps = {
    S.READY: frozenset(
        {S.READY, S.SPOOLED, S.FAILED}
    ),  # READY again: waiting for a checkpoint that covers it
    S.SPOOLED: frozenset(
        {S.VERIFIED, S.FAILED}
    ),  # written; our own verifier reads it before anyone else does
    S.VERIFIED: frozenset({S.EXPIRED}),  # may be handed out
    S.EXPIRED: frozenset(),  # the spooled file is gone; the export's record stays
    S.FAILED: frozenset(),
}
"""A bundle being made."""

REVOCATION: Steps = {
    S.READY: frozenset(
        {S.READY, S.DONE, S.FAILED}
    ),  # READY again: none yet, or a later list is still to come
    S.DONE: frozenset({S.READY}),  # READY: another token by this chain
    S.FAILED: frozenset({S.READY}),  # none was to be had for a long time; the tokens stand without it
}
"""Evidence that no certificate of an authority's chain was revoked, for all tokens made under it so far."""

WEBHOOK: Steps = {
    S.READY: frozenset({S.READY, S.DONE}),  # READY again: told so far, or to be tried again
    S.DONE: frozenset(),  # taken back, or given up
}
"""A receiver that is told what happens."""

STEPS: Mapping[str, Steps] = {
    "timestamp": TIMESTAMP,
    "anchor": ANCHOR,
    "export": EXPORT,
    "revocation": REVOCATION,
    "webhook": WEBHOOK,
}
"""The steps of each kind of job."""


def check_step(kind: str, old: JobState, new: JobState) -> None:
    """Raise IntegrityError unless a job of this kind may go from `old` to `new`."""
    if new not in STEPS[kind][old]:
        allowed = ", ".join(sorted(STEPS[kind][old])) or "no further state"
        raise IntegrityError(f"{kind} job in state {old}", allowed, new)
