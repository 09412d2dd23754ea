"""`anchors refresh --rpc --log` with nodes that say what a test wants: what is chosen, and what is not believed."""

from pathlib import Path
from typing import Any

import pytest

from anchors.ethereum.attempt import Found
from anchors.ethereum.node import Node
from anchors.ethereum.onchain import Anchored
from anchors.values import replace
from evidence_vault.cli import refresh_ethereum
from evidence_vault.cli.main import main
from evidence_vault.core import layout
from evidence_vault.core.checkpoint import shown_note_path
from evidence_vault.core.tiles import build_tiles
from tests.verify.asking import policy_of, verify_bytes, write_policy
from tests.verify.handmade import Files, Keys, Vault, read_files
from tests.verify.outside import encode_prev
from tests.verify.test_added_log import Later, fork


class Place:
    """A bundle, its log in a folder, and a chain: anchors are made here as they are asked for."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.later = folder, Later()
        self.vault = self.later.vault
        self.proofs: dict[str, bytes] = {}
        self.anchored: list[Anchored] = []
        self.not_final: set[int] = set()
        patch.setattr(Node, "ask_number", lambda _node, _method: self.vault.chain.chain_id)
        patch.setattr(refresh_ethereum, "later_anchors", self._search)
        patch.setattr(refresh_ethereum, "prove_anchor", self._prove)
        self.show(self.vault)
        (folder / "a.zip").write_bytes(self.later.sealed.zip())

    def show(self, vault: Vault) -> None:
        tiles = build_tiles(0, vault.leaves, lambda _tile: b"")
        files = {tile.path: data for tile, data in tiles.items()}
        files |= {shown_note_path(size): note for size, note in vault.notes.items()}
        files["checkpoint"] = vault.notes[max(vault.notes)]
        for path, data in files.items():
            (self.folder / "log" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / "log" / path).write_bytes(data)

    def anchor(self, size: int, prev: int, *, root: bytes | None = None) -> None:
        """The chain has an anchor of this size, linked to that one."""
        (proof,) = self.later.anchor(size, prev).values()
        number, block = self.vault.chain.blocks[-1]
        self.proofs["0x" + block.hex()] = proof
        head = self.vault.head(size)
        self.anchored.append(
            Anchored(
                head=head if root is None else replace(head, root_hash=root),
                prev=(prev, encode_prev(prev, self.vault.head(prev).root_hash)[8:]) if prev else None,
                found=Found(transaction="0x", block="0x" + block.hex(), number=number),
            )
        )

    def _search(self, _nodes: Any, _trusted: Any, *, above: int, first_block: int) -> list[Anchored]:
        assert first_block == 0
        return sorted((a for a in self.anchored if a.head.size > above), key=lambda a: a.head.size)

    def _prove(self, _nodes: Any, _trusted: Any, head: Any, anchored: Anchored) -> bytes | None:
        return None if head.size in self.not_final else self.proofs[anchored.found.block]

    def refresh(self, old: str, new: str, *more: str) -> int:
        bundle, out = (str(self.folder / name) for name in (old, new))
        log = ("--log", str(self.folder / "log"))
        return main(["anchors", "refresh", bundle, "-o", out, "--rpc", "http://node.example", *log, *more])

    def added(self, name: str) -> set[str]:
        files = read_files((self.folder / name).read_bytes())
        return {path.removeprefix(layout.ADDED) for path in files if path.startswith(layout.ADDED)}

    def unmet(self, name: str, **policy: Any) -> tuple[str, ...]:
        asked = policy_of(self.vault.policy(**policy))
        return verify_bytes((self.folder / name).read_bytes(), asked).items[0].unmet

    def with_junk(self, junk: Files) -> None:
        (self.folder / "a.zip").write_bytes(self.later.with_added(junk).zip())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_anchors_up_to_the_first_that_holds_the_bundle_are_added_in_one_chain(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    later = place.later
    place.anchor(later.m - 1, later.first)  # was waiting for finality when the bundle was sealed
    place.vault.notes[later.m - 1] = place.vault.keys.sign(place.vault.head(later.m - 1))
    place.show(place.vault)
    place.anchor(later.one, later.m - 1)
    place.anchor(later.two, later.one)
    assert place.refresh("a.zip", "b.zip") == 0
    names = {path for path in place.added("b.zip") if path.startswith("anchors")}
    assert names == {f"anchors/{later.m - 1}/0.json", f"anchors/{later.one}/0.json"}
    full = {"tsa_groups": 2, "anchors": 1, "full_chain": True}
    assert place.unmet("b.zip", require=full) == ()
    assert place.refresh("b.zip", "c.zip") == 0
    assert "0 parts added" in capsys.readouterr().out
    assert (place.folder / "c.zip").read_bytes() == (place.folder / "b.zip").read_bytes()


def test_an_anchor_that_is_not_final_waits_and_the_log_alone_lifts_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.anchor(place.later.one, place.later.first)
    place.not_final.add(place.later.one)
    assert place.refresh("a.zip", "b.zip") == 0
    assert "not final yet" in capsys.readouterr().out
    assert not place.added("b.zip")
    assert place.unmet("b.zip") == ("anchors",)
    place.not_final.clear()
    assert place.refresh("b.zip", "c.zip") == 0
    assert place.unmet("c.zip") == ()


def test_junk_in_the_place_of_a_part_keeps_no_real_one_out(place: Place) -> None:
    """Attack: a forged note, a proof that is broken but names the real block, and consistency of nothing."""
    later = place.later
    place.anchor(later.one, later.first)
    block = place.anchored[0].found.block
    broken = place.proofs[block].replace(b'"receipt_index":2', b'"receipt_index":1')
    assert broken != place.proofs[block]
    stranger = fork(later, Keys("stranger"))
    junk = (
        later.note(later.one, stranger)
        | later.join(later.m, later.one, stranger)
        | {layout.anchor_path(later.one, 0, added=True): broken}
    )
    place.with_junk(junk)
    assert place.unmet("a.zip") == ("anchors",)
    assert place.refresh("a.zip", "b.zip") == 0
    assert place.unmet("b.zip") == ()
    assert f"anchors/{later.one}/1.json" in place.added("b.zip")


def test_a_root_that_the_log_does_not_have_is_named_and_left_out(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.anchor(place.later.one, place.later.first, root=bytes(32))
    place.anchor(place.later.two, place.later.m)
    assert place.refresh("a.zip", "b.zip") == 0
    assert "another root than the log shows" in capsys.readouterr().out
    assert not place.added("b.zip")


def test_a_log_of_another_history_ends_it_and_nothing_is_written(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.anchor(place.later.one, place.later.first)
    place.show(fork(place.later))
    assert place.refresh("a.zip", "b.zip") == 64
    assert f"root hash at size {place.later.m}" in capsys.readouterr().err
    assert not (place.folder / "b.zip").exists()


def test_a_policy_names_keys_and_senders_that_came_since(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    later, next_key = place.later, Keys("next")
    place.anchor(later.one, later.first)
    place.vault.notes[later.one] = next_key.sign(place.vault.head(later.one))
    place.vault.notes[later.two] = next_key.sign(place.vault.head(later.two))
    place.show(place.vault)
    assert place.refresh("a.zip", "b.zip") == 0
    assert "no key that the bundle names signed it" in capsys.readouterr().out
    assert place.unmet("b.zip") == ("anchors",)
    (old,) = place.vault.policy()["log"]
    logs = [old | {"last_size": later.m}, old | {"vkey": next_key.vkey, "from_size": later.m}]
    (place.folder / "new.toml").write_text(write_policy(place.vault.policy(log=logs)))
    assert place.refresh("a.zip", "c.zip", "--trust", str(place.folder / "new.toml")) == 0
    assert "no key that the bundle names" not in capsys.readouterr().out
    assert place.unmet("c.zip", log=logs) == ()
