"""Who was let in, on what ground, and what of it: grants, accesses, refusals.

A grant's events stand with every subject that it is about: each of its items, and the case it was given in.
"""

from collections.abc import Mapping

from evidence_vault.core.event_types.form import ACCESS, FROZEN, ROLE, EventType
from evidence_vault.core.names import ACTOR_ID, BUNDLE_ID, CASE_ID, CODE, GRANT_ID, SHA256, TIME
from evidence_vault.core.shapes import Boolean, Integer, ListOf, Nullable, OneOf, Record

ACCESSES: Mapping[str, EventType] = {
    "VIEWED": EventType(kinds=("item",), fields={"what": OneOf(("content", "metadata"))}, why=ACCESS),
    "DOWNLOADED": EventType(
        kinds=("item",),
        fields={"what": OneOf(("content", "bundle")), "bundle": Nullable(BUNDLE_ID)},
        why=ACCESS,
    ),
    "WORKING_COPY_MADE": EventType(
        kinds=("item",), fields={"sha256": SHA256}, why=ACCESS, discloses=("purpose",)
    ),
    "PRESENTED": EventType(
        kinds=("item",),
        fields={"case": CASE_ID, "presented_at": TIME},
        why=ACCESS,
        discloses=("place", "note"),
    ),
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
    "GRANTED": EventType(
        kinds=("item", "case"),
        fields={
            "grant": GRANT_ID,
            "grantee": ACTOR_ID,
            "grantee_role": ROLE,
            "case": Nullable(CASE_ID),
            "order": Nullable(GRANT_ID),
            "parent": Nullable(GRANT_ID),
            "actions": ListOf(CODE, max_items=16, sorted_unique=True),
            "not_before": TIME,
            "expires_at": TIME,
            "view_limit": Nullable(Integer(1)),
            "onward": Boolean(),
            "jurisdiction": Nullable(CODE),
            **FROZEN,
        },
        why=ACCESS,
        discloses=("purpose", "basis"),
    ),
    "GRANT_REVOKED": EventType(
        kinds=("item", "case"), fields={"grant": GRANT_ID, "cause": CODE}, discloses=("reason",)
    ),
    "GRANT_EXPIRED": EventType(kinds=("item", "case"), fields={"grant": GRANT_ID, "expires_at": TIME}),
    "UNDERTAKING_SIGNED": EventType(
        kinds=("item",),
        fields={"grant": GRANT_ID, "text_sha256": SHA256, "signature_sha256": Nullable(SHA256)},
        discloses=("name",),
    ),
    "ACCESS_REFUSED": EventType(
        kinds=("item",), fields={"action": CODE, "grant": Nullable(GRANT_ID), "reason": CODE}
    ),
}
