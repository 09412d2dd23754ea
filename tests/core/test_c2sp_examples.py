"""The worked examples of the C2SP specifications (c2sp.org: signed-note, tlog-checkpoint, tlog-cosignature,
tlog-witness, tlog-tiles, tlog-proof), read by our parsers and written again byte for byte.

Their signatures are made up: the examples' log bears the key id of another log. So forms and values are compared
here, and the verdicts on real notes of foreign logs in `test_notes` and `witness/test_foreign_log`. The example
request of tlog-witness stands in `test_tlog_witness`.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_vault.core.checkpoint import parse_checkpoint
from evidence_vault.core.note_keys import cosignature_message
from evidence_vault.core.notes import encode_note, encode_signatures, parse_note, parse_signatures
from evidence_vault.core.textfields import encode_base64
from evidence_vault.core.tiles import WIDTH, tile_path, tiles_for_size, width_at
from evidence_vault.core.tlog_proof import encode_tlog_proof, parse_tlog_proof

POEM = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore \
NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
""".encode()
"""signed-note: a text with an empty line in it."""

COSIGNED = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 \
jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
""".encode()
"""tlog-cosignature; without its last line the example of tlog-checkpoint."""

ANSWER = """\
— witness.example/w1 \
CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==
— witness.example/w1 \
I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+DlkL0+UfzuOBMh9ChdMkP1vi/lCAsmlw==
— witness.example/w2 \
AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJhm/kWl7oJlqU3rXXvpysAdyP3wQ==
""".encode()
"""tlog-witness: what a witness with three keys answers."""

PROOF_HASHES = """\
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=
"""
"""tlog-proof: of leaf 73894 in a tree of 109482."""


def test_note_of_the_specification_ends_its_text_at_the_last_empty_line() -> None:
    note = parse_note(POEM)
    assert note.text.endswith("trafitto da un raggio di sole:\n\ned è subito sera.\n")
    (line,) = note.signatures
    assert (line.name, len(line.signature)) == ("quasimodo.example/salvatore", 64)
    assert line.key_id == bytes.fromhex("367ba04b")
    assert encode_note(note) == POEM


def test_checkpoint_of_the_specification_states_its_head() -> None:
    checkpoint = parse_checkpoint(parse_note(COSIGNED).text)
    assert checkpoint.origin == "example.com/behind-the-sofa"
    assert checkpoint.tree_head.size == 20852163
    assert checkpoint.tree_head.root_hash.hex().startswith("0ac5186a91863e8e")
    assert encode_note(parse_note(COSIGNED)) == COSIGNED


def test_cosignature_of_the_specification_has_the_time_of_its_message() -> None:
    """A cosignature is 8 bytes of POSIX seconds, big-endian, and 64 of Ed25519."""
    note = parse_note(COSIGNED)
    log, witness = note.signatures
    assert (len(log.signature), len(witness.signature)) == (64, 72)
    seconds = int.from_bytes(witness.signature[:8])
    assert seconds == 1679315147
    assert cosignature_message(note.text, seconds).decode() == (
        "cosignature/v1\n"
        "time 1679315147\n"
        "example.com/behind-the-sofa\n"
        "20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_answer_of_the_specification_has_a_line_for_each_of_the_witness_keys() -> None:
    lines = parse_signatures(ANSWER)
    assert [(line.name, line.key_id.hex()) for line in lines] == [
        ("witness.example/w1", "08ca7ee8"),
        ("witness.example/w1", "23bac4a6"),
        ("witness.example/w2", "016ba2f1"),
    ]
    assert {len(line.signature) for line in lines} == {72}
    assert encode_signatures(lines) == ANSWER
    # A client may read the answer as the end of the checkpoint that it sent.
    checkpoint = COSIGNED[: COSIGNED.index("— witness".encode())]
    assert parse_note(checkpoint + ANSWER).signatures[1:] == lines


def test_tile_paths_of_the_specification() -> None:
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(63, 0, 255) == "tile/63/000.p/255"
    widths = [tile.width for tile in tiles_for_size(256)]
    assert widths == [256, 1, 256]  # the level 0 tile, its hash one level up, and the entries


@given(st.integers(1, 2**63 - 1), st.integers(0, 7))
def test_width_of_the_last_tile_is_the_formula_of_the_specification(size: int, level: int) -> None:
    """tlog-tiles, Partial Tiles: floor(s / 256**l) mod 256 hashes, and none that is empty."""
    count = size // 256**level
    index, partial = divmod(count, WIDTH)
    assert width_at(size, level, index) == partial
    if index:
        assert width_at(size, level, index - 1) == WIDTH


EXTRA = "YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ"


@pytest.mark.parametrize("extra", [None, EXTRA])
def test_proof_of_the_specification(extra: str | None) -> None:
    """Its signature lines are cut short in the text of the specification; here the log's is whole."""
    head = "c2sp.org/tlog-proof@v1\n" + ("" if extra is None else f"extra {extra}\n") + "index 73894\n"
    signature = encode_base64(bytes.fromhex("848d8327") + bytes(64))
    assert signature.startswith("hI2DJw")
    checkpoint = (
        "example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n"
        f"— example.com/fancylog {signature}\n"
    )
    data = f"{head}{PROOF_HASHES}\n{checkpoint}".encode()
    proof = parse_tlog_proof(data)
    assert (proof.index, len(proof.hashes)) == (73894, 5)
    if extra is not None:
        assert proof.extra is not None
        assert proof.extra.startswith(b"age-v1.2.1-darwin-arm64.tar.gz")
    assert parse_checkpoint(parse_note(proof.checkpoint_note).text).tree_head.size == 109482
    assert encode_tlog_proof(proof) == data
