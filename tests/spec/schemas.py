"""Makes the published JSON Schemas (draft 2020-12): `python -m tests.spec.schemas` writes docs/spec/schemas.

Events, bundle parts, statements and receipts come from the very shapes that the code checks with. The proof
and headers files of Ethereum, and the report, have no shapes in the code: they are described here a second
time, and tests hold both against examples and their mutations.

What a schema can't say (sorted arrays, canonical bytes, chains) stands in the documents beside them.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from anchors.canonical import MAX_INTEGER
from anchors.ethereum.headers import MAX_BLOCKS
from anchors.ethereum.proof import MAX_PROOF_BYTES
from anchors.ethereum.trie import MAX_INDEX, MAX_NODES
from anchors.opentimestamps import headers as bitcoin_headers
from anchors.opentimestamps.bitcoin import NETWORKS
from anchors.opentimestamps.proof import MAX_HEIGHT
from anchors.sources import MAX_SOURCES
from evidence_vault.core import attestation, layout, receipt
from evidence_vault.core.event_types.form import NOTHING
from evidence_vault.core.event_types.table import EVENT_TYPES
from evidence_vault.core.events import COMMON, SUBJECT_IDS
from evidence_vault.core.names import BUNDLE_ID, CASE_ID, ITEM_ID, LOG_CLASS, ORIGIN, SHA256, TIME
from evidence_vault.core.shapes import Boolean, Integer, ListOf, Nullable, OneOf, Record, Shape, Text
from evidence_vault.errors import FormatError
from evidence_vault.verify import parts
from evidence_vault.verify.report import EXIT_CODES, Status, Verdict
from evidence_vault.verify.texts import QUALIFICATION

FOLDER = Path(__file__).parents[2] / "docs" / "spec" / "schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


@cache
def all_schemas() -> dict[str, Schema]:
    """Every schema by its file's name."""
    return {
        "event.json": published("Custody event", event()),
        "bundle.json": published("proof/bundle.json", layout._BUNDLE.schema()),
        "disclosures.json": published("proof/disclosures.json", parts._DISCLOSURES.schema()),
        "redacted-event.json": published("A redacted event", parts._REDACTED.schema()),
        "consistency.json": published("A consistency proof", parts._CONSISTENCY.schema()),
        "attestation.json": published(
            "An attestation, behind its type line", attestation._ATTESTATION.schema()
        ),
        "withdrawal.json": published("A withdrawal, behind its type line", attestation._WITHDRAWAL.schema()),
        "receipt.json": published("A deposit receipt", receipt._RECEIPT.schema()),
        "ethereum-proof.json": published("The proof of an Ethereum anchor", ETHEREUM_PROOF.schema()),
        "headers.json": published("A headers file", HEADERS.schema()),
        "opentimestamps-proof.json": published("The proof of an OpenTimestamps anchor", OTS_PROOF.schema()),
        "bitcoin-headers.json": published("A headers file of Bitcoin", BITCOIN_HEADERS.schema()),
        "report.json": published("A verification report", report()),
    }


def published(title: str, schema: Mapping[str, Any]) -> Schema:
    return {"$schema": DRAFT, "title": title, **schema}


# Events.


def event() -> Schema:
    """Common fields for any type; a known type's own fields besides, and nothing else."""
    common = {**COMMON, "where": _AnyObject(), "why": _AnyObject()}
    known = [
        {"if": _has(type={"const": name}), "then": {"$ref": f"#/$defs/{name}"}}
        for name in sorted(EVENT_TYPES)
    ]
    ids = [
        {
            "if": _has(subject=_has(kind={"const": kind})),
            "then": {"properties": {"subject": {"properties": {"id": shape.schema()}}}},
        }
        for kind, shape in SUBJECT_IDS.items()
    ]
    first = {
        "if": _has(seq={"const": 0}),
        "then": _prop(prev={"type": "null"}),
        "else": _prop(prev=SHA256.schema()),
    }
    deposit = {
        "if": _has(subject=_has(kind={"const": "item"}), seq={"const": 0}),
        "then": _prop(type={"const": "ITEM_RECEIVED"}),
        "else": _prop(type={"not": {"const": "ITEM_RECEIVED"}}),
    }
    return {
        "type": "object",
        "properties": {name: shape.schema() for name, shape in sorted(common.items())},
        "required": sorted(common),
        "allOf": [first, deposit, *ids, *known],
        "$defs": {name: event_type(name) for name in sorted(EVENT_TYPES)},
    }


def event_type(name: str) -> Schema:
    described = EVENT_TYPES[name]
    fields: dict[str, Shape] = {**COMMON, **described.fields, "where": NOTHING, "why": described.why}
    schema: Schema = Record(fields).schema()
    schema["properties"]["type"] = {"const": name}
    schema["properties"]["subject"]["properties"]["kind"] = {"enum": list(described.kinds)}
    if name == "ITEM_RECEIVED":
        schema |= deposited()
    return schema


def deposited() -> Schema:
    """A commitment hides even the digest; every other mode has sha256 and may have more."""
    lengths = {name: {"maxLength": 64} for name in ("commitment", "sha256", "sha3-256", "sm3")}
    exact = lengths | {"sha512": {"minLength": 128}}
    committed = {
        "properties": {"digests": {"required": ["commitment"], "maxProperties": 1}, "size": {"type": "null"}}
    }
    hashed = {"properties": {"digests": {"required": ["sha256"], "properties": {"commitment": False}}}}
    sized = {"if": _has(mode={"const": "content"}), "then": _prop(size={"type": "integer"})}
    modes = {"if": _has(mode={"const": "commitment"}), "then": committed, "else": hashed}
    return {"allOf": [modes, sized, {"properties": {"digests": {"properties": exact}}}]}


class _AnyObject:
    """`where` and `why` belong to the type."""

    def check(self, value: object, place: str) -> None:
        """Accept any object: a schema is all that is made of this shape."""
        if not isinstance(value, dict):
            raise FormatError(place, "an object", value)

    def schema(self) -> Schema:
        return {"type": "object"}


def _has(**properties: Schema) -> Schema:
    return {"properties": properties, "required": sorted(properties)}


def _prop(**properties: Schema) -> Schema:
    return {"properties": properties}


# What has no shape in the code.

BASE64 = Text(
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?",
    MAX_PROOF_BYTES,
    "bytes in padded base64, unused bits zero",
)
HEX20, HEX32 = Text(r"[0-9a-f]{40}", 40), Text(r"[0-9a-f]{64}", 64)
ETHEREUM_PROOF = Record(
    {
        "v": OneOf((1,)),
        "kind": OneOf(("ethereum",)),
        "chain_id": Integer(1, MAX_INTEGER),
        "contract": HEX20,
        "sender": HEX20,
        "header": BASE64,
        "receipt_index": Integer(0, MAX_INDEX),
        "nodes": ListOf(BASE64, MAX_NODES),
    }
)
HEADER_80 = Text(r"[0-9a-f]{160}", 160)
HOST = Text(r"[!\"$-.0-9:-<>A-\[\]-~]{1,255}", 255, "a host, with or without a port")
OTS_PROOF = Record(
    {
        "v": OneOf((1,)),
        "kind": OneOf(("opentimestamps",)),
        "network": OneOf(tuple(NETWORKS)),
        "height": Nullable(Integer(0, MAX_HEIGHT)),
        "header": Nullable(HEADER_80),
        "ots_sha256": SHA256,
    }
)
BITCOIN_HEADERS = Record(
    {
        "v": OneOf((1,)),
        "kind": OneOf(("bitcoin",)),
        "network": OneOf(tuple(NETWORKS)),
        "fetched_at": TIME,
        "sources": ListOf(
            Record(
                {
                    "host": HOST,
                    "blocks": ListOf(
                        Record(
                            {
                                "height": Integer(0, MAX_HEIGHT),
                                "headers": ListOf(HEADER_80, bitcoin_headers.DEPTH),
                            }
                        ),
                        bitcoin_headers.MAX_BLOCKS,
                    ),
                }
            ),
            MAX_SOURCES,
        ),
    }
)
HEADERS = Record(
    {
        "v": OneOf((1,)),
        "chain_id": Integer(1, MAX_INTEGER),
        "fetched_at": TIME,
        "sources": ListOf(
            Record(
                {
                    "host": HOST,
                    "blocks": ListOf(
                        Record({"number": Integer(), "hash": HEX32, "finalized": Boolean()}), MAX_BLOCKS
                    ),
                }
            ),
            MAX_SOURCES,
        ),
    }
)
ANY_TEXT: Schema = {"type": "string"}
BOTH: Schema = {
    "type": "object",
    "properties": {"zh": ANY_TEXT, "en": ANY_TEXT},
    "required": ["en", "zh"],
    "additionalProperties": False,
}


def nullable(schema: Schema) -> Schema:
    return {"anyOf": [{"type": "null"}, schema]}


def closed(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def report() -> Schema:
    """What `--json` prints, and the API returns, for one bundle."""
    time = Nullable(TIME).schema()
    verdict = {"enum": [str(verdict) for verdict in Verdict]}
    finding = closed(
        status={"enum": [str(status) for status in Status if status is not Status.NOT_PRESENT]},
        code=ANY_TEXT,
        place=ANY_TEXT,
        expected=nullable(ANY_TEXT),
        found=nullable(ANY_TEXT),
        text=BOTH,
    )
    row = closed(
        row={"type": "integer", "minimum": 1, "maximum": 11},
        status={"enum": [str(status) for status in Status if status is not Status.REMARK]},
        title=BOTH,
        clause=ANY_TEXT,
        block={"enum": ["since-anchoring", "before-anchoring"]},
        findings=listed({"$ref": "#/$defs/finding"}),
    )
    person = closed(
        id=ANY_TEXT,
        role=ANY_TEXT,
        auth=ANY_TEXT,
        on_behalf_of=nullable(ANY_TEXT),
        name=nullable(ANY_TEXT),
        holder=nullable(ANY_TEXT),
    )
    told = closed(
        actor=person,
        result=ANY_TEXT,
        basis=nullable(ANY_TEXT),
        grant=nullable(ANY_TEXT),
        case=nullable(ANY_TEXT),
        order=nullable(ANY_TEXT),
        order_number=nullable(ANY_TEXT),
        fields={"type": "object"},
        disclosures={"type": "object", "additionalProperties": ANY_TEXT},
        undisclosed=Integer().schema(),
    )
    bound = closed(
        seq=Integer().schema(),
        type=ANY_TEXT,
        at=time,
        not_before=time,
        not_after=time,
        told=nullable({"$ref": "#/$defs/told"}),
    )
    case = closed(
        case=CASE_ID.schema(),
        exported=Boolean().schema(),
        redacted=Integer().schema(),
        left_out=listed(ANY_TEXT),
        bounds=listed({"$ref": "#/$defs/bound"}),
    )
    handed_in = closed(
        name=ANY_TEXT,
        sha256=SHA256.schema(),
        size=Integer().schema(),
        status={"enum": ["PASSED", "FAILED", "INDETERMINATE"]},
        items=listed(ITEM_ID.schema()),
        compared=Integer().schema(),
        not_comparable=Integer().schema(),
        text=BOTH,
    )
    qualified = closed(
        status={"enum": sorted(QUALIFICATION)}, list=nullable(ANY_TEXT), issued=time, text=BOTH
    )
    authority = closed(name=ANY_TEXT, group=ANY_TEXT, **{"class": LOG_CLASS.schema()}, qualified=qualified)
    item = closed(
        item=ITEM_ID.schema(),
        verdict=verdict,
        record_time=time,
        record_groups=listed(ANY_TEXT),
        content_time=time,
        authorities=listed(authority),
        anchors=listed(ANY_TEXT),
        unmet=listed(closed(code=ANY_TEXT, zh=ANY_TEXT, en=ANY_TEXT)),
        rows={**listed({"$ref": "#/$defs/row"}), "minItems": 11, "maxItems": 11},
        bounds=listed({"$ref": "#/$defs/bound"}),
    )
    codes = [
        {"if": _has(verdict={"const": str(name)}), "then": _prop(exit_code={"const": code})}
        for name, code in EXIT_CODES.items()
    ]
    whole = closed(
        v={"const": 1},
        verdict=verdict,
        exit_code={"enum": sorted(EXIT_CODES.values())},
        sentence=BOTH,
        bundle=nullable(BUNDLE_ID.schema()),
        origin=nullable(ORIGIN.schema()),
        **{"class": nullable(LOG_CLASS.schema())},
        as_of=closed(size=nullable(Integer(1).schema()), time=time, age_s=nullable({"type": "integer"})),
        at=TIME.schema(),
        policy=closed(name=ANY_TEXT, sha256=SHA256.schema()),
        verifier=closed(name={"const": "evidence-vault"}, version=ANY_TEXT, ran_by=nullable(ANY_TEXT)),
        unreadable=nullable({"$ref": "#/$defs/finding"}),
        files=listed(handed_in),
        items=listed(item),
        cases=listed(case),
        complete_as_of=nullable(Integer(1).schema()),
        not_checked=listed(BOTH),
        never_proved=listed(BOTH),
    )
    return {**whole, "allOf": codes, "$defs": {"finding": finding, "row": row, "bound": bound, "told": told}}


def encode(schema: Schema) -> str:
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    for name, schema in all_schemas().items():
        (FOLDER / name).write_text(encode(schema))
