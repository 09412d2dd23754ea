"""`anchors refresh` and `headers fetch --bitcoin`: a bundle gets a Bitcoin anchor without its vault."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import bagit
import pytest

from evidence_vault.cli.main import main
from evidence_vault.core import layout
from evidence_vault.verify.verifier import verify_path
from tests.anchors.opentimestamps.toy import ToyBitcoin, ToyCalendar, made_proof, serving
from tests.verify.asking import GIVEN, policy_of
from tests.verify.test_opentimestamps import bare_bundle, digest, policy, stamped_bundle

if TYPE_CHECKING:
    from tests.verify.handmade import Sealed

pytestmark = pytest.mark.socket


class Place:
    """A bundle in a folder, and a calendar and a node to ask."""

    def __init__(self, folder: Path, chain: ToyBitcoin, calendar: ToyCalendar, urls: list[str]) -> None:
        self.folder, self.chain, self.calendar = folder, chain, calendar
        self.calendar_url, self.node_url = urls
        self.sealed, self.size = bare_bundle()
        (folder / "a.zip").write_bytes(self.sealed.zip())

    def refresh(self, old: str, new: str, *arguments: str) -> int:
        call = [
            "anchors",
            "refresh",
            str(self.folder / old),
            "-o",
            str(self.folder / new),
            "--network",
            "regtest",
        ]
        return main([*call, *arguments])

    def unmet(self, name: str, headers: list[object] | None = None) -> tuple[str, ...]:
        from evidence_vault.verify.headers_files import parse_any_headers

        files = [parse_any_headers((self.folder / "h.json").read_bytes())] if headers is not None else []
        asked = policy_of(policy(self.sealed))
        return verify_path(self.folder / name, asked, at=GIVEN, headers=files).items[0].unmet


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    chain = ToyBitcoin()
    chain.mine(30)
    calendar = ToyCalendar("alice", chain)
    with serving(calendar, chain) as urls:
        yield Place(tmp_path, chain, calendar, urls)


def test_a_bundle_gets_its_own_anchor(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--calendar", place.calendar_url, "--bitcoin", place.node_url)
    assert place.refresh("a.zip", "b.zip", *asked) == 0
    assert "handed in" in capsys.readouterr().out
    assert place.unmet("b.zip") == ("anchors",)
    # Not in a block yet: asked again, and nothing is new.
    assert place.refresh("b.zip", "still.zip", *asked) == 0
    assert "nothing new" in capsys.readouterr().out
    assert (place.folder / "still.zip").read_bytes() == (place.folder / "b.zip").read_bytes()
    place.calendar.seal()
    place.chain.mine(5)
    assert place.refresh("b.zip", "c.zip", *asked) == 0
    fetch = ["headers", "fetch", str(place.folder / "c.zip"), "--bitcoin", place.node_url]
    assert main([*fetch, "-o", str(place.folder / "h.json")]) == 0
    assert "1 with five on top" in capsys.readouterr().out
    assert place.unmet("c.zip") == ("anchors",)
    assert place.unmet("c.zip", []) == ()
    # What was sealed is byte for byte what it was, and the bag is valid.
    old, new = contents(place.folder / "a.zip"), contents(place.folder / "c.zip")
    assert {
        path: data for path, data in new.items() if layout.ADDED not in path and "tagmanifest" not in path
    } == {path: data for path, data in old.items() if "tagmanifest" not in path}
    with zipfile.ZipFile(place.folder / "c.zip") as archive:
        archive.extractall(place.folder / "out")
    (bag,) = (place.folder / "out").iterdir()
    bagit.Bag(str(bag)).validate()
    # And a folder is refreshed as well as a zip.
    assert place.refresh(f"out/{bag.name}", "d.zip", *asked) == 0
    assert (place.folder / "d.zip").read_bytes() == (place.folder / "c.zip").read_bytes()


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_stamp_that_another_client_made_is_taken_in(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = max(place.sealed.vault.notes)
    _, ots = made_proof(place.chain, digest(place.sealed.vault, newest))
    stamp = place.folder / f"{newest}.note.ots"
    stamp.write_bytes(ots)
    assert place.refresh("a.zip", "b.zip", "--ots", str(stamp), "--bitcoin", place.node_url) == 0
    assert f"a stamp of checkpoint {newest}" in capsys.readouterr().out
    fetch = ["headers", "fetch", str(place.folder / "b.zip"), "--bitcoin", place.node_url]
    assert main([*fetch, "-o", str(place.folder / "h.json")]) == 0
    assert (place.unmet("b.zip"), place.unmet("b.zip", [])) == (("anchors",), ())
    assert place.refresh("a.zip", "alone.zip", "--ots", str(stamp)) == 0  # the header comes later
    assert place.refresh("alone.zip", "c.zip", "--bitcoin", place.node_url) == 0
    assert place.unmet("c.zip", []) == ()
    stamp.write_bytes(made_proof(place.chain, bytes(32))[1])  # of something else
    assert place.refresh("a.zip", "d.zip", "--ots", str(stamp)) == 64
    stamp.write_bytes(b"no stamp")
    assert place.refresh("a.zip", "d.zip", "--ots", str(stamp)) == 64
    assert not (place.folder / "d.zip").exists()


def test_a_sealed_stamp_without_a_header_gets_one_beside(place: Place) -> None:
    sealed, chain = stamped_bundle(with_header=False)
    place.chain.headers[:] = chain.headers
    (place.folder / "s.zip").write_bytes(sealed.zip())
    assert place.refresh("s.zip", "t.zip", "--bitcoin", place.node_url) == 0
    added = [path for path in contents(place.folder / "t.zip") if layout.ADDED in path]
    assert [Path(path).name for path in sorted(added)] == ["0.json", "0.ots"]


def test_a_calendar_that_lies_is_not_believed(place: Place) -> None:
    asked = ("--calendar", place.calendar_url, "--bitcoin", place.node_url)
    place.refresh("a.zip", "b.zip", *asked)
    other = ToyBitcoin(seed=b"other")
    _, ots = made_proof(other, digest(place.sealed.vault, place.size))
    place.calendar.lie = lambda method, path, body: (200, ots)
    assert place.refresh("b.zip", "c.zip", *asked) == 69
    assert not (place.folder / "c.zip").exists()


def test_what_is_there_is_never_written_over_and_damage_goes_nowhere(place: Place) -> None:
    asked = ("--calendar", place.calendar_url)
    (place.folder / "b.zip").write_bytes(b"mine")
    assert place.refresh("a.zip", "b.zip", *asked) == 64
    assert (place.folder / "b.zip").read_bytes() == b"mine"
    sealed: Sealed = place.sealed
    path = next(path for path in sealed.files if path.startswith("data/"))
    broken = sealed.changed(sealed.files | {path: b"y"}, reseal="raw")
    (place.folder / "broken.zip").write_bytes(broken.zip())
    assert place.refresh("broken.zip", "c.zip", *asked) == 64
    assert not (place.folder / "c.zip").exists()
    assert place.refresh("a.zip", "c.zip") == 64
    assert main(["headers", "fetch", str(place.folder / "a.zip"), "-o", "x"]) == 64


def test_junk_beside_the_seal_hinders_no_refresh(place: Place) -> None:
    junk = {
        f"proof/added/anchors/{place.size}/0.json": b'{"kind":"opentimestamps"}',
        f"proof/added/anchors/{place.size}/0.ots": b"junk",
        "proof/added/notes.txt": b"junk",
    }
    (place.folder / "j.zip").write_bytes(place.sealed.changed(place.sealed.files | junk).zip())
    assert place.refresh("j.zip", "k.zip", "--calendar", place.calendar_url) == 0
    assert len(place.calendar.received) == 1  # what lies there is no stamp: the bundle gets one
    assert place.unmet("k.zip") == ("anchors",)


def test_what_decayed_beside_the_seal_is_left_behind(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else it would get a digest that fits, and look whole."""
    path = f"proof/added/anchors/{place.size}/7.json"
    whole = place.sealed.changed(place.sealed.files | {path: b'{"kind":"moon"}'})
    broken = whole.changed(whole.files | {path: b'{"kind":"mooo"}'}, reseal="raw")
    (place.folder / "j.zip").write_bytes(broken.zip())
    assert place.refresh("j.zip", "k.zip", "--calendar", place.calendar_url) == 0
    assert f"{path}: left out" in capsys.readouterr().out
    assert not [name for name in contents(place.folder / "k.zip") if name.endswith("7.json")]


def test_a_log_without_a_chain_to_ask_is_refused(place: Place) -> None:
    assert place.refresh("a.zip", "b.zip", "--calendar", place.calendar_url, "--log", "x") == 64
