"""Keys: one file for each purpose, readable by the vault alone, never shared between purposes.

    keys/log.key            Ed25519: checkpoints
    keys/log.next.key       the one that takes over, while a rotation is under way; likewise receipt.next.key
    keys/receipt.key        Ed25519: deposit receipts
    keys/webhook.key        HMAC-SHA256: what is told to other systems
    keys/anchor-<name>.key  secp256k1: the sender on one network; one sender serves one origin, ever

A file holds the raw 32 bytes of the private key. It is written once, whole and flushed, with mode 0600, and
refused if others may read it. Only a rotation replaces one, which destroys it: a retired key can only do harm.
"""

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence_vault.durable import flush_folder, save_file
from evidence_vault.errors import ConfigError, IntegrityError

KEY_BYTES = 32
_SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

Random = Callable[[int], bytes]


def create_key(path: Path, *, random: Random) -> None:
    """Write a new key, good for Ed25519 and secp256k1 alike. Raises ConfigError if there is one already."""
    if path.exists():
        raise ConfigError(path.name, "this key exists already and is never overwritten")
    secret = random(KEY_BYTES)
    while not 0 < int.from_bytes(secret) < _SECP256K1_ORDER:  # one in 2^128; else no secp256k1 key
        secret = random(KEY_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    save_file(path, secret, mode=0o600)


def load_key(path: Path) -> bytes:
    """Return the 32 secret bytes. Raises ConfigError if missing or open to others, else IntegrityError."""
    try:
        mode = path.stat().st_mode & 0o777
        secret = path.read_bytes()
    except OSError as error:
        raise ConfigError(path.name, f"can't be read: {error.strerror}") from None
    if mode & 0o077:
        raise ConfigError(path.name, f"others may read it (mode {mode:03o}); chmod 600")
    if len(secret) != KEY_BYTES:
        raise IntegrityError(path.name, f"{KEY_BYTES} bytes", len(secret))
    return secret


def load_ed25519(path: Path) -> Ed25519PrivateKey:
    """Return the Ed25519 key in this file. Raises as `load_key`."""
    return Ed25519PrivateKey.from_private_bytes(load_key(path))


def next_key_path(path: Path) -> Path:
    """Return where the key lies that takes over from the one in `path`: log.key, log.next.key."""
    return path.with_suffix(".next.key")


def promote_key(path: Path) -> None:
    """Put the next key in the place of the one in `path`, in one step. Durable after return."""
    next_key_path(path).replace(path)
    flush_folder(path.parent)
