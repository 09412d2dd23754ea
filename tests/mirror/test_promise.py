"""What became of a deposit receipt's promise."""

from datetime import timedelta
from pathlib import Path

import pytest

from evidence_vault.cli.main import main
from evidence_vault.core.events import encode_leaf_entry, first_slot
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.core.receipt import Receipt, parse_receipt
from evidence_vault.errors import VerificationError
from evidence_vault.mirror.promise import Promise, check_promise
from evidence_vault.pipeline.log.publish import publish
from evidence_vault.pipeline.log.sequence import sequence
from tests.mirror.logs import VKEY, Served, entries
from tests.pipeline.vaults import deposit, new_vault


@pytest.fixture
def receipt(tmp_path: Path) -> Receipt:
    vault = new_vault(tmp_path / "home")
    try:
        return parse_receipt(deposit(vault).receipt)
    finally:
        vault.database.dispose()


def own_entry(receipt: Receipt) -> bytes:
    return encode_leaf_entry(receipt.event.sha256, first_slot(receipt.event.subject))


@pytest.mark.parametrize("place", [0, 255, 256, 599])
def test_check_promise_finds_the_leaf_wherever_it_stands(receipt: Receipt, place: int) -> None:
    leaves = entries(600)
    leaves[place] = own_entry(receipt)
    answer = check_promise(receipt, Served(leaves), [VKEY], now=receipt.log_by + timedelta(days=1))
    assert (answer.promise, answer.leaf_index, answer.head.size) == (Promise.KEPT, place, 600)


def test_check_promise_before_and_after_its_time(receipt: Receipt) -> None:
    served = Served(entries(300))
    assert check_promise(receipt, served, [VKEY], now=receipt.log_by).promise is Promise.WAITING
    after = check_promise(receipt, served, [VKEY], now=receipt.log_by + timedelta(milliseconds=1))
    assert (after.promise, after.leaf_index) == (Promise.BROKEN, None)


def test_check_promise_sees_another_event_in_its_place(receipt: Receipt) -> None:
    other = encode_leaf_entry(b"o" * 32, first_slot(receipt.event.subject))
    answer = check_promise(receipt, Served([*entries(5), other]), [VKEY], now=receipt.log_by)
    assert (answer.promise, answer.leaf_index) == (Promise.REPLACED, 5)


def test_check_promise_believes_no_entry_that_the_log_did_not_sign(receipt: Receipt) -> None:
    served = Served(entries(300))
    served.files["tile/entries/000"] = Served([own_entry(receipt), *entries(300, start=1)]).files[
        "tile/entries/000"
    ]
    with pytest.raises(VerificationError, match="entry 0"):
        check_promise(receipt, served, [VKEY], now=receipt.log_by)


def test_receipt_check_from_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vault = new_vault(tmp_path / "home")
    file, trust = tmp_path / "receipt.json", tmp_path / "trust.toml"
    file.write_bytes(deposit(vault).receipt)
    log_vkey, receipt_vkey = vault.log_signer.verifier_key, vault.receipt_signer.verifier_key
    trust.write_text(
        f'version = 1\n[[log]]\norigin = "{vault.settings.origin}"\nvkey = "{encode_vkey(log_vkey)}"\n'
        f'receipt_vkey = "{encode_vkey(receipt_vkey)}"\nclass = "development"\n'
    )
    words = ["receipt", "check", str(file), "--trust", str(trust), "--log", str(vault.public.folder)]
    assert main(words) == 69  # nothing is published yet
    while sequence(vault):
        pass
    publish(vault)
    assert main(words) == 0
    assert "KEPT: the event is leaf" in capsys.readouterr().out
    vault.database.dispose()
