"""`evidence-vault chain`: deploy the anchor contract, tell what anchors cost, let the log name a new network.

deploy: the account that deploys is the one that will anchor: its key is made in the vault's home, so that nothing
has to be copied. Until it has ether the command names its address and stops; run it again then. What it costs
stands there before it is spent.
"""

import argparse
import secrets
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path

from anchors.ethereum.cost import (
    DEPLOY_GAS,
    FIRST_GAS,
    NEXT_GAS,
    anchors_per_day,
    cost_per_day,
    in_ether,
    in_gwei,
)
from anchors.ethereum.deploy import Deployment, deploy
from anchors.ethereum.network import GWEI, Network, connect
from anchors.ethereum.node import Node, ask_price
from anchors.ethereum.signer import KeySigner
from evidence_vault.cli.home import add_home_argument
from evidence_vault.client.addresses import endpoint_of
from evidence_vault.client.http import GuardedClient
from evidence_vault.core.names import NETWORK_CLASSES
from evidence_vault.errors import ConfigError
from evidence_vault.pipeline.anchoring.joining import join_networks
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import build_vault
from evidence_vault.service.networks import anchor_of, chain_config
from evidence_vault.settings import FILE_NAME, Settings, default_home, load_settings
from evidence_vault.signer.keys import create_key, load_key
from evidence_vault.store.schema import require_current

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
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
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

    cost = commands.add_parser(
        "cost", help="tell what a day of anchors costs on each network of the settings"
    )
    add_home_argument(cost)
    cost.add_argument(
        "--gas-price",
        type=_gwei,
        metavar="GWEI",
        help="assume this price; else a node of the network is asked",
    )
    add = commands.add_parser("add", help="let the log name the networks that are new in the settings")
    add_home_argument(add)


def run(args: argparse.Namespace) -> int:
    """Run the chosen action."""
    if args.action == "cost":
        return _cost(args)
    return _add(args) if args.action == "add" else _deploy(args)


def _gwei(text: str) -> int:
    try:
        price = int(Decimal(text) * GWEI)
    except (InvalidOperation, ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of gwei") from None
    if price <= 0:
        raise argparse.ArgumentTypeError("a price is more than 0")
    return price


def _cost(args: argparse.Namespace) -> int:
    """Print a line for each network: how often at most, for how much gas, at which price, and whose price."""
    settings = load_settings(args.home)
    http = GuardedClient(permitted=settings.private_endpoints)
    if not settings.networks:
        print("The settings name no network: nothing is anchored, and nothing is paid.")
    for network in settings.networks:
        if args.gas_price is not None:
            price, source = args.gas_price, "as given"
        else:
            node = connect(chain_config(network).network, http)
            price, source = ask_price(node), f"{node.host} says now"
        print(f"{network.name}: chain {network.chain_id}, {NETWORK_CLASSES[network.log_class]}")
        for line in _cost_lines(settings, price_wei=price, source=source):
            print(f"  {line}")
        most = cost_per_day(interval_s=_soonest_s(settings), gas_price_wei=int(network.max_fee_gwei * GWEI))
        print(f"  never more than {in_ether(most)} a day: max_fee_gwei is {network.max_fee_gwei:g}")
    return 0


def _cost_lines(settings: Settings, *, price_wei: int, source: str) -> list[str]:
    interval_s = _soonest_s(settings)
    day = cost_per_day(interval_s=interval_s, gas_price_wei=price_wei)
    return [
        f"gas price {in_gwei(price_wei)} ({source})",
        f"first anchor {FIRST_GAS} gas = {in_ether(FIRST_GAS * price_wei)}, "
        f"each later one {NEXT_GAS} gas = {in_ether(NEXT_GAS * price_wei)}",
        f"at most {anchors_per_day(interval_s)} anchors a day (one each {interval_s:g} s) = {in_ether(day)} a day",
    ]


def _soonest_s(settings: Settings) -> float:
    if not settings.anchor_soon_events:
        return settings.anchor_interval_s
    return min(settings.anchor_interval_s, settings.anchor_soon_interval_s)


def _add(args: argparse.Namespace) -> int:
    """Name what is new, and order the newest checkpoint there."""
    vault = build_vault(load_settings(args.home))
    try:
        require_current(vault.database)
        check_start(vault)
        anchors = {network.name: anchor_of(vault.settings, network) for network in vault.settings.networks}
        words = {
            one.name: f"{one.name} ({NETWORK_CLASSES[one.log_class]})" for one in vault.settings.networks
        }
        joined = join_networks(vault, anchors)
    finally:
        vault.database.dispose()
    if not joined.names:
        print("The log names every network of the settings already.")
        return 0
    for name in joined.names:
        one = anchors[name]
        print(
            f"ANCHOR_ADDED is recorded for {words[name]}: contract {one['contract']}, sender {one['sender']}."
        )
    if joined.size is not None:
        print(
            f"Checkpoint {joined.size} goes to {', '.join(words[name] for name in joined.to)} when the vault runs."
        )
    print(
        "Restart the vault, and hand out `evidence-vault trust export` again: policies must name the new anchor."
    )
    return 0


def _deploy(args: argparse.Namespace) -> int:
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
    price = ask_price(node)
    print(f"chain {network.chain_id}, {NETWORK_CLASSES[args.log_class]}; deploying costs about ", end="")
    print(f"{DEPLOY_GAS} gas = {in_ether(DEPLOY_GAS * price)}, and afterwards", flush=True)
    for line in _cost_lines(
        _settings_or_defaults(home, args.log_class), price_wei=price, source=f"{node.host} says now"
    ):
        print(f"  {line}", flush=True)
    deployed = deploy(network, signer=signer, http=http, wait=time.sleep)
    _print_settings(args, network, deployed, address)
    return 0


def _settings_or_defaults(home: Path, log_class: str) -> Settings:
    """The cadence of the vault in `home`, or of its class where there is none yet."""
    if (home / FILE_NAME).exists():
        return load_settings(home)
    return Settings.model_validate({"log_class": log_class, "origin": "vault.example/log"})


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
