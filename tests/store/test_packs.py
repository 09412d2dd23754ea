"""Packs: what was flushed is found, whatever else is in the file; what was changed is named."""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_vault.core.names import encode_id
from evidence_vault.errors import IntegrityError, StorageFull
from evidence_vault.store import packs
from evidence_vault.store.packs import (
    Damage,
    Location,
    PackRecord,
    PackWriter,
    read_record,
    record_ids,
    rewrite,
    scan,
)


def record(number: int, blob: bytes = b"blob", journal: bytes = b'{"j":1}') -> PackRecord:
    return PackRecord(item_id=encode_id("it", number.to_bytes(16)), journal=journal, blob=blob)


def append(writer: PackWriter, *records: PackRecord) -> list[Location]:
    with writer.appending(records) as places:
        pass
    return places


def written(folder: Path, groups: list[list[PackRecord]]) -> tuple[Path, list[Location]]:
    writer = PackWriter(folder)
    places = [place for group in groups for place in append(writer, *group)]
    writer.close()
    [path] = folder.glob("*.evp")
    return path, places


def plain(one: PackRecord) -> tuple[str, bytes, bytes]:
    return one.item_id, one.journal, one.blob


def test_records_come_back_one_by_one_and_by_scanning(tmp_path: Path) -> None:
    records = [record(n, os.urandom(n * 100)) for n in range(5)]
    path, places = written(tmp_path, [records[:2], [], records[2:]])
    for one, place in zip(records, places, strict=True):
        assert plain(read_record(tmp_path, place, item_id=one.item_id)) == plain(one)
    found = [each for each in scan(path) if not isinstance(each, Damage)]
    assert [plain(one) for _, one in found] == [plain(one) for one in records]
    assert [at for at, _ in found] == [place.position for place in places]


def test_a_record_of_another_item_or_place_is_refused(tmp_path: Path) -> None:
    _, [place, other] = written(tmp_path, [[record(1), record(2)]])
    for where, item_id in (
        (other, record(1).item_id),
        (Location(pack=place.pack, position=place.position + 1), record(1).item_id),
        (Location(pack=place.pack, position=10**6), record(1).item_id),
        (Location(pack="0" * 32, position=16), record(1).item_id),
    ):
        with pytest.raises(IntegrityError):
            read_record(tmp_path, where, item_id=item_id)


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(0, 400), tail=st.binary(max_size=40))
def test_whatever_a_crash_leaves_of_the_last_group_the_ones_before_are_found(
    tmp_path_factory: pytest.TempPathFactory, cut: int, tail: bytes
) -> None:
    records = [record(n, bytes([n]) * 60) for n in range(4)]
    path, places = written(tmp_path_factory.mktemp("packs"), [records[:2], records[2:]])
    whole = path.read_bytes()
    end = max(places[2].position, len(whole) - cut)
    path.write_bytes(whole[:end] + tail)
    found = [plain(each[1]) for each in scan(path) if not isinstance(each, Damage)]
    assert found[:2] == [plain(one) for one in records[:2]]
    assert all(one in [plain(each) for each in records] for one in found)


def test_any_flipped_bit_is_found_and_the_other_records_too(tmp_path: Path) -> None:
    records = [record(n, os.urandom(50)) for n in range(3)]
    path, places = written(tmp_path, [records])
    whole = path.read_bytes()
    for at in range(places[1].position, places[2].position):
        changed = bytearray(whole)
        changed[at] ^= 1 << random.Random(at).randrange(8)
        path.write_bytes(changed)
        with pytest.raises(IntegrityError):
            read_record(tmp_path, places[1], item_id=records[1].item_id)
        found = list(scan(path))
        assert [each for each in found if isinstance(each, Damage)] == [
            Damage(start=places[1].position, end=places[2].position)
        ]
        assert len(found) == 3


def test_content_that_looks_like_a_record_is_never_read_as_one(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    forged_pack, [place] = written(other, [[record(7, b"forged")]])
    forged = forged_pack.read_bytes()[place.position :]
    path, [first] = written(tmp_path, [[record(1, forged * 3)]])
    data = bytearray(path.read_bytes())
    data[first.position + 9] ^= 1  # the real record is damaged: a reader looks for the next one
    path.write_bytes(data)
    assert [type(each) for each in scan(path)] == [Damage]


@pytest.mark.parametrize("place", ["pwrite", "fdatasync"])
def test_a_failed_flush_leaves_no_record_and_a_new_pack_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    writer = PackWriter(tmp_path)
    [kept] = append(writer, record(1))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, place, fail)
        with pytest.raises(StorageFull):
            append(writer, record(2))
    [after] = append(writer, record(3))
    assert after.pack != kept.pack
    found = [each for path in tmp_path.glob("*.evp") for each in scan(path)]
    assert sorted(plain(each[1])[0] for each in found if not isinstance(each, Damage)) == sorted(
        [record(1).item_id, record(3).item_id]
    )
    assert len(found) == 2


class RefusedError(Exception):
    """What is raised while a pack is being flushed."""


def test_what_fails_during_a_flush_waits_for_it_and_the_pack_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, failing, flushed = PackWriter(tmp_path), threading.Event(), threading.Event()
    real = os.fdatasync

    def slow(file: int) -> None:
        assert failing.wait(10)
        time.sleep(0.05)
        real(file)
        flushed.set()

    def refuse() -> None:
        failing.set()
        raise RefusedError

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", slow)
        with pytest.raises(RefusedError), writer.appending([record(1)]) as [unasked]:
            refuse()
        assert flushed.is_set()
    [kept] = append(writer, record(2))
    assert kept.pack == unasked.pack
    [path] = tmp_path.glob("*.evp")
    assert [each[1].item_id for each in scan(path) if not isinstance(each, Damage)] == [
        record(1).item_id,
        record(2).item_id,
    ]


def test_a_flush_that_fails_says_so_whatever_else_failed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = PackWriter(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(StorageFull), writer.appending([record(1)]) as [lost]:
            raise RefusedError
    [kept] = append(writer, record(2))
    assert kept.pack != lost.pack
    assert [each for path in tmp_path.glob(f"{lost.pack}*") for each in scan(path)] == []


def test_groups_of_many_threads_each_lie_where_it_was_said(tmp_path: Path) -> None:
    writer = PackWriter(tmp_path)

    def group(number: int) -> tuple[PackRecord, Location]:
        one = record(number, bytes(number))
        return one, append(writer, one)[0]

    with ThreadPoolExecutor(4) as pool:
        for one, place in pool.map(group, range(40)):
            assert plain(read_record(tmp_path, place, item_id=one.item_id)) == plain(one)


def test_a_pack_is_closed_when_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "MAX_PACK_BYTES", 300)
    writer = PackWriter(tmp_path)
    places = [append(writer, record(n, bytes(100)))[0] for n in range(6)]
    assert len({place.pack for place in places}) == 3


def test_erasing_in_a_journal_leaves_everything_else_where_it_was(tmp_path: Path) -> None:
    records = [record(n, journal=b'{"disclosures":{"note":"secret"}}') for n in range(3)]
    path, places = written(tmp_path, [records])
    found = [each for each in scan(path) if not isinstance(each, Damage)]
    at, old = found[1]
    found[1] = (
        at,
        PackRecord(item_id=old.item_id, journal=b'{"disclosures":{}}', blob=old.blob, room=old.room),
    )
    rewrite(path, found)
    assert read_record(tmp_path, places[1], item_id=records[1].item_id).journal == b'{"disclosures":{}}'
    assert plain(read_record(tmp_path, places[2], item_id=records[2].item_id)) == plain(records[2])
    assert path.read_bytes().count(b"secret") == 2
    with pytest.raises(IntegrityError):
        rewrite(path, found[1:])


def test_a_pack_that_was_only_begun_is_empty_and_a_foreign_file_is_named(tmp_path: Path) -> None:
    path, _ = written(tmp_path, [[record(1)]])
    for length in (0, 5, 15, 16):
        path.write_bytes(path.read_bytes()[:length] if length == 16 else packs.MAGIC[:length])
        assert list(scan(path)) == [] if length != 16 else True
    path.write_bytes(b"something else entirely")
    with pytest.raises(IntegrityError, match="pack header"):
        list(scan(path))


def test_record_ids_end_where_rot_makes_one_that_is_none(tmp_path: Path) -> None:
    path, places = written(tmp_path, [[record(1), record(2), record(3)]])
    data = bytearray(path.read_bytes())
    data[places[1].position + 52] = 0  # the last character of an item id
    path.write_bytes(data)
    assert list(record_ids(path)) == [record(1).item_id]


def test_scan_of_a_pack_whose_header_rotted_names_it_and_reads_the_records(tmp_path: Path) -> None:
    path, places = written(tmp_path, [[record(1), record(2)]])
    sound = path.read_bytes()
    for at in range(packs.HEADER_BYTES):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        damage, *found = scan(path)
        assert damage == Damage(start=0, end=packs.HEADER_BYTES)
        positions = [each[0] for each in found if not isinstance(each, Damage)]
        assert positions == [place.position for place in places]
        with pytest.raises(IntegrityError):  # an item's own content is not read past it
            read_record(tmp_path, places[0], item_id=record(1).item_id)
    path.write_bytes(b"x" + sound[1:-1])  # and its first record is there, the last one not
    assert [type(each) for each in scan(path)] == [Damage, tuple, Damage]
