"""Blobs: what was written comes back, from anywhere in it; what has changed on the disk is named."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_vault.core.names import encode_id
from evidence_vault.errors import FormatError, IntegrityError, TooLarge
from evidence_vault.store.blobs import BlobStore
from evidence_vault.store.partial import PartialStore
from evidence_vault.store.segments import HEADER, SEGMENT_BYTES, segment_offset, stored_size

ITEM = encode_id("it", b"i" * 16)
MIB = SEGMENT_BYTES
CONTENT = random.Random(7).randbytes(2 * MIB + 12_345)


def stored(store: BlobStore, content: bytes, item_id: str = ITEM) -> Path:
    writer = store.create(item_id, max_bytes=1 << 30)
    writer.write(content)
    writer.seal()
    writer.place(b"journal")
    return store._path(item_id)


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, len(CONTENT)])
@pytest.mark.parametrize("start", [0, 1, MIB - 1, MIB, MIB + 7, 2 * MIB, 2 * MIB + 12_344])
def test_chunks_begin_anywhere(tmp_path: Path, size: int, start: int) -> None:
    store = BlobStore(tmp_path)
    path = stored(store, CONTENT[:size])
    assert path.stat().st_size == stored_size(size)
    if start > size:
        return
    assert b"".join(store.chunks(ITEM, start=start)) == CONTENT[start:size]


@settings(max_examples=40, deadline=None)
@given(pieces=st.lists(st.integers(0, 700_000), max_size=8))
def test_content_comes_back_however_it_was_cut(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[int]
) -> None:
    store = BlobStore(tmp_path_factory.mktemp("blobs"))
    content = random.Random(1).randbytes(sum(pieces))
    writer = store.create(ITEM, max_bytes=1 << 30, extra_digests=["sha512", "sha3-256", "sm3"])
    at = 0
    for piece in pieces:
        writer.write(content[at : at + piece])
        at += piece
    sealed = writer.seal()
    writer.place(b"")
    assert set(sealed.digests) == {"sha256", "sha512", "sha3-256", "sm3"}
    assert b"".join(store.chunks(ITEM)) == content
    assert store.digest(ITEM).sha256 == sealed.sha256
    assert store.digest(ITEM).crc32 == sealed.crc32


def test_any_flipped_bit_is_found(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    path = stored(store, CONTENT)
    size = path.stat().st_size
    frames = [segment_offset(n) + i for n in (0, 1, 2) for i in range(9)]
    places = [*range(len(HEADER)), *frames, *range(size - 8, size), *random.Random(3).sample(range(size), 40)]
    with path.open("r+b") as file:
        for place in places:
            for bit in (1, 0x80):
                byte = os.pread(file.fileno(), 1, place)
                os.pwrite(file.fileno(), bytes([byte[0] ^ bit]), place)
                with pytest.raises(IntegrityError, match=ITEM):
                    store.digest(ITEM)
                os.pwrite(file.fileno(), byte, place)
    assert store.digest(ITEM).size == len(CONTENT)


@pytest.mark.parametrize("cut", [1, 8, 9, 5000, MIB + 100])
def test_a_blob_cut_short_or_grown_is_found(tmp_path: Path, cut: int) -> None:
    store = BlobStore(tmp_path)
    path = stored(store, CONTENT)
    whole = path.read_bytes()
    for other in (whole[:-cut], whole + bytes(cut), b"", whole[: len(HEADER)]):
        path.write_bytes(other)
        with pytest.raises(IntegrityError):
            store.digest(ITEM)


def test_segments_that_change_places_are_found(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    path = stored(store, CONTENT)
    whole, first, second, third = path.read_bytes(), *(segment_offset(n) for n in (0, 1, 2))
    path.write_bytes(whole[:first] + whole[second:third] + whole[first:second] + whole[third:])
    with pytest.raises(IntegrityError):
        store.digest(ITEM)


def test_missing_content_and_ids_that_are_paths_are_refused(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    with pytest.raises(IntegrityError, match="its content"):
        store.digest(ITEM)
    for bad in ("../../etc/passwd", "it_", ITEM + "/x", ""):
        with pytest.raises(FormatError):
            store.exists(bad)


def test_writer_refuses_too_much_before_it_is_written(tmp_path: Path) -> None:
    writer = BlobStore(tmp_path).create(ITEM, max_bytes=3 * MIB)
    writer.write(bytes(3 * MIB))
    with pytest.raises(TooLarge) as caught:
        writer.write(bytes(MIB))
    assert caught.value.max_bytes == 3 * MIB
    writer.discard()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_one_id_is_written_once(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    first = store.create(ITEM, max_bytes=1)
    with pytest.raises(FileExistsError):
        store.create(ITEM, max_bytes=1)
    first.discard()


def test_sweeps_pass_over_a_file_that_is_placed_while_they_look(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    upload = encode_id("up", bytes(16))
    for name in (ITEM, upload):  # listed, and gone when it is looked at
        (tmp_path / "incoming" / name).symlink_to("nowhere")
    assert store.sweep_incoming(older_than_s=0, now_s=2**40) == 0
    assert PartialStore(tmp_path, store).ids(older_than_s=0, now_s=2**40) == []
