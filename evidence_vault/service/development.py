"""DEVELOPMENT ONLY: an authority and a chain that live inside the vault's own process, for class development.

What they attest proves nothing to anyone: whoever has the folder can make it say anything. Every event, key and
policy of such a vault says so. `development_routes` answers for them.
"""

import time
from pathlib import Path

from anchors.ethereum.deploy import deploy
from anchors.ethereum.devchain import DEVELOPMENT_CHAIN_ID, DevelopmentChain
from anchors.ethereum.devchain.serve import serve_loopback
from anchors.ethereum.network import Network
from anchors.ethereum.signer import load_development_key
from anchors.rfc3161.devtsa import DevelopmentTsa
from anchors.values import value
from evidence_vault.client.http import GuardedClient
from evidence_vault.durable import save_file
from evidence_vault.pipeline.vault import Clock
from evidence_vault.settings import FILE_NAME

NAME = "development"

_SETTINGS = """\
# Settings of a DEVELOPMENT vault: its authority and its chain live in its own process and prove nothing to
# anyone. EVIDENCE_VAULT_<NAME> in the environment wins over what stands here.
origin = "{origin}"
log_class = "development"
listen_port = {port}
base_url = "http://127.0.0.1:{port}"
private_endpoints = ["127.0.0.1:{port}"]

[[authorities]]
name = "development"
group = "development"
url = "http://127.0.0.1:{port}/dev/tsa"
log_class = "development"
roots_file = "development/tsa-root.pem"

[[networks]]
name = "development"
chain_id = {chain_id}
genesis = "{genesis}"
contract = "{contract}"
rpc_urls = ["http://127.0.0.1:{port}/dev/chain"]
log_class = "development"
poll_s = 0.5
"""


@value
class DevelopmentParts:
    """The authority and the chain of one development vault."""

    tsa: DevelopmentTsa
    chain: DevelopmentChain


def create_development(home: Path, *, origin: str, port: int, clock: Clock) -> None:
    """Make the authority and the chain, deploy the contract, and write the settings that name them.

    Durable after return. The settings come last: after a crash before them everything is made again, and a
    contract that nobody uses is left behind on the chain.
    """
    folder = home / "development"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    tsa = _load_or_create(folder / "tsa", clock)
    save_file(folder / "tsa-root.pem", tsa.root_pem.encode("ascii"))
    chain = DevelopmentChain.open(folder / "chain", clock)
    try:
        genesis: bytes = chain.chain.get_canonical_block_header_by_number(0).hash
        with serve_loopback(chain) as url:
            network = Network(
                chain_id=DEVELOPMENT_CHAIN_ID, genesis_hash=genesis, rpc_urls=(url,), poll_s=0.2
            )
            deployment = deploy(
                network,
                signer=load_development_key(sender_key_file(home)),
                http=GuardedClient(permitted={url.removeprefix("http://")}),
                wait=time.sleep,
            )
    finally:
        chain.close()
    text = _SETTINGS.format(
        origin=origin,
        port=port,
        chain_id=DEVELOPMENT_CHAIN_ID,
        genesis=genesis.hex(),
        contract=deployment.contract.hex(),
    )
    save_file(home / FILE_NAME, text.encode("utf-8"))


def adopt_sender(home: Path) -> None:
    """Let the account that has ether there send the anchors, so that nobody must be paid first.

    Durable after return; a key that is there already is left as it is. Raises ConfigError.
    """
    path = home / "keys" / "anchor-development.key"
    if not path.exists() and sender_key_file(home).exists():
        load_development_key(sender_key_file(home))  # refuses a file that holds no key
        path.parent.mkdir(exist_ok=True, mode=0o700)
        save_file(path, bytes.fromhex(sender_key_file(home).read_text("ascii").strip()), mode=0o600)


def sender_key_file(home: Path) -> Path:
    """Return the key of the account that has ether on the development chain; it sends the anchors too."""
    return home / "development" / "chain" / "development.key"


def open_development(home: Path, clock: Clock) -> DevelopmentParts:
    """Take up the authority and the chain of a development vault. Raises ConfigError if they aren't there."""
    folder = home / "development"
    return DevelopmentParts(
        tsa=DevelopmentTsa.load(folder / "tsa"), chain=DevelopmentChain.open(folder / "chain", clock)
    )


def _load_or_create(folder: Path, clock: Clock) -> DevelopmentTsa:
    folder.mkdir(exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        return DevelopmentTsa.load(folder)
    return DevelopmentTsa.create(folder, clock())
