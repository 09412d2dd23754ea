"""What the operator says of himself (platform), and what happens among those who run the vault (vault)."""

from collections.abc import Mapping

from evidence_vault.core.event_types.form import PARAGRAPH, ROLE, EventType
from evidence_vault.core.names import ACTOR_ID, CODE, ITEM_ID, LABEL, TIME
from evidence_vault.core.shapes import Boolean, Integer, ListOf, Nullable

HOUSE: Mapping[str, EventType] = {
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
    "ROLE_GIVEN": EventType(
        kinds=("vault",),
        fields={
            "person": ACTOR_ID,
            "role": Nullable(ROLE),
            "change": CODE,
            "proposed_by": Nullable(ACTOR_ID),
        },
        discloses=("name", "licence", "reason"),
    ),
    "BREAK_GLASS": EventType(
        kinds=("vault",), fields={"item": ITEM_ID, "action": CODE}, discloses=("reason",)
    ),
    "REFUSALS_COUNTED": EventType(
        kinds=("vault",),
        fields={"principal": Nullable(ACTOR_ID), "hour": TIME, "refusals": Integer(1)},
    ),
}
