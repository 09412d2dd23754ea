"""Receipts are on the disk before the journal says that nobody need ask for them again."""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evidence_vault.cli.deposit import Work
from evidence_vault.cli.journal import Journal
from evidence_vault.cli.remote import Answer, Remote
from evidence_vault.pipeline.vault import Vault
from tests.pipeline.vaults import deposit_small, new_vault

OPTIONS = argparse.Namespace(receipts=None, hash_only=False, secret=False, note=None, patience=1.0)


class InProcess(Remote):
    """A vault that is reached without a network."""

    def __init__(self, vault: Vault) -> None:
        super().__init__(url="http://127.0.0.1:1", token="-")
        self.asked, self._vault = 0, vault

    def repeatable(self, path: str, body: bytes, *, headers: Mapping[str, str]) -> Answer:
        assert path == "/v1/items"
        self.asked += 1
        done = deposit_small(self._vault, body, idempotency_key=headers["Idempotency-Key"])
        receipt = json.loads(done.receipt)
        return Answer(status=201, headers={}, body=json.dumps({"receipt": receipt}).encode())


@pytest.fixture
def remote(tmp_path: Path) -> InProcess:
    return InProcess(new_vault(tmp_path / "vault"))


def deposit_folder(remote: InProcess, root: Path) -> int:
    with Journal(root.parent / "state", root, about={}) as journal:
        return Work(remote, OPTIONS, journal, root).folder()


def test_receipt_and_its_folder_are_flushed_before_the_journal_says_done(
    remote: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, seen = tmp_path / "case", list[str]()
    for number in range(5):
        (root / f"{number}").mkdir(parents=True)
        (root / f"{number}" / "a.txt").write_bytes(b"%d" % number)
    real_flush, real_add = os.fsync, Journal.add

    def flush(descriptor: int) -> None:
        real_flush(descriptor)
        seen.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    def add(self: Journal, line: Mapping[str, Any], *, flush: bool = False) -> None:
        if "item" in line:
            seen.append(f"done {line['path']} {line['item']}")
        real_add(self, line, flush=flush)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Journal, "add", add)
    assert deposit_folder(remote, root) == 0
    done = [at for at, text in enumerate(seen) if text.startswith("done ")]
    assert len(done) == 5
    for at in done:
        _, path, item = seen[at].split()
        receipt = tmp_path / "case.receipts" / f"{path}.{item}.receipt.json"
        assert str(receipt) in seen[:at]
        assert str(receipt.parent) in seen[seen.index(str(receipt)) : at]
    assert str(tmp_path) in seen  # where the new folder of receipts lies


@pytest.mark.parametrize("left", [b"", None], ids=["cut short", "lost"])
def test_receipt_that_a_power_cut_took_is_fetched_again_and_is_the_same(
    remote: InProcess, tmp_path: Path, left: bytes | None
) -> None:
    root = tmp_path / "case"
    root.mkdir()
    (root / "a.txt").write_bytes(b"a")
    assert deposit_folder(remote, root) == 0
    [receipt] = (tmp_path / "case.receipts").iterdir()
    before = receipt.read_bytes()
    receipt.unlink()
    if left is not None:
        receipt.write_bytes(left)
    assert deposit_folder(remote, root) == 0
    assert receipt.read_bytes() == before
    assert deposit_folder(remote, root) == 0
    assert remote.asked == 2


def test_file_with_the_longest_name_keeps_its_receipt_and_is_done_once(
    remote: InProcess, tmp_path: Path
) -> None:
    root = tmp_path / "case"
    root.mkdir()
    (root / ("证" * 83 + ".png")).write_bytes(b"a")
    for _ in range(2):
        assert deposit_folder(remote, root) == 0
    [receipt] = (tmp_path / "case.receipts").iterdir()
    assert receipt.name.startswith("it_")
    assert remote.asked == 1
