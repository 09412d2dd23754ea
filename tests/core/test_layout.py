"""The bundle's layout: what a path means, and the texts that follow from the rest."""

import pytest

from evidence_vault.core import layout
from evidence_vault.core.events import Subject
from evidence_vault.core.layout import Part, Path, parse_path
from evidence_vault.core.names import encode_id
from evidence_vault.errors import FormatError

ITEM = Subject(kind="item", id=encode_id("it", bytes(range(16))))
CASE = Subject(kind="case", id=encode_id("cs", bytes(range(16))))
CHECKPOINT = Subject(kind="checkpoint", id="12")
LOG = Subject(kind="log", id="log")


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        (layout.content_path(ITEM.id), Path(part=Part.CONTENT, subject=ITEM)),
        (layout.no_content_path(ITEM.id), Path(part=Part.NO_CONTENT, subject=ITEM)),
        (layout.event_path(ITEM, 3), Path(part=Part.EVENT, subject=ITEM, seq=3)),
        (layout.event_path(LOG, 0), Path(part=Part.EVENT, subject=LOG)),
        (layout.redacted_path(CASE, 2), Path(part=Part.REDACTED, subject=CASE, seq=2)),
        (layout.inclusion_path(CHECKPOINT, 1), Path(part=Part.INCLUSION, subject=CHECKPOINT, seq=1)),
        (layout.note_path(7), Path(part=Part.NOTE, sizes=(7,))),
        (layout.note_path(7, added=True), Path(part=Part.NOTE, sizes=(7,), added=True)),
        (layout.cosigs_path(7), Path(part=Part.COSIGS, sizes=(7,))),
        (layout.consistency_path(3, 7), Path(part=Part.CONSISTENCY, sizes=(3, 7))),
        (f"{layout.timestamp_folder(ITEM, 1)}/response.tsr", Path(part=Part.RESPONSE, subject=ITEM, seq=1)),
        (
            f"{layout.timestamp_folder(CHECKPOINT, 0, added=True)}/request.tsq",
            Path(part=Part.REQUEST, subject=CHECKPOINT, added=True),
        ),
        (
            f"{layout.timestamp_folder(ITEM, 1)}/revocation/2.crl",
            Path(part=Part.REVOCATION, subject=ITEM, seq=1, number=2),
        ),
        (layout.anchor_path(12, 4), Path(part=Part.ANCHOR, subject=CHECKPOINT, seq=4)),
        (
            f"{layout.attestation_folder(ITEM, 5)}/statement.txt",
            Path(part=Part.STATEMENT, subject=ITEM, seq=5),
        ),
        ("bagit.txt", Path(part=Part.BAG)),
        ("proof/parts.txt", Path(part=Part.PARTS)),
        ("README.txt", Path(part=Part.README)),
    ],
)
def test_parse_path_knows_every_path_that_is_built(path: str, meaning: Path) -> None:
    assert parse_path(path) == meaning


@pytest.mark.parametrize(
    "path",
    [
        "",
        "readme.txt",
        "data/content",
        f"data/{ITEM.id}",
        f"data/{ITEM.id}/content/x",
        f"data/{CASE.id}/content",
        "data/log/content",
        f"proof/events/{ITEM.id}/03.json",
        f"proof/events/{ITEM.id}/-1.json",
        f"proof/events/{ITEM.id}/3.json.bak",
        f"proof/events/{ITEM.id}/3.redacted.json",
        "proof/events/nobody/3.json",
        "proof/log/0.note",
        "proof/log/007.note",
        "proof/log/consistency/3.json",
        f"proof/anchors/{ITEM.id}/0.json",
        f"proof/added/timestamps/{ITEM.id}/0/request.tsq",
        "proof/added/bundle.json",
        "proof/extra.json",
    ],
)
def test_parse_path_refuses_paths_that_the_format_does_not_know(path: str) -> None:
    with pytest.raises(FormatError):
        parse_path(path)


def test_digest_lines_round_trip_sorted_by_path() -> None:
    digests = {"b": b"\x01" * 32, "a/c": b"\x02" * 32, "a": b"\x03" * 32}
    data = layout.encode_digest_lines(digests)
    assert [line.split("  ")[1] for line in data.decode().splitlines()] == ["a", "a/c", "b"]
    assert layout.parse_digest_lines(data, place="x") == digests


GOOD = layout.encode_digest_lines({"a": bytes(32), "b": bytes(32)})


@pytest.mark.parametrize(
    "data",
    [
        GOOD[:-1],
        GOOD + b"\n",
        GOOD.replace(b"  ", b" "),
        GOOD.replace(b"\n", b"\r\n"),
        GOOD[67:] + GOOD[:67],
        GOOD[:67] + GOOD[:67],
        GOOD.replace(b"0", b"A", 1),
        GOOD.replace(b"0", b"\xff", 1),
        GOOD.replace(b"  a", b"  a b"),
    ],
)
def test_parse_digest_lines_refuses_any_other_form(data: bytes) -> None:
    with pytest.raises(FormatError):
        layout.parse_digest_lines(data, place="parts.txt")


@pytest.mark.parametrize(
    ("path", "sealed"),
    [
        ("README.txt", True),
        (layout.content_path(ITEM.id), True),
        (layout.event_path(ITEM, 0), True),
        (layout.BUNDLE_JSON, True),
        (layout.PARTS, False),
        (layout.MANIFEST, False),
        (layout.note_path(3), False),
        (layout.anchor_path(3, 0, added=True), False),
        (layout.anchor_path(3, 0), True),
    ],
)
def test_is_sealed_leaves_out_only_what_proves_itself(path: str, sealed: bool) -> None:
    assert layout.is_sealed(path) is sealed


def test_parse_bundle_json_round_trip_and_refusals() -> None:
    bundle_id = encode_id("bd", bytes(16))
    data = layout.encode_bundle_json(origin="vault.example/log", bundle_id=bundle_id, item_ids=[ITEM.id])
    assert layout.parse_bundle_json(data) == ("vault.example/log", bundle_id, (ITEM.id,))
    for bad in (
        data.replace(b'"v":1', b'"v":2'),
        data.replace(ITEM.id.encode(), b"it_x"),
        data.replace(b'"' + ITEM.id.encode() + b'"', b""),
        data + b" ",
    ):
        with pytest.raises(FormatError):
            layout.parse_bundle_json(bad)
