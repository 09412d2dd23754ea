"""What a deposit leaves: its result, and the journal beside the content from which it can be replayed.

    {"crc32":907060870,"disclosures":{"file_name":"WyJ…"},"receipt":"<the receipt's text>",
     "request":{"actor":"ac_…","endpoint":"POST /v1/items","key":"5f0c…","sha256":"9f86d081…"},"v":1}

The journal is canonical JSON. The receipt in it holds the event; erasing a disclosure rewrites the journal.
`request` is the idempotency key and the digest of what was asked for under it, null without one: who asks again
after a restore gets the same receipt, and a deposit that was asked for twice is not replayed twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from anchors.values import value
from evidence_vault.core.canonical import Json, encode_canonical, parse_canonical
from evidence_vault.core.events import MAX_EVENT_BYTES
from evidence_vault.core.names import ACTOR_ID, SHA256
from evidence_vault.core.note_keys import VerifierKey
from evidence_vault.core.receipt import MAX_RECEIPT_BYTES, Receipt, parse_receipt, verify_receipt
from evidence_vault.core.shapes import Integer, MapOf, Nullable, OneOf, Record, Text
from evidence_vault.errors import FormatError
from evidence_vault.store.queries.events import Composed
from evidence_vault.store.queries.idempotency import Binding, Scope

MAX_JOURNAL_BYTES = 2 * MAX_RECEIPT_BYTES + 2 * MAX_EVENT_BYTES

_JOURNAL = Record(
    {
        "v": OneOf((1,)),
        "crc32": Nullable(Integer(0, 2**32 - 1)),
        "disclosures": MapOf(r"[a-z][a-z0-9_]*", Text(max_chars=MAX_EVENT_BYTES), max_items=64),
        "receipt": Text(max_chars=MAX_RECEIPT_BYTES),
        "request": Nullable(
            Record(
                {
                    "actor": ACTOR_ID,
                    "endpoint": Text(max_chars=60),
                    "key": Text(r"[\x21-\x7e]{1,200}", 200),
                    "sha256": SHA256,
                }
            )
        ),
    }
)


@value
class Known:
    """What is known of a deposit's content. digests: lower-case hex by algorithm."""

    mode: Literal["content", "hash"]
    digests: dict[str, Json]
    size: int | None
    crc32: int | None

    @property
    def sha256(self) -> bytes:
        """The SHA-256, 32 bytes: every mode here has one (the event's shape demands it)."""
        return bytes.fromhex(str(self.digests["sha256"]))


@value
class Deposited:
    """A deposit that is committed. replayed: it had been before, under the same idempotency key."""

    item_id: str
    receipt: bytes
    sha256: bytes
    size: int | None
    log_by: datetime
    replayed: bool


@value
class Journal:
    """A parsed journal: all that the item's rows are made from."""

    receipt_bytes: bytes
    receipt: Receipt
    disclosures: Mapping[str, str]
    crc32: int | None
    binding: Binding | None


def encode_journal(
    receipt: bytes, composed: Composed, *, crc32: int | None, binding: Binding | None = None
) -> bytes:
    """Return the journal of a deposit."""
    return encode_canonical(
        {
            "v": 1,
            "crc32": crc32,
            "disclosures": dict(composed.disclosures),
            "receipt": receipt.decode("utf-8"),
            "request": None
            if binding is None
            else {
                "actor": binding.scope.actor_id,
                "endpoint": binding.scope.endpoint,
                "key": binding.scope.key,
                "sha256": binding.request_sha256.hex(),
            },
        }
    )


def parse_journal(raw: bytes, *, place: str) -> Journal:
    """Return the journal. Raises FormatError."""
    value = parse_canonical(raw, place=place, max_bytes=MAX_JOURNAL_BYTES)
    _JOURNAL.check(value, place)
    assert isinstance(value, dict)
    disclosures, crc32 = value["disclosures"], value["crc32"]
    assert isinstance(disclosures, dict)
    raw_receipt = str(value["receipt"]).encode()
    receipt, request = parse_receipt(raw_receipt), value["request"]
    return Journal(
        receipt_bytes=raw_receipt,
        receipt=receipt,
        disclosures={name: str(text) for name, text in disclosures.items()},
        crc32=crc32 if isinstance(crc32, int) else None,
        binding=_parse_request(request, receipt) if isinstance(request, dict) else None,
    )


def open_journal(raw: bytes, *, item_id: str, origin: str, trusted: Sequence[VerifierKey]) -> Journal:
    """Return a journal that lies under this item's name, if the log's own receipt key vouches for it.

    So nobody who can merely write files makes an item. Raises FormatError, VerificationError.
    """
    journal = parse_journal(raw, place=item_id)
    event = journal.receipt.event
    if event.subject.id != item_id or event.origin != origin:
        raise FormatError(item_id, f"a deposit of this item in {origin}", event.subject.id)
    verify_receipt(journal.receipt, trusted=trusted)
    return journal


def _parse_request(request: dict[str, Json], receipt: Receipt) -> Binding:
    return Binding(
        scope=Scope(
            actor_id=str(request["actor"]), endpoint=str(request["endpoint"]), key=str(request["key"])
        ),
        request_sha256=bytes.fromhex(str(request["sha256"])),
        item_id=receipt.event.subject.id,
    )
