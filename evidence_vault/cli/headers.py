"""`evidence-vault headers fetch BUNDLE --rpc URL --rpc URL --out FILE`: what nodes say about a bundle's blocks.

`--bitcoin URL` in place of `--rpc` asks about the blocks of its OpenTimestamps anchors.

The verifier has no network; this is the errand that it needs done. Nodes of different operators are better:
the file names each, and `verify` compares them.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from anchors.ethereum.fetch import fetch_headers
from anchors.ethereum.header import parse_header
from anchors.ethereum.headers import encode_headers
from anchors.ethereum.proof import KIND as ETHEREUM
from anchors.ethereum.proof import parse_proof
from anchors.opentimestamps.bitcoin import NETWORKS
from anchors.opentimestamps.headers import DEPTH, encode_bitcoin_headers
from anchors.opentimestamps.node import fetch_bitcoin_headers
from anchors.opentimestamps.proof import KIND as OPENTIMESTAMPS
from anchors.opentimestamps.proof import parse_proof as parse_stamped
from evidence_vault.client.addresses import endpoint_of
from evidence_vault.client.http import GuardedClient
from evidence_vault.core.names import NETWORK_CLASSES
from evidence_vault.errors import ConfigError, FormatError, VerificationError
from evidence_vault.network_settings import class_of_chain
from evidence_vault.verify.anchor_parts import AnchorPart
from evidence_vault.verify.contents import read_bundle
from evidence_vault.verify.reader import open_bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="fetch")
    fetch = commands.add_parser("fetch", help="ask nodes about the blocks that a bundle names")
    fetch.add_argument("bundle", type=Path, help="the bundle: zip or unpacked folder")
    fetch.add_argument(
        "--rpc", action="append", default=[], metavar="URL", help="an Ethereum node; give several"
    )
    fetch.add_argument("--bitcoin", action="append", default=[], metavar="URL", help="likewise, of Bitcoin")
    fetch.add_argument("--out", "-o", type=Path, required=True, metavar="FILE", help="where the answers go")


def run(args: argparse.Namespace) -> int:
    """Ask, and write down the answers. A file is of one kind."""
    if bool(args.rpc) is bool(args.bitcoin):
        raise ConfigError("headers", "give --rpc or --bitcoin: a file is of one kind")
    return _fetch_bitcoin(args) if args.bitcoin else _fetch_ethereum(args)


def _fetch_bitcoin(args: argparse.Namespace) -> int:
    stamped = stamped_heights(args.bundle)
    networks = {network for network, _ in stamped}
    if len(networks) != 1:
        raise ConfigError(str(args.bundle), f"names {len(networks)} Bitcoin networks with a block, not one")
    network = networks.pop()
    worth = "production" if network == "main" else "test" if network == "test" else "development"
    print(f"bitcoin {network} ({NETWORK_CLASSES[worth]}), as the proofs claim")
    headers = fetch_bitcoin_headers(
        network=NETWORKS[network],
        heights=sorted({height for _, height in stamped}),
        urls=args.bitcoin,
        http=GuardedClient(permitted=[endpoint_of(url) for url in args.bitcoin]),  # whoever types it means it
        fetched_at=datetime.now(UTC),
    )
    args.out.write_bytes(encode_bitcoin_headers(headers))
    for source in headers.sources:
        deep = sum(len(block.headers) == DEPTH for block in source.blocks)
        print(f"{source.host}: {len(source.blocks)} of {len(stamped)} blocks known, {deep} with five on top")
    print(f"Use them with: evidence-vault verify {args.bundle} --trust trust.toml --headers {args.out}")
    return 0


def _fetch_ethereum(args: argparse.Namespace) -> int:
    blocks = anchored_blocks(args.bundle)
    if not blocks:
        raise ConfigError(str(args.bundle), "holds no Ethereum anchor: there is nothing to ask")
    chains = {chain_id for chain_id, _ in blocks}
    if len(chains) > 1:
        raise ConfigError(str(args.bundle), f"names chains {sorted(chains)}: ask for one at a time")
    chain_id = chains.pop()
    print(f"chain {chain_id} ({NETWORK_CLASSES[class_of_chain(chain_id)]}), as the proofs claim")
    headers = fetch_headers(
        chain_id=chain_id,
        block_numbers=sorted({number for _, number in blocks}),
        rpc_urls=args.rpc,
        http=GuardedClient(permitted=[endpoint_of(url) for url in args.rpc]),  # whoever types it means it
        fetched_at=datetime.now(UTC),
    )
    args.out.write_bytes(encode_headers(headers))
    for source in headers.sources:
        final = sum(block.finalized for block in source.blocks)
        print(f"{source.host}: {len(source.blocks)} of {len(blocks)} blocks known, {final} final")
    print(f"Use them with: evidence-vault verify {args.bundle} --trust trust.toml --headers {args.out}")
    return 0


def anchored_blocks(bundle: Path) -> set[tuple[int, int]]:
    """Return (chain id, block number) of each Ethereum anchor. Raises FormatError for a malformed sealed one."""
    found = set()
    for part in _anchors(bundle, ETHEREUM):
        with _unless_added(part):
            proof = parse_proof(part.data)
            found.add((proof.chain_id, parse_header(proof.header).number))
    return found


def stamped_heights(bundle: Path) -> set[tuple[str, int]]:
    """Return (network, height) of each OpenTimestamps anchor that names a block. Raises FormatError likewise."""
    found = set()
    for part in _anchors(bundle, OPENTIMESTAMPS):
        with _unless_added(part):
            proof = parse_stamped(part.data, part.ots or b"")
            if proof.height is not None:
                found.add((proof.network, proof.height))
    return found


def _anchors(bundle: Path, kind: str) -> list[AnchorPart]:
    with open_bundle(bundle) as files:
        return [part for part in read_bundle(files).anchors if part.kind == kind]


@contextmanager
def _unless_added(part: AnchorPart) -> Iterator[None]:
    """What was added outside the seal may be anything: it is no reason to ask nobody."""
    try:
        yield
    except (FormatError, VerificationError):
        if not part.added:
            raise
