"""The published schemas: what the code makes of them today, real documents, and documents that are none."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from referencing.jsonschema import EMPTY_REGISTRY

from anchors.ethereum.headers import HeadersFile, HeaderSource, SourcedBlock, encode_headers, parse_headers
from anchors.ethereum.proof import parse_proof
from anchors.opentimestamps.headers import (
    BitcoinHeaders,
    ShownBlock,
    ShownBy,
    encode_bitcoin_headers,
    parse_bitcoin_headers,
)
from anchors.opentimestamps.proof import parse_proof as parse_stamped
from evidence_vault.core.attestation import (
    ATTESTATION_LINE,
    WITHDRAWAL_LINE,
    Attestation,
    Withdrawal,
    encode_statement,
    parse_statement,
)
from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.event_types.table import EVENT_TYPES
from evidence_vault.core.events import VAULT, Subject, parse_event
from evidence_vault.core.layout import parse_bundle_json
from evidence_vault.core.notes import Note, encode_note, sign_note
from evidence_vault.core.receipt import encode_receipt, encode_receipt_text, parse_receipt, receipt_key_name
from evidence_vault.errors import FormatError
from evidence_vault.verify.render import report_json
from tests.anchors.opentimestamps.toy import ToyBitcoin, made_proof
from tests.spec.schemas import FOLDER, all_schemas, encode
from tests.verify.asking import ask
from tests.verify.handmade import LOG, OWNER, PLATFORM, START, Keys, Vault, good_bundle, make_id, sha256_hex

ZEROES = "00" * 32
Parse = Callable[[bytes], object]


@pytest.mark.parametrize("name", sorted(all_schemas()))
def test_schema_committed_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text() == encode(all_schemas()[name])


def test_no_other_schema_is_committed() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.json")) == sorted(all_schemas())


@pytest.mark.parametrize("name", sorted(all_schemas()))
def test_schema_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(all_schemas()[name])


def fits(name: str, document: object) -> bool:
    validator = jsonschema.Draft202012Validator(all_schemas()[name], registry=EMPTY_REGISTRY)
    return bool(validator.is_valid(document))


# Real documents.


def everything() -> Vault:
    """A vault with an event of each type."""
    vault = Vault()
    item, case = vault.receive(b"x"), Subject(kind="case", id=make_id("cs", "case"))
    subject = Subject(kind="item", id=item)
    vault.stamp_item(item, vault.authorities[0])
    size = vault.publish()
    vault.stamp(size, vault.authorities[0])
    vault.anchor(size)
    vault.view(item)
    seal = {"bundle": make_id("bd", "b"), "cut": {"size": size, "root": ZEROES}, "parts_sha256": ZEROES}
    more: list[tuple[Subject, str, dict[str, Any]]] = [
        (subject, "TIMESTAMP_FAILED", {"authority": "alpha", "imprint_sha256": ZEROES, "reason": "refused"}),
        (subject, "DOWNLOADED", {"what": "bundle", "bundle": make_id("bd", "b"), "why": OWNER}),
        (subject, "FIXITY_CHECKED", {"sha256": ZEROES}),
        (
            subject,
            "FIXITY_FAILED",
            {"cause": "missing", "expected_sha256": ZEROES, "found_sha256": None},
        ),
        (subject, "ATTESTED", {"statement_sha256": ZEROES, "signature_sha256": None}),
        (
            subject,
            "ATTESTATION_WITHDRAWN",
            {"attested_seq": 1, "statement_sha256": ZEROES, "signature_sha256": ZEROES},
        ),
        (subject, "EXPORTED", {**seal, "why": OWNER}),
        (subject, "CUSTODY_READ", {"why": OWNER}),
        (case, "CUSTODY_READ", {"why": OWNER}),
        (
            PLATFORM,
            "INCIDENT_NOTED",
            {
                "incident": "i",
                "kind": "k",
                "began_at": "2026-01-01T00:00:00.000Z",
                "ended_at": None,
                "summary": "",
            },
        ),
        (LOG, "KEY_ROTATED", {"purpose": "log", "old_vkey": Keys().vkey, "new_vkey": Keys("n").vkey}),
        (LOG, "ANCHOR_ADDED", {"anchor": anchor(vault)}),
        (LOG, "ANCHOR_LOST", {"anchor": anchor(vault), "size": 1, "proof_sha256": None, "reason": "gone"}),
        (subject, "TELEPORTED", {"planet": "Mars"}),
        *of_people(subject, case),
    ]
    for about, event_type, own in more:
        vault.add(about, event_type, **own)
    return vault


def of_people(item: Subject, case: Subject) -> list[tuple[Subject, str, dict[str, Any]]]:
    """One event of each type about cases, grants, custody and those who run the vault."""
    at = "2026-01-01T00:00:00.000Z"
    grant, person = make_id("gr", "grant"), make_id("ac", "somebody")
    bundle, frozen = make_id("bd", "b"), {"item_count": 1, "items_sha256": ZEROES}
    granted = {
        "grant": grant,
        "grantee": person,
        "grantee_role": "AT",
        "case": case.id,
        "order": None,
        "parent": None,
        "actions": ["export", "open-content"],
        "not_before": at,
        "expires_at": at,
        "view_limit": 3,
        "onward": False,
        "jurisdiction": None,
        "why": OWNER,
        **frozen,
    }
    order = {
        "order": grant,
        "court": "Intellectual Property Court",
        "issued_at": at,
        "expires_at": at,
        "lawyers": [person],
        "respondent": None,
        "document_sha256": None,
        "reveals": True,
        **frozen,
    }
    objection = {"case": case.id, "party": 2, "ground": "authenticity", "period": "before-anchoring"}
    receipted = {"case": case.id, "bundle": bundle, "bundle_sha256": ZEROES, "received_at": at}
    opened = {"forum": "court", "jurisdiction": "cn", "confidentiality": "parties", "mediation_only": False}
    return [
        (case, "CASE_OPENED", opened),
        (case, "PARTY_NAMED", {"party": 1, "side": "claimant", "person": person}),
        (case, "ITEM_ADDED", {"item": item.id, "number": 1, "copies": None, "why": OWNER}),
        (case, "ORDER_REGISTERED", order),
        (
            case,
            "ORDER_RETURNED",
            {"order": grant, "asked": 2, "produced": [item.id], "refused": [], "not_found": 1},
        ),
        (case, "CONSENT_GIVEN", {"party": 1, "for_case": case.id, "items": [item.id]}),
        (item, "GRANTED", granted),
        (case, "GRANTED", granted),
        (item, "GRANT_REVOKED", {"grant": grant, "cause": "withdrawn"}),
        (item, "GRANT_EXPIRED", {"grant": grant, "expires_at": at}),
        (item, "OPINION_SEALED", {"case": case.id, "about": [item.id], "why": OWNER}),
        (item, "OPINION_UNSEALED", {"case": case.id, "why": OWNER}),
        (item, "HOLD_PLACED", {"source": "owner", "until": None, "why": OWNER}),
        (case, "HOLD_RELEASED", {"placed_seq": 1, "why": OWNER}),
        (item, "UNDERTAKING_SIGNED", {"grant": grant, "text_sha256": ZEROES, "signature_sha256": None}),
        (item, "ACCESS_REFUSED", {"action": "export", "grant": grant, "reason": "expired"}),
        (item, "WORKING_COPY_MADE", {"sha256": ZEROES, "why": OWNER}),
        (item, "PRESENTED", {"case": case.id, "presented_at": at, "why": OWNER}),
        (item, "TRANSFER_OFFERED", {"receiver": person, "expires_at": at, "sha256": ZEROES, "why": OWNER}),
        (item, "TRANSFER_ACCEPTED", {"offered_seq": 1, "compared": "stored", "sha256": ZEROES}),
        (item, "TRANSFER_REFUSED", {"offered_seq": 1, "cause": "refused"}),
        (item, "OBJECTION_RECORDED", {**objection, "why": OWNER}),
        (item, "OBJECTION_ANSWERED", {"objection_seq": 1, "outcome": "answered", "why": OWNER}),
        (item, "COURT_RECEIPTED", receipted),
        (item, "PSEUDONYM_REVEALED", {"pseudonym": person, "order": grant, "case": case.id}),
        (VAULT, "ROLE_GIVEN", {"person": person, "role": "JU", "change": "given", "proposed_by": person}),
        (VAULT, "BREAK_GLASS", {"item": item.id, "action": "open-content"}),
        (VAULT, "REFUSALS_COUNTED", {"principal": None, "hour": at, "refusals": 1}),
    ]


def anchor(vault: Vault) -> dict[str, Any]:
    chain = vault.chain
    return {
        "kind": "ethereum",
        "chain_id": chain.chain_id,
        "contract": chain.contract.hex(),
        "sender": chain.sender.hex(),
    }


EVENTS = [event for history in everything().events.values() for event in history]
COMMITTED = Vault()
COMMITTED.receive(b"", mode="commitment", digests={"commitment": ZEROES}, size=None)
EVENTS += COMMITTED.events[next(subject for subject in COMMITTED.events if subject.kind == "item")]


def documents() -> Iterator[tuple[str, dict[str, Any], Parse]]:
    """Name of the schema, a real document, and the parser that reads it."""
    for event in EVENTS:
        yield "event.json", json.loads(event.raw), parse_event
    sealed = good_bundle()
    yield "bundle.json", json.loads(sealed.files["proof/bundle.json"]), parse_bundle_json
    yield "ethereum-proof.json", json.loads(sealed.files["proof/anchors/8/2.json"]), parse_proof
    source = HeaderSource(
        host="rpc.example:8545", blocks=(SourcedBlock(number=7, block_hash=bytes(32), finalized=True),)
    )
    headers = HeadersFile(chain_id=1, fetched_at=datetime(2026, 1, 1, tzinfo=UTC), sources=(source,))
    yield "headers.json", json.loads(encode_headers(headers)), parse_headers
    chain = ToyBitcoin()
    proof, ots = made_proof(chain, bytes(32))
    yield "opentimestamps-proof.json", json.loads(proof), lambda data: parse_stamped(data, ots)
    shown = ShownBy(host="node.example", blocks=(ShownBlock(height=1, headers=chain.shown_headers(1)),))
    file = BitcoinHeaders(network="regtest", fetched_at=datetime(2026, 1, 1, tzinfo=UTC), sources=(shown,))
    yield "bitcoin-headers.json", json.loads(encode_bitcoin_headers(file)), parse_bitcoin_headers
    item = sealed.items[0]
    attested = Attestation(
        origin=sealed.vault.keys.origin,
        item=item,
        case=None,
        head_seq=4,
        head_sha256=bytes(32),
        digests={"sha256": ZEROES},
        examined=(("content", "re-hashed"),),
        not_examined=("the site",),
        result="matches",
        remark="",
    )
    statement = encode_statement(attested)
    yield (
        "attestation.json",
        json.loads(statement.removeprefix(ATTESTATION_LINE)),
        lambda data: parse_statement(ATTESTATION_LINE + data),
    )
    withdrawn = Withdrawal(
        origin=sealed.vault.keys.origin,
        item=item,
        attested_seq=5,
        attested_sha256=bytes(32),
        statement_sha256=bytes(32),
        reason="a mistake",
    )
    yield (
        "withdrawal.json",
        json.loads(encode_statement(withdrawn).removeprefix(WITHDRAWAL_LINE)),
        lambda data: parse_statement(WITHDRAWAL_LINE + data),
    )


DOCUMENTS = list(documents())
IDS = [f"{name} {document.get('type', '')}" for name, document, _ in DOCUMENTS]


def test_there_is_an_event_of_each_type() -> None:
    assert {event.type for event in EVENTS} == {*EVENT_TYPES, "TELEPORTED"}


@pytest.mark.parametrize(("name", "document", "parse"), DOCUMENTS, ids=IDS)
def test_document_fits_its_schema_and_is_read(name: str, document: dict[str, Any], parse: Parse) -> None:
    parse(encode_canonical(document))
    assert fits(name, document)


def test_other_documents_of_a_bundle_fit() -> None:
    sealed = good_bundle()
    assert fits("disclosures.json", json.loads(sealed.files["proof/disclosures.json"]))
    assert fits("consistency.json", json.loads(sealed.files["proof/log/consistency/8-13.json"]))
    assert not fits("consistency.json", {"v": 1, "proof": ["A"]})
    redacted = {"v": 1, "seq": 0, "event_sha256": ZEROES, "nonce": ZEROES}
    assert fits("redacted-event.json", redacted)
    assert not fits("redacted-event.json", redacted | {"type": "VIEWED"})


def test_receipt_fits() -> None:
    event = EVENTS[-1]
    keys = Keys()
    text = encode_receipt_text(event, log_by=START + timedelta(hours=1))
    signature = sign_note(text, name=receipt_key_name(keys.origin), private_key=keys.log)
    document = json.loads(encode_receipt(event, text=text, signature=signature))
    assert parse_receipt(encode_canonical(document)).event == event
    assert fits("receipt.json", document)
    assert not fits("receipt.json", document | {"event": "!"})
    assert base64.b64decode(document["event"]) == event.raw
    assert encode_note(Note(text=text, signatures=(signature,))).decode() == document["note"]


# Documents that are none: both refuse.


def mutations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each field away, of another type, and one too many, also one level down."""
    yield "one more field", document | {"colour": "red"}
    for name, value in document.items():
        yield f"without {name}", {other: kept for other, kept in document.items() if other != name}
        for wrong in WRONG:
            if type(wrong) is not type(value):
                yield f"{name} = {wrong!r}", document | {name: wrong}
        if isinstance(value, dict):
            for inner, changed in mutations(value):
                yield f"{name}: {inner}", document | {name: changed}
        if isinstance(value, str) and not FREE.fullmatch(name):
            yield f"{name} longer", document | {name: value + "\u0001"}


FREE = re.compile("summary|remark|reason")
WRONG: list[Any] = [[[]], {"x": 1}, "\u0000", -1, True]


@pytest.mark.parametrize(("name", "document", "parse"), DOCUMENTS, ids=IDS)
def test_document_changed_is_refused_by_schema_and_parser(
    name: str, document: dict[str, Any], parse: Parse
) -> None:
    count = 0
    for change, changed in mutations(document):
        refused = False
        try:
            parse(json.dumps(changed, sort_keys=True, separators=(",", ":")).encode())
        except FormatError:
            refused = True
        assert fits(name, changed) != refused, change
        count += refused
    assert count > len(document)


# Reports.


def reports() -> Iterator[tuple[str, dict[str, Any]]]:
    good = good_bundle()
    policy = good.vault.policy()
    files = good.files | {f"data/{good.items[0]}/content": b"the first pictur!"}
    yield "passed", report_json(ask(good))
    yield "failed", report_json(ask(good.changed(files), policy))
    yield "nobody trusted", report_json(ask(good, {"version": 1}))
    yield "unreadable", report_json(ask(b"PK", policy))


@pytest.mark.parametrize(("name", "report"), list(reports()), ids=[name for name, _ in reports()])
def test_report_fits_its_schema(name: str, report: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(all_schemas()["report.json"], registry=EMPTY_REGISTRY).validate(report)
    assert not fits("report.json", report | {"exit_code": 1})
    assert not fits("report.json", report | {"exit_code": 0 if report["exit_code"] else 2})
    assert not fits("report.json", {key: value for key, value in report.items() if key != "verdict"})


def test_digest_of_a_vault_helper_is_sha256() -> None:
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
