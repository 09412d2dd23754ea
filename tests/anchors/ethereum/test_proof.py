import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors.errors import FormatError
from anchors.ethereum.proof import MAX_PROOF_BYTES, EthereumProof, encode_proof, parse_proof
from anchors.values import replace
from tests.anchors.ethereum.blocks import ReceiptTrie
from tests.anchors.ethereum.made import Log, make_proof, make_receipt

GOOD = make_proof(size=40, root_hash=b"\x11" * 32)
SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/spec/schemas/ethereum-proof.json").read_text(encoding="utf-8")
)
BYTES20 = st.binary(min_size=20, max_size=20)


@given(
    st.builds(
        EthereumProof,
        chain_id=st.integers(1, 2**53 - 1),
        contract=BYTES20,
        sender=BYTES20,
        header=st.binary(max_size=600),
        receipt_index=st.integers(0, 2**24 - 1),
        nodes=st.lists(st.binary(max_size=600), max_size=9).map(tuple),
    )
)
def test_parse_proof_of_an_encoded_proof_gives_it_back(proof: EthereumProof) -> None:
    assert parse_proof(encode_proof(proof)) == proof


def test_encode_proof_is_sorted_compact_and_small() -> None:
    encoded = encode_proof(GOOD)
    assert encoded.startswith(b'{"chain_id":11155111,"contract":"c0c0')
    assert encoded.endswith(b',"v":1}')
    assert len(encoded) < 4096


def test_encode_proof_in_a_block_of_300_receipts_has_at_most_4_kb() -> None:
    """Header of 23 fields as in late 2026 (some 650 bytes); every other receipt has three logs."""
    receipts = [make_receipt(Log(), Log(), Log())] * 300
    receipts[150] = make_receipt(Log())
    nodes = ReceiptTrie(tuple(receipts)).nodes(150)
    assert len(encode_proof(replace(GOOD, header=b"\xff" * 660, receipt_index=150, nodes=nodes))) <= 4000


def _with(**changes: Any) -> bytes:
    value = json.loads(encode_proof(GOOD)) | changes
    value = {name: field for name, field in value.items() if field is not ...}
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (_with(kind="opentimestamps"), "ethereum proof kind"),
        (_with(v=2), "ethereum proof v"),
        (_with(v=True), "ethereum proof v"),
        (_with(v=1.0), "ethereum proof v"),
        (_with(sender=...), "ethereum proof sender"),
        (_with(note="x"), "ethereum proof note"),
        (_with(chain_id=0), "ethereum proof chain_id"),
        (_with(chain_id="1"), "ethereum proof chain_id"),
        (_with(chain_id=2**53), "ethereum proof chain_id"),
        (_with(contract="c0" * 19), "ethereum proof contract"),
        (_with(contract="C0" * 20), "ethereum proof contract"),
        (_with(contract="0x" + "c0" * 20), "ethereum proof contract"),
        (_with(contract="c0 " * 20), "ethereum proof contract"),
        (_with(contract=None), "ethereum proof contract"),
        (_with(header="abc"), "ethereum proof header"),
        (_with(header="AAF="), "ethereum proof header"),
        (_with(header="AAE"), "ethereum proof header"),
        (_with(header="AAE=="), "ethereum proof header"),
        (_with(header="AAE=AAE="), "ethereum proof header"),
        (_with(header="A==="), "ethereum proof header"),
        (_with(header="===="), "ethereum proof header"),
        (_with(header=" AAE="), "ethereum proof header"),
        (_with(header="AA\nE="), "ethereum proof header"),
        (_with(header="AAE=\n"), "ethereum proof header"),
        (_with(header="_-E="), "ethereum proof header"),
        (_with(header="\u00e9AE="), "ethereum proof header"),
        (_with(header=GOOD.header.hex() + "0"), "ethereum proof header"),
        (_with(header=None), "ethereum proof header"),
        (_with(header=[]), "ethereum proof header"),
        (_with(sender="AAAAAAAAAAAAAAAAAAAAAAAAAAA="), "ethereum proof sender"),
        (_with(receipt_index=-1), "ethereum proof receipt_index"),
        (_with(receipt_index=2**24), "ethereum proof receipt_index"),
        (_with(nodes={}), "ethereum proof nodes"),
        (_with(nodes=["AA=="] * 10), "ethereum proof nodes"),
        (_with(nodes=["AA==", 1]), "ethereum proof nodes[1]"),
        (_with(nodes=["AA==", "AB=="]), "ethereum proof nodes[1]"),
        (_with(nodes=["AA==", "00"]), "ethereum proof nodes[1]"),
        (b"[]", "ethereum proof"),
        (b"", "ethereum proof"),
        (b"\xff", "ethereum proof"),
        (b"[" * 30_000, "ethereum proof"),
        (b"[" * 30_000 + b"]" * 30_000, "ethereum proof"),
        (b"9" * 5000, "ethereum proof"),
        (b"NaN", "ethereum proof"),
        (b" " * (MAX_PROOF_BYTES + 1), "ethereum proof"),
        (b" " + encode_proof(GOOD), "ethereum proof"),
        (encode_proof(GOOD) + b"\n", "ethereum proof"),
        (encode_proof(GOOD).replace(b'"v":1', b'"v":1,"v":1'), "ethereum proof"),
        (encode_proof(GOOD).replace(b'"v":1', b'"\\u0076":1'), "ethereum proof"),
    ],
)
def test_parse_proof_refuses_and_names_the_place(data: bytes, place: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_proof(data)
    assert caught.value.place == place


@settings(max_examples=200)
@given(st.integers(0, len(encode_proof(GOOD)) * 8 - 1))
def test_parse_proof_with_a_flipped_bit_is_refused_or_another_proof(bit: int) -> None:
    data = bytearray(encode_proof(GOOD))
    data[bit // 8] ^= 1 << bit % 8
    try:
        proof = parse_proof(bytes(data))
    except FormatError:
        return
    assert proof != GOOD
    assert encode_proof(proof) == data


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode()))
def test_parse_proof_of_any_bytes_raises_nothing_but_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_proof(data)


@given(st.text("AQ/+=-_ ", max_size=9))
def test_parse_proof_of_a_node_in_base64_takes_one_spelling_of_its_bytes(text: str) -> None:
    data = _with(nodes=[text])
    try:
        assert encode_proof(parse_proof(data)) == data
    except FormatError:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(data), SCHEMA)
    else:
        jsonschema.validate(json.loads(data), SCHEMA)


def test_encode_proof_of_a_changed_proof_differs() -> None:
    assert encode_proof(replace(GOOD, receipt_index=2)) != encode_proof(GOOD)
