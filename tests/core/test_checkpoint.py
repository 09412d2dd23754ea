import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchors.base import TreeHead
from evidence_vault.core import checkpoint as module
from evidence_vault.core.checkpoint import (
    Checkpoint,
    encode_checkpoint,
    open_checkpoint,
    parse_checkpoint,
)
from evidence_vault.core.merkle import EMPTY_ROOT
from evidence_vault.core.note_keys import parse_vkey
from evidence_vault.core.notes import Note, Unverified, Verified, encode_note
from evidence_vault.errors import FormatError, VerificationError

ROOT = "Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk="
VKEY = "vault.example/log+d63d5dcc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"


def example() -> bytes:
    """The worked example in the module's documentation."""
    assert module.__doc__
    lines = module.__doc__.split("\n\n    ", 1)[1].split("\n\nOrigin", 1)[0]
    return "".join(f"{line.strip()}\n" for line in lines.split("\n")).encode()


def test_open_checkpoint_of_the_documented_example_is_signed_by_the_documented_key() -> None:
    assert module.__doc__
    assert VKEY in module.__doc__
    opened = open_checkpoint(example(), origin="vault.example/log", trusted=[parse_vkey(VKEY)])
    assert isinstance(opened.signed, Verified)
    assert opened.checkpoint.tree_head.size == 3


def test_open_checkpoint_without_a_known_key_is_unverified() -> None:
    opened = open_checkpoint(example(), origin="vault.example/log", trusted=[])
    assert opened.signed == Unverified()


def test_open_checkpoint_of_another_log_by_the_same_key_is_rejected() -> None:
    with pytest.raises(VerificationError, match=r"checkpoint origin: expected vault\.example/2"):
        open_checkpoint(example(), origin="vault.example/2", trusted=[parse_vkey(VKEY)])


def test_open_checkpoint_with_a_root_at_size_zero_is_rejected() -> None:
    data = example().replace(b"\n3\n", b"\n0\n")
    with pytest.raises(VerificationError, match="root hash of the empty tree"):
        open_checkpoint(data, origin="vault.example/log", trusted=[])


def test_open_checkpoint_of_every_size_of_a_foreign_log(vectors: Path) -> None:
    log = json.loads((vectors / "checkpoints" / "tessera-testdata-log.json").read_bytes())
    key = parse_vkey(log["vkey"])
    for size, note in enumerate(log["checkpoints"]):
        opened = open_checkpoint(note.encode(), origin="example.com/log/testdata", trusted=[key])
        assert isinstance(opened.signed, Verified)
        assert opened.checkpoint.tree_head.size == size
        assert encode_note(
            Note(text=encode_checkpoint(opened.checkpoint), signatures=opened.note.signatures)
        ) == (note.encode())


def test_parse_checkpoint_reads_extension_lines_only_when_asked(vectors: Path) -> None:
    cases = json.loads((vectors / "checkpoints" / "notes.json").read_bytes())
    (case,) = [c for c in cases if c["id"] == "rekor-bundle.txt.sigstore"]
    text = case["note"].split("\n\n")[0] + "\n"
    with pytest.raises(FormatError, match="checkpoint line 4: expected no extension lines"):
        parse_checkpoint(text)
    read = parse_checkpoint(text, allow_extensions=True)
    assert read.extensions == ("Timestamp: 1682468469199678948",)
    assert encode_checkpoint(read) == text


@given(
    origin=st.text(st.characters(codec="ascii", min_codepoint=32), min_size=1),
    size=st.integers(0, (1 << 63) - 1),
    root_hash=st.binary(min_size=32, max_size=32),
)
def test_parse_checkpoint_reads_what_encode_checkpoint_writes(
    origin: str, size: int, root_hash: bytes
) -> None:
    checkpoint = Checkpoint(origin=origin, tree_head=TreeHead(size=size, root_hash=root_hash))
    assert parse_checkpoint(encode_checkpoint(checkpoint)) == checkpoint


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("", "checkpoint", id="empty"),
        pytest.param("o\n3\n", "checkpoint", id="two-lines"),
        pytest.param(f"o\n3\n{ROOT}", "checkpoint", id="no-final-lf"),
        pytest.param(f"o\n3\n{ROOT}\nx", "checkpoint", id="line-without-lf"),
        pytest.param(f"\n3\n{ROOT}\n", "checkpoint line 1", id="no-origin"),
        pytest.param(f"o\n\n{ROOT}\n", "checkpoint line 2", id="no-size"),
        pytest.param(f"o\n3\n{ROOT}\n\n", "checkpoint line 4", id="empty-line-at-the-end"),
        pytest.param(f"o\n03\n{ROOT}\n", "checkpoint size", id="leading-zero"),
        pytest.param(f"o\n 3\n{ROOT}\n", "checkpoint size", id="space"),
        pytest.param(f"o\n-3\n{ROOT}\n", "checkpoint size", id="negative"),
        pytest.param(f"o\n{1 << 63}\n{ROOT}\n", "checkpoint size", id="2^63"),
        pytest.param(f"o\n3\n{ROOT[:-1]}\n", "checkpoint root hash", id="no-padding"),
        pytest.param(f"o\n3\n{ROOT[:-2]}l=\n", "checkpoint root hash", id="unused-bits"),
        pytest.param("o\n3\nAAAA\n", "checkpoint root hash", id="3-byte-root"),
        pytest.param(f"o\n3\n{ROOT}\nextension\n", "checkpoint line 4", id="extension-line"),
    ],
)
def test_parse_checkpoint_refuses(text: str, place: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_checkpoint(text)
    assert caught.value.place == place


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint(origin="", tree_head=TreeHead(size=0, root_hash=EMPTY_ROOT)),
        Checkpoint(origin="o\n1", tree_head=TreeHead(size=0, root_hash=EMPTY_ROOT)),
        Checkpoint(origin="o", tree_head=TreeHead(size=-1, root_hash=EMPTY_ROOT)),
        Checkpoint(origin="o", tree_head=TreeHead(size=1, root_hash=b"short")),
        Checkpoint(origin="o", tree_head=TreeHead(size=0, root_hash=EMPTY_ROOT), extensions=("a\nb",)),
    ],
)
def test_encode_checkpoint_refuses_what_cannot_be_read_back(checkpoint: Checkpoint) -> None:
    with pytest.raises(FormatError):
        encode_checkpoint(checkpoint)
