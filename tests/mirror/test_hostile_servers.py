"""A hostile server wastes at most a little time and memory, and can accuse nobody: not even by cutting a line."""

import time
import tracemalloc
from pathlib import Path

import pytest

from anchors.base import TreeHead
from evidence_vault.cli.log_follow import MISBEHAVED, UNFIT, look
from evidence_vault.core.checkpoint import Checkpoint, encode_checkpoint
from evidence_vault.core.notes import Note, encode_note, sign_note
from evidence_vault.errors import UnavailableError
from evidence_vault.exits import UNAVAILABLE
from evidence_vault.mirror.follow import MAX_LEAVES, follow_once, open_head
from evidence_vault.witness.audit import mirror_audit
from tests.mirror import servers
from tests.mirror.logs import KEY, ORIGIN, VKEY, Served, entries, pinned, signed
from tests.mirror.servers import Trick, serving_files
from tests.mirror.test_follow import prove_fork

MOST_S = 8.0
"""For one look at a server that answers each request as late as it may, 0.6 s."""

MOST_BYTES = 12_000_000

TRICKS: list[tuple[Trick, int]] = [
    (servers.drip, UNAVAILABLE),
    (servers.pour, UNAVAILABLE),
    (servers.stall, UNAVAILABLE),
    (servers.cut, UNAVAILABLE),
    (servers.redirect, UNAVAILABLE),
    (servers.compress, UNAVAILABLE),
    (servers.fail, UNAVAILABLE),
    (servers.flip, UNFIT),
    (servers.shorten, UNFIT),
]
PATHS = ["checkpoint", "tile/0/001.p/44", "tile/entries/000"]


@pytest.mark.socket
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("trick", "code"), TRICKS, ids=[trick.__name__ for trick, _ in TRICKS])
def test_hostile_server_is_bounded_and_accuses_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str, trick: Trick, code: int
) -> None:
    served, mirror = Served(entries(300)), pinned(tmp_path / "mirror")
    with serving_files(served.files, {path: trick}, timeout_s=0.6) as source:
        tracemalloc.start()
        began = time.monotonic()
        assert look(mirror, source) == code
        assert time.monotonic() - began < MOST_S
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
        tracemalloc.stop()
        audit = mirror_audit(tmp_path / "audited", source, keys=[VKEY])
        with pytest.raises(UnavailableError):  # a witness asks to be asked again, and accuses nobody
            audit(open_head(signed(entries(300)), [VKEY]).head, signed(entries(300)))
    assert mirror.checkpoint() is None
    assert mirror.evidence() == []
    assert "CONTRADICTS" not in capsys.readouterr().out
    with serving_files(served.files) as source:
        assert look(mirror, source) == 0
    assert mirror.unproved() == []


def crowded(count: int) -> bytes:
    return signed(entries(300)) + "".join(f"— w{number} AAAAAAA=\n" for number in range(count)).encode()


def from_the_future(size: int = 1 << 60) -> bytes:
    head = TreeHead(size=size, root_hash=bytes(32))
    text = encode_checkpoint(Checkpoint(origin=ORIGIN, tree_head=head))
    return encode_note(Note(text=text, signatures=(sign_note(text, name=ORIGIN, private_key=KEY),)))


@pytest.mark.socket
@pytest.mark.parametrize(
    ("note", "code"),
    [
        (crowded(10_000), UNFIT),
        (crowded(100_000), UNAVAILABLE),
        (signed(entries(310), origin="other.example/log"), UNFIT),
        (from_the_future(), UNFIT),
        (from_the_future(MAX_LEAVES), UNAVAILABLE),
    ],
    ids=["10000-lines", "100000-lines", "other-origin", "2^60", "2^40"],
)
def test_hostile_checkpoint_is_bounded_and_changes_nothing(tmp_path: Path, note: bytes, code: int) -> None:
    served, mirror = Served(entries(300)), pinned(tmp_path)
    follow_once(mirror, served)
    with serving_files({**served.files, "checkpoint": note}) as source:
        began = time.monotonic()
        assert look(mirror, source) == code
        assert time.monotonic() - began < MOST_S
    assert mirror.evidence() == []
    assert mirror.newest() == mirror.checkpoint() == signed(entries(300))
    served.show(entries(310))
    assert look(mirror, served) == 0


@pytest.mark.parametrize(("size", "code"), [(1 << 60, UNFIT), ((1 << 63) - 1, UNFIT), (1 << 39, UNAVAILABLE)])
def test_absurd_size_at_the_first_look_is_refused_and_the_folder_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int, code: int
) -> None:
    served, mirror = Served(entries(300)), pinned(tmp_path)
    served.files["checkpoint"] = from_the_future(size)
    began = time.monotonic()
    tracemalloc.start()
    for _ in range(3):
        assert look(mirror, served) == code
    assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    tracemalloc.stop()
    assert time.monotonic() - began < MOST_S
    (kept,) = mirror.unproved()  # the log's own key has signed it
    assert kept.read_bytes() == from_the_future(size)
    told = capsys.readouterr().out
    assert str(kept) in told
    assert (
        code == UNAVAILABLE or f"size of the checkpoint: expected at most {MAX_LEAVES}, found {size}" in told
    )
    assert (mirror.newest(), mirror.checkpoint(), mirror.evidence()) == (None, None, [])
    served.show(entries(300))
    assert look(mirror, served) == 0
    served.show(entries(310))
    assert look(mirror, served) == 0
    assert mirror.checkpoint() == signed(entries(310))


def test_fork_whose_tiles_are_withheld_is_proved_as_soon_as_they_can_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two notes of two sizes prove nothing by themselves; both are kept, and no lie gets lost."""
    served, mirror = Served(entries(300)), pinned(tmp_path)
    follow_once(mirror, served)
    fork = signed([*entries(200), *entries(400, start=200, history=1)])
    served.files["checkpoint"] = fork
    for _ in range(3):
        assert look(mirror, served) in (UNFIT, UNAVAILABLE)
    (kept,) = mirror.unproved()
    assert (kept.read_bytes(), mirror.evidence()) == (fork, [])
    assert mirror.newest() == signed(entries(300))
    assert str(kept) in capsys.readouterr().out
    served.show(entries(350))
    assert look(mirror, served) == 0  # not yet as long as the note that waits
    served.show(entries(450))
    assert look(mirror, served) == MISBEHAVED
    (folder,) = mirror.evidence()
    prove_fork(folder)
    assert (folder / "older.note").read_bytes() == fork


def test_honest_note_whose_tiles_were_late_is_judged_and_forgotten(tmp_path: Path) -> None:
    served, mirror = Served(entries(300)), pinned(tmp_path)
    follow_once(mirror, served)
    served.files["checkpoint"] = signed(entries(310))
    assert look(mirror, served) == UNAVAILABLE
    assert len(mirror.unproved()) == 1
    served.show(entries(320))
    assert look(mirror, served) == 0
    assert mirror.unproved() == []


def test_unproved_notes_do_not_fill_the_disk(tmp_path: Path) -> None:
    mirror = pinned(tmp_path)
    for number in range(150):
        mirror.keep_unproved(number % 7, b"%d" % number)
    assert len(mirror.unproved()) == 100
