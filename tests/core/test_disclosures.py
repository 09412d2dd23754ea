"""Disclosures: salted digests in the event, clear values beside it."""

import base64
import hashlib

import pytest

from evidence_vault.core.canonical import Json, encode_canonical
from evidence_vault.core.disclosures import (
    digest_disclosure,
    encode_disclosure,
    open_disclosures,
    parse_disclosure,
)
from evidence_vault.core.events import Event, encode_event
from evidence_vault.errors import FormatError, VerificationError
from tests.core.test_events import received

SALT = bytes(range(16))


def b64url(value: Json) -> str:
    return base64.urlsafe_b64encode(encode_canonical(value)).rstrip(b"=").decode()


def event_with(*disclosures: str) -> Event:
    return encode_event(received(_sd=sorted(digest_disclosure(text) for text in disclosures)))


def test_digest_is_base64url_sha256_of_the_ascii_disclosure() -> None:
    text = encode_disclosure("file_name", "证据 🖼.png", salt=SALT)
    expected = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    assert digest_disclosure(text) == expected == parse_disclosure(text).digest
    assert parse_disclosure(text).value == "证据 🖼.png"


def test_open_disclosures_returns_clear_values() -> None:
    name = encode_disclosure("file_name", "a.txt", salt=SALT)
    note = encode_disclosure("note", "seen on a shop page", salt=SALT[::-1])
    event = event_with(name, note)
    assert open_disclosures(event, [name], place="x") == {"file_name": "a.txt"}
    assert open_disclosures(event, [note, name], place="x") == {
        "file_name": "a.txt",
        "note": "seen on a shop page",
    }


def test_open_disclosures_of_another_event_fails() -> None:
    name = encode_disclosure("file_name", "a.txt", salt=SALT)
    other = encode_disclosure("file_name", "b.txt", salt=SALT)
    with pytest.raises(VerificationError, match="file_name"):
        open_disclosures(event_with(name), [other], place="x")


def test_open_disclosures_refuses_a_name_twice_or_one_that_is_a_field() -> None:
    first = encode_disclosure("note", "a", salt=SALT)
    second = encode_disclosure("note", "b", salt=SALT)
    size = encode_disclosure("size", "1", salt=SALT)
    with pytest.raises(FormatError, match="nowhere else"):
        open_disclosures(event_with(first, second), [first, second], place="x")
    with pytest.raises(FormatError, match="nowhere else"):
        open_disclosures(event_with(size), [size], place="x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        b64url(["AAECAwQFBgcICQoLDA0ODw", "note", "x"]) + "=",
        b64url(["AAECAwQFBgcICQoLDA0ODw", "note"]),
        b64url(["AAECAwQFBgcICQoLDA0ODw", "note", 1]),
        b64url(["AAEC", "note", "x"]),
        b64url(["AAECAwQFBgcICQoLDA0ODw", "Note", "x"]),
        b64url({"salt": "x"}),
        base64.urlsafe_b64encode(b'["AAECAwQFBgcICQoLDA0ODw", "note","x"]').rstrip(b"=").decode(),
    ],
)
def test_parse_disclosure_refuses_any_other_form(text: str) -> None:
    with pytest.raises(FormatError):
        parse_disclosure(text)


def test_encode_disclosure_needs_sixteen_bytes_of_salt() -> None:
    with pytest.raises(FormatError, match="16 bytes"):
        encode_disclosure("note", "x", salt=b"short")
