"""What the log says of itself, and what outside parties said of its checkpoints."""

from collections.abc import Mapping

from evidence_vault.core.event_types.deposits import TOKEN
from evidence_vault.core.event_types.form import EventType
from evidence_vault.core.names import CODE, SHA256
from evidence_vault.core.shapes import Integer, ListOf, Nullable, OfKind, OneOf, Record, Text

VKEY = Text(r"[^\s+]{1,100}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44,2000}", 2200, "a verifier key (C2SP signed-note)")
ADDRESS = Text(r"[0-9a-f]{40}", 40, "an Ethereum address, 40 lower-case hex digits")

ANCHOR = Record(
    {"kind": OneOf(("ethereum",)), "chain_id": Integer(1), "contract": ADDRESS, "sender": ADDRESS}
)
"""An anchor that the log uses: bundles may carry proofs from it."""

ANY_ANCHOR = OfKind(
    {
        "ethereum": ANCHOR,
        "opentimestamps": Record(
            {"kind": OneOf(("opentimestamps",)), "network": OneOf(("main", "test", "regtest"))}
        ),
    }
)
"""Or the blocks of a Bitcoin network, under which calendars bring anybody's digests: no log names it to use it."""

LOG: Mapping[str, EventType] = {
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
        fields={"anchor": ANY_ANCHOR, "size": Integer(1), "proof_sha256": Nullable(SHA256), "reason": CODE},
    ),
    # A checkpoint's: what came back from outside. imprint_sha256 is the digest of <size>.note.
    "CHECKPOINT_TIMESTAMPED": EventType(kinds=("checkpoint",), fields=TOKEN),
    "CHECKPOINT_ANCHORED": EventType(
        kinds=("checkpoint",), fields={"anchor_kind": CODE, "note_sha256": SHA256, "proof_sha256": SHA256}
    ),
}
