"""Segments on their way to the disk: any cut, any pause, past the cache or not, and a disk that fails."""

import errno
import fcntl
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_vault.errors import IntegrityError, StorageFull
from evidence_vault.store import segment_writer
from evidence_vault.store.segment_writer import SegmentWriter
from evidence_vault.store.segments import SEGMENT_BYTES, read_header, read_segment, stored_size

MIB = SEGMENT_BYTES
CONTENT = random.Random(5).randbytes(3 * MIB + 777)


def contents_of(path: Path) -> bytes:
    found, crc32 = b"", 0
    with path.open("rb") as file:
        read_header(file, "x")
        while True:
            data, crc32 = read_segment(file, crc32, "x")
            if not data:
                assert file.read() == b""
                return found
            found += data


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, len(CONTENT)), max_size=4), near=st.lists(st.integers(-9, 9), max_size=2))
def test_writer_interrupted_anywhere_goes_on_to_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], near: list[int]
) -> None:
    path = tmp_path_factory.mktemp("segments") / "x"
    at = 0
    for cut in [*sorted([*cuts, *(2 * MIB + n for n in near)]), len(CONTENT)]:
        with path.open("r+b" if path.exists() else "x+b", buffering=0) as file:
            writer = SegmentWriter(file.fileno(), "x", size=at)
            writer.write(CONTENT[at:cut])
            if cut == len(CONTENT):
                writer.finish()
            else:
                writer.flush()
                writer.write(b"never acknowledged" * 70_000)
                writer.abandon()
        at = cut
    assert contents_of(path) == CONTENT
    assert path.stat().st_size == stored_size(len(CONTENT))


def test_flushed_but_unfinished_file_is_no_blob(tmp_path: Path) -> None:
    for size in (0, 100, MIB, MIB + 100):
        path = tmp_path / str(size)
        with path.open("x+b", buffering=0) as file:
            writer = SegmentWriter(file.fileno(), "x")
            writer.write(CONTENT[:size])
            writer.flush()
        with pytest.raises((IntegrityError, AssertionError)):
            contents_of(path)


@pytest.mark.parametrize("size", [1, MIB, 3 * MIB + 5])
def test_going_on_behind_the_end_or_in_another_file_is_refused(tmp_path: Path, size: int) -> None:
    for name, content in (("empty", b""), ("other", bytes(2 * MIB))):
        path = tmp_path / name
        path.write_bytes(content)
        with path.open("r+b", buffering=0) as file, pytest.raises(IntegrityError):
            SegmentWriter(file.fileno(), "x", size=size)


@pytest.mark.skipif(
    not hasattr(os, "O_DIRECT"), reason="this system has no O_DIRECT: nothing goes past its cache"
)
def test_long_content_goes_past_the_cache_where_it_can(tmp_path: Path) -> None:
    with (tmp_path / "x").open("x+b", buffering=0) as file:
        writer = SegmentWriter(file.fileno(), "x")
        writer.write(CONTENT)
        writer.abandon()
        flags = fcntl.fcntl(file.fileno(), fcntl.F_GETFL)
        assert bool(flags & os.O_DIRECT) == writer._can_direct
        writer.finish()
    assert contents_of(tmp_path / "x") == CONTENT


def test_disk_that_refuses_direct_writes_gets_ordinary_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = segment_writer._write_at, []

    def picky(descriptor: int, data: memoryview, offset: int) -> None:
        if hasattr(os, "O_DIRECT") and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            refused.append(offset)
            raise OSError(errno.EINVAL, "alignment")
        real(descriptor, data, offset)

    monkeypatch.setattr(segment_writer, "_write_at", picky)
    with (tmp_path / "x").open("x+b", buffering=0) as file:
        writer = SegmentWriter(file.fileno(), "x")
        writer.write(CONTENT)
        writer.finish()
    assert len(refused) <= 1
    assert contents_of(tmp_path / "x") == CONTENT


def test_disk_full_behind_the_writer_is_told_at_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(segment_writer, "_write_at", full)
    with (tmp_path / "x").open("x+b", buffering=0) as file:
        writer = SegmentWriter(file.fileno(), "x")
        writer.write(bytes(MIB))  # goes to the disk while the next is filled
        with pytest.raises(StorageFull):
            writer.write(bytes(MIB))
        with pytest.raises(StorageFull):
            writer.finish()
        writer.abandon()
