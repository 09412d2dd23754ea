"""Statements that a notary or an appraiser signs: what was examined, what was not, and with what result.

    evidence-vault/attestation/v1
    {"case":null,"digests":{"sha256":"…"},"examined":[{"how":"re-hashed the stored bytes","what":"content"}],
     "head":{"event_sha256":"…","seq":4},"item":"it_…","not_examined":["the website itself"],"origin":
     "vault.example/log","remark":"","result":"matches","v":1}

The file is the type line, LF, then canonical JSON, and nothing after it; a detached CMS signature (RFC 5652)
covers its bytes. Origin, item and head bind it to one state of one item in one log: moved anywhere else it is
refused. A withdrawal is a statement of its own, and both stay visible.
"""

from anchors.values import value
from evidence_vault.core.canonical import (
    Json,
    as_integer,
    as_list,
    as_object,
    as_text,
    encode_canonical,
    parse_canonical,
)
from evidence_vault.core.event_types.form import DIGEST_HEX, PARAGRAPH
from evidence_vault.core.names import CASE_ID, ITEM_ID, LABEL, ORIGIN, SHA256
from evidence_vault.core.shapes import Integer, ListOf, MapOf, Nullable, OneOf, Record
from evidence_vault.errors import FormatError

ATTESTATION_LINE = b"evidence-vault/attestation/v1\n"
WITHDRAWAL_LINE = b"evidence-vault/withdrawal/v1\n"
MAX_STATEMENT_BYTES = 64 * 1024

_ATTESTATION = Record(
    {
        "v": OneOf((1,)),
        "origin": ORIGIN,
        "item": ITEM_ID,
        "case": Nullable(CASE_ID),
        "head": Record({"seq": Integer(), "event_sha256": SHA256}),
        "digests": MapOf(r"commitment|sha256|sha512|sha3-256|sm3", DIGEST_HEX, max_items=4, min_items=1),
        "examined": ListOf(Record({"what": LABEL, "how": LABEL}), max_items=50),
        "not_examined": ListOf(LABEL, max_items=50),
        "result": OneOf(("matches", "differs", "inconclusive")),
        "remark": PARAGRAPH,
    }
)
_WITHDRAWAL = Record(
    {
        "v": OneOf((1,)),
        "origin": ORIGIN,
        "item": ITEM_ID,
        "attested": Record({"seq": Integer(1), "event_sha256": SHA256, "statement_sha256": SHA256}),
        "reason": PARAGRAPH,
    }
)


@value
class Attestation:
    """What somebody examined of an item whose newest event was `head_sha256` at `head_seq`."""

    origin: str
    item: str
    case: str | None
    head_seq: int
    head_sha256: bytes
    digests: dict[str, str]
    examined: tuple[tuple[str, str], ...]
    not_examined: tuple[str, ...]
    result: str
    remark: str


@value
class Withdrawal:
    """The taking back of an attestation, named by its ATTESTED event and its statement."""

    origin: str
    item: str
    attested_seq: int
    attested_sha256: bytes
    statement_sha256: bytes
    reason: str


def encode_statement(statement: Attestation | Withdrawal) -> bytes:
    """Return statement.txt: the bytes that are shown and signed."""
    body: Json
    match statement:
        case Attestation():
            line = ATTESTATION_LINE
            body = {
                "v": 1,
                "origin": statement.origin,
                "item": statement.item,
                "case": statement.case,
                "head": {"seq": statement.head_seq, "event_sha256": statement.head_sha256.hex()},
                "digests": dict(statement.digests),
                "examined": [{"what": what, "how": how} for what, how in statement.examined],
                "not_examined": list(statement.not_examined),
                "result": statement.result,
                "remark": statement.remark,
            }
        case Withdrawal():
            line = WITHDRAWAL_LINE
            body = {
                "v": 1,
                "origin": statement.origin,
                "item": statement.item,
                "attested": {
                    "seq": statement.attested_seq,
                    "event_sha256": statement.attested_sha256.hex(),
                    "statement_sha256": statement.statement_sha256.hex(),
                },
                "reason": statement.reason,
            }
    data = line + encode_canonical(body)
    parse_statement(data)
    return data


def parse_statement(data: bytes, *, place: str = "statement.txt") -> Attestation | Withdrawal:
    """Return the statement. Raises FormatError."""
    for line, shape in ((ATTESTATION_LINE, _ATTESTATION), (WITHDRAWAL_LINE, _WITHDRAWAL)):
        if data.startswith(line):
            value = parse_canonical(data[len(line) :], place=place, max_bytes=MAX_STATEMENT_BYTES)
            shape.check(value, place)
            body = as_object(value)
            return _attestation(body) if shape is _ATTESTATION else _withdrawal(body)
    raise FormatError(place, "a first line that names an attestation or a withdrawal", data[:40])


def _attestation(body: dict[str, Json]) -> Attestation:
    head = as_object(body["head"])
    examined = [as_object(entry) for entry in as_list(body["examined"])]
    return Attestation(
        origin=as_text(body["origin"]),
        item=as_text(body["item"]),
        case=None if body["case"] is None else as_text(body["case"]),
        head_seq=as_integer(head["seq"]),
        head_sha256=bytes.fromhex(as_text(head["event_sha256"])),
        digests={name: as_text(digest) for name, digest in as_object(body["digests"]).items()},
        examined=tuple((as_text(entry["what"]), as_text(entry["how"])) for entry in examined),
        not_examined=tuple(as_text(entry) for entry in as_list(body["not_examined"])),
        result=as_text(body["result"]),
        remark=as_text(body["remark"]),
    )


def _withdrawal(body: dict[str, Json]) -> Withdrawal:
    attested = as_object(body["attested"])
    return Withdrawal(
        origin=as_text(body["origin"]),
        item=as_text(body["item"]),
        attested_seq=as_integer(attested["seq"]),
        attested_sha256=bytes.fromhex(as_text(attested["event_sha256"])),
        statement_sha256=bytes.fromhex(as_text(attested["statement_sha256"])),
        reason=as_text(body["reason"]),
    )
