"""`anchors refresh BUNDLE --rpc URL [--log URL|DIR]`: its log's anchors on Ethereum since.

    (1) the contract's events are searched, from the newest back to where no item of the bundle is held any more
    (2) wanted are anchors of the bundle's own checkpoints; with the log at hand, also those that follow the newest
        sealed one, up to the first that holds all that the bundle does (M)
    (3) each needs its checkpoint, and the one that it links to: the bundle's, or the log's with a proof from M

Contracts and senders are those that the log names in the bundle, or the policy of `--trust`. What nodes say of the
blocks goes into a headers file beside the bundle, never into it: a source inside would vouch for itself.
"""

from collections.abc import Iterator, Sequence

from anchors.base import TreeHead
from anchors.ethereum.header import parse_header
from anchors.ethereum.node import Node
from anchors.ethereum.onchain import Anchored
from anchors.ethereum.proof import KIND, parse_proof
from anchors.ethereum.refresh import later_anchors, prove_anchor
from anchors.ethereum.verify import TrustedContract, verify_inclusion
from evidence_vault.cli.shown import shown
from evidence_vault.client.http import GuardedClient
from evidence_vault.core import layout
from evidence_vault.core.canonical import as_integer, as_list, as_object, as_text
from evidence_vault.core.events import Event, Subject
from evidence_vault.errors import ConfigError, FormatError, VerificationError
from evidence_vault.mirror.later import LaterLog
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.trust import TrustPolicy

TIMEOUT_S, WITHIN_S = 20.0, 600.0
"""One exchange with a node; all of them together. A person waits."""

MOST_LATER = 32
"""Anchors of later checkpoints in one bundle; more of them show nothing that the newest doesn't."""


class Heads:
    """The log's tree heads by size: the bundle's, and what the log at hand shows; `used` are from the log."""

    def __init__(self, bundle: Bundle, log: LaterLog | None) -> None:
        self._bundle, self._log = bundle, log
        self.used: set[int] = set()

    def find(self, size: int) -> TreeHead | None:
        """Return the head at this size; None where nobody shows one, or it is of another history."""
        if size in self._bundle.notes:
            return self._bundle.notes[size].checkpoint.tree_head
        if self._log is None:
            note = self._bundle.added_notes.get(size)
            return None if note is None else note.checkpoint.tree_head
        try:
            return self._log.head(size)
        except (VerificationError, FormatError) as error:
            print(f"checkpoint {size}: left out: {shown(str(error))}")
            return None

    def fits(self, anchored: Anchored) -> str | None:
        """Why an anchor can't be followed from the bundle; None if it can."""
        size = anchored.head.size
        head = self.find(size)
        if head is None:
            return "nobody here shows this checkpoint"
        if head != anchored.head:
            return (
                "the chain holds another root than the log shows: two histories of one log, or not its sender"
            )
        before = anchored.prev and self.find(anchored.prev[0])
        if anchored.prev and before is None:
            return f"nobody here shows checkpoint {anchored.prev[0]}, to which it links"
        if anchored.prev and before and before.root_hash[:24] != anchored.prev[1]:
            return f"it links to another root of {anchored.prev[0]} leaves than the log shows"
        return None

    def use(self, anchored: Anchored) -> None:
        """Note that the bundle is to have what this anchor, which fits, needs."""
        needed = {anchored.head.size, anchored.prev[0]} if anchored.prev else {anchored.head.size}
        self.used |= needed - self._bundle.notes.keys()


def ethereum_parts(
    bundle: Bundle,
    urls: Sequence[str],
    http: GuardedClient,
    *,
    from_block: int,
    log: LaterLog | None,
    policy: TrustPolicy | None,
) -> tuple[list[tuple[int, bytes]], dict[str, bytes]]:
    """Return proofs, each with the size of its checkpoint, and by path the log's parts that they need.

    What the bundle has already is left out. Raises ConfigError for nodes of several chains, and as `LaterLog`.
    """
    heads = Heads(bundle, log)
    proofs = _proofs(
        bundle, urls, http, from_block=from_block, heads=heads, has_log=log is not None, policy=policy
    )
    beside = {} if log is None else log.files(heads.used)
    return proofs, {path: data for path, data in beside.items() if not _has(bundle, path, data)}


def _has(bundle: Bundle, path: str, data: bytes) -> bool:
    """Whether the bundle has this added part of the log, byte for byte."""
    sizes = layout.parse_path(path).sizes
    if len(sizes) == 1:
        note = bundle.added_notes.get(sizes[0])
        return note is not None and note.raw == data
    proof = bundle.added_consistency.get((sizes[0], sizes[1]))
    return proof is not None and layout.encode_consistency(proof) == data


def _proofs(
    bundle: Bundle,
    urls: Sequence[str],
    http: GuardedClient,
    *,
    from_block: int,
    heads: Heads,
    has_log: bool,
    policy: TrustPolicy | None,
) -> list[tuple[int, bytes]]:
    """(1) to (3)."""
    nodes = [Node(url, http, TIMEOUT_S, within_s=WITHIN_S) for url in urls]
    chains = {node.ask_number("eth_chainId") for node in nodes}
    if len(chains) != 1:
        raise ConfigError("--rpc", f"the nodes are on chains {sorted(chains)}: ask for one at a time")
    chain_id = chains.pop()
    standing = _standing(bundle, heads)
    lowest = min((bundle.inclusion[item, 0].index for item in _items(bundle)), default=0)
    added: list[tuple[int, bytes]] = []
    is_held = False
    for trusted in dict.fromkeys((*_named(bundle, chain_id), *_trusted(policy, bundle.origin, chain_id))):
        # (1) what the sender anchored
        found = later_anchors(nodes, trusted, above=lowest, first_block=from_block)
        # (2) what of it is wanted
        for one in _wanted(bundle, found, standing, has_log=has_log):
            size, place = one.head.size, f"checkpoint {one.head.size}"
            # (3) can it be followed?
            reason = heads.fits(one)
            if reason is not None:
                print(f"{place}: left out: {reason}")
                continue
            is_held = is_held or size >= max(bundle.notes)
            if bytes.fromhex(one.found.block[2:]) in standing:
                heads.use(one)
                continue
            proof = prove_anchor(nodes, trusted, one.head, one)
            if proof is None:
                print(f"{place}: in block {one.found.number}, which is not final yet: ask again later")
                continue
            heads.use(one)
            added.append((size, proof))
            print(f"{place}: another anchor on chain {chain_id}, in block {one.found.number}")
    if has_log and not is_held:
        print(f"no anchor on chain {chain_id} holds all of the bundle (checkpoint {max(bundle.notes)}) yet")
    return added


def _wanted(
    bundle: Bundle, found: Sequence[Anchored], standing: dict[bytes, bool], *, has_log: bool
) -> list[Anchored]:
    """(2). found: by size. Linked to the newest sealed one, so that whoever asks for a full chain finds it."""
    own = {one.head.size for one in found} & bundle.notes.keys()
    later: list[Anchored] = []
    if not has_log and len(own) < len(found):
        print(
            f"{len(found) - len(own)} anchors are of later checkpoints: give the log, too, with --log URL|DIR"
        )
    if has_log:
        sealed = [one.head.size for one in found if standing.get(bytes.fromhex(one.found.block[2:]))]
        newest = max(bundle.notes)
        last = min((one.head.size for one in found if one.head.size >= newest), default=newest)
        later = [one for one in found if max(sealed, default=0) < one.head.size <= last]
        if len(later) > MOST_LATER:
            print(f"{len(later)} anchors since: the newest {MOST_LATER} of them are added")
    sizes = own | {one.head.size for one in later[-MOST_LATER:]}
    return [one for one in found if one.head.size in sizes]


def _standing(bundle: Bundle, heads: Heads) -> dict[bytes, bool]:
    """The blocks of anchors that the bundle has and that are good as far as they go; whether they are sealed.

    What lies under proof/added may be anything, and must not keep the real one out.
    """
    blocks: dict[bytes, bool] = {}
    for part in bundle.anchors:
        if part.kind != KIND:
            continue
        try:
            proof = parse_proof(part.data)
            if part.added:
                head = heads.find(int(part.position[0].id))
                claimed = TrustedContract(
                    chain_id=proof.chain_id, contract=proof.contract, sender=proof.sender
                )
                if head is None:
                    continue
                verify_inclusion(proof, tree_head=head, trusted=claimed)
            block = parse_header(proof.header).block_hash
        except (FormatError, VerificationError):
            if not part.added:
                raise
            continue
        blocks[block] = blocks.get(block, False) or not part.added
    return blocks


def _items(bundle: Bundle) -> Iterator[Subject]:
    """The items whose deposit the bundle shows in the log."""
    for item in bundle.items:
        subject = Subject(kind="item", id=item)
        if (subject, 0) in bundle.inclusion:
            yield subject


def _named(bundle: Bundle, chain_id: int) -> Iterator[TrustedContract]:
    """Contract and sender of each anchor that the log names; whether they are to be trusted says the policy."""
    for history in bundle.histories.values():
        for event in history.values():
            if not isinstance(event, Event) or event.type not in {"LOG_OPENED", "ANCHOR_ADDED"}:
                continue
            fields = event.fields
            for one in as_list(fields["anchors"]) if event.type == "LOG_OPENED" else [fields["anchor"]]:
                anchor = as_object(one)
                if as_integer(anchor["chain_id"]) == chain_id:
                    yield TrustedContract(
                        chain_id=chain_id,
                        contract=bytes.fromhex(as_text(anchor["contract"])),
                        sender=bytes.fromhex(as_text(anchor["sender"])),
                    )


def _trusted(policy: TrustPolicy | None, origin: str, chain_id: int) -> Iterator[TrustedContract]:
    """Those that a policy names for this log, maybe since."""
    for log in () if policy is None else policy.logs:
        for one in log.contracts if log.origin == origin else ():
            if one.chain_id == chain_id:
                yield TrustedContract(chain_id=chain_id, contract=one.contract, sender=one.sender)
