"""A rewrite of what was mirrored already, by the server or by the disk."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence_vault.cli.main import main
from evidence_vault.errors import FormatError, UnavailableError, VerificationError
from evidence_vault.mirror.follow import follow_once
from evidence_vault.mirror.recheck import recheck
from tests.mirror.logs import Served, entries, pinned, signed

PATHS = ("tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44")


def test_recheck_of_a_good_mirror_and_log_agrees(tmp_path: Path) -> None:
    mirror, served = pinned(tmp_path), Served()
    for size in (3, 256, 300):
        served.show(entries(size))
        follow_once(mirror, served)
    assert recheck(mirror).note == recheck(mirror, served).note == signed(entries(300))


@pytest.mark.parametrize("path", PATHS)
def test_recheck_sees_what_was_rewritten_at_the_server(tmp_path: Path, path: str) -> None:
    mirror, served = pinned(tmp_path), Served(entries(300))
    follow_once(mirror, served)
    data = served.files[path]
    served.files[path] = data[:-1] + bytes([data[-1] ^ 1])
    assert follow_once(mirror, served).after.size == 300  # who only fetches what is new sees nothing
    with pytest.raises((VerificationError, FormatError)):
        recheck(mirror, served)
    recheck(mirror)


def test_recheck_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="follow first"):
        recheck(pinned(tmp_path))


def test_recheck_sees_a_note_in_the_wrong_place(tmp_path: Path) -> None:
    mirror, served = pinned(tmp_path), Served(entries(3))
    follow_once(mirror, served)
    served.show(entries(300))
    follow_once(mirror, served)
    mirror.note_path(3).rename(mirror.note_path(4))
    with pytest.raises(VerificationError, match=r"4\.note"):
        recheck(mirror)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_recheck_sees_any_damage_to_the_mirror(tmp_path: Path, data: st.DataObject) -> None:
    """Any single byte, cut or loss of what a reader of the mirror relies on."""
    mirror, served = pinned(tmp_path), Served(entries(300))
    if mirror.checkpoint() is None:
        follow_once(mirror, served)
    path = tmp_path / data.draw(st.sampled_from([*PATHS, "checkpoint", "checkpoints/000/000/300.note"]))
    before = path.read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "gone"]))
    flipped = before[:at] + bytes([before[at] ^ 1 << data.draw(st.integers(0, 7))]) + before[at + 1 :]
    path.write_bytes(flipped if kind == "flip" else before[:at])
    if kind == "gone":
        path.unlink()
    try:
        if kind == "gone" and path.suffix == ".note":  # another copy of what `checkpoint` says
            return
        with pytest.raises((VerificationError, FormatError, UnavailableError)):
            recheck(mirror)
    finally:
        path.write_bytes(before)


def test_recheck_by_the_command_line_has_its_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, mirror = tmp_path / "log", tmp_path / "mirror"
    for path, data in Served(entries(300)).files.items():
        (log / path).parent.mkdir(parents=True, exist_ok=True)
        (log / path).write_bytes(data)
    follow_once(pinned(mirror), Served(entries(300)))
    words = ["log", "follow", str(log), "--dir", str(mirror), "--recheck"]
    assert [main([*words, "mirror"]), main([*words, "log"])] == [0, 0]
    assert capsys.readouterr().out.count("all of it fits size 300, root ") == 2
    (log / "tile/0/000").write_bytes(bytes(8192))
    assert [main([*words, "mirror"]), main([*words, "log"])] == [0, 3]
    assert "does not fit the checkpoint" in capsys.readouterr().out
    (log / "tile/0/000").unlink()
    assert main([*words, "log"]) == 69
