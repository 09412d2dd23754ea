"""`evidence-vault headers fetch BUNDLE --rpc URL --rpc URL --out FILE`: what nodes say about a bundle's blocks.

The verifier has no network; this is the errand that it needs done. Nodes of different operators are better:
the file names each, and `verify` compares them.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from anchors.ethereum.fetch import fetch_headers
from anchors.ethereum.header import parse_header
from anchors.ethereum.headers import encode_headers
from anchors.ethereum.proof import parse_proof
from evidence_vault.client.addresses import endpoint_of
from evidence_vault.client.http import GuardedClient
from evidence_vault.core.layout import Part, parse_path
from evidence_vault.errors import ConfigError
from evidence_vault.verify.reader import open_bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="fetch")
    fetch = commands.add_parser("fetch", help="ask nodes about the blocks that a bundle names")
    fetch.add_argument("bundle", type=Path, help="the bundle: zip or unpacked folder")
    fetch.add_argument("--rpc", action="append", required=True, metavar="URL", help="a node; give several")
    fetch.add_argument("--out", "-o", type=Path, required=True, metavar="FILE", help="where the answers go")


def run(args: argparse.Namespace) -> int:
    """Ask, and write down the answers."""
    blocks = anchored_blocks(args.bundle)
    if not blocks:
        raise ConfigError(str(args.bundle), "holds no Ethereum anchor: there is nothing to ask")
    chains = {chain_id for chain_id, _ in blocks}
    if len(chains) > 1:
        raise ConfigError(str(args.bundle), f"names chains {sorted(chains)}: ask for one at a time")
    headers = fetch_headers(
        chain_id=chains.pop(),
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
    """Return (chain id, block number) of each anchor in the bundle. Raises FormatError for a malformed one."""
    found = set()
    with open_bundle(bundle) as files:
        for path in files.sizes:
            if parse_path(path).part is Part.ANCHOR:
                proof = parse_proof(b"".join(files.chunks(path)))
                found.add((proof.chain_id, parse_header(proof.header).number))
    return found
