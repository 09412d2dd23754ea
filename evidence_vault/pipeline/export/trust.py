"""The vault's own trust policy: what `trust export` hands out as a starting point, and what checks our own exports.

Keys and anchors come from the log's own events, roots and classes from the settings. It is a starting point
only: who verifies compares keys and roots with sources of his own, and adds the blocks that others confirm.
"""

import hashlib
from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from anchors.ethereum.header import parse_header
from anchors.ethereum.proof import KIND, PART, EthereumProof, parse_proof
from anchors.opentimestamps import proof as opentimestamps
from evidence_vault.core.canonical import as_integer, as_text
from evidence_vault.core.events import Subject, parse_event
from evidence_vault.core.names import encode_time
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.pipeline.anchoring.joining import named_anchors
from evidence_vault.pipeline.anchoring.watch import lost_anchors
from evidence_vault.pipeline.log.log_keys import log_keys, named_keys
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import bundles, events, log
from evidence_vault.verify.trust import TrustPolicy, parse_policy


def vault_policy(vault: Vault, session: Session) -> TrustPolicy:
    """Return the policy under which the vault checks what it hands out; its own final blocks count as known."""
    newest = log.latest_published(session)
    sizes = bundles.anchored_sizes(session, published=newest.size if newest else 0)
    text = policy_text(
        vault,
        session,
        tsa_groups=1,
        anchors=0,
        known_blocks=final_blocks(session, sizes),
        known_headers=final_headers(session, sizes),
    )
    return parse_policy(text.encode(), name="the vault's own")


def policy_text(
    vault: Vault,
    session: Session,
    *,
    tsa_groups: int | None = None,
    anchors: int = 1,
    known_blocks: Sequence[tuple[int, int, bytes]] = (),
    known_headers: Sequence[tuple[str, int, bytes]] = (),
) -> str:
    """Return a `trust.toml`. known_blocks: (chain id, number, hash) that somebody vouches for.

    known_headers: likewise (network, height, header) of Bitcoin.

    tsa_groups: as given, else as many as the settings have, at most 2.
    """
    groups = len({authority.group for authority in vault.settings.authorities})
    lines = [
        f"# Trust policy of {vault.settings.origin}, as the vault itself states it,",
        f"# {encode_time(vault.clock())}.",
        "# A starting point: compare the keys and roots with sources of your own before you rely on them.",
        "version = 1",
        "",
        "[require]",
        f"tsa_groups = {min(2, max(1, groups)) if tsa_groups is None else tsa_groups}",
        f"anchors = {anchors}",
        *_log(vault, session),
        *_authorities(vault),
        *_chains(vault, session, known_blocks),
        *_bitcoin(vault, known_headers),
        *_witnesses(vault),
        *_notaries(vault),
    ]
    return "\n".join(lines) + "\n"


def final_blocks(session: Session, sizes: Sequence[int]) -> list[tuple[int, int, bytes]]:
    """Return (chain id, number, hash) of the blocks that hold the anchors of these checkpoints, lost ones aside."""
    blocks: list[tuple[int, int, bytes]] = []
    for proof in _proofs(session, sizes):
        header = parse_header(proof.header)
        blocks.append((proof.chain_id, header.number, header.block_hash))
    return blocks


def final_headers(session: Session, sizes: Sequence[int]) -> list[tuple[str, int, bytes]]:
    """Return (network, height, header) of the Bitcoin blocks that these checkpoints are under."""
    headers: list[tuple[str, int, bytes]] = []
    for size in sizes:
        for row in events.events_of(session, Subject(kind="checkpoint", id=str(size))):
            parts = events.proof_parts_of(session, row.id) if row.type == "CHECKPOINT_ANCHORED" else {}
            if opentimestamps.OTS_PART in parts:
                proof = opentimestamps.parse_proof(parts[PART], parts[opentimestamps.OTS_PART])
                if proof.height is not None and proof.header is not None:
                    headers.append((proof.network, proof.height, proof.header))
    return headers


def _proofs(session: Session, sizes: Sequence[int]) -> Iterator[EthereumProof]:
    lost = {one.proof_sha256 for one in lost_anchors(session)}
    for size in sizes:
        for row in events.events_of(session, Subject(kind="checkpoint", id=str(size))):
            if row.type == "CHECKPOINT_ANCHORED" and parse_event(row.raw).fields["anchor_kind"] == KIND:
                proof = events.proof_parts_of(session, row.id)[PART]
                if hashlib.sha256(proof).digest() not in lost:
                    yield parse_proof(proof)


def _log(vault: Vault, session: Session) -> Iterator[str]:
    *former, current = [encode_vkey(key) for key in named_keys(session, "receipt")]
    for key in log_keys(session):
        yield from ("", "[[log]]", f"origin = {_quoted(vault.settings.origin)}")
        yield f"vkey = {_quoted(encode_vkey(key.key))}"
        if key.from_size:
            yield f"from_size = {key.from_size}"
        if key.last_size is not None:
            yield f"last_size = {key.last_size}"
        yield f"receipt_vkey = {_quoted(current)}"
        if former:
            yield f"former_receipt_vkeys = [{', '.join(map(_quoted, former))}]"
        yield f"class = {_quoted(vault.settings.log_class)}"
        for anchor in named_anchors(session):
            yield from ("", "[[log.anchor]]", f"chain = {as_integer(anchor['chain_id'])}")
            yield f"contract = {_quoted('0x' + as_text(anchor['contract']))}"
            yield f"sender = {_quoted('0x' + as_text(anchor['sender']))}"


def _authorities(vault: Vault) -> Iterator[str]:
    for authority in vault.settings.authorities:
        roots = authority.load_roots_pem(vault.settings.home).strip()
        yield from ("", "[[tsa]]", f"name = {_quoted(authority.name)}", f"group = {_quoted(authority.group)}")
        yield f"class = {_quoted(authority.log_class)}"
        yield f'roots = ["""\n{roots}\n"""]'


def _chains(vault: Vault, session: Session, known: Sequence[tuple[int, int, bytes]]) -> Iterator[str]:
    named = {as_integer(anchor["chain_id"]) for anchor in named_anchors(session)}
    networks = {network.chain_id: network for network in vault.settings.networks}
    for chain_id in sorted(named & networks.keys()):
        network = networks[chain_id]
        yield from ("", "[[chain]]", f"chain_id = {chain_id}", f"name = {_quoted(network.name)}")
        yield f"genesis = {_quoted(network.genesis)}"
        yield f"class = {_quoted(network.log_class)}"
        yield "known_blocks = ["
        for number, block_hash in sorted({(n, h) for chain, n, h in known if chain == chain_id}):
            yield f"  {{ number = {number}, hash = {_quoted(block_hash.hex())} }},"
        yield "]"


def _bitcoin(vault: Vault, known: Sequence[tuple[str, int, bytes]]) -> Iterator[str]:
    for one in vault.settings.bitcoin:
        yield from ("", "[[bitcoin]]", f"network = {_quoted(one.network)}", f"name = {_quoted(one.name)}")
        yield f"class = {_quoted(one.log_class)}"
        yield "known_blocks = ["
        for height, header in sorted({(at, raw) for network, at, raw in known if network == one.network}):
            yield f"  {{ height = {height}, block = {_quoted(header.hex())} }},"
        yield "]"


def _witnesses(vault: Vault) -> Iterator[str]:
    for witness in vault.settings.witnesses:
        yield from ("", "[[witness]]", f"name = {_quoted(witness.name)}", f"vkey = {_quoted(witness.vkey)}")


def _notaries(vault: Vault) -> Iterator[str]:
    if vault.settings.notary.roots:
        yield from ("", "[notary]", "roots = [")
        for pem in vault.settings.notary.roots:
            yield f'"""\n{pem.strip()}\n""",'
        yield "]"


def _quoted(text: str) -> str:
    """A TOML basic string. What we put in has no control characters; quotes and backslashes are escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
