"""The event types: which subject each may have, and its fields beyond the common ones.

A published type's fields never change, also inside `where`, `why`, `how`, `clock` and `actor`: a new field
is a new type. A type that is not in this table is carried and chained like any other, but its own fields
can't be judged: the verifier then says INDETERMINATE, never PASSED.
"""

from collections.abc import Mapping

from anchors.values import value
from evidence_vault.core.names import (
    BUNDLE_ID,
    CASE_ID,
    CODE,
    GRANT_ID,
    LABEL,
    SHA256,
    TIME,
)
from evidence_vault.core.shapes import Boolean, Integer, ListOf, MapOf, Nullable, OneOf, Record, Shape, Text

DIGEST_HEX = Text(r"(?:[0-9a-f]{2}){32,64}", 128, "a digest of 32 to 64 bytes in lower-case hex")
VKEY = Text(r"[^\s+]{1,100}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44,2000}", 2200, "a verifier key (C2SP signed-note)")
ADDRESS = Text(r"[0-9a-f]{40}", 40, "an Ethereum address, 40 lower-case hex digits")
PARAGRAPH = Text(r"[^\x00-\x09\x0b-\x1f\x7f]*", 2000, "text of at most 2000 characters")

ANCHOR = Record(
    {"kind": OneOf(("ethereum",)), "chain_id": Integer(1), "contract": ADDRESS, "sender": ADDRESS}
)
"""An anchor that the log uses: bundles may carry proofs from it."""

NOTHING = Record({})

ACCESS = Record(
    {
        "basis": OneOf(("owner", "grant", "order", "role", "break-glass")),
        "grant": Nullable(GRANT_ID),
        "case": Nullable(CASE_ID),
    }
)
"""Why somebody was let in: as owner, under a grant or order, by role, or by breaking the glass."""


@value
class EventType:
    """Where a type may stand and what it says. `why` replaces the empty `why` where a reason is asked."""

    kinds: tuple[str, ...]
    fields: Mapping[str, Shape]
    why: Shape = NOTHING


_TOKEN: Mapping[str, Shape] = {
    "authority": CODE,
    "imprint_sha256": SHA256,
    "request_sha256": SHA256,
    "response_sha256": SHA256,
}

EVENT_TYPES: Mapping[str, EventType] = {
    # The item's own history.
    "ITEM_RECEIVED": EventType(
        kinds=("item",),
        fields={
            "mode": OneOf(("content", "hash", "commitment")),
            "digests": MapOf(r"commitment|sha256|sha512|sha3-256|sm3", DIGEST_HEX, max_items=4, min_items=1),
            "size": Nullable(Integer()),
            "secret": Boolean(),
        },
    ),
    "TIMESTAMP_OBTAINED": EventType(kinds=("item",), fields=_TOKEN),
    "TIMESTAMP_FAILED": EventType(
        kinds=("item",), fields={"authority": CODE, "imprint_sha256": SHA256, "reason": CODE}
    ),
    "VIEWED": EventType(kinds=("item",), fields={"what": OneOf(("content", "metadata"))}, why=ACCESS),
    "DOWNLOADED": EventType(
        kinds=("item",),
        fields={"what": OneOf(("content", "bundle")), "bundle": Nullable(BUNDLE_ID)},
        why=ACCESS,
    ),
    "FIXITY_CHECKED": EventType(kinds=("item",), fields={"sha256": SHA256}),
    "FIXITY_FAILED": EventType(
        kinds=("item",), fields={"expected_sha256": SHA256, "found_sha256": Nullable(SHA256)}
    ),
    "ATTESTED": EventType(
        kinds=("item",), fields={"statement_sha256": SHA256, "signature_sha256": Nullable(SHA256)}
    ),
    "ATTESTATION_WITHDRAWN": EventType(
        kinds=("item",),
        fields={
            "attested_seq": Integer(1),
            "statement_sha256": SHA256,
            "signature_sha256": Nullable(SHA256),
        },
    ),
    # An item's or a case's.
    "EXPORTED": EventType(
        kinds=("item", "case"),
        fields={
            "bundle": BUNDLE_ID,
            "cut": Record({"size": Integer(1), "root": SHA256}),
            "parts_sha256": SHA256,
        },
        why=ACCESS,
    ),
    "CUSTODY_READ": EventType(kinds=("item", "case"), fields={}, why=ACCESS),
    # The platform's.
    "PLATFORM_STATED": EventType(
        kinds=("platform",),
        fields={
            "operator": LABEL,
            "operated_by_depositor": Boolean(),
            "relation_to_parties": LABEL,
            "filings": ListOf(LABEL, max_items=20),
            "can_read_content": Boolean(),
        },
    ),
    "INCIDENT_NOTED": EventType(
        kinds=("platform",),
        fields={
            "incident": CODE,
            "kind": CODE,
            "began_at": TIME,
            "ended_at": Nullable(TIME),
            "summary": PARAGRAPH,
        },
    ),
    # The log's.
    "LOG_OPENED": EventType(
        kinds=("log",),
        fields={"log_vkey": VKEY, "receipt_vkey": VKEY, "anchors": ListOf(ANCHOR, max_items=16)},
    ),
    "KEY_ROTATED": EventType(
        kinds=("log",),
        fields={"purpose": OneOf(("log", "receipt")), "old_vkey": VKEY, "new_vkey": VKEY},
    ),
    "ANCHOR_ADDED": EventType(kinds=("log",), fields={"anchor": ANCHOR}),
    "ANCHOR_LOST": EventType(
        kinds=("log",),
        fields={"anchor": ANCHOR, "size": Integer(1), "proof_sha256": Nullable(SHA256), "reason": CODE},
    ),
    # A checkpoint's: what came back from outside. imprint_sha256 is the digest of <size>.note.
    "CHECKPOINT_TIMESTAMPED": EventType(kinds=("checkpoint",), fields=_TOKEN),
    "CHECKPOINT_ANCHORED": EventType(
        kinds=("checkpoint",), fields={"anchor_kind": CODE, "note_sha256": SHA256, "proof_sha256": SHA256}
    ),
}
"""Every type this version can read, by name."""
