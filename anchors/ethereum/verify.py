"""Judges an Ethereum anchor offline: that a block records a tree head, and what vouches for that block.

Pure: no clock, no network. Two questions, kept apart because their answers are worth different things:

`verify_inclusion`: is the proof consistent with a block whose hash is H? Anyone can invent a block, so yes
means nothing until something says that H is real.

    (1) the chain, contract and sender that the proof names are the trusted ones
    (2) the header's own hash is H; its receiptsRoot, number and time are read from the hashed bytes
    (3) the nodes lead from receiptsRoot to the receipt at the index; none is left over
    (4) the transaction succeeded: a failed one is in the block too and changed nothing
    (5) the log is found by contract, event and sender, never by position; other logs are of no interest
    (6) its size and root are those of the tree head
    (7) `prev` is well-formed and names a smaller size, as the contract would have it

`confirm_block`: is H on the chain, and final? Known blocks of the trust policy and headers files answer;
one that names another hash at this height denies. Nothing known: Indeterminate, never passed.

Not checked here: the consistency proof from the tree head in `prev` (the bundle's own check, RFC 9162
§2.1.4), that the contract at the address runs the pinned code (the policy's author looked), signatures
inside the transaction (the contract saw the sender, the chain checked it).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from anchors.base import AnchorProof, Attested, Indeterminate, Statement, TreeHead
from anchors.errors import FormatError, VerificationError
from anchors.ethereum.header import parse_header
from anchors.ethereum.headers import HeadersFile
from anchors.ethereum.keccak import Digest, hash_ahead
from anchors.ethereum.proof import KIND, PART, EthereumProof, parse_proof
from anchors.ethereum.receipt import Log, parse_receipt
from anchors.ethereum.trie import verify_receipt_inclusion
from anchors.values import value

EVENT = "Anchored(address,uint64,bytes32,bytes32)"
EVENT_TOPIC = bytes.fromhex("d6f0f013808bc2f1d448753205790daee522b8c2904b0d109ec4099b097c8eae")
"""Keccak-256 of EVENT, written out so that importing costs no hashing; a test computes it."""

BLOCK_TIME_ACCURACY = timedelta(seconds=12)
"""A block's time is the beginning of its slot of 12 s; what it records may be younger by up to a slot."""


@value
class TrustedContract:
    """From the trust policy: this log's anchors are written by `sender` to `contract` (20 bytes each).

    from_size, to_size: the tree sizes for which this holds, both inclusive; None is open.
    """

    chain_id: int
    contract: bytes
    sender: bytes
    from_size: int = 0
    to_size: int | None = None


@value
class KnownBlock:
    """From the trust policy: this block is on the chain and final. `number` None: only the hash is given."""

    chain_id: int
    block_hash: bytes
    number: int | None = None


@value
class EthereumTrust:
    """All that is trusted about Ethereum for one log; nothing in it comes from the prover."""

    contracts: tuple[TrustedContract, ...] = ()
    known_blocks: tuple[KnownBlock, ...] = ()
    headers: tuple[HeadersFile, ...] = ()


@value
class IncludedAnchor:
    """What the block `block_hash` records, if that block is real: `sender` anchored (size, root_hash).

    prev: 32 bytes, the anchor before by the same sender; `decode_prev` reads them.
    """

    chain_id: int
    block_hash: bytes
    block_number: int
    block_time: datetime
    contract: bytes
    sender: bytes
    size: int
    root_hash: bytes
    prev: bytes


class EthereumVerifier:
    """The door of this kind: `anchors.base.Verifier` over both questions."""

    kind = KIND

    def verify(
        self, proof: AnchorProof, *, statement: Statement, trusted: EthereumTrust
    ) -> Attested | Indeterminate:
        """Attested if the block is vouched for; Indeterminate if nothing does, or the chain is unknown.

        Raises FormatError for a malformed proof and VerificationError as `verify_inclusion` does.
        """
        if set(proof.parts) != {PART}:
            raise FormatError("ethereum proof parts", PART, sorted(proof.parts))
        if statement.tree_head is None:
            raise VerificationError("ethereum statement", "a tree head", "none")
        parsed = parse_proof(proof.parts[PART])
        contract = select_contract(parsed, tree_head=statement.tree_head, contracts=trusted.contracts)
        if contract is None:
            return Indeterminate(
                sub_indication="NO_CERTIFICATE_CHAIN_FOUND",
                reason=f"the policy names no contract of this log on chain {parsed.chain_id} "
                f"for tree size {statement.tree_head.size}",
            )
        included = verify_inclusion(parsed, tree_head=statement.tree_head, trusted=contract)
        return confirm_block(included, trusted=trusted)


def select_contract(
    proof: EthereumProof, *, tree_head: TreeHead, contracts: Sequence[TrustedContract]
) -> TrustedContract | None:
    """The trusted contract to hold the proof against; None if the policy has none for this chain and size.

    Where there are several, the one that the proof names; where it names none of them, the first, so that
    `verify_inclusion` says what differs.
    """
    fitting = [
        c
        for c in contracts
        if c.chain_id == proof.chain_id
        and c.from_size <= tree_head.size
        and (c.to_size is None or tree_head.size <= c.to_size)
    ]
    for c in fitting:
        if (c.contract, c.sender) == (proof.contract, proof.sender):
            return c
    return fitting[0] if fitting else None


def hash_proofs(proofs: Iterable[EthereumProof]) -> Digest:
    """Return a Keccak-256 that has hashed all that these proofs hold; for many, it is far faster so."""
    return hash_ahead(text for proof in proofs for text in (proof.header, *proof.nodes))


def verify_inclusion(
    proof: EthereumProof, *, tree_head: TreeHead, trusted: TrustedContract, digest: Digest | None = None
) -> IncludedAnchor:
    """That the proof shows `trusted` recording `tree_head` in the block of the header; steps above.

    digest: from `hash_proofs`, where there are several.

    Raises FormatError for a header, node or receipt that is none, VerificationError for each mismatch.
    """
    # (1) the claims are the trusted ones
    _same("ethereum chain id", trusted.chain_id, proof.chain_id)
    _same("ethereum contract", trusted.contract, proof.contract)
    _same("ethereum sender", trusted.sender, proof.sender)

    # (2) the header
    digest = digest or hash_proofs([proof])
    header = parse_header(proof.header, digest=digest)

    # (3) the receipt in the block
    encoded = verify_receipt_inclusion(
        receipts_root=header.receipts_root, index=proof.receipt_index, nodes=proof.nodes, digest=digest
    )
    receipt = parse_receipt(encoded)

    # (4) the transaction took effect
    if not receipt.succeeded:
        raise VerificationError("ethereum receipt status", "success (01)", receipt.status)

    # (5) the log, by contract, event and sender; an account may be made to anchor twice in one transaction
    # (EIP-7702), but the contract never takes one size twice
    anchored = [_parse_anchored(log) for log in receipt.logs if _is_anchored(log, trusted)]
    if not anchored:
        raise VerificationError(
            "ethereum log", f"{EVENT} by the trusted sender at the trusted contract", "none"
        )
    of_size = [entry for entry in anchored if entry[0] == tree_head.size]

    # (6) size and root
    if len(of_size) != 1:
        raise VerificationError(
            "ethereum anchored size", tree_head.size, ", ".join(str(e[0]) for e in anchored)
        )
    size, root_hash, prev = of_size[0]
    _same("ethereum anchored root", tree_head.root_hash, root_hash)

    # (7) the link to the anchor before
    before = decode_prev(prev)
    if before is not None and not 0 < before[0] < size:
        raise VerificationError("ethereum previous anchor", f"a size from 1 to {size - 1}", before[0])

    return IncludedAnchor(
        chain_id=trusted.chain_id,
        block_hash=header.block_hash,
        block_number=header.number,
        block_time=header.time,
        contract=trusted.contract,
        sender=trusted.sender,
        size=size,
        root_hash=root_hash,
        prev=prev,
    )


def confirm_block(included: IncludedAnchor, *, trusted: EthereumTrust) -> Attested | Indeterminate:
    """Whether the block is on the chain and final, as the known blocks and headers files say.

    Confirmed if everyone who names this height agrees and at least one calls the block final; so several
    files add up, and one dissenting voice anywhere denies.
    """
    chain, number, block_hash = included.chain_id, included.block_number, included.block_hash
    block = (
        f"block {number} of chain {chain}, hash {block_hash.hex()}, {included.block_time:%Y-%m-%dT%H:%M:%SZ}"
    )
    voices = _voices(included, trusted)
    denying = sorted({f"{name} says {other.hex()}" for name, other, _ in voices if other != block_hash})
    if denying:
        return _no_proof_of_existence(f"anchor lost or source wrong: {block}; {'; '.join(denying)}")
    if not voices:
        return _no_proof_of_existence(
            f"nothing at hand says that this block is real: {block}; compare the hash with the one that any "
            f"explorer or node of chain {chain} shows at this number, or fetch it from several: headers fetch"
        )
    final = ", ".join(dict.fromkeys(name for name, _, is_final in voices if is_final))
    if not final:
        return _no_proof_of_existence(f"not final yet when it was looked up: {block}")
    return Attested(
        time=included.block_time,
        accuracy=BLOCK_TIME_ACCURACY,
        source=f"chain {chain} block {number}",
        assumptions=(
            f"Block {block_hash.hex()} is on chain {chain} and final; so says: {final}.",
            "The chain did not accept a block time that was wrong by more than a slot.",
            "The contract at the trusted address runs the published code.",
        ),
    )


def _voices(included: IncludedAnchor, trusted: EthereumTrust) -> list[tuple[str, bytes, bool]]:
    """Who names a block at this height: name, block hash, whether final."""
    known = [
        ("trust policy", block.block_hash, True)
        for block in trusted.known_blocks
        if block.chain_id == included.chain_id
        and (block.number == included.block_number or block.block_hash == included.block_hash)
    ]
    return known + [
        (source.host, block.block_hash, block.finalized)
        for headers in trusted.headers
        if headers.chain_id == included.chain_id
        for source in headers.sources
        for block in source.blocks
        if block.number == included.block_number
    ]


def _no_proof_of_existence(reason: str) -> Indeterminate:
    return Indeterminate(sub_indication="NO_POE", reason=reason)


def decode_prev(prev: bytes) -> tuple[int, bytes] | None:
    """The anchor before, from the 32 bytes of a slot: size and the first 24 bytes of its root; None for zero.

    Layout: size (8 bytes, big-endian) ‖ root[:24].
    """
    if len(prev) != 32:
        raise FormatError("ethereum prev", "32 bytes", f"{len(prev)} bytes")
    if not any(prev):
        return None
    return int.from_bytes(prev[:8], "big"), prev[8:]


def _is_anchored(log: Log, trusted: TrustedContract) -> bool:
    """Whether the trusted contract wrote this log as its event, for the trusted sender."""
    indexed_sender = bytes(12) + trusted.sender
    return log.address == trusted.contract and log.topics == (EVENT_TOPIC, indexed_sender)


def _parse_anchored(log: Log) -> tuple[int, bytes, bytes]:
    """Size, root and prev from the event's data: uint64, bytes32, bytes32, a word of 32 bytes each."""
    if len(log.data) != 96 or any(log.data[:24]):
        raise FormatError(
            "ethereum log data", "a size of 8 bytes in 32, root and prev of 32 bytes", log.data.hex()
        )
    return int.from_bytes(log.data[:32], "big"), log.data[32:64], log.data[64:]


def _same(check: str, expected: object, found: object) -> None:
    if expected != found:
        raise VerificationError(check, expected, found)
