"""Other people's tools, as README.txt names them, accept our parts, and see what was changed.

bagit.py (RFC 8493), sha256sum, openssl ts, and unzip.
"""

import shutil
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path

import bagit
import pytest

from evidence_vault.core import layout
from tests.anchors.rfc3161.judges import openssl_accepts
from tests.conftest import absent
from tests.verify.handmade import Sealed, good_bundle


@pytest.fixture(scope="module")
def good() -> Sealed:
    return good_bundle()


@pytest.fixture
def folder(good: Sealed, tmp_path: Path) -> Path:
    """The bundle, unpacked by Python's zipfile."""
    packed = tmp_path / "bundle.zip"
    packed.write_bytes(good.zip())
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    return tmp_path / f"ev-{good.bundle}"


def run(*command: str, folder: Path) -> int:
    if shutil.which(command[0]) is None:
        absent(f"no {command[0]} command")
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60).returncode


def test_bagit_accepts_the_bundle_and_refuses_a_changed_one(good: Sealed, folder: Path) -> None:
    assert bagit.Bag(str(folder)).validate()
    (folder / layout.content_path(good.items[0])).write_bytes(b"the first picturE")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(folder)).validate()


def test_bagit_command_accepts_the_bundle(folder: Path) -> None:
    script = Path(bagit.__file__)
    assert run(sys.executable, str(script), "--validate", str(folder), folder=folder) == 0


@pytest.mark.parametrize("listing", [layout.MANIFEST, layout.TAG_MANIFEST, layout.PARTS])
def test_sha256sum_accepts_every_list(folder: Path, listing: str) -> None:
    assert run("sha256sum", "--check", "--strict", "--quiet", listing, folder=folder) == 0
    first = (folder / listing).read_text().splitlines()[0].split("  ")[1]
    (folder / first).write_bytes(b"changed")
    assert run("sha256sum", "--check", "--strict", "--quiet", listing, folder=folder) == 1


def test_unzip_accepts_the_bundle(folder: Path) -> None:
    assert run("unzip", "-t", "bundle.zip", folder=folder.parent) == 0


def test_openssl_accepts_every_token_and_no_other_file(good: Sealed, folder: Path, tmp_path: Path) -> None:
    """Over the note of a checkpoint, or the content; the root from chain.pem, as README.txt has it."""
    responses = sorted((folder / "proof" / "timestamps").rglob("response.tsr"))
    assert len(responses) == 10
    other = folder / layout.README
    for response in responses:
        subject = response.parent.parent.name
        is_item = subject.startswith("it_")
        data = folder / (layout.content_path(subject) if is_item else layout.note_path(int(subject)))
        root = tmp_path / "root.pem"
        chain = (response.parent / "chain.pem").read_text()
        root.write_text(chain[chain.rindex("-----BEGIN") :])
        at = datetime.fromisoformat("2026-12-01T00:00:00+00:00")
        judged = [
            openssl_accepts(response=response.read_bytes(), root=root, at=at, folder=tmp_path, data=each)
            for each in (data, other)
        ]
        assert judged == [True, False], response
