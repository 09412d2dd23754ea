"""Statements that are signed: one form, bound to one head of one item."""

import pytest

from evidence_vault.core.attestation import (
    ATTESTATION_LINE,
    WITHDRAWAL_LINE,
    Attestation,
    Withdrawal,
    encode_statement,
    parse_statement,
)
from evidence_vault.errors import FormatError
from tests.core.test_events import ITEM

ATTESTATION = Attestation(
    origin="vault.example/log",
    item=ITEM,
    case=None,
    head_seq=4,
    head_sha256=b"\x01" * 32,
    digests={"sha256": "ab" * 32},
    examined=(("content", "re-hashed the stored bytes"),),
    not_examined=("the website itself",),
    result="matches",
    remark="",
)
WITHDRAWAL = Withdrawal(
    origin="vault.example/log",
    item=ITEM,
    attested_seq=5,
    attested_sha256=b"\x02" * 32,
    statement_sha256=b"\x03" * 32,
    reason="examined the wrong file",
)


@pytest.mark.parametrize(
    ("statement", "line"), [(ATTESTATION, ATTESTATION_LINE), (WITHDRAWAL, WITHDRAWAL_LINE)]
)
def test_parse_statement_returns_what_was_encoded(statement: Attestation | Withdrawal, line: bytes) -> None:
    data = encode_statement(statement)
    assert data.startswith(line + b"{")
    assert parse_statement(data) == statement


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"attestation/v1\n", b"attestation/v2\n"),
        (b"attestation/v1\n", b"withdrawal/v1\n"),
        (b"attestation/v1\n", b"attestation/v1\r\n"),
        (b'"result":"matches"', b'"result":"proved"'),
        (b'"v":1', b'"v":1,"w":1'),
        (b'"seq":4', b'"seq":-4'),
        (b'{"case"', b' {"case"'),
    ],
)
def test_parse_statement_refuses_any_other_form(old: bytes, new: bytes) -> None:
    data = encode_statement(ATTESTATION)
    assert old in data
    with pytest.raises(FormatError):
        parse_statement(data.replace(old, new, 1))


def test_parse_statement_refuses_bytes_behind_the_end() -> None:
    with pytest.raises(FormatError):
        parse_statement(encode_statement(ATTESTATION) + b"\n")
