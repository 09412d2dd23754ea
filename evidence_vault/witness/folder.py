"""A witness's folder: its key, its name, its guards. Made by the first start, and then only read.

witness.key     Ed25519, for cosignatures alone        guards/     what was cosigned last, by log
witness.vkey    what logs and policies are given       evidence/   what was refused, beside what was cosigned
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_bytes

from evidence_vault.core.note_keys import SignatureType, VerifierKey, encode_vkey, parse_vkey, verifier_key
from evidence_vault.core.tlog_witness import origin_name
from evidence_vault.durable import save_file
from evidence_vault.errors import ConfigError, FormatError
from evidence_vault.mirror.source import Source
from evidence_vault.signer.keys import create_key, load_ed25519
from evidence_vault.witness.audit import mirror_audit
from evidence_vault.witness.guard import Guard
from evidence_vault.witness.witness import WatchedLog, Witness, posix_seconds


@contextmanager
def open_witness(folder: Path, *, name: str | None, logs: Sequence[WatchedLog]) -> Iterator[Witness]:
    """Open the witness in `folder`, making it at its first start. name: for the first start; later it is kept.

    Raises ConfigError for another name than before, and if another process has the folder.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    guard = Guard(folder)
    try:
        key_path, vkey_path = folder / "witness.key", folder / "witness.vkey"
        if not key_path.exists():
            if vkey_path.exists():
                raise ConfigError(
                    "witness.key", "is missing: this witness can't sign any more; begin a new one"
                )
            create_key(key_path, random=token_bytes)
        private_key = load_ed25519(key_path)
        if not vkey_path.exists():
            public = private_key.public_key().public_bytes_raw()
            named = _named(name or f"witness-{public[:4].hex()}")
            key = verifier_key(named, SignatureType.COSIGNATURE_V1, private_key)
            save_file(vkey_path, f"{encode_vkey(key)}\n".encode())
        key = parse_vkey(vkey_path.read_text("utf-8").strip())
        if key != verifier_key(key.name, SignatureType.COSIGNATURE_V1, private_key):
            raise ConfigError("witness.vkey", "is not of the key beside it")
        if name not in (None, key.name):
            raise ConfigError("--name", f"this witness is called {key.name}; a name never changes")
        if any(key.public_key == log_key.public_key for log in logs for log_key in log.keys):
            raise ConfigError("witness.key", "is the log's own: a log can't watch itself")
        yield Witness(
            folder, name=key.name, private_key=private_key, logs=logs, guard=guard, clock=posix_seconds
        )
    finally:
        guard.close()


def watched_logs(
    texts: Sequence[str], *, mirrors: Path, source_of: Callable[[str], Source]
) -> list[WatchedLog]:
    """Return the logs of `--log` arguments, `VKEY` or `VKEY@URL`; several keys of one name are one log's.

    A log with a URL is read whole before it is cosigned, into a mirror below `mirrors`. Raises ConfigError.
    """
    keys: dict[str, list[VerifierKey]] = {}
    places: dict[str, str] = {}
    for text in texts:
        found = re.fullmatch(r"([^+]+\+[0-9a-f]+\+[A-Za-z0-9+/=]+)(?:@(.+))?", text)
        try:
            key = parse_vkey(found[1] if found else text)
        except FormatError as error:
            raise ConfigError("--log", str(error)) from None
        if key.type is not SignatureType.ED25519:
            raise ConfigError("--log", f"{key.name}: a log's key has the type 0x01")
        if key not in keys.setdefault(key.name, []):
            keys[key.name].append(key)
        if found and found[2]:
            places[key.name] = found[2]
    logs = []
    for origin, named in keys.items():
        audit = None
        if origin in places:
            folder = mirrors / origin_name(origin)
            audit = mirror_audit(folder, source_of(places[origin]), keys=named)
        logs.append(WatchedLog(origin=origin, keys=tuple(named), audit=audit))
    return logs


def _named(name: str) -> str:
    if not name.isprintable() or "+" in name or any(c.isspace() for c in name) or len(name) > 100:
        raise ConfigError("--name", "at most 100 printable characters without spaces and plus signs")
    return name
