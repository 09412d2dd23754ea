"""Where a sender's key lies: a file of the home, a keystore, a key service; and how networks are named."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from pydantic import ValidationError

from evidence_vault.errors import ConfigError
from evidence_vault.network_settings import KNOWN_NETWORKS, Network
from evidence_vault.service.networks import sender_of
from evidence_vault.settings import Settings
from tests.anchors.ethereum.test_kms import Service

KEY = (0x1234).to_bytes(32, "big")
KEYSTORE = Account.encrypt(KEY, "correct horse", kdf="pbkdf2", iterations=1000)  # a second less each time
HOODI: dict[str, Any] = {
    "name": "hoodi",
    "contract": "0x" + "0c" * 20,
    "rpc_urls": ["https://node.example/own-key"],
}


def sender(home: Path, **changes: Any) -> bytes:
    settings = Settings.model_validate({"home": home, "networks": [{**HOODI, **changes}]})
    return sender_of(settings, settings.networks[0]).address


def test_sender_from_a_keystore_a_key_service_and_a_file_is_the_same_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private(tmp_path / "hoodi.json", json.dumps(KEYSTORE))
    private(tmp_path / "password", "correct horse\nnot this line\n")
    service: Any = types.ModuleType("our_kms")
    service.key = lambda name: {"hoodi": Service()}[name]
    monkeypatch.setitem(sys.modules, "our_kms", service)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "anchor-hoodi.key").write_bytes(KEY)
    (tmp_path / "keys" / "anchor-hoodi.key").chmod(0o600)
    keystore = {"keystore_file": "hoodi.json"}
    found = {
        sender(tmp_path),
        sender(tmp_path, kms="our_kms:key"),
        sender(tmp_path, **keystore, keystore_password="correct horse"),
        sender(tmp_path, **keystore, keystore_password_file="password"),
    }
    assert len(found) == 1
    for name in ("password", "hoodi.json"):
        (tmp_path / name).chmod(0o644)
        with pytest.raises(ConfigError, match=f"others may use {name}"):
            sender(tmp_path, **keystore, keystore_password_file="password")
        (tmp_path / name).chmod(0o600)


def private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def test_sender_with_a_wrong_password_or_a_service_that_is_not_there_never_shows_a_secret(
    tmp_path: Path,
) -> None:
    private(tmp_path / "hoodi.json", json.dumps(KEYSTORE))
    for changes in (
        {"keystore_file": "hoodi.json", "keystore_password": "battery staple"},
        {"keystore_file": "hoodi.json", "keystore_password_file": "nowhere"},
        {"keystore_file": "nowhere.json", "keystore_password": "battery staple"},
        {"kms": "no_such_module:key"},
        {"kms": "json:no_such_function"},
    ):
        with pytest.raises(ConfigError) as caught:
            sender(tmp_path, **changes)
        assert "battery" not in str(caught.value)
    settings = Settings.model_validate(
        {"networks": [{**HOODI, "keystore_file": "a", "keystore_password": "battery staple"}]}
    )
    assert "battery" not in repr(settings)
    assert "own-key" not in repr(settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"keystore_file": "a"},
        {"keystore_password": "a"},
        {"keystore_file": "a", "keystore_password": "a", "keystore_password_file": "b"},
        {"keystore_file": "a", "keystore_password": "a", "kms": "a:b"},
        {"kms": "os.system"},
        {"chain_id": 1},
        {"genesis": "00" * 32},
        {"log_class": "production"},
        {"name": "mine"},
        {"name": "mine", "chain_id": 560048, "genesis": "00" * 32},
        {"name": "mine", "chain_id": 31337, "genesis": "00" * 32, "log_class": "production"},
    ],
)
def test_network_that_contradicts_itself_or_what_is_known_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Network.model_validate({**HOODI, **changes})


@pytest.mark.parametrize("name", KNOWN_NETWORKS)
def test_network_that_is_known_needs_no_more_than_its_name_or_its_chain_id(name: str) -> None:
    known = KNOWN_NETWORKS[name]
    for given in ({"name": name}, {"name": "ours", "chain_id": known.chain_id}):
        network = Network.model_validate({**HOODI, **given})
        assert (network.chain_id, network.genesis, network.log_class) == known


def test_network_that_nobody_knows_is_an_entry_of_its_own() -> None:
    network = Network.model_validate(
        {**HOODI, "name": "next-testnet", "chain_id": 123456, "genesis": "ab" * 32, "log_class": "test"}
    )
    assert (network.name, network.chain_id, network.log_class) == ("next-testnet", 123456, "test")
