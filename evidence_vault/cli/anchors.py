"""`evidence-vault anchors refresh BUNDLE -o OUT`: what has come since a bundle was made goes in, beside the seal.

    --calendar URL    upgrades promises of OpenTimestamps; where there is no stamp, hands in the newest checkpoint
    --ots FILE        a stamp that any client made of a note in the bundle (`ots stamp 90.note`)
    --bitcoin URL     nodes that show the header of the block that a stamp came into
    --rpc URL         Ethereum nodes: anchors of the bundle's checkpoints that were made since, or made again
    --log URL|DIR     with --rpc: the vault's published log, or a mirror of it (`log follow`): anchors of its later
                      checkpoints, too, with what joins them to the bundle

A proof is whole when it is recorded; who vouches for its block stands outside, in the file of `headers fetch`.

Later proofs lie under `proof/added/`, which is outside the seal: nothing that was sealed changes.
Hand in once, come back hours later with the bundle that came out: it holds the promise.
"""

import argparse
import hashlib
import os
import secrets
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from anchors.opentimestamps.bitcoin import NETWORKS, BitcoinNetwork
from anchors.opentimestamps.calendar import Calendar
from anchors.opentimestamps.proof import encode_proof
from anchors.opentimestamps.refresh import refresh_stamp, stamp_anew
from anchors.opentimestamps.stamp import MAX_OTS_BYTES, parse_ots
from anchors.values import value
from evidence_vault.cli.logs import source_of
from evidence_vault.cli.shown import shown
from evidence_vault.client.addresses import endpoint_of
from evidence_vault.client.http import GuardedClient
from evidence_vault.core import layout
from evidence_vault.core.bundle import BundleFile, file_of_bytes, write_bundle
from evidence_vault.errors import ConfigError, FormatError, VerificationError
from evidence_vault.mirror.later import LaterLog
from evidence_vault.verify.anchor_parts import AnchorPart
from evidence_vault.verify.checks.log_keys import own_keys
from evidence_vault.verify.contents import Bundle, read_bundle
from evidence_vault.verify.reader import BundleFiles, open_bundle
from evidence_vault.verify.trust import TrustPolicy, parse_policy


@value
class Asked:
    """Who is asked about Bitcoin."""

    network: BitcoinNetwork
    calendars: tuple[Calendar, ...]
    nodes: tuple[str, ...]
    http: GuardedClient


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="refresh")
    refresh = commands.add_parser("refresh", help="add later proofs to a bundle, beside its seal")
    refresh.add_argument("bundle", type=Path, help="the bundle: zip or unpacked folder")
    refresh.add_argument("--out", "-o", type=Path, required=True, metavar="OUT", help="the new bundle, a zip")
    refresh.add_argument(
        "--calendar", action="append", default=[], metavar="URL", help="an OpenTimestamps calendar"
    )
    refresh.add_argument(
        "--ots", action="append", default=[], type=Path, metavar="FILE", help="a stamp of a checkpoint's note"
    )
    refresh.add_argument(
        "--bitcoin", action="append", default=[], metavar="URL", help="a Bitcoin node, JSON-RPC"
    )
    refresh.add_argument(
        "--rpc", action="append", default=[], metavar="URL", help="an Ethereum node; give several"
    )
    refresh.add_argument(
        "--log", metavar="URL|DIR", help="the log's prefix, or a mirror of it: later checkpoints, with --rpc"
    )
    refresh.add_argument(
        "--trust", type=Path, metavar="FILE", help="a trust.toml that names keys and contracts made since"
    )
    refresh.add_argument(
        "--from-block", type=int, default=0, metavar="N", help="look at no older blocks of Ethereum"
    )
    refresh.add_argument(
        "--network", choices=tuple(NETWORKS), default="main", help="which Bitcoin (default: main)"
    )


def run(args: argparse.Namespace) -> int:
    """Ask, and write the new bundle. The old one stays as it is."""
    if not (args.calendar or args.bitcoin or args.rpc or args.ots):
        raise ConfigError("refresh", "name whom to ask: --calendar, --bitcoin, --rpc; or a stamp, --ots")
    if args.log and not args.rpc:
        raise ConfigError("--log", "shows checkpoints, and --rpc who anchored them: give both")
    if args.out.exists():
        raise ConfigError(str(args.out), "is there already: a bundle is never written over")
    urls = [*args.calendar, *args.bitcoin, *args.rpc]
    asked = Asked(
        network=NETWORKS[args.network],
        calendars=tuple(Calendar(name=url, url=url) for url in args.calendar),
        nodes=tuple(args.bitcoin),
        http=GuardedClient(permitted=[endpoint_of(url) for url in urls]),  # whoever types it means it
    )
    with open_bundle(args.bundle) as files:
        bundle = read_bundle(files)
        if bundle.damage:
            raise FormatError(bundle.damage[0].path, "the digest that the bag lists", "another")
        added: dict[str, bytes] = {}
        if args.rpc:
            from evidence_vault.cli.refresh_ethereum import ethereum_parts  # noqa: PLC0415 - loads 40 MB

            policy = parse_policy(args.trust.read_bytes(), name=args.trust.name) if args.trust else None
            log = _log_of(bundle, args.log, policy) if args.log else None
            proofs, beside = ethereum_parts(
                bundle, args.rpc, asked.http, from_block=args.from_block, log=log, policy=policy
            )
            added |= beside
            for size, proof in proofs:
                added[layout.anchor_path(size, _free(bundle, size, added), added=True)] = proof
        for path in args.ots:
            added |= _taken_in(bundle, path, asked, added)
        stamps = [part for part in bundle.anchors if part.ots is not None and (args.calendar or args.bitcoin)]
        found = []
        for part in stamps:
            found.append(_refreshed(bundle, part, asked, added))
            added |= found[-1] or {}
        if args.calendar and not args.ots and all(one is None for one in found):
            added |= _handed_in(bundle, asked, added)
        size = _write(args.out, bundle, files, added)
    print(f"{args.out}: {len(added)} parts added, {size} bytes")
    if args.rpc:
        nodes = " ".join(f"--rpc {shown(url)}" for url in args.rpc)
        print(
            f"Who vouches for the blocks: evidence-vault headers fetch {args.out} {nodes} --out headers.json"
        )
    return 0


def _log_of(bundle: Bundle, place: str, policy: TrustPolicy | None) -> LaterLog:
    """The log as it is by now. Its keys are the policy's, or those that it named itself up to the bundle's cut."""
    logs = () if policy is None else policy.logs
    keys = dict.fromkeys(one.key for one in logs if one.origin == bundle.origin)
    own = [key for key in own_keys(bundle) if key.name == bundle.origin]
    held = bundle.notes[max(bundle.notes)].checkpoint.tree_head
    log = LaterLog(
        source_of(place), origin=bundle.origin, held=held, keys=tuple(keys) or tuple(dict.fromkeys(own))
    )
    print(
        f"{shown(place)}: shows the log up to {log.newest.size} leaves, consistent with the bundle's {held.size}"
    )
    if not log.is_signed:
        print("no key that the bundle names signed it: after a rotation, give the new policy with --trust")
    return log


def _refreshed(
    bundle: Bundle, part: AnchorPart, asked: Asked, added: Mapping[str, bytes]
) -> dict[str, bytes] | None:
    """What has become of one stamp, if anything: the later proof. None for what is no stamp of this bundle."""
    size = int(part.position[0].id)
    note = bundle.notes.get(size) or bundle.added_notes.get(size)
    if note is None or part.ots is None:
        return None
    place = layout.anchor_path(size, part.position[1], added=part.added)
    try:
        found = refresh_stamp(
            part.data,
            part.ots,
            sha256=hashlib.sha256(note.raw).digest(),
            calendars=asked.calendars,
            node_urls=asked.nodes,
            http=asked.http,
        )
    except (FormatError, VerificationError) as error:  # the verifier says what is wrong; others are refreshed
        print(f"{place}: left as it is: {shown(str(error))}")
        return None
    if found is None:
        print(f"{place}: nothing new")
        return {}
    number = part.position[1] if part.added else _free(bundle, size, added)
    return _paths(size, number, found)


def _handed_in(bundle: Bundle, asked: Asked, added: Mapping[str, bytes]) -> dict[str, bytes]:
    """A promise for the newest checkpoint, M, which holds all that the bundle does."""
    size = max(bundle.notes)
    found = stamp_anew(
        asked.network,
        hashlib.sha256(bundle.notes[size].raw).digest(),
        calendars=asked.calendars,
        http=asked.http,
        nonce=secrets.token_bytes(16),
    )
    print(f"checkpoint {size} handed in: come back in some hours with the bundle that comes out now")
    return _paths(size, _free(bundle, size, added), found)


def _taken_in(bundle: Bundle, path: Path, asked: Asked, added: Mapping[str, bytes]) -> dict[str, bytes]:
    """A stamp that somebody had made elsewhere, with what calendars and nodes know of it by now."""
    with path.open("rb") as file:
        raw = file.read(MAX_OTS_BYTES + 1)
    sha256 = parse_ots(raw, place=path.name).timestamp.message
    notes = {**bundle.added_notes, **bundle.notes}
    size = next((n for n, note in notes.items() if hashlib.sha256(note.raw).digest() == sha256), None)
    if size is None:
        raise FormatError(str(path), "a stamp over a .note of this bundle", f"one over {sha256.hex()}")
    plain = encode_proof(network=asked.network.name, height=None, header=None, ots=raw), raw
    found = refresh_stamp(
        *plain, sha256=sha256, calendars=asked.calendars, node_urls=asked.nodes, http=asked.http
    )
    print(f"{path}: a stamp of checkpoint {size}")
    return _paths(size, _free(bundle, size, added), found or plain)


def _free(bundle: Bundle, size: int, added: Mapping[str, bytes]) -> int:
    taken = {part.position[1] for part in bundle.anchors if part.added and int(part.position[0].id) == size}
    number = max(taken, default=-1) + 1
    while layout.anchor_path(size, number, added=True) in added:
        number += 1
    return number


def _paths(size: int, number: int, found: tuple[bytes, bytes]) -> dict[str, bytes]:
    proof, ots = found
    return {
        layout.anchor_path(size, number, added=True): proof,
        layout.ots_path(size, number, added=True): ots,
    }


def _as_it_is(files: BundleFiles, path: str) -> BundleFile:
    """A file that goes over unread but for its digests."""
    sha256, crc32, size = hashlib.sha256(), 0, 0
    for chunk in files.chunks(path):
        sha256.update(chunk)
        crc32, size = zlib.crc32(chunk, crc32), size + len(chunk)
    return BundleFile(size=size, crc32=crc32, sha256=sha256.digest(), chunks=lambda: files.chunks(path))


def _write(out: Path, bundle: Bundle, files: BundleFiles, added: dict[str, bytes]) -> int:
    """Write the zip anew: every file as it is but the bag's own, and the added ones. A failure leaves nothing."""
    for path in sorted(bundle.decayed):  # or it would get a digest that fits, and look whole
        print(f"{path}: left out: its bytes are not those that were put in")
    gone = {*layout.BAG_FILES, *added, *bundle.decayed}
    members: dict[str, BundleFile] = {
        path: _as_it_is(files, path) for path in files.sizes if path not in gone
    }
    members |= {path: file_of_bytes(data) for path, data in added.items()}
    with ExitStack() as undo:
        with out.open("xb") as file:
            undo.callback(out.unlink, missing_ok=True)
            size = write_bundle(file, bundle_id=bundle.id, files=members)
            file.flush()
            os.fsync(file.fileno())
        undo.pop_all()
    return size
