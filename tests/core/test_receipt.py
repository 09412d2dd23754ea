"""Deposit receipts: a promise that anyone can hold the vault to."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.events import Event, encode_event, first_slot
from evidence_vault.core.note_keys import SignatureType, VerifierKey, verifier_key
from evidence_vault.core.notes import sign_note
from evidence_vault.core.receipt import (
    Receipt,
    encode_receipt,
    encode_receipt_text,
    parse_receipt,
    receipt_key_name,
    verify_receipt,
)
from evidence_vault.errors import FormatError, VerificationError
from tests.core.test_events import received

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NAME = receipt_key_name("vault.example/log")
LOG_BY = datetime(2026, 11, 22, 17, 37, tzinfo=UTC)


def vkey(key: Ed25519PrivateKey = KEY) -> VerifierKey:
    return verifier_key(NAME, SignatureType.ED25519, key)


def receipt_for(event: Event) -> bytes:
    text = encode_receipt_text(event, log_by=LOG_BY)
    return encode_receipt(event, text=text, signature=sign_note(text, name=NAME, private_key=KEY))


def test_receipt_text_has_the_lines_of_the_specification() -> None:
    event = encode_event(received())
    assert encode_receipt_text(event, log_by=LOG_BY).splitlines() == [
        "evidence-vault/receipt/v1",
        "vault.example/log",
        event.subject.id,
        "cd" * 32,
        "123",
        event.sha256.hex(),
        first_slot(event.subject).hex(),
        "log-by 2026-11-22T17:37:00.000Z",
    ]


def test_receipt_of_a_commitment_hides_digest_and_size() -> None:
    event = encode_event(received(mode="commitment", digests={"commitment": "ab" * 32}, size=None))
    lines = encode_receipt_text(event, log_by=LOG_BY).splitlines()
    assert lines[3:5] == ["commitment:" + "ab" * 32, "-"]


def test_verify_receipt_accepts_the_key_and_refuses_others() -> None:
    receipt = parse_receipt(receipt_for(encode_event(received())))
    assert isinstance(receipt, Receipt)
    assert receipt.log_by == LOG_BY
    verify_receipt(receipt, trusted=[vkey()])
    with pytest.raises(VerificationError, match="receipt"):
        verify_receipt(receipt, trusted=[vkey(Ed25519PrivateKey.from_private_bytes(b"1" * 32))])


def test_parse_receipt_refuses_a_note_about_another_event() -> None:
    mine = json.loads(receipt_for(encode_event(received())))
    other = json.loads(receipt_for(encode_event(received(size=124))))
    with pytest.raises(FormatError, match="belongs to the event"):
        parse_receipt(encode_canonical(mine | {"event": other["event"]}))


def test_parse_receipt_refuses_other_forms() -> None:
    good = json.loads(receipt_for(encode_event(received())))
    later = base64.b64encode(encode_event(received(type="SOMETHING_NEW", seq=1, prev="00" * 32)).raw).decode()
    for change in ({"v": 2}, {"event": good["event"][:-4]}, {"event": later}, {"note": "x"}, {"more": 1}):
        with pytest.raises(FormatError):
            parse_receipt(encode_canonical(good | change))
