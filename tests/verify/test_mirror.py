"""A bundle beside a mirror of the log: complete as of a size, or what was left out."""

from pathlib import Path
from typing import Any

import pytest

from evidence_vault.core.events import Subject, encode_leaf_entry, first_slot, next_slot
from evidence_vault.core.merkle import Frontier, leaf_hash
from evidence_vault.core.tiles import build_entry_bundles
from evidence_vault.verify.mirror import LogMirror
from evidence_vault.verify.render import render_text
from evidence_vault.verify.report import Report, Status
from tests.verify.asking import ask, outcome
from tests.verify.forging import attacker
from tests.verify.handmade import Keys, Sealed, Vault, good_bundle, good_vault


def entries_of(vault: Vault) -> list[bytes]:
    entries = []
    for subject, seq in vault.order:
        history = vault.events[subject]
        slot = next_slot(history[seq - 1].nonce) if seq else first_slot(subject)
        entries.append(encode_leaf_entry(history[seq].sha256, slot))
    return entries


def mirror_of(folder: Path, entries: list[bytes], keys: Keys) -> LogMirror:
    """What `log follow` keeps of a log of these entries, as far as the verifier reads it."""
    for tile, data in build_entry_bundles(0, entries, lambda _tile: b"").items():
        path = folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    head = Frontier().extend([leaf_hash(entry) for entry in entries]).tree_head()
    (folder / "checkpoint").write_bytes(keys.sign(head))
    return LogMirror(folder=folder)


@pytest.fixture
def good() -> Sealed:
    return good_bundle()


def told(report: Report) -> set[tuple[str, str]]:
    return {
        (finding.code, str(finding.status))
        for item in report.items
        for row in item.rows
        for finding in row.findings
        if finding.code.startswith("mirror.")
    }


def test_verify_with_a_mirror_says_complete_as_of_its_size(good: Sealed, tmp_path: Path) -> None:
    entries = entries_of(good.vault)
    report = ask(good, mirror=mirror_of(tmp_path, entries, good.vault.keys))
    assert outcome(report) == "TOTAL-PASSED"
    assert report.complete_size == len(entries)
    assert told(report) == {("mirror.complete", "PASSED")}
    text = render_text(report, lang="en")
    assert f"Compared with a mirror of the log, up to size: {len(entries)}" in text
    assert "needs a mirror" not in text
    assert "needs a mirror" in render_text(ask(good), lang="en")


def test_verify_with_a_mirror_that_went_on_tells_where(good: Sealed, tmp_path: Path) -> None:
    vault, first = good.vault, good.items[0]
    size = len(entries_of(vault))
    vault.view(first)
    for number in range(300):
        vault.receive(f"other {number}".encode())
    report = ask(good, mirror=mirror_of(tmp_path, entries_of(vault), vault.keys))
    assert outcome(report) == "TOTAL-PASSED"  # handing out is an event: no fault
    assert report.complete_size == size + 301
    assert told(report) == {("mirror.went-on", "REMARK"), ("mirror.complete", "PASSED")}
    remark = next(f for f in report.items[0].rows[3].findings if f.code == "mirror.went-on")
    assert remark.values == {"index": str(size), "size": str(size + 301)}


def test_operator_who_logged_two_histories_of_an_item_fails(good: Sealed, tmp_path: Path) -> None:
    """The bundle shows one EXPORTED; the log holds another event in its slot, which was to stay hidden."""
    item = Subject(kind="item", id=good.items[0])
    history = good.vault.events[item]
    entries = entries_of(good.vault)
    entries.append(encode_leaf_entry(b"h" * 32, next_slot(history[-2].nonce)))
    report = ask(good, mirror=mirror_of(tmp_path, entries, good.vault.keys))
    assert outcome(report) == "TOTAL-FAILED 4:mirror.second-entry"
    finding = next(f for f in report.items[0].rows[3].findings if f.code == "mirror.second-entry")
    assert (finding.status, finding.found) == (Status.FAILED, str(len(entries) - 1))
    assert not any(f.code == "mirror.second-entry" for f in report.items[1].rows[3].findings)


def test_operator_who_shows_the_court_another_history_fails(tmp_path: Path) -> None:
    """Both are signed by the log's key; the world's has one more event before the bundle's."""
    good = good_bundle()
    world, _ = good_vault()
    world.receive(b"hidden from the court")
    world.export(good.items)
    for number in range(20):
        world.receive(f"{number}".encode())
    report = ask(good, mirror=mirror_of(tmp_path, entries_of(world), world.keys))
    assert outcome(report) == "TOTAL-FAILED 4:mirror.fork"
    assert report.complete_size is None


def damaged(name: str, good: Sealed, folder: Path) -> LogMirror:
    entries, keys = entries_of(good.vault), good.vault.keys
    mirror = mirror_of(folder, entries, keys)
    bundle = next((folder / "tile" / "entries").rglob(f"{len(entries)}"))
    match name:
        case "empty":
            (folder / "checkpoint").unlink()
        case "no-entries":
            bundle.unlink()
        case "changed":
            bundle.write_bytes(bundle.read_bytes()[:-1] + b"\x00")
        case "cut":
            bundle.write_bytes(bundle.read_bytes()[:-1])
        case "huge":
            bundle.write_bytes(bundle.read_bytes() * 100)
        case "garbage":
            (folder / "checkpoint").write_bytes(b"\xff" * 600_000)
        case "shorter":
            return mirror_of(folder / "shorter", entries[:-2], keys)
        case "another-key":
            return mirror_of(folder / "other", entries, attacker().keys)
        case "another-log":
            return mirror_of(folder / "other", entries, Keys(seed="honest", origin="other.example/log"))
        case "other-form":
            return mirror_of(folder / "other", [*entries, b"no leaf of ours"], keys)
        case _:
            raise AssertionError(name)
    return mirror


@pytest.mark.parametrize(
    ("name", "flaw"),
    [
        ("empty", "mirror.unreadable"),
        ("no-entries", "mirror.unreadable"),
        ("changed", "mirror.damaged"),
        ("cut", "mirror.unreadable"),
        ("huge", "mirror.unreadable"),
        ("garbage", "mirror.unreadable"),
        ("shorter", "mirror.shorter"),
        ("another-key", "mirror.unsigned"),
        ("another-log", "mirror.unreadable"),
        ("other-form", "mirror.unreadable"),
    ],
)
def test_verify_with_a_mirror_that_says_nothing_is_open(
    good: Sealed, tmp_path: Path, name: str, flaw: str
) -> None:
    report = ask(good, mirror=damaged(name, good, tmp_path))
    assert outcome(report) == f"INDETERMINATE 4:{flaw}"
    assert report.complete_size is None


def test_mirror_that_grew_meanwhile_still_serves_its_checkpoint(good: Sealed, tmp_path: Path) -> None:
    entries: list[Any] = entries_of(good.vault)
    mirror = mirror_of(tmp_path, entries, good.vault.keys)
    note = mirror.note()
    for number in range(300):
        good.vault.receive(f"other {number}".encode())
    mirror_of(tmp_path, entries_of(good.vault), good.vault.keys)
    (tmp_path / "checkpoint").write_bytes(note)
    next((tmp_path / "tile" / "entries").rglob(f"{len(entries)}")).unlink()
    assert ask(good, mirror=mirror).complete_size == len(entries)
