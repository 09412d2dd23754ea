import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_vault.core import tlog_proof as module
from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.merkle import leaf_hash, verify_inclusion
from evidence_vault.core.note_keys import parse_vkey
from evidence_vault.core.notes import Verified
from evidence_vault.core.tlog_proof import (
    HEADER,
    MAX_PROOF_BYTES,
    TlogProof,
    encode_tlog_proof,
    parse_tlog_proof,
)
from evidence_vault.errors import FormatError, VerificationError

VKEY = "vault.example/log+d63d5dcc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
HASH = "T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4="


def example() -> bytes:
    """The worked example in the module's documentation."""
    assert module.__doc__
    lines = module.__doc__.split("\n\n    ", 1)[1].split("\n\nThe leaf's", 1)[0]
    return "".join(f"{line.strip()}\n" for line in lines.split("\n")).encode()


def test_documented_example_proves_its_entry() -> None:
    proof = parse_tlog_proof(example())
    opened = open_checkpoint(proof.checkpoint_note, origin="vault.example/log", trusted=[parse_vkey(VKEY)])
    assert isinstance(opened.signed, Verified)
    for entry, proved in ((b"three", True), (b"four", False)):
        try:
            verify_inclusion(
                tree_head=opened.checkpoint.tree_head,
                leaf_index=proof.index,
                leaf_hash=leaf_hash(entry),
                proof=proof.hashes,
            )
        except VerificationError:
            assert not proved
        else:
            assert proved
    assert encode_tlog_proof(proof) == example()


@settings(max_examples=100)
@given(
    index=st.integers(0, (1 << 63) - 1),
    hashes=st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple),
    checkpoint_note=st.binary(min_size=1),
    extra=st.none() | st.binary(max_size=60),
)
def test_parse_tlog_proof_reads_what_encode_writes(
    index: int, hashes: tuple[bytes, ...], checkpoint_note: bytes, extra: bytes | None
) -> None:
    proof = TlogProof(index=index, hashes=hashes, checkpoint_note=checkpoint_note, extra=extra)
    assert parse_tlog_proof(encode_tlog_proof(proof)) == proof


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("", "tlog-proof", id="empty"),
        pytest.param(f"{HEADER}\nindex 2\n{HASH}\n", "tlog-proof", id="no-checkpoint"),
        pytest.param(f"{HEADER}\nindex 2\n{HASH}\n\n", "tlog-proof", id="empty-checkpoint"),
        pytest.param(f"{HEADER[:-1]}2\nindex 2\n\nnote", "tlog-proof line 1", id="version-2"),
        pytest.param(f"{HEADER}\r\nindex 2\n\nnote", "tlog-proof line 1", id="carriage-return"),
        pytest.param(f"{HEADER}\n\nnote", "tlog-proof index", id="no-index"),
        pytest.param(f"{HEADER}\n{HASH}\n\nnote", "tlog-proof index", id="hash-in-place-of-index"),
        pytest.param(f"{HEADER}\nindex\n\nnote", "tlog-proof index", id="index-without-value"),
        pytest.param(f"{HEADER}\nindex 02\n\nnote", "tlog-proof index", id="index-with-leading-zero"),
        pytest.param(f"{HEADER}\nindex {1 << 63}\n\nnote", "tlog-proof index", id="index-2^63"),
        pytest.param(f"{HEADER}\nindex 2\nextra AA==\n\nnote", "tlog-proof hash 0", id="extra-after-index"),
        pytest.param(f"{HEADER}\nextra AB==\nindex 2\n\nnote", "tlog-proof extra", id="extra-unused-bits"),
        pytest.param(
            f"{HEADER}\nextra AA==\nextra AA==\nindex 2\n\nnote", "tlog-proof index", id="two-extras"
        ),
        pytest.param(f"{HEADER}\nindex 2\n{HASH}\nAAAA\n\nnote", "tlog-proof hash 1", id="3-byte-hash"),
        pytest.param(f"{HEADER}\nindex 2\n{HASH} \n\nnote", "tlog-proof hash 0", id="space-after-hash"),
        pytest.param(f"{HEADER}\nindex 2\n" + f"{HASH}\n" * 64 + "\nnote", "tlog-proof", id="64-hashes"),
        pytest.param(f"{HEADER}\nindex ٢\n\nnote", "tlog-proof", id="not-ascii"),
        pytest.param(f"{HEADER}\nindex 2\n\n" + "n" * MAX_PROOF_BYTES, "tlog-proof", id="too-long"),
    ],
)
def test_parse_tlog_proof_refuses(text: str, place: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_tlog_proof(text.encode())
    assert caught.value.place == place
