"""`anchors refresh BUNDLE --rpc URL`: anchors that the bundle's log made on Ethereum since, or made again.

Looked for are the checkpoints in the bundle, at the contracts and senders that the log names in it. What nodes say
of the blocks goes into a headers file beside the bundle, never into it: a source inside would vouch for itself.
"""

from collections.abc import Iterator, Sequence

from anchors.ethereum.header import parse_header
from anchors.ethereum.node import Node
from anchors.ethereum.proof import KIND, parse_proof
from anchors.ethereum.refresh import later_proofs
from anchors.ethereum.verify import TrustedContract
from evidence_vault.client.http import GuardedClient
from evidence_vault.core.canonical import as_integer, as_list, as_object, as_text
from evidence_vault.core.events import Event
from evidence_vault.errors import ConfigError, FormatError
from evidence_vault.verify.contents import Bundle

TIMEOUT_S, WITHIN_S = 20.0, 600.0
"""One exchange with a node; all of them together. A person waits."""


def ethereum_proofs(
    bundle: Bundle, urls: Sequence[str], http: GuardedClient, *, from_block: int | None
) -> list[tuple[int, bytes]]:
    """Return what is to be added, with the size of its checkpoint.

    Raises ConfigError for nodes of several chains, or nowhere to begin.
    """
    nodes = [Node(url, http, TIMEOUT_S, within_s=WITHIN_S) for url in urls]
    chains = {node.ask_number("eth_chainId") for node in nodes}
    if len(chains) != 1:
        raise ConfigError("--rpc", f"the nodes are on chains {sorted(chains)}: ask for one at a time")
    chain_id = chains.pop()
    headers = [parse_header(proof) for proof in _known_headers(bundle, chain_id)]
    first_block = from_block if from_block is not None else min((one.number for one in headers), default=None)
    if first_block is None:
        raise ConfigError(
            "--from-block", f"the bundle has no anchor on chain {chain_id} to begin at: name a block"
        )
    heads = [note.checkpoint.tree_head for note in (*bundle.notes.values(), *bundle.added_notes.values())]
    added: list[tuple[int, bytes]] = []
    for trusted in _named(bundle, chain_id):
        for head, proof in later_proofs(
            nodes,
            trusted,
            heads,
            known_blocks=[one.block_hash for one in headers],
            first_block=first_block,
        ):
            added.append((head.size, proof))
            print(f"checkpoint {head.size}: another anchor on chain {chain_id}")
    return added


def _known_headers(bundle: Bundle, chain_id: int) -> Iterator[bytes]:
    for part in bundle.anchors:
        if part.kind == KIND:
            try:
                proof = parse_proof(part.data)
            except FormatError:
                if not part.added:
                    raise
                continue
            if proof.chain_id == chain_id:
                yield proof.header


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
