"""What happens in a case: its parties, its items, its orders, and the consent that opens a mediation."""

from collections.abc import Mapping

from evidence_vault.core.event_types.form import ACCESS, FROZEN, ITEM_LIST, EventType
from evidence_vault.core.names import ACTOR_ID, CASE_ID, CODE, GRANT_ID, ITEM_ID, LABEL, SHA256, TIME
from evidence_vault.core.shapes import Boolean, Integer, ListOf, Nullable, OneOf

CASES: Mapping[str, EventType] = {
    "CASE_OPENED": EventType(
        kinds=("case",),
        fields={
            "forum": CODE,
            "jurisdiction": CODE,
            "confidentiality": OneOf(("open", "parties", "bench")),
            "mediation_only": Boolean(),
        },
        discloses=("forum_name", "number", "title"),
    ),
    "PARTY_NAMED": EventType(
        kinds=("case",),
        fields={"party": Integer(1, 64), "side": CODE, "person": Nullable(ACTOR_ID)},
        discloses=("name",),
    ),
    "ITEM_ADDED": EventType(
        kinds=("case",),
        fields={"item": ITEM_ID, "number": Integer(1), "copies": Nullable(Integer(1))},
        why=ACCESS,
        discloses=("source", "proves"),
    ),
    "ORDER_REGISTERED": EventType(
        kinds=("case",),
        fields={
            "order": GRANT_ID,
            "court": LABEL,
            "issued_at": TIME,
            "expires_at": TIME,
            "lawyers": ListOf(ACTOR_ID, max_items=10, sorted_unique=True),
            "respondent": Nullable(ACTOR_ID),
            "document_sha256": Nullable(SHA256),
            "reveals": Boolean(),
            **FROZEN,
        },
        discloses=("number", "officer", "purpose", "respondent_name"),
    ),
    "ORDER_RETURNED": EventType(
        kinds=("case",),
        fields={
            "order": GRANT_ID,
            "asked": Integer(),
            "produced": ITEM_LIST,
            "refused": ITEM_LIST,
            "not_found": Integer(),
        },
        discloses=("note",),
    ),
    "CONSENT_GIVEN": EventType(
        kinds=("case",), fields={"party": Integer(1, 64), "for_case": CASE_ID, "items": ITEM_LIST}
    ),
}
