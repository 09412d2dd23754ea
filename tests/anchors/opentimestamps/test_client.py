"""The outside judge: `ots info` and `ots verify` of opentimestamps-client accept what we make."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.anchors.opentimestamps.toy import NOTE, ToyBitcoin, made_proof, serving, statement

pytestmark = pytest.mark.socket


def ots(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "ots"
    return subprocess.run(
        [str(program), "--no-cache", "--no-default-whitelist", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore", "TZ": "UTC"},
    )


@pytest.fixture
def files(tmp_path: Path) -> tuple[ToyBitcoin, Path]:
    chain = ToyBitcoin()
    _, stamp = made_proof(chain, statement().sha256)
    (tmp_path / "40.note").write_bytes(NOTE)
    (tmp_path / "40.note.ots").write_bytes(stamp)
    return chain, tmp_path


def test_their_client_reads_our_file(files: tuple[ToyBitcoin, Path]) -> None:
    _, folder = files
    done = ots("info", str(folder / "40.note.ots"), home=folder)
    assert done.returncode == 0, done.stderr
    assert f"File sha256 hash: {statement().sha256.hex()}" in done.stdout
    assert "verify BitcoinBlockHeaderAttestation(1)" in done.stdout
    assert "verify PendingAttestation('https://alice.example')" in done.stdout


def test_their_client_verifies_our_file_against_a_node(files: tuple[ToyBitcoin, Path]) -> None:
    chain, folder = files
    with serving(chain) as urls:
        node = urls[0].replace("http://", "http://user:password@")
        common = ("--btc-regtest", "--bitcoin-node", node, "verify")
        good = ots(*common, str(folder / "40.note.ots"), home=folder)
        assert good.returncode == 0, good.stderr
        assert "Success! Bitcoin block 1 attests existence as of 2026-11-22" in good.stderr
        (folder / "40.note").write_bytes(NOTE + b"\n")
        wrong = ots(*common, str(folder / "40.note.ots"), home=folder)
        assert (wrong.returncode, "does not match" in wrong.stderr) == (1, True)
        (folder / "40.note").write_bytes(NOTE)
        chain.reorganise(1, 6)
        lost = ots(*common, str(folder / "40.note.ots"), home=folder)
        assert (lost.returncode, "verification failed" in lost.stderr) == (1, True)
