"""Judges an OpenTimestamps anchor offline: a digest is under a block's Merkle root, and the block is vouched for.

Pure: no clock, no network. Two questions, kept apart because their answers are worth different things:

`verify_stamp`: does the `.ots` lead from the checkpoint to a Merkle root, and is the header, if one is carried, one
of that root with its own work in it? Anyone can make a header of little work, so yes means nothing until something
says that the block is real.

    (1) the file is over SHA-256, of this very note
    (2) the operations lead from there to 32 bytes attested as the Merkle root of the block at the claimed height
    (3) a carried header has that Merkle root
    (4) its hash meets its own target, which is not easier than the network's easiest

`confirm_stamp`: is the block on the chain? Known blocks of the trust policy and headers files answer; one that
shows another block at this height denies. Nothing known: Indeterminate, never passed.

    (5) a known block is trusted as it stands: its author looked. Known by its hash, it takes a carried header.
    (6) a headers file is as good as its sources, and must cost something to forge beside: six headers, each naming
        the one before it, each with its own work, none of less difficulty than the policy asks on this network

The time is the header's, give or take two hours: nodes refuse a block whose time is more than two hours ahead of
theirs, and a time must be later than the median of the eleven blocks before, which honest miners keep within about
an hour of now. A miner can lie within these bounds.

Attestations of other kinds, pending ones among them, prove nothing here. Not checked: that the target was the right
one at its height, for that takes every header before it.
"""

from collections.abc import Iterable
from datetime import timedelta

from anchors.base import AnchorProof, Attested, Indeterminate, Statement
from anchors.errors import FormatError, VerificationError
from anchors.opentimestamps.bitcoin import (
    NETWORKS,
    BlockHeader,
    parse_header,
    shown,
    verify_links,
    verify_work,
)
from anchors.opentimestamps.headers import DEPTH, BitcoinHeaders, ShownBlock
from anchors.opentimestamps.operations import NAMES, SHA256
from anchors.opentimestamps.proof import KIND, OTS_PART, PART, OpenTimestampsProof, parse_proof
from anchors.values import value

HEADER_TIME_ACCURACY = timedelta(hours=2)
"""MAX_FUTURE_BLOCK_TIME of Bitcoin's nodes, 7200 s, on one side; on the other the median-time-past rule."""


@value
class KnownHeader:
    """From the trust policy: this block is on the chain. block_hash: 32 bytes; header: 80, where known."""

    height: int
    block_hash: bytes
    header: bytes | None = None


@value
class TrustedNetwork:
    """From the trust policy: a network, what headers files must show on it, and the blocks known on it."""

    network: str
    least_difficulty: int = 0
    known_blocks: tuple[KnownHeader, ...] = ()


@value
class BitcoinTrust:
    """All that is trusted about Bitcoin; nothing in it comes from the prover."""

    networks: tuple[TrustedNetwork, ...] = ()
    headers: tuple[BitcoinHeaders, ...] = ()

    def network(self, name: str) -> TrustedNetwork | None:
        """The policy's entry for a network; None if it has none."""
        return next((one for one in self.networks if one.network == name), None)


@value
class StampedBlock:
    """What the proof shows: the digest is under `merkle_root`, claimed to be that of the block at `height`.

    header: the carried one, checked against root and its own work; None if none is carried.
    """

    network: str
    height: int
    merkle_root: bytes
    header: BlockHeader | None


class OpenTimestampsVerifier:
    """The door of this kind: `anchors.base.Verifier` over both questions."""

    kind = KIND

    def verify(
        self, proof: AnchorProof, *, statement: Statement, trusted: BitcoinTrust
    ) -> Attested | Indeterminate:
        """Attested if the block is vouched for; Indeterminate if nothing does, or calendars only promise.

        Raises FormatError for a malformed proof and VerificationError as `verify_stamp` does.
        """
        if set(proof.parts) != {PART, OTS_PART}:
            raise FormatError("opentimestamps proof parts", f"{PART} and {OTS_PART}", sorted(proof.parts))
        parsed = parse_proof(proof.parts[PART], proof.parts[OTS_PART])
        stamped = verify_stamp(parsed, sha256=statement.sha256)
        return stamped if isinstance(stamped, Indeterminate) else confirm_stamp(stamped, trusted=trusted)


def verify_stamp(proof: OpenTimestampsProof, *, sha256: bytes) -> StampedBlock | Indeterminate:
    """That the proof leads from `sha256` (32 bytes) to the Merkle root of the block it names; steps above.

    Indeterminate if it names none, because calendars only promise yet.
    Raises FormatError for a header that is none, VerificationError for each mismatch.
    """
    # (1) over this note
    timestamp = proof.stamp.timestamp
    if proof.stamp.digest_tag != SHA256:
        raise VerificationError("opentimestamps digest", "sha256", NAMES[proof.stamp.digest_tag])
    if timestamp.message != sha256:
        raise VerificationError("opentimestamps digest", sha256, timestamp.message)
    if proof.height is None:
        promised = {branch.attestation.url for branch in timestamp.ends} - {None}
        return _open(
            f"calendars have promised a block and shown none: {', '.join(sorted(map(str, promised)))}"
        )

    # (2) to a root
    roots = [
        end
        for branch, end in timestamp.ends.items()
        if branch.attestation.height == proof.height and len(end) == 32
    ]
    if not roots:
        raise VerificationError("opentimestamps attestation", f"of bitcoin block {proof.height}", "none")
    if proof.header is None:
        if len(set(roots)) > 1:
            raise VerificationError("bitcoin merkle root", shown(roots[0]), shown(roots[1]))
        return StampedBlock(network=proof.network, height=proof.height, merkle_root=roots[0], header=None)

    # (3) of the carried header
    header = parse_header(proof.header)
    if header.merkle_root not in roots:
        raise VerificationError("bitcoin merkle root", shown(header.merkle_root), shown(roots[0]))

    # (4) with its own work
    verify_work(header, NETWORKS[proof.network])
    return StampedBlock(
        network=proof.network, height=proof.height, merkle_root=header.merkle_root, header=header
    )


def confirm_stamp(stamped: StampedBlock, *, trusted: BitcoinTrust) -> Attested | Indeterminate:
    """Whether the block is on the chain, as the known blocks and headers files say.

    Confirmed if everyone who shows a block at this height shows this one, and at least one shows enough.
    """
    network = trusted.network(stamped.network)
    if network is None:
        return Indeterminate(
            sub_indication="NO_CERTIFICATE_CHAIN_FOUND",
            reason=f"the policy names no bitcoin {stamped.network}",
        )
    header = stamped.header
    agreeing: list[str] = []
    denying: list[str] = []
    short: list[str] = []
    # (5) the policy's own
    for known in network.known_blocks:
        if known.height != stamped.height:
            continue
        header = header or (None if known.header is None else parse_header(known.header))
        if header is None:
            short.append(
                "the trust policy knows the block's hash, and no header is carried to compare it with"
            )
        elif _is(stamped, header) and header.block_hash == known.block_hash:
            agreeing.append("trust policy")
        else:
            denying.append(f"trust policy says {shown(known.block_hash)}")
    # (6) headers files
    for host, block in _shown_at(stamped, trusted.headers):
        first = parse_header(block.headers[0])
        try:
            _check_weight(block, network)
        except (VerificationError, FormatError) as error:
            short.append(f"{host}: {error}")
            continue
        if not _is(stamped, first):
            denying.append(f"{host} shows {shown(first.block_hash)}")
        else:
            header = header or first
            agreeing.append(host)
    return _conclude(stamped, header, agreeing=agreeing, denying=denying, short=short)


def _conclude(
    stamped: StampedBlock,
    header: BlockHeader | None,
    *,
    agreeing: list[str],
    denying: list[str],
    short: list[str],
) -> Attested | Indeterminate:
    root = shown(stamped.merkle_root)
    block = f"block {stamped.height} of bitcoin {stamped.network}, merkle root {root}"
    if stamped.header is not None:
        block += f", hash {shown(stamped.header.block_hash)}, {stamped.header.time:%Y-%m-%dT%H:%M:%SZ}"
    if denying:
        return _open(f"anchor lost or source wrong: {block}; {'; '.join(sorted(set(denying)))}")
    if not agreeing or header is None:
        why = f"; {'; '.join(sorted(set(short)))}" if short else ""
        return _open(
            f"nothing at hand says that this block is real: {block}; compare height and merkle root with any "
            f"explorer of bitcoin {stamped.network}{why}"
        )
    said = ", ".join(dict.fromkeys(agreeing))
    return Attested(
        time=header.time,
        accuracy=HEADER_TIME_ACCURACY,
        source=f"bitcoin {stamped.network} block {stamped.height}",
        assumptions=(
            f"Block {shown(header.block_hash)} is on bitcoin {stamped.network}; so says: {said}.",
            "Its miner's clock was within two hours of the true time, as nodes and most miners enforce.",
            "SHA-256 has no second preimage.",
        ),
    )


def _is(stamped: StampedBlock, header: BlockHeader) -> bool:
    """Whether this header is the stamped block's: of its root, and the carried one where one is carried."""
    return header.merkle_root == stamped.merkle_root and stamped.header in (None, header)


def _check_weight(block: ShownBlock, network: TrustedNetwork) -> None:
    """(6). Attack: a header that anybody makes in an afternoon, in a file that names good sources."""
    headers = [parse_header(raw) for raw in block.headers]
    for header in headers:
        verify_work(header, NETWORKS[network.network], least_difficulty=network.least_difficulty)
    verify_links(headers)
    if len(headers) < DEPTH:
        raise VerificationError(
            "bitcoin blocks shown", f"{DEPTH}, this one and those built on it", len(headers)
        )


def _shown_at(stamped: StampedBlock, files: Iterable[BitcoinHeaders]) -> Iterable[tuple[str, ShownBlock]]:
    for file in files:
        if file.network == stamped.network:
            for source in file.sources:
                for block in source.blocks:
                    if block.height == stamped.height:
                        yield source.host, block


def _open(reason: str) -> Indeterminate:
    return Indeterminate(sub_indication="NO_POE", reason=reason)
