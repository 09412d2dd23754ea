import json
import stat
from pathlib import Path

import pytest
from eth_account import Account

from anchors.errors import ConfigError
from anchors.ethereum.signer import KeySigner, load_development_key, open_keystore, save_keystore

KEY = bytes(range(1, 33))
FIELDS: dict[str, object] = {
    "type": 2,
    "chainId": 1163283540,
    "nonce": 0,
    "value": 0,
    "data": "0x",
    "gas": 21_000,
    "maxFeePerGas": 2,
    "maxPriorityFeePerGas": 1,
}


def test_key_signer_signs_the_same_fields_to_the_same_bytes_from_its_address() -> None:
    signer = KeySigner(KEY)
    raw = signer.sign_transaction(FIELDS)
    assert raw == signer.sign_transaction(FIELDS)
    assert bytes.fromhex(Account.recover_transaction(raw)[2:]) == signer.address


def test_key_signer_does_not_show_its_key() -> None:
    assert KEY.hex() not in repr(KeySigner(KEY))


def test_keystore_opens_with_its_password_only_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "anchor.json"
    save_keystore(path, KEY, "correct horse")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["version"] == 3
    assert open_keystore(path, "correct horse").address == KeySigner(KEY).address
    with pytest.raises(ConfigError, match="does not open"):
        open_keystore(path, "wrong")
    with pytest.raises(FileExistsError):
        save_keystore(path, KEY, "again")


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json", '{"version":3}'])
def test_open_keystore_refuses_what_is_no_keystore(tmp_path: Path, text: str) -> None:
    path = tmp_path / "anchor.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"anchor\.json does not open"):
        open_keystore(path, "password")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_open_keystore_refuses_a_file_that_others_may_use(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "anchor.json"
    path.write_text("{}")
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:03o}"):
        open_keystore(path, "password")
    path.chmod(0o400)
    with pytest.raises(ConfigError, match="does not open"):
        open_keystore(path, "password")


@pytest.mark.parametrize("text", ["", "zz" * 32, "01" * 31, "01" * 33])
def test_load_development_key_refuses_what_is_no_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "development.key"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"development\.key"):
        load_development_key(path)


def test_missing_key_files_are_named(tmp_path: Path) -> None:
    for load in (load_development_key, lambda path: open_keystore(path, "password")):
        with pytest.raises(ConfigError, match="absent can't be read"):
            load(tmp_path / "absent")
