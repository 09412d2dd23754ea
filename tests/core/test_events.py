"""Events: form, chain and slots."""

import hashlib
from typing import Any

import pytest

from evidence_vault.core.canonical import encode_canonical
from evidence_vault.core.events import (
    Subject,
    encode_event,
    encode_leaf_entry,
    first_slot,
    next_slot,
    parse_event,
    parse_leaf_entry,
    parse_subject_folder,
)
from evidence_vault.core.names import encode_id
from evidence_vault.errors import FormatError

ITEM = encode_id("it", bytes(range(16)))
ACTOR = encode_id("ac", bytes(16))


def received(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "v": 1,
        "type": "ITEM_RECEIVED",
        "origin": "vault.example/log",
        "env": "production",
        "subject": {"kind": "item", "id": ITEM},
        "seq": 0,
        "prev": None,
        "at": "2026-11-22T16:37:00.123Z",
        "clock": {"source": "system", "offset_ms": None},
        "actor": {"id": ACTOR, "role": "RH", "auth": "token", "on_behalf_of": None, "signature": None},
        "where": {},
        "why": {},
        "how": {"tool": "evidence-vault", "version": "0.1.0"},
        "result": "ok",
        "nonce": "ab" * 32,
        "_sd": [],
        "mode": "content",
        "digests": {"sha256": "cd" * 32},
        "size": 123,
        "secret": False,
    }
    return fields | changes


def test_parse_event_returns_what_was_encoded() -> None:
    event = encode_event(received())
    assert parse_event(event.raw) == event
    assert event.sha256 == hashlib.sha256(event.raw).digest()
    assert event.subject == Subject(kind="item", id=ITEM)
    assert event.known


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"prev": "00" * 32}, "event.prev"),
        ({"seq": 1, "prev": "00" * 32}, "event.type"),
        ({"type": "TIMESTAMP_OBTAINED"}, "event"),
        ({"colour": "red"}, "event"),
        ({"why": {"because": "x"}}, "event.why"),
        ({"digests": {"sha512": "ab" * 64}}, "event.digests"),
        ({"digests": {"sha256": "ab" * 64}}, "event.digests.sha256"),
        ({"digests": {"sha256": "AB" * 32}}, "event.digests.sha256"),
        ({"mode": "commitment"}, "event.digests"),
        ({"size": None}, "event.size"),
        ({"size": -1}, "event.size"),
        ({"size": True}, "event.size"),
        ({"origin": "vault.example/receipt"}, "event.origin"),
        ({"origin": "evidence-vault/log"}, "event.origin"),
        ({"at": "2026-02-30T00:00:00.000Z"}, "event.at"),
        ({"at": "2026-02-20T00:00:00Z"}, "event.at"),
        ({"_sd": ["b" * 43, "a" * 43]}, "event._sd[1]"),
        ({"_sd": ["a" * 43, "a" * 43]}, "event._sd[1]"),
        ({"subject": {"kind": "item", "id": "platform"}}, "event.subject.id"),
        ({"env": "staging"}, "event.env"),
        ({"v": 2}, "event.v"),
    ],
)
def test_parse_event_with_a_wrong_field_names_the_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(FormatError) as caught:
        encode_event(received(**changes))
    assert caught.value.place == place


def test_parse_event_of_unknown_type_is_read_but_not_known() -> None:
    fields = received(type="SOMETHING_NEW", seq=4, prev="00" * 32, colour="red")
    assert not encode_event(fields).known


@pytest.mark.parametrize("raw", [b" {}", b"{}", b"[]", b"\xff", b"[" * 5000, b'{"a":1,"a":1}', b'{"v":1.0}'])
def test_parse_event_refuses_bytes_that_are_not_canonical(raw: bytes) -> None:
    with pytest.raises(FormatError):
        parse_event(raw)


def test_parse_event_with_white_space_refused() -> None:
    raw = encode_canonical(received())
    with pytest.raises(FormatError, match="byte 1"):
        parse_event(raw.replace(b'{"_sd"', b'{ "_sd"'))


def test_slots_follow_the_specification() -> None:
    subject = Subject(kind="item", id=ITEM)
    assert (
        first_slot(subject) == hashlib.sha256(b"evidence-vault/subject/v1\nitem\n" + ITEM.encode()).digest()
    )
    assert next_slot(b"n" * 32) == hashlib.sha256(b"evidence-vault/slot/v1\n" + b"n" * 32).digest()


def test_leaf_entry_round_trip_and_refusal() -> None:
    entry = encode_leaf_entry(b"e" * 32, b"s" * 32)
    assert len(entry) == 65
    assert parse_leaf_entry(entry) == (b"e" * 32, b"s" * 32)
    for bad in (b"", entry[:-1], entry + b"\x00", b"\x02" + entry[1:]):
        with pytest.raises(FormatError):
            parse_leaf_entry(bad)


@pytest.mark.parametrize(("folder", "kind"), [(ITEM, "item"), ("log", "log"), ("12", "checkpoint")])
def test_parse_subject_folder_tells_the_kind(folder: str, kind: str) -> None:
    assert parse_subject_folder(folder, place="x") == Subject(kind=kind, id=folder)


@pytest.mark.parametrize("folder", ["012", "0", "it_x", "Log", "", "it_" + "8" * 26])
def test_parse_subject_folder_refuses_other_names(folder: str) -> None:
    with pytest.raises(FormatError):
        parse_subject_folder(folder, place="x")
