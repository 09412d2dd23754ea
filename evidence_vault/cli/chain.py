"""`evidence-vault chain deploy`: put the anchor contract on a network, and print the settings that use it.

The account that deploys is the one that will anchor: its key is made in the vault's home, so that nothing has
to be copied. Until it has ether the command names its address and stops; run it again then.
"""

import argparse
import secrets
import time

from anchors.ethereum.deploy import Deployment, deploy
from anchors.ethereum.network import Network
from anchors.ethereum.node import Node
from anchors.ethereum.signer import KeySigner
from evidence_vault.cli.home import add_home_argument
from evidence_vault.client.addresses import endpoint_of
from evidence_vault.client.http import GuardedClient
from evidence_vault.errors import ConfigError
from evidence_vault.settings import default_home
from evidence_vault.signer.keys import create_key, load_key

POLL_S, TIMEOUT_S = 3.0, 20.0

_SETTINGS = """
Add this to vault.toml, before or after other networks:

[[networks]]
name = "{name}"
chain_id = {chain_id}
genesis = "{genesis}"
contract = "{contract}"
rpc_urls = ["{rpc}"]
first_block = {block}
log_class = "{log_class}"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="deploy")
    one = commands.add_parser("deploy", help="deploy the anchor contract with the vault's own account")
    add_home_argument(one)
    one.add_argument("--name", required=True, help="what the settings shall call the network, like hoodi")
    one.add_argument("--rpc", required=True, metavar="URL", help="a node of the network")
    one.add_argument(
        "--class",
        dest="log_class",
        choices=("test", "production"),
        default="test",
        help="a public test network (default), or one that is meant to stay",
    )


def run(args: argparse.Namespace) -> int:
    """Deploy, compare the code on chain with the pinned one, and print the settings."""
    home = args.home or default_home()
    key = home / "keys" / f"anchor-{args.name}.key"
    if not key.exists():
        create_key(key, random=secrets.token_bytes)
        print(f"A new account was made; its key is {key}. Back it up.")
    signer = KeySigner(load_key(key))
    http = GuardedClient(permitted=[endpoint_of(args.rpc)])  # whoever types it means it
    node = Node(args.rpc, http, TIMEOUT_S)
    genesis = node.ask_block("0x0")
    if genesis is None:
        raise ConfigError("--rpc", f"{node.host} has no genesis block")
    network = Network(
        chain_id=node.ask_number("eth_chainId"),
        genesis_hash=node.read_bytes("genesis hash", genesis["hash"]),
        rpc_urls=(args.rpc,),
        poll_s=POLL_S,
        timeout_s=TIMEOUT_S,
    )
    address = f"0x{signer.address.hex()}"
    if node.ask_number("eth_getBalance", address, "latest") == 0:
        print(f"Send some ether of chain {network.chain_id} to {address}, then run this again.")
        return 0
    deployed = deploy(network, signer=signer, http=http, wait=time.sleep)
    _print_settings(args, network, deployed, address)
    return 0


def _print_settings(args: argparse.Namespace, network: Network, deployed: Deployment, address: str) -> None:
    print(
        f"The contract is at 0x{deployed.contract.hex()}, deployed by {address} for {deployed.gas_used} gas; "
        "its code is the pinned one."
    )
    print(
        _SETTINGS.format(
            name=args.name,
            chain_id=network.chain_id,
            genesis=network.genesis_hash.hex(),
            contract=deployed.contract.hex(),
            rpc=args.rpc,
            block=deployed.block_number,
            log_class=args.log_class,
        ).rstrip()
    )
