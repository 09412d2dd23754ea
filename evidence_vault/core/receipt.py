r"""The deposit receipt: the vault's signed promise that the event it hands back will be in the log by a time.

    {"event":"eyJfc2Qi…=","note":"evidence-vault/receipt/v1\nvault.example/log\nit_…\n…","v":1}

The note's text, signed by the key `<origin>/receipt` (C2SP signed-note, Ed25519):

    evidence-vault/receipt/v1
    vault.example/log
    it_…                              the item
    9f86d081…                         sha256 of the content, or commitment:<hex>
    123                               its size in bytes, or -
    2c26b46b…                         event_sha256 of ITEM_RECEIVED
    60303ae2…                         its slot in the log
    log-by 2026-11-22T17:37:00.123Z

A leaf that is not in the log after `log-by` makes the receipt a signed proof of misbehaviour.
"""

import base64
from collections.abc import Sequence
from datetime import datetime

from anchors.values import value
from evidence_vault.core.canonical import as_object, as_text, encode_canonical, parse_canonical
from evidence_vault.core.events import MAX_EVENT_BYTES, Event, first_slot, parse_event
from evidence_vault.core.names import encode_time, parse_time
from evidence_vault.core.note_keys import VerifierKey
from evidence_vault.core.notes import Note, NoteSignature, Verified, encode_note, parse_note, verify_note
from evidence_vault.core.shapes import OneOf, Record, Text
from evidence_vault.errors import FormatError, VerificationError

TYPE_LINE = "evidence-vault/receipt/v1"
MAX_RECEIPT_BYTES = 3 * MAX_EVENT_BYTES

_RECEIPT = Record(
    {"v": OneOf((1,)), "event": Text(r"[A-Za-z0-9+/]+=*", 2 * MAX_EVENT_BYTES), "note": Text(max_chars=4096)}
)


@value
class Receipt:
    """A parsed receipt: the event it is about, its signed note, and the time it promises."""

    event: Event
    note: Note
    log_by: datetime


def receipt_key_name(origin: str) -> str:
    """Return the name of the key that signs receipts for a log."""
    return f"{origin}/receipt"


def encode_receipt_text(event: Event, *, log_by: datetime) -> str:
    """Return the text to sign for an ITEM_RECEIVED event. Raises FormatError for any other."""
    digests = event.fields.get("digests")
    if event.type != "ITEM_RECEIVED" or not isinstance(digests, dict):
        raise FormatError("receipt event", "ITEM_RECEIVED", event.type)
    digest = str(digests["sha256"]) if "sha256" in digests else f"commitment:{digests['commitment']}"
    size = "-" if event.fields["size"] is None else str(event.fields["size"])
    lines = (
        TYPE_LINE,
        event.origin,
        event.subject.id,
        digest,
        size,
        event.sha256.hex(),
        first_slot(event.subject).hex(),
        f"log-by {encode_time(log_by)}",
    )
    return "".join(f"{line}\n" for line in lines)


def encode_receipt(event: Event, *, text: str, signature: NoteSignature) -> bytes:
    """Return the receipt file."""
    note = encode_note(Note(text=text, signatures=(signature,)))
    return encode_canonical({"v": 1, "event": base64.b64encode(event.raw).decode(), "note": note.decode()})


def parse_receipt(data: bytes) -> Receipt:
    """Return the receipt. Raises FormatError; text and event must say the same."""
    value = parse_canonical(data, place="receipt", max_bytes=MAX_RECEIPT_BYTES)
    _RECEIPT.check(value, "receipt")
    document = as_object(value)
    try:
        raw = base64.b64decode(as_text(document["event"]), validate=True)
    except ValueError:
        raise FormatError("receipt.event", "padded base64") from None
    if base64.b64encode(raw).decode() != document["event"]:
        raise FormatError("receipt.event", "padded base64, in its one encoding")
    event = parse_event(raw, place="receipt.event")
    note = parse_note(as_text(document["note"]).encode())
    last = note.text.removesuffix("\n").rpartition("\n")[2]
    if not last.startswith("log-by "):
        raise FormatError("receipt.note", "a last line log-by <time>", last)
    log_by = parse_time(last.removeprefix("log-by "), place="receipt.note")
    if note.text != encode_receipt_text(event, log_by=log_by) or len(note.signatures) != 1:
        raise FormatError("receipt.note", "the text that belongs to the event, and one signature", note.text)
    return Receipt(event=event, note=note, log_by=log_by)


def verify_receipt(receipt: Receipt, *, trusted: Sequence[VerifierKey]) -> None:
    """Raise VerificationError unless one of the trusted receipt keys signed the note."""
    verdict = verify_note(receipt.note, trusted=trusted)
    if not isinstance(verdict, Verified):
        name = receipt_key_name(receipt.event.origin)
        raise VerificationError("receipt signature", f"the key {name}", receipt.note.signatures[0].name)
