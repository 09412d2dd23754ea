import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchors.errors import FormatError
from anchors.ethereum.headers import HeadersFile, HeaderSource, SourcedBlock, encode_headers, parse_headers

BLOCK = SourcedBlock(number=7, block_hash=b"\x07" * 32, finalized=True)
GOOD = HeadersFile(
    chain_id=11155111,
    fetched_at=datetime(2026, 11, 22, 16, 37, 0, 123000, tzinfo=UTC),
    sources=(HeaderSource(host="rpc.example:8545", blocks=(BLOCK,)), HeaderSource(host="[::1]", blocks=())),
)


def test_encode_headers_is_the_documented_example() -> None:
    block = '{"finalized":true,"hash":"' + "07" * 32 + '","number":7}'
    sources = '[{"blocks":[' + block + '],"host":"rpc.example:8545"},{"blocks":[],"host":"[::1]"}]'
    time = "2026-11-22T16:37:00.123Z"
    expected = f'{{"chain_id":11155111,"fetched_at":"{time}","sources":{sources},"v":1}}'
    assert encode_headers(GOOD).decode() == expected
    assert parse_headers(encode_headers(GOOD)) == GOOD


def _with(path: str, value: Any) -> bytes:
    document = json.loads(encode_headers(GOOD))
    *way, last = path.split("/")
    target = document
    for step in way:
        target = target[int(step) if step.isdigit() else step]
    target[last] = value
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("v", 2, "headers file v"),
        ("note", 1, "headers file note"),
        ("chain_id", 0, "headers file chain_id"),
        ("fetched_at", "2026-11-22T16:37:00Z", "headers file fetched_at"),
        ("fetched_at", "2026-13-22T16:37:00.000Z", "headers file fetched_at"),
        ("fetched_at", 1, "headers file fetched_at"),
        ("fetched_at", "0001-01-01T00:00:00.000+14:00", "headers file fetched_at"),
        ("sources", {}, "headers file sources"),
        ("sources", [{}] * 17, "headers file sources"),
        ("sources/0/host", "https://rpc.example/key", "headers file sources[0] host"),
        ("sources/0/host", "user@rpc.example", "headers file sources[0] host"),
        ("sources/0/host", "", "headers file sources[0] host"),
        ("sources/0/host", "\x1b[31m", "headers file sources[0] host"),
        ("sources/0/blocks/0/finalized", 1, "headers file sources[0] blocks[0] finalized"),
        ("sources/0/blocks/0/hash", None, "headers file sources[0] blocks[0] hash"),
        ("sources/0/blocks/0/number", -1, "headers file sources[0] blocks[0] number"),
    ],
)
def test_parse_headers_refuses_and_names_the_place(path: str, value: Any, place: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_headers(_with(path, value))
    assert caught.value.place == place


@given(st.binary(max_size=200))
def test_parse_headers_of_any_bytes_raises_nothing_but_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_headers(data)
