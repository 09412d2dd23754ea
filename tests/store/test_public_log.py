"""The public log: what was published never changes, and its folders stay small."""

from pathlib import Path

import pytest

from evidence_vault.core.tiles import Tile
from evidence_vault.errors import IntegrityError
from evidence_vault.store.public_log import PublicLog


def test_published_files_are_written_once(tmp_path: Path) -> None:
    public = PublicLog(tmp_path / "public")
    tile = Tile(level=0, index=1_234_067)
    for _ in range(2):
        public.write_tile(tile, b"a")
        public.write_note(1_234_067, b"n")
    with pytest.raises(IntegrityError, match="tile/0/x001/x234/067"):
        public.write_tile(tile, b"b")
    with pytest.raises(IntegrityError):
        public.write_note(1_234_067, b"m")
    assert public.read_tile(tile) == b"a"
    assert public.note_path(1_234_067).relative_to(tmp_path) == Path(
        "public/checkpoints/001/234/1234067.note"
    )
    assert public.note_path(1_234_067).read_bytes() == b"n"


def test_checkpoint_is_the_one_file_that_changes(tmp_path: Path) -> None:
    public = PublicLog(tmp_path / "public")
    assert public.checkpoint() is None
    for note in (b"one", b"two"):
        public.write_checkpoint(note)
        assert public.checkpoint() == note
    with pytest.raises(IntegrityError, match="a published tile"):
        public.read_tile(Tile(level=0, index=0, width=1))
    assert [path.name for path in public.folder.iterdir()] == ["checkpoint"]
