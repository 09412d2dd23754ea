"""Header fields of a deposit: what is read, and what is refused by name."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_vault.api.fields import (
    encode_content_disposition,
    encode_ext_value,
    encode_repr_digest,
    parse_boolean,
    parse_content_disposition,
    parse_ext_value,
    parse_repr_digest,
)
from evidence_vault.errors import FormatError


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("attachment", None),
        ("attachment; filename=photo.png", "photo.png"),
        ('attachment; filename="a \\"b\\" \\\\ c.txt"', 'a "b" \\ c.txt'),
        ('attachment;filename="a;b.txt"', "a;b.txt"),
        ("attachment; filename=x.txt; filename*=UTF-8''%E7%85%A7%E7%89%87.png", "照片.png"),
        ("attachment; filename*=utf-8'zh'%F0%9F%93%B7; filename=x.txt", "📷"),
        ('attachment; filename="' + "照片.png".encode().decode("latin-1") + '"', "照片.png"),
        ("inline; filename=../../etc/passwd", "../../etc/passwd"),
        ("attachment; filename*=UTF-8''a%00b", "a\0b"),
        ('form-data; name="f"; filename="x"', "x"),
    ],
)
def test_parse_content_disposition_gives_the_name_as_sent(value: str, name: str | None) -> None:
    assert parse_content_disposition(value) == name


@pytest.mark.parametrize(
    "value",
    [
        "",
        "; filename=x",
        "attachment; filename",
        'attachment; filename="open',
        "attachment; filename=a b",
        "attachment; filename=a; filename=b",
        "attachment, filename=a",
        "attachment; filename*=ISO-8859-1''%A3",
        "attachment; filename*=UTF-8''%ZZ",
        "attachment; filename*=UTF-8''%FF",
        "attachment; filename*=photo.png",
        "attachment; filename=\xff\xfe",
        "attachment; filename=" + "a" * 20_000,
    ],
)
def test_parse_content_disposition_refuses_what_it_cannot_read(value: str) -> None:
    with pytest.raises(FormatError, match="Content-Disposition"):
        parse_content_disposition(value)


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_file_name_written_and_read_is_the_same(name: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return
    field = encode_content_disposition(name)
    assert field.isascii()
    assert field.isprintable()
    assert parse_content_disposition(field) == name
    assert parse_ext_value(encode_ext_value(name), place="x") == name


def test_repr_digest_written_and_read_is_the_same() -> None:
    sha256 = hashlib.sha256(b"hello").digest()
    assert parse_repr_digest(encode_repr_digest(sha256)) == {"sha-256": sha256}


def test_parse_repr_digest_other_algorithm_beside_sha256_kept() -> None:
    value = encode_repr_digest(bytes(32)) + " , unixsum=:AAA=:"
    assert parse_repr_digest(value) == {"sha-256": bytes(32), "unixsum": b"\0\0"}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sha-256",
        "sha-256=abc",
        "sha-256=:AAAA:",
        "sha-512=:" + "A" * 86 + "==:",
        "sha-256=:" + "A" * 43 + "=:,sha-256=:" + "A" * 43 + "=:",
        "sha-256=:" + "A" * 42 + ":",
        "SHA-256=:" + "A" * 43 + "=:",
    ],
)
def test_parse_repr_digest_refuses_what_it_cannot_check(value: str) -> None:
    with pytest.raises(FormatError, match="Repr-Digest"):
        parse_repr_digest(value)


def test_parse_boolean_two_spellings_only() -> None:
    assert parse_boolean("?1", place="Evidence-Secret") is True
    assert parse_boolean("?0", place="Evidence-Secret") is False
    with pytest.raises(FormatError, match="Evidence-Secret"):
        parse_boolean("true", place="Evidence-Secret")
