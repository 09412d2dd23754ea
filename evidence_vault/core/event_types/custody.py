"""Who answers for the evidence, what must not be done with it, and what is held against it."""

from collections.abc import Mapping

from evidence_vault.core.event_types.form import ACCESS, ITEM_LIST, EventType
from evidence_vault.core.names import ACTOR_ID, BUNDLE_ID, CASE_ID, CODE, GRANT_ID, SHA256, TIME
from evidence_vault.core.shapes import Integer, Nullable, OneOf

CUSTODY: Mapping[str, EventType] = {
    "HOLD_PLACED": EventType(
        kinds=("item", "case"),
        fields={"source": CODE, "until": Nullable(TIME)},
        why=ACCESS,
        discloses=("reason", "reference"),
    ),
    "HOLD_RELEASED": EventType(
        kinds=("item", "case"), fields={"placed_seq": Integer(1)}, why=ACCESS, discloses=("reason",)
    ),
    "TRANSFER_OFFERED": EventType(
        kinds=("item",),
        fields={"receiver": ACTOR_ID, "expires_at": TIME, "sha256": Nullable(SHA256)},
        why=ACCESS,
        discloses=("reason",),
    ),
    "TRANSFER_ACCEPTED": EventType(
        kinds=("item",),
        fields={
            "offered_seq": Integer(1),
            "compared": OneOf(("stored", "held", "none")),
            "sha256": Nullable(SHA256),
        },
    ),
    "TRANSFER_REFUSED": EventType(
        kinds=("item",), fields={"offered_seq": Integer(1), "cause": CODE}, discloses=("reason",)
    ),
    "OBJECTION_RECORDED": EventType(
        kinds=("item",),
        fields={
            "case": Nullable(CASE_ID),
            "party": Nullable(Integer(1, 64)),
            "ground": OneOf(("authenticity", "legality", "relevance")),
            "period": Nullable(OneOf(("before-anchoring", "since-anchoring"))),
        },
        why=ACCESS,
        discloses=("text",),
    ),
    "OBJECTION_ANSWERED": EventType(
        kinds=("item",),
        fields={
            "objection_seq": Integer(1),
            "outcome": OneOf(("answered", "withdrawn", "upheld", "rejected")),
        },
        why=ACCESS,
        discloses=("text",),
    ),
    "OPINION_SEALED": EventType(kinds=("item",), fields={"case": CASE_ID, "about": ITEM_LIST}, why=ACCESS),
    "OPINION_UNSEALED": EventType(
        kinds=("item",), fields={"case": CASE_ID}, why=ACCESS, discloses=("reason",)
    ),
    "COURT_RECEIPTED": EventType(
        kinds=("item",),
        fields={
            "case": CASE_ID,
            "bundle": Nullable(BUNDLE_ID),
            "bundle_sha256": Nullable(SHA256),
            "received_at": TIME,
        },
        discloses=("number", "receiver"),
    ),
    "PSEUDONYM_REVEALED": EventType(
        kinds=("item",),
        fields={"pseudonym": ACTOR_ID, "order": GRANT_ID, "case": CASE_ID},
        discloses=("person", "name"),
    ),
}
