"""An item's own history: its deposit, its tokens, its bytes, and what was signed about it."""

from collections.abc import Mapping

from evidence_vault.core.event_types.form import DIGEST_HEX, EventType
from evidence_vault.core.names import CODE, SHA256
from evidence_vault.core.shapes import Boolean, Integer, MapOf, Nullable, OneOf, Shape

TOKEN: Mapping[str, Shape] = {
    "authority": CODE,
    "imprint_sha256": SHA256,
    "request_sha256": SHA256,
    "response_sha256": SHA256,
}
"""What is recorded of a token; the files themselves lie beside the event."""

DEPOSITS: Mapping[str, EventType] = {
    "ITEM_RECEIVED": EventType(
        kinds=("item",),
        fields={
            "mode": OneOf(("content", "hash", "commitment")),
            "digests": MapOf(r"commitment|sha256|sha512|sha3-256|sm3", DIGEST_HEX, max_items=4, min_items=1),
            "size": Nullable(Integer()),
            "secret": Boolean(),
        },
        discloses=("file_name", "media_type", "note"),
    ),
    "TIMESTAMP_OBTAINED": EventType(kinds=("item",), fields=TOKEN),
    "TIMESTAMP_FAILED": EventType(
        kinds=("item",), fields={"authority": CODE, "imprint_sha256": SHA256, "reason": CODE}
    ),
    "FIXITY_CHECKED": EventType(kinds=("item",), fields={"sha256": SHA256}),
    "FIXITY_FAILED": EventType(
        kinds=("item",),
        fields={
            "cause": OneOf(("altered", "missing", "unreadable")),
            "expected_sha256": SHA256,
            "found_sha256": Nullable(SHA256),
        },
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
}
