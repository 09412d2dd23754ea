"""Who signs transactions: an interface, and a key held in memory behind it.

A key in a service stands behind the same interface (`kms`). A key of the anchor sender serves one log and nothing
else; its address is that log's name on the chain.
"""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from eth_account import Account
from eth_keys.datatypes import PrivateKey
from eth_utils.address import to_checksum_address

import anchors.ethereum.recursion  # noqa: F401 - what these libraries do to the process is undone
from anchors.errors import ConfigError


class Signer(Protocol):
    """Signs transactions of one account. A key management service stands behind it as well as a file does."""

    address: bytes
    """The account, 20 bytes."""

    def sign_transaction(self, fields: Mapping[str, object]) -> bytes:
        """The signed transaction, ready to be sent.

        fields: as JSON-RPC names them, numbers as int: type (2), chainId, nonce, to (checksum address;
        absent to deploy), data, value, gas, maxFeePerGas, maxPriorityFeePerGas. UnavailableError if it
        can't sign now.
        """
        ...


class KeySigner:
    """A signer with its key in memory. Deterministic (RFC 6979)."""

    def __init__(self, private_key: bytes) -> None:
        """private_key: 32 bytes."""
        key = PrivateKey(private_key)
        self.address: bytes = key.public_key.to_canonical_address()
        self._account = Account.from_key(private_key)

    def __repr__(self) -> str:
        return f"KeySigner({to_checksum_address(self.address)})"

    def sign_transaction(self, fields: Mapping[str, object]) -> bytes:
        """See `Signer`."""
        return bytes(self._account.sign_transaction(dict(fields)).raw_transaction)


def require_private(path: Path) -> None:
    """ConfigError if the file is ours and others may read or write it; OSError if it isn't there.

    As ssh has it: a file of another owner, such as a mounted secret, is that one's to guard.
    """
    status = path.stat()
    if status.st_uid == os.geteuid() and status.st_mode & 0o077:
        mode = f"{stat.S_IMODE(status.st_mode):03o}"
        raise ConfigError("ethereum key file", f"others may use {path.name} (mode {mode}); chmod 600")


def open_keystore(path: Path, password: str) -> KeySigner:
    """The key in an encrypted keystore file (Web3 Secret Storage, version 3). Slow on purpose: a second.

    ConfigError if the file can't be read, is open to others, is no keystore, or the password is wrong.
    """
    try:
        require_private(path)
        return KeySigner(bytes(Account.decrypt(json.loads(path.read_text("utf-8")), password)))
    except OSError as error:
        raise ConfigError("ethereum keystore", f"{path.name} can't be read: {error.strerror}") from error
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RuntimeError,  # a kind of key derivation that eth_account doesn't have, or nesting without end
        MemoryError,
    ) as error:
        raise ConfigError("ethereum keystore", f"{path.name} does not open with this password") from error


def save_keystore(path: Path, private_key: bytes, password: str) -> None:
    """Write an encrypted keystore file; an existing file is never overwritten."""
    text = json.dumps(Account.encrypt(private_key, password))
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text + "\n", "utf-8")


def load_development_key(path: Path) -> KeySigner:
    """The key in a file of 64 hex digits, as the development chain writes it; never one with real funds."""
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        raise ConfigError("ethereum key file", f"{path.name} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError("ethereum key file", f"{path.name} is no hex") from error
    if len(key) != 32:
        raise ConfigError("ethereum key file", f"{path.name} has {len(key)} bytes instead of 32")
    return KeySigner(key)
