"""The Ethereum networks of a vault: who writes to them, and what they remember of this log."""

import importlib

from anchors.base import HttpClient
from anchors.ethereum.kms import DigestKey, KmsSigner
from anchors.ethereum.network import GWEI, EthereumConfig, Network, reach
from anchors.ethereum.onchain import AnchorContract
from anchors.ethereum.proof import KIND
from anchors.ethereum.signer import KeySigner, Signer, open_keystore, require_private
from anchors.ethereum.submit import EthereumSubmitter
from evidence_vault.client.http import GuardedClient
from evidence_vault.errors import ConfigError, UnavailableError
from evidence_vault.network_settings import Network as NetworkSettings
from evidence_vault.pipeline.vault import Vault
from evidence_vault.settings import Settings
from evidence_vault.signer.keys import load_key
from evidence_vault.store.nonces import DatabaseNonceLedger
from evidence_vault.store.queries import log

BLOCK_TIME_S = 12.0
"""Between two blocks; a fee is raised after so many of them as the settings' seconds make."""


def submitter_to(vault: Vault, network: NetworkSettings, http: HttpClient) -> EthereumSubmitter:
    """Return what brings this log's heads to the network. Raises ConfigError."""
    return EthereumSubmitter(
        chain_config(network),
        signer=sender_of(vault.settings, network),
        nonces=DatabaseNonceLedger(vault.database),
        http=http,
    )


def anchor_of(settings: Settings, network: NetworkSettings) -> dict[str, str | int]:
    """Return how the log's events name this network, contract and sender. Raises ConfigError."""
    return {
        "kind": KIND,
        "chain_id": network.chain_id,
        "contract": network.contract,
        "sender": sender_of(settings, network).address.hex(),
    }


def compare_with_chain(vault: Vault, network: NetworkSettings) -> str | None:
    """Return why the database is too old or of another history, by the network's last anchor of ours; None if not.

    One node that says so is enough: another may only be behind, and a log that goes on regardless may fork.
    Raises UnavailableError, ConfigError.
    """
    http = GuardedClient(permitted=vault.settings.private_endpoints)
    contract, sender = bytes.fromhex(network.contract), sender_of(vault.settings, network).address
    failed: UnavailableError | None = None
    for node in reach(chain_config(network).network, http):
        try:
            size, root_prefix = AnchorContract(node, contract, sender).last_anchor("latest")
        except UnavailableError as error:
            failed = error
            continue
        with vault.database.read() as session:
            ours = log.tree_head_at(session, size) if size else None
        said = f"{network.name}, says {node.host}, holds our anchor of {size} leaves"
        if size and ours is None:
            return f"{said}, where this log has not been"
        if ours is not None and not ours.root_hash.startswith(root_prefix):
            return f"{said} with another root: two histories"
    if failed is not None:
        raise failed
    return None


def sender_of(settings: Settings, network: NetworkSettings) -> Signer:
    """Return the account that writes this log's anchors on a network. Raises ConfigError.

    Its key is in a key service, in an encrypted keystore, or in the home's own file, as the settings say.
    """
    if network.kms is not None:
        return KmsSigner(_key_in_service(network.kms, network.name))
    if network.keystore_file is not None:
        return open_keystore(settings.home / network.keystore_file, _password(settings, network))
    return KeySigner(load_key(settings.home / "keys" / f"anchor-{network.name}.key"))


def _password(settings: Settings, network: NetworkSettings) -> str:
    if network.keystore_password is not None:
        return network.keystore_password.get_secret_value()
    assert network.keystore_password_file is not None  # the settings have one of the two
    path = settings.home / network.keystore_password_file
    try:
        require_private(path)
        return path.read_text("utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"networks.{network.name}.keystore_password_file", str(error)) from None


def _key_in_service(where: str, name: str) -> DigestKey:
    """Call what the settings name, with the network's name: an operator's own code, on his own machine."""
    module, _, function = where.partition(":")
    try:
        key: DigestKey = getattr(importlib.import_module(module), function)(name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"networks.{name}.kms", str(error)) from None
    return key


def chain_config(network: NetworkSettings) -> EthereumConfig:
    """Return the network as the submitter takes it."""
    return EthereumConfig(
        network=Network(
            chain_id=network.chain_id,
            genesis_hash=bytes.fromhex(network.genesis),
            rpc_urls=tuple(url.get_secret_value() for url in network.rpc_urls),
            max_fee_per_gas_wei=int(network.max_fee_gwei * GWEI),
            max_priority_fee_per_gas_wei=int(network.max_priority_fee_gwei * GWEI),
            bump_after_blocks=max(1, round(network.raise_fee_after_s / BLOCK_TIME_S)),
            poll_s=network.poll_s,
            timeout_s=network.timeout_s,
        ),
        contract=bytes.fromhex(network.contract),
        first_block=network.first_block,
    )
