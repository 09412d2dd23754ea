"""Custody events: everything that happens is one event, about exactly one subject, chained to the one before.

    {"_sd":["…"],"actor":{"auth":"token","id":"ac_…","on_behalf_of":null,"role":"RH","signature":null},
     "at":"2026-11-22T16:37:00.123Z","clock":{"offset_ms":null,"source":"system"},"digests":{"sha256":"…"},
     "env":"production","how":{"tool":"evidence-vault","version":"0.1.0"},"mode":"content","nonce":"…",
     "origin":"vault.example/log","prev":null,"result":"ok","secret":false,"seq":0,"size":123,
     "subject":{"id":"it_…","kind":"item"},"type":"ITEM_RECEIVED","v":1,"where":{},"why":{}}

An event is stored, carried and hashed as its canonical bytes. Its place in the log is a leaf entry of 65
bytes, `0x01 ‖ event_sha256 ‖ slot`; a slot is used once in a log, so that two histories of one subject
can't both be in it unseen.

`at` and `actor` are the vault's claims: form, chain and slots are checked here, never whether they are true.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache

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
from evidence_vault.core.event_types.form import NOTHING, PEOPLE
from evidence_vault.core.event_types.table import EVENT_TYPES
from evidence_vault.core.names import (
    ACTOR_ID,
    CASE_ID,
    CODE,
    ITEM_ID,
    LABEL,
    LOG_CLASS,
    ORIGIN,
    SHA256,
    TIME,
    parse_time,
)
from evidence_vault.core.shapes import Integer, ListOf, Nullable, OneOf, Record, Shape, Text
from evidence_vault.errors import FormatError

MAX_EVENT_BYTES = 32 * 1024
"""An event is small: facts and digests, never content. FORMATS: ≤ 32 KiB."""

MAX_FIELDS = 64
"""Fields of one event; the largest type has 30. Bounds what a type that is not known makes a reader keep."""

MAX_DISCLOSURES = 64
"""Digests of disclosures in one event."""

ROLES = (*PEOPLE, "SYSTEM")
"""The people of the domain, and the vault itself."""

SUBJECT_IDS: Mapping[str, Text] = {
    "item": ITEM_ID,
    "case": CASE_ID,
    "platform": Text("platform", 8, "platform"),
    "vault": Text("vault", 5, "vault"),
    "log": Text("log", 3, "log"),
    "checkpoint": Text(r"[1-9][0-9]{0,18}", 19, "a tree size in decimal"),
}
"""What an id looks like for each kind of subject. Singletons are called by their kind."""

SD_DIGEST = Text(r"[A-Za-z0-9_-]{43}", 43, "an unpadded base64url SHA-256 digest")

COMMON: Mapping[str, Shape] = {
    "v": OneOf((1,)),
    "type": Text(r"[A-Z][A-Z_]{2,39}", 40, "an event type"),
    "origin": ORIGIN,
    "env": LOG_CLASS,
    "subject": Record({"kind": OneOf(tuple(SUBJECT_IDS)), "id": Text(max_chars=64)}),
    "seq": Integer(),
    "prev": Nullable(SHA256),
    "at": TIME,
    "clock": Record({"source": CODE, "offset_ms": Nullable(Integer(-(10**9), 10**9))}),
    "actor": Record(
        {
            "id": ACTOR_ID,
            "role": OneOf(ROLES),
            "auth": CODE,
            "on_behalf_of": Nullable(ACTOR_ID),
            "signature": OneOf((None,)),
        }
    ),
    "how": Record({"tool": LABEL, "version": LABEL}),
    "result": OneOf(("ok", "refused", "failed")),
    "nonce": Text(r"[0-9a-f]{64}", 64, "32 random bytes in hex"),
    "_sd": ListOf(SD_DIGEST, max_items=MAX_DISCLOSURES, sorted_unique=True),
}
"""The fields of every event, whatever its type; `where` and `why` belong to the type."""


@value
class Subject:
    """What an event is about. Ids of different kinds never look alike: the id names the bundle's folder."""

    kind: str
    id: str

    def __lt__(self, other: "Subject") -> bool:
        return (self.kind, self.id) < (other.kind, other.id)


LOG, PLATFORM = Subject(kind="log", id="log"), Subject(kind="platform", id="platform")
"""The singletons that every bundle carries."""

VAULT = Subject(kind="vault", id="vault")
"""The singleton that no bundle carries: who runs the house, and how."""


@value
class Event:
    """A parsed event with the bytes it came from.

    known: false for a type this version can't judge; of its own fields only the names are kept.
    """

    raw: bytes
    sha256: bytes
    type: str
    origin: str
    env: str
    subject: Subject
    seq: int
    prev: bytes | None
    at: datetime
    nonce: bytes
    disclosure_digests: tuple[str, ...]
    fields: Mapping[str, Json]
    known: bool


def parse_event(raw: bytes, *, place: str = "event") -> Event:
    """Return the event that `raw` encodes.

    Raises FormatError for bytes that are not canonical, a missing or ill-shaped common field, an unknown
    field of a known type, or a known type about the wrong kind of subject.
    """
    return _read_event(parse_canonical(raw, place=place, max_bytes=MAX_EVENT_BYTES), raw, place)


def encode_event(fields: Mapping[str, Json]) -> Event:
    """Return the event with these fields, checked as a reader would. Raises FormatError.

    Its bytes are not parsed again: parsing what `encode_canonical` wrote gives the value that it wrote.
    """
    value = dict(fields)
    raw = encode_canonical(value)
    if len(raw) > MAX_EVENT_BYTES:
        raise FormatError("event", f"at most {MAX_EVENT_BYTES} bytes", len(raw))
    return _read_event(value, raw, "event")


def _read_event(value: Json, raw: bytes, place: str) -> Event:
    if not isinstance(value, dict):
        raise FormatError(place, "an object", value)
    if len(value) > MAX_FIELDS:
        raise FormatError(place, f"at most {MAX_FIELDS} fields", len(value))
    for name in [*COMMON, "where", "why"]:
        if name not in value:
            raise FormatError(place, f"the field {name}", "none")
        if name in COMMON:
            COMMON[name].check(value[name], f"{place}.{name}")
        elif not isinstance(value[name], dict):
            raise FormatError(f"{place}.{name}", "an object", value[name])
    subject = _subject(value["subject"], place)
    if (value["seq"] == 0) != (value["prev"] is None):
        raise FormatError(f"{place}.prev", "null at seq 0 and only there", value["prev"])
    known = EVENT_TYPES.get(str(value["type"]))
    if known:
        own = {name: member for name, member in value.items() if name not in COMMON}
        _own_fields(str(value["type"])).check(own, place)
        if subject.kind not in known.kinds:
            raise FormatError(f"{place}.subject.kind", " or ".join(known.kinds), subject.kind)
        if value["type"] == "ITEM_RECEIVED":
            _check_received(value, place)
    if subject.kind == "item" and (value["seq"] == 0) != (value["type"] == "ITEM_RECEIVED"):
        raise FormatError(f"{place}.type", "ITEM_RECEIVED at seq 0 of an item and only there", value["type"])
    prev = value["prev"]
    return Event(
        raw=raw,
        sha256=hashlib.sha256(raw).digest(),
        type=str(value["type"]),
        origin=str(value["origin"]),
        env=str(value["env"]),
        subject=subject,
        seq=as_integer(value["seq"]),
        prev=bytes.fromhex(prev) if isinstance(prev, str) else None,
        at=parse_time(str(value["at"]), place=f"{place}.at"),
        nonce=bytes.fromhex(str(value["nonce"])),
        disclosure_digests=tuple(as_text(digest) for digest in as_list(value["_sd"])),
        fields=value if known else {name: value[name] if name in COMMON else None for name in value},
        known=known is not None,
    )


@cache
def _own_fields(event_type: str) -> Record:
    """Return what a known type has beside the common fields."""
    known = EVENT_TYPES[event_type]
    return Record({**known.fields, "where": NOTHING, "why": known.why})


def first_slot(subject: Subject) -> bytes:
    """Return slot 0 of a subject, 32 bytes."""
    text = f"evidence-vault/subject/v1\n{subject.kind}\n{subject.id}"
    return hashlib.sha256(text.encode()).digest()


def next_slot(nonce: bytes) -> bytes:
    """Return the slot of the event that follows the one with this nonce, 32 bytes.

    Only someone who holds the event knows the next slot, so outsiders can't link the leaves of a subject.
    """
    return hashlib.sha256(b"evidence-vault/slot/v1\n" + nonce).digest()


LEAF_ENTRY_BYTES = 65
"""0x01, the event's digest, its slot: every entry of a log has the same length."""


def encode_leaf_entry(event_sha256: bytes, slot: bytes) -> bytes:
    """Return the log entry of an event, `LEAF_ENTRY_BYTES` long."""
    return b"\x01" + event_sha256 + slot


def parse_leaf_entry(entry: bytes, *, place: str = "leaf entry") -> tuple[bytes, bytes]:
    """Return (event_sha256, slot) of a log entry. Raises FormatError."""
    if len(entry) != LEAF_ENTRY_BYTES or entry[0] != 1:
        raise FormatError(
            place, f"{LEAF_ENTRY_BYTES} bytes that begin with 0x01", entry[: LEAF_ENTRY_BYTES + 1]
        )
    return entry[1:33], entry[33:]


def parse_subject_folder(folder: str, *, place: str) -> Subject:
    """Return the subject whose folder in a bundle has this name. Raises FormatError."""
    for kind, shape in SUBJECT_IDS.items():
        try:
            shape.check(folder, place)
        except FormatError:
            continue
        return Subject(kind=kind, id=folder)
    raise FormatError(place, "the id of a subject", folder)


def _subject(value: Json, place: str) -> Subject:
    kind, subject_id = (as_text(as_object(value)[name]) for name in ("kind", "id"))
    SUBJECT_IDS[kind].check(subject_id, f"{place}.subject.id")
    return Subject(kind=kind, id=subject_id)


def _check_received(value: Mapping[str, Json], place: str) -> None:
    """A commitment hides even the digest; every other mode has sha256 and may have more."""
    digests = as_object(value["digests"])
    if value["mode"] == "commitment":
        if digests.keys() != {"commitment"} or value["size"] is not None:
            raise FormatError(f"{place}.digests", "exactly a commitment, and size null", value["size"])
    elif "sha256" not in digests or "commitment" in digests:
        raise FormatError(f"{place}.digests", "sha256, and no commitment", ", ".join(digests))
    if value["mode"] == "content" and value["size"] is None:
        raise FormatError(f"{place}.size", "a number of bytes", None)
    for algorithm, digest in digests.items():
        length = 128 if algorithm == "sha512" else 64
        if len(str(digest)) != length:
            raise FormatError(f"{place}.digests.{algorithm}", f"{length} hex digits", digest)
