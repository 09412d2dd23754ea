"""The story that the examples of the API's description tell: who, what, when, and what comes of it.

Somebody deposits the four bytes `test`, puts the item into a case of a court, and an attorney sees it under an
order. Digests, event, receipt and report are real ones: of that content, and signed by a key that is nothing but
zeros.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import evidence_vault
from evidence_vault.api.problems import KINDS, PATH
from evidence_vault.core.attestation import Attestation, encode_statement
from evidence_vault.core.disclosures import digest_disclosure, encode_disclosure
from evidence_vault.core.events import encode_event
from evidence_vault.core.names import Prefix, encode_id, encode_time
from evidence_vault.signer.receipt_signer import ReceiptSigner
from evidence_vault.verify.render import report_json
from evidence_vault.verify.report import Finding, ItemReport, Report, Status, Verdict

Words = Mapping[str, Any]

ORIGIN = "vault.example/log"
CONTENT = b"test"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
_AT = datetime(2026, 11, 22, 16, 37, tzinfo=UTC)


def id_of(prefix: Prefix, who: str = "") -> str:
    """Return an id of this kind, always the same."""
    return encode_id(prefix, hashlib.sha256(f"{prefix} {who}".encode()).digest()[:16])


def time_at(**later: float) -> str:
    """Return a time of the story, so much after the deposit."""
    return encode_time(_AT + timedelta(**later))


def sha256_of(text: str) -> str:
    """Return the SHA-256 of a text, lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


TIME = time_at()
ITEM, CASE, GRANT, ORDER = id_of("it"), id_of("cs"), id_of("gr"), id_of("gr", "order")
HOLDER, LAWYER, JUDGE, RECEIVER = (id_of("ac", who) for who in ("holder", "lawyer", "judge", "receiver"))
UNDERTAKING = "I keep what I see to myself."
SECRET = "es_" + "0" * 52  # no secret: it opens nothing


def _problem(name: str) -> Words:
    kind = KINDS[name]
    return {"title": kind.title, "status": int(kind.status), "advice": kind.advice}


def _report(**found: Any) -> Report:
    nothing: dict[str, Any] = {
        **dict.fromkeys(("bundle", "origin", "log_class", "cut_size", "cut_time")),
        "items": (),
        "at": _AT + timedelta(hours=2),
        "policy_name": f"{ORIGIN}, its own",
        "policy_sha256": hashlib.sha256(b"a policy").digest(),
        "verifier_version": evidence_vault.__version__,
    }
    return Report(**nothing | found)


def _unreadable() -> Report:
    """What comes of it when somebody has the content itself verified, in the place of a bundle."""
    finding = Finding(
        row=1,
        status=Status.FAILED,
        code="form.unreadable",
        place="zip end record",
        expected="it in the last 22 bytes",
        found=CONTENT.hex(),
    )
    return _report(verdict=Verdict.UNREADABLE, unreadable=finding)


def _passed() -> Report:
    """The report of the item's bundle, without its rows."""
    item = ItemReport(
        item=ITEM,
        verdict=Verdict.TOTAL_PASSED,
        rows=(),
        record_time=_AT + timedelta(seconds=9),
        record_groups=("tsa", "another"),
        content_time=_AT + timedelta(seconds=2),
        stampers=(),
        anchors=("sepolia",),
        bounds=(),
        unmet=(),
    )
    return _report(
        verdict=Verdict.TOTAL_PASSED,
        bundle=id_of("bd"),
        origin=ORIGIN,
        log_class="production",
        items=(item,),
        cut_size=18,
        cut_time=_AT + timedelta(seconds=9),
    )


def computed_words() -> Words:
    """Return what follows from the story: events, receipts, statements, a report, by their words."""
    disclosure = encode_disclosure("file_name", "photo.png", salt=bytes(16))
    event = encode_event(
        {
            "v": 1,
            "type": "ITEM_RECEIVED",
            "origin": ORIGIN,
            "env": "production",
            "subject": {"kind": "item", "id": ITEM},
            "seq": 0,
            "prev": None,
            "at": time_at(),
            "clock": {"source": "system", "offset_ms": None},
            "actor": {"id": HOLDER, "role": "RH", "auth": "token", "on_behalf_of": None, "signature": None},
            "where": {},
            "why": {},
            "how": {"tool": "evidence-vault", "version": evidence_vault.__version__},
            "result": "ok",
            "nonce": "00" * 32,
            "mode": "content",
            "digests": {"sha256": SHA256},
            "size": len(CONTENT),
            "secret": False,
            "_sd": [digest_disclosure(disclosure)],
        }
    )
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    receipt = ReceiptSigner(origin=ORIGIN, private_key=key).sign(event, log_by=_AT + timedelta(hours=1))
    statement = Attestation(
        origin=ORIGIN,
        item=ITEM,
        case=None,
        head_seq=0,
        head_sha256=event.sha256,
        digests={"sha256": SHA256},
        examined=(("stored content", "hashed again by the vault, in my presence"),),
        not_examined=("where it came from",),
        result="matches",
        remark="",
    )
    said = encode_statement(statement)
    return {
        "event": json.loads(event.raw),
        "event_sha256": event.sha256.hex(),
        "disclosures": {"file_name": disclosure},
        "ReceiptView": json.loads(receipt),
        "EventView.sha256": event.sha256.hex(),
        "CustodyEventView.sha256": event.sha256.hex(),
        "AttestationView.statement": json.loads(said.partition(b"\n")[2]),
        "statement_sha256": hashlib.sha256(said).hexdigest(),
        "ProblemKind": {"type": f"{PATH}/not-found", **_problem("not-found")},
        "Response Verify Bundle V1 Verify Post": report_json(_unreadable()),
        "Response Show Item Report V1 Items  Item Id  Report Get": report_json(_passed()),
        "Response Show Case Report V1 Cases  Case Id  Report Get": report_json(_passed()),
        "StatementSubmission": {"statement": base64.b64encode(said).decode("ascii")},
    }
