"""The contract `EvidenceAnchor` as data: interface, creation code, and the pinned hash of the code on chain.

Compiled from `EvidenceAnchor.vy` by Vyper 0.4.3 for the EVM of Cancun; a test compiles it again and compares.
The pin is on the runtime code, because a changed comment changes the creation code (it carries a hash of the
source) but not what runs. A deployed contract can't be changed: neither may these files, once it is.
"""

import json
from importlib.resources import files
from typing import Any


def load_abi() -> list[dict[str, Any]]:
    """The interface, in the JSON form that Ethereum clients take."""
    abi: list[dict[str, Any]] = json.loads(_read("abi.json"))
    return abi


def load_creation_code() -> bytes:
    """What a transaction without recipient carries to deploy the contract; its constructor takes nothing."""
    return bytes.fromhex(_read("creation.hex"))


def load_runtime_sha256() -> bytes:
    """SHA-256 (32 bytes) of the code that lies at the contract's address once it is deployed."""
    return bytes.fromhex(_read("runtime.sha256"))


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text("ascii").strip()
