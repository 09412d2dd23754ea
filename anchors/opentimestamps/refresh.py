"""What has become of a stamp since: for whoever holds one and has no vault.

    stamp_anew      hand a digest in at calendars; the promise is a proof that proves nothing yet
    refresh_stamp   ask calendars for what they promised, and nodes for the header of the block it came into

Nothing is decided here: what comes out is judged by the offline verifier, like anybody's proof.
"""

from collections.abc import Sequence
from contextlib import suppress

from anchors.errors import FormatError, UnavailableError, VerificationError
from anchors.opentimestamps.bitcoin import NETWORKS, BitcoinNetwork
from anchors.opentimestamps.calendar import Calendar, Http, submit, upgrade
from anchors.opentimestamps.node import BitcoinNode
from anchors.opentimestamps.operations import apply_operation
from anchors.opentimestamps.proof import encode_proof, parse_proof
from anchors.opentimestamps.stamp import (
    Timestamp,
    below,
    encode_ots,
    encode_timestamp,
    graft,
    join,
    parse_timestamp,
    stamp_of_sha256,
)
from anchors.opentimestamps.submit import MAX_PROMISES, blinded
from anchors.opentimestamps.verify import verify_stamp

TIMEOUT_S = 20.0
"""One exchange; a person waits."""

Files = tuple[bytes, bytes]
"""A proof's `.json` and `.ots`."""


def stamp_anew(
    network: BitcoinNetwork, sha256: bytes, *, calendars: Sequence[Calendar], http: Http, nonce: bytes
) -> Files:
    """Hand a note's digest in, blinded by `nonce`, and return the promise. Raises UnavailableError."""
    message = sha256
    for operation in blinded(nonce):
        message = apply_operation(operation, message, place="commitment")
    trees, reasons = [], []
    for calendar in calendars:
        try:
            raw = submit(calendar, message, http=http, timeout_s=TIMEOUT_S)
            trees.append(parse_timestamp(raw, message, place=calendar.name))
        except UnavailableError as error:
            reasons.append(str(error))
    if not trees:
        raise UnavailableError("calendars", "; ".join(reasons) or "none was named")
    return _files(network, below(blinded(nonce), join(*trees), message=sha256), None, None)


def refresh_stamp(
    data: bytes,
    ots: bytes,
    *,
    sha256: bytes,
    calendars: Sequence[Calendar],
    node_urls: Sequence[str],
    http: Http,
) -> Files | None:
    """Return the proof as it is by now; None if nothing is new. `sha256`: of the stamped note, 32 bytes.

    Without nodes a block is named and its header left out. Raises FormatError and VerificationError for a proof
    that is none or is over another note, UnavailableError if nobody who was asked answers.
    """
    proof = parse_proof(data, ots)
    verify_stamp(proof, sha256=sha256)
    if proof.header is not None:
        return None
    tree = _upgraded(proof.stamp.timestamp, calendars, http)
    heights = sorted({one.attestation.height for one in tree.ends if one.attestation.height is not None})
    network = NETWORKS[proof.network]
    for height in heights:
        header = _header(network, height, node_urls, http)
        made = _files(network, tree, height, header)
        try:
            verify_stamp(parse_proof(*made), sha256=sha256)
        except (FormatError, VerificationError):  # a calendar that names a block in which nothing of ours is
            continue
        return made if made != (data, ots) else None
    made = _files(network, tree, None, None)
    return made if proof.height is None and made != (data, ots) else None


def _upgraded(tree: Timestamp, calendars: Sequence[Calendar], http: Http) -> Timestamp:
    """Ask only those who were named: an address inside a file is nobody to connect to."""
    promised = sorted({end for branch, end in tree.ends.items() if branch.attestation.url is not None})
    reasons, answered = [], 0
    for calendar in calendars:
        for message in promised[: MAX_PROMISES * len(calendars)]:
            try:
                raw = upgrade(calendar, message, http=http, timeout_s=TIMEOUT_S)
            except UnavailableError as error:
                reasons.append(str(error))
                continue
            answered += 1
            if raw is not None:
                # Attack: a calendar that says so much that no file may hold it; then what was there stays.
                with suppress(FormatError):
                    grown = graft(tree, parse_timestamp(raw, message, place=calendar.name))
                    tree = parse_timestamp(encode_timestamp(grown), tree.message)
    if reasons and not answered:
        raise UnavailableError("calendars", "; ".join(reasons))
    return tree


def _header(network: BitcoinNetwork, height: int, node_urls: Sequence[str], http: Http) -> bytes | None:
    """The header of which all nodes that have it say the same; None without nodes, or if none has it."""
    found: set[bytes] = set()
    for url in node_urls:
        node = BitcoinNode(url, http, TIMEOUT_S)
        node.check_network(network)
        found |= {header.raw for header in node.headers_from(height, most=1)}
    if len(found) > 1:
        raise UnavailableError("bitcoin nodes", f"they show different blocks at {height}")
    return next(iter(found), None)


def _files(network: BitcoinNetwork, tree: Timestamp, height: int | None, header: bytes | None) -> Files:
    ots = encode_ots(stamp_of_sha256(tree))
    return encode_proof(network=network.name, height=height, header=header, ots=ots), ots
