"""What a bundle would need to be trusted: whom it names that a policy lacks, with fingerprints to compare.

Nothing here is a verdict and nothing becomes trusted: it reads what the bundle claims, and the person compares
each fingerprint with a source of his own before it stands in a policy. Signatures are not checked.
"""

import hashlib
from collections.abc import Iterator

from anchors.ethereum.proof import KIND, parse_proof
from anchors.opentimestamps.bitcoin import parse_header, shown
from anchors.opentimestamps.proof import KIND as OPENTIMESTAMPS
from anchors.opentimestamps.proof import parse_proof as parse_stamped
from anchors.rfc3161.certificate import load_certificate
from anchors.values import value
from evidence_vault.core.canonical import as_text
from evidence_vault.core.events import Event
from evidence_vault.core.note_keys import encode_vkey
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.trust import TrustPolicy


@value
class Need:
    """One thing that a bundle leans on. known: the policy names it. fingerprint: what to compare elsewhere."""

    kind: str
    name: str
    fingerprint: str
    known: bool


def explain_trust(bundle: Bundle, policy: TrustPolicy) -> list[Need]:
    """Return what the bundle leans on, each once: log keys, roots, contracts, notaries, witnesses.

    Raises FormatError.
    """
    found = [
        *_logs(bundle, policy),
        *_roots(bundle, policy),
        *_contracts(bundle, policy),
        *_bitcoin(bundle, policy),
        *_notaries(bundle, policy),
    ]
    return list(dict.fromkeys([*found, *_witnesses(bundle, policy)]))


def _logs(bundle: Bundle, policy: TrustPolicy) -> Iterator[Need]:
    known = {encode_vkey(one.key) for one in policy.logs}
    for history in bundle.histories.values():
        for event in history.values():
            if isinstance(event, Event) and event.subject.kind == "log":
                for name in ("log_vkey", "new_vkey"):
                    if name in event.fields and event.fields.get("purpose", "log") == "log":
                        vkey = as_text(event.fields[name])
                        yield Need(kind="log", name=bundle.origin, fingerprint=vkey, known=vkey in known)


def _roots(bundle: Bundle, policy: TrustPolicy) -> Iterator[Need]:
    known = {root for authority in policy.authorities for root in authority.roots}
    for part in bundle.tokens:
        if part.added:
            continue  # outside the seal: nothing leans on it, and it may be anything
        root = load_certificate(part.chain[-1])
        fingerprint = hashlib.sha256(root.der).hexdigest()
        yield Need(kind="tsa root", name=root.subject_text, fingerprint=fingerprint, known=root.der in known)


def _contracts(bundle: Bundle, policy: TrustPolicy) -> Iterator[Need]:
    known = {(one.chain_id, one.contract, one.sender) for trusted in policy.logs for one in trusted.contracts}
    for part in bundle.anchors:
        if part.kind == KIND and not part.added:
            proof = parse_proof(part.data)
            yield Need(
                kind="contract",
                name=f"chain {proof.chain_id}",
                fingerprint=f"0x{proof.contract.hex()} from 0x{proof.sender.hex()}",
                known=(proof.chain_id, proof.contract, proof.sender) in known,
            )


def _bitcoin(bundle: Bundle, policy: TrustPolicy) -> Iterator[Need]:
    known = {
        one.trusted.network: {block.height for block in one.trusted.known_blocks} for one in policy.bitcoin
    }
    for part in bundle.anchors:
        if part.kind == OPENTIMESTAMPS and part.ots is not None and not part.added:
            proof = parse_stamped(part.data, part.ots)
            root = shown(parse_header(proof.header).merkle_root) if proof.header else "not carried"
            yield Need(
                kind="bitcoin block",
                name=f"{proof.network} {proof.height}",
                fingerprint=f"merkle root {root}",
                known=proof.height in known.get(proof.network, set()),
            )


def _notaries(bundle: Bundle, policy: TrustPolicy) -> Iterator[Need]:
    """The last certificate of each chain: a root where the notary's authority is whole, else the highest known."""
    known = set(policy.notary_roots)
    for part in bundle.attestations:
        if part.chain:
            root = load_certificate(part.chain[-1])
            fingerprint = hashlib.sha256(root.der).hexdigest()
            is_known = bool(known.intersection(part.chain))
            yield Need(kind="notary root", name=root.subject_text, fingerprint=fingerprint, known=is_known)


def _witnesses(bundle: Bundle, policy: TrustPolicy) -> Iterator[Need]:
    own = {bundle.origin}
    known = {(key.name, key.key_id) for key in policy.witnesses.values()}
    for note in bundle.notes.values():
        for line in note.cosignatures:
            if line.name not in own:
                is_known = (line.name, line.key_id) in known
                yield Need(kind="witness", name=line.name, fingerprint=line.key_id.hex(), known=is_known)
