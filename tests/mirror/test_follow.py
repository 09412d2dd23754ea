"""Following a log, honest and lying."""

import contextlib
import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

from anchors.base import TreeHead
from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.merkle import leaf_hash, verify_consistency, verify_inclusion
from evidence_vault.core.notes import Verified
from evidence_vault.core.tlog_proof import parse_tlog_proof
from evidence_vault.errors import ConfigError, FormatError, UnavailableError, VerificationError
from evidence_vault.mirror.evidence import LogMisbehaved
from evidence_vault.mirror.folder import MirrorFolder
from evidence_vault.mirror.follow import follow_once
from tests.mirror.logs import OTHER_KEY, VKEY, Served, entries, entry, pinned, published, signed

SIZES = (1, 2, 255, 256, 257, 300, 511, 512, 513, 700)


def mirrored(mirror: MirrorFolder) -> dict[str, bytes]:
    return {
        path.relative_to(mirror.folder).as_posix(): path.read_bytes()
        for path in (mirror.folder / "tile").rglob("*")
        if path.is_file()
    }


def test_follow_keeps_what_an_honest_log_shows(tmp_path: Path) -> None:
    mirror, served = pinned(tmp_path), Served()
    before = 0
    for size in SIZES:
        served.show(entries(size))
        growth = follow_once(mirror, served)
        assert (growth.before.size, growth.after.size, growth.shown.size) == (before, size, size)
        assert mirror.checkpoint() == signed(entries(size)) == mirror.note_path(size).read_bytes()
        assert published(entries(size)).items() <= mirrored(mirror).items()
        before = size
    served.asked.clear()
    follow_once(mirror, served)
    assert served.asked == ["checkpoint"]


def test_follow_keeps_few_partial_tiles(tmp_path: Path) -> None:
    mirror, served = pinned(tmp_path), Served()
    for size in range(240, 270, 3):
        served.show(entries(size))
        follow_once(mirror, served)
    partial = sorted(path for path in mirrored(mirror) if ".p/" in path)
    assert partial == sorted(
        f"tile/{tile}"
        for tile in ("0/001.p/8", "0/001.p/11", "1/000.p/1", "entries/001.p/8", "entries/001.p/11")
    )


def test_follow_does_without_partial_tiles_once_the_full_ones_are_there(tmp_path: Path) -> None:
    served = Served(entries(300))
    served.files |= published(entries(512))
    for path in [path for path in served.files if ".p/" in path and not path.startswith("tile/1")]:
        del served.files[path]
    mirror = pinned(tmp_path)
    assert follow_once(mirror, served).after.size == 300
    assert published(entries(300)).items() <= mirrored(mirror).items()


@pytest.mark.parametrize(
    ("old", "new"), [(1, 2), (3, 3), (200, 300), (256, 257), (300, 290), (513, 700), (600, 256)]
)
def test_follow_keeps_a_fork_as_evidence(tmp_path: Path, old: int, new: int) -> None:
    mirror, served = pinned(tmp_path), Served(entries(old))
    follow_once(mirror, served)
    other = [*entries(min(old, new) - 1), *entries(new, start=min(old, new) - 1, history=1)]
    served.files.clear()
    served.show(other)
    with pytest.raises(LogMisbehaved) as caught:
        follow_once(mirror, served)
    assert mirror.checkpoint() == signed(entries(old))
    assert mirror.evidence() == [caught.value.evidence]
    prove_fork(caught.value.evidence)
    with pytest.raises(LogMisbehaved):
        follow_once(mirror, served)
    assert mirror.evidence() == [caught.value.evidence]  # the same evidence is not kept twice


def prove_fork(folder: Path) -> None:
    """What a stranger with the log's key does with the evidence."""
    heads = []
    for name in ("older", "newer"):
        opened = open_checkpoint((folder / f"{name}.note").read_bytes(), origin=VKEY.name, trusted=[VKEY])
        assert isinstance(opened.signed, Verified)
        heads.append(opened.checkpoint.tree_head)
    claim = json.loads((folder / "fork.json").read_bytes())
    by_newer = TreeHead(size=heads[0].size, root_hash=bytes.fromhex(claim["older_root_by_newer"]))
    verify_consistency(older=by_newer, newer=heads[1], proof=[b64decode(each) for each in claim["proof"]])
    assert by_newer.root_hash != heads[0].root_hash


def test_follow_is_not_set_back_by_an_older_checkpoint(tmp_path: Path) -> None:
    mirror, served = pinned(tmp_path), Served(entries(300))
    follow_once(mirror, served)
    served.show(entries(200))
    growth = follow_once(mirror, served)
    assert (growth.before.size, growth.after.size, growth.shown.size) == (300, 300, 200)
    assert mirror.checkpoint() == signed(entries(300))


def test_follow_finds_a_slot_that_stands_twice(tmp_path: Path) -> None:
    leaves = [*entries(300), entry(300, slot=7), *entries(310, start=301)]
    mirror, served = pinned(tmp_path), Served(leaves[:300])
    follow_once(mirror, served)
    served.show(leaves)
    with pytest.raises(LogMisbehaved, match="slot"):
        follow_once(mirror, served)
    (folder,) = mirror.evidence()
    slots, indexes = set(), []
    for name in ("first", "second"):
        proof = parse_tlog_proof((folder / f"{name}.tlog-proof").read_bytes())
        found = (folder / f"{name}.entry").read_bytes()
        opened = open_checkpoint(proof.checkpoint_note, origin=VKEY.name, trusted=[VKEY])
        assert isinstance(opened.signed, Verified)
        head = opened.checkpoint.tree_head
        verify_inclusion(
            tree_head=head, leaf_index=proof.index, leaf_hash=leaf_hash(found), proof=proof.hashes
        )
        slots.add(found[33:])
        indexes.append(proof.index)
    assert (len(slots), indexes) == (1, [7, 300])
    assert mirror.checkpoint() == signed(leaves)  # it is the log that the world has: the mirror shows it
    served.show([*leaves, entry(310)])
    assert follow_once(mirror, served).after.size == 311  # said once, and kept


@pytest.mark.parametrize(
    "path", ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"]
)
@pytest.mark.parametrize("kind", ["flipped", "short", "empty", "long", "gone"])
def test_follow_takes_nothing_that_does_not_fit_the_checkpoint(tmp_path: Path, path: str, kind: str) -> None:
    served = Served(entries(300))
    data = served.files.pop(path)
    wrong = {
        "flipped": bytes([data[0] ^ 1]) + data[1:],
        "short": data[:-1],
        "empty": b"",
        "long": data,
    }
    if kind != "gone":
        served.files[path] = wrong[kind] + b"" if kind != "long" else data[:-40] + data[-30:]
    mirror = pinned(tmp_path)
    with pytest.raises((VerificationError, FormatError, UnavailableError)) as caught:
        follow_once(mirror, served)
    assert not isinstance(caught.value, LogMisbehaved)
    assert isinstance(caught.value, UnavailableError) is (kind == "gone")
    assert mirror.checkpoint() is None
    assert path not in mirrored(mirror)
    served.files[path] = data
    assert follow_once(mirror, served).after.size == 300


def test_follow_drops_no_event_unseen(tmp_path: Path) -> None:
    served = Served(entries(300))
    shortened = published([*entries(150), *entries(300, start=151)])
    served.files |= {path: data for path, data in shortened.items() if "entries" in path}
    with pytest.raises(VerificationError, match="entry 150"):
        follow_once(pinned(tmp_path), served)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff\xfe",
        b"<html>not found</html>\n",
        b"x" * 400_000,
        signed(entries(3), key=OTHER_KEY),
        signed(entries(3), origin="other.example/log"),
        signed(entries(3)).replace(b"\n3\n", b"\n4\n"),
    ],
)
def test_follow_takes_no_other_checkpoint(tmp_path: Path, note: bytes) -> None:
    mirror, served = pinned(tmp_path), Served(entries(3))
    served.files["checkpoint"] = note
    with pytest.raises((VerificationError, FormatError)):
        follow_once(mirror, served)
    assert mirror.newest() is None


def test_follow_without_a_pinned_key_or_checkpoint_refuses(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pinned"):
        follow_once(MirrorFolder(tmp_path / "a"), Served(entries(3)))
    with pytest.raises(UnavailableError, match="no checkpoint"):
        follow_once(pinned(tmp_path / "b"), Served())


def test_second_follower_in_one_folder_is_refused(tmp_path: Path) -> None:
    mirror = pinned(tmp_path)
    with mirror.one_follower(), pytest.raises(ConfigError, match="another process"):
        follow_once(mirror, Served(entries(3)))
    assert follow_once(mirror, Served(entries(3))).after.size == 3


class Killed(BaseException):
    """Stands for kill -9."""


def test_follow_killed_anywhere_goes_on_and_forgets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaves = [*entries(520), entry(520, slot=3)]
    served, steps = Served(entries(200)), 0
    for step in range(200):
        mirror = pinned(tmp_path / str(step))
        served.files.clear()
        served.show(entries(200))
        follow_once(mirror, served)
        served.show(leaves)
        left = step

        def count(*_args: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def before_and_after(*args: object) -> object:
                count()
                result = real(*args)
                count()
                return result

            return before_and_after

        with monkeypatch.context() as patch:
            for name in ("hold_to", "write", "complete", "keep_evidence"):
                patch.setattr(MirrorFolder, name, counted(getattr(MirrorFolder, name)))
            try:
                follow_once(mirror, served)
            except Killed:
                steps += 1
            except LogMisbehaved:  # it came through to the end
                break
        if mirror.newest() == signed(leaves):  # held to it, though not copied: another history is a fork
            liar = Served([*entries(200), *entries(530, start=200, history=1)])
            with pytest.raises(LogMisbehaved, match="root hash at size 521"):
                follow_once(mirror, liar)
        with contextlib.suppress(LogMisbehaved):  # the slot, unless that was said before the kill
            follow_once(mirror, served)
        assert published(leaves).items() <= mirrored(mirror).items()
        assert any(folder.name.startswith("slot") for folder in mirror.evidence())
        assert follow_once(mirror, served).after.size == len(leaves)
    assert steps >= 20


def test_lost_index_of_slots_is_made_again(tmp_path: Path) -> None:
    mirror, served = pinned(tmp_path), Served(entries(300))
    follow_once(mirror, served)
    for damage in (b"", b"not a database at all, but long enough to be looked at" * 100, None):
        for file in mirror.slots_path.parent.glob("slots.sqlite3-*"):
            file.unlink()
        mirror.slots_path.unlink()
        if damage is not None:
            mirror.slots_path.write_bytes(damage)
        served.asked.clear()
        assert follow_once(mirror, served).after.size == 300
        assert served.asked == ["checkpoint"]  # from its own entries
    served.show([*entries(300), entry(300, slot=299)])
    with pytest.raises(LogMisbehaved, match="slot"):
        follow_once(mirror, served)


def test_damaged_files_of_the_mirror_are_fetched_again_where_they_are_needed(tmp_path: Path) -> None:
    mirror, served = pinned(tmp_path), Served(entries(300))
    follow_once(mirror, served)
    for path in mirrored(mirror):
        (tmp_path / path).write_bytes(b"damaged")
    mirror.slots_path.unlink()
    assert follow_once(mirror, served).after.size == 300
    assert {path: data for path, data in mirrored(mirror).items() if "tile/1" not in path} == {
        path: data for path, data in published(entries(300)).items() if "tile/1" not in path
    }


@pytest.mark.parametrize("first", [0, 256])
def test_follow_believes_no_files_that_fit_only_each_other(tmp_path: Path, first: int) -> None:
    """Tiles and entries of another history, whole, under this one's checkpoint."""
    served, mirror = Served(entries(300)), pinned(tmp_path)
    served.files |= published([*entries(first), *entries(300, start=first, history=1)])
    with pytest.raises(VerificationError, match="root hash of the partial tiles at size 300"):
        follow_once(mirror, served)
    assert (mirrored(mirror), mirror.checkpoint(), mirror.evidence()) == ({}, None, [])
