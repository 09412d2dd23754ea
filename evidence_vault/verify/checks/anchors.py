"""Rows 6 and 7: anchors on a chain. Row 6: consistent with a block whose hash is H. Row 7: H is real and final.

    (1) every recorded anchor's proof is there, in the form in which it was recorded, over this checkpoint
    (2) header, receipt and log agree, from a contract and sender of the policy (`anchors.ethereum.verify`)
    (3) the anchor before, which the contract names, is a checkpoint of this bundle; row 4 proved consistency
    (4) row 7: the policy's known blocks or a headers file vouch for H. An anchor that the log itself says is lost
        (ANCHOR_LOST, by the digest of its proof) counts for nothing, whoever vouches for its block

Anyone can invent a header, so row 6 alone proves nothing. Proofs under proof/added are judged alike and may meet
the requirement of anchors; what is wrong there is told and changes nothing.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from anchors.ethereum.headers import HeadersFile
from anchors.ethereum.keccak import Digest
from anchors.ethereum.proof import KIND, EthereumProof, parse_proof
from anchors.ethereum.verify import (
    EthereumTrust,
    IncludedAnchor,
    confirm_block,
    decode_prev,
    hash_proofs,
    select_contract,
    verify_inclusion,
)
from anchors.opentimestamps.proof import KIND as OPENTIMESTAMPS
from evidence_vault.core import layout
from evidence_vault.core.events import Event
from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.verify.anchor_parts import AnchorPart
from evidence_vault.verify.checks.anchor_facts import (
    CONFIRMED,
    INCLUDED,
    AnchorFact,
    Standing,
    name_network,
    settle,
)
from evidence_vault.verify.checks.events import events_in_place
from evidence_vault.verify.checks.log import LogFacts
from evidence_vault.verify.checks.opentimestamps import bitcoin_trust, judge_opentimestamps
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.headers_files import AnyHeaders
from evidence_vault.verify.report import Findings
from evidence_vault.verify.trust import TrustPolicy

Judge = Callable[[AnchorPart, str, Findings, bool], AnchorFact | None]
"""Judges one proof, of whichever kind: its place, where the findings go, whether the log calls it lost."""


def check_anchors(
    bundle: Bundle,
    policy: TrustPolicy,
    *,
    at: datetime,
    log: LogFacts,
    headers: Sequence[AnyHeaders],
    findings: Findings,
) -> tuple[AnchorFact, ...]:
    """Return the anchors that passed row 6."""
    bitcoin = bitcoin_trust(policy, headers)
    trust = EthereumTrust(
        contracts=tuple(contract for trusted in log.logs for contract in trusted.contracts),
        known_blocks=tuple(block for chain in policy.chains for block in chain.known_blocks),
        headers=tuple(file for file in headers if isinstance(file, HeadersFile)),
    )
    digest = hash_proofs(_well_formed(bundle.anchors))

    def judge(part: AnchorPart, place: str, into: Findings, is_lost: bool) -> AnchorFact | None:
        standing = Standing(
            place=place,
            size=int(part.position[0].id),
            recorded_at=None if part.added else log.index.get(part.position),
            at=at,
            is_lost=is_lost,
        )
        if part.kind == OPENTIMESTAMPS:
            return judge_opentimestamps(
                part, bundle=bundle, policy=policy, trust=bitcoin, standing=standing, findings=into
            )
        return _judge(
            part, policy=policy, trust=trust, log=log, digest=digest, standing=standing, findings=into
        )

    parts = {part.position: part for part in bundle.anchors if not part.added}
    lost = {event.fields["proof_sha256"] for _, event in events_in_place(bundle, "ANCHOR_LOST")}
    facts: list[AnchorFact] = []
    for position, event in events_in_place(bundle, "CHECKPOINT_ANCHORED"):
        part = parts.pop(position, None)
        size, seq = int(position[0].id), position[1]
        place = layout.anchor_path(size, seq)
        if part is None:
            findings.failed(INCLUDED, "anchor.missing", place)
            continue
        try:
            _check_recorded(bundle, event, part, size)
        except VerificationError as error:
            findings.error(INCLUDED, error, place)
            continue
        fact = judge(part, place, findings, event.fields["proof_sha256"] in lost)
        if fact:
            facts.append(fact)
    for position in parts:
        findings.failed(INCLUDED, "anchor.unrecorded", layout.anchor_path(int(position[0].id), position[1]))
    return (*facts, *_added(bundle, log, judge, lost=lost, findings=findings))


def remark_younger(
    items: Sequence[str], anchors: Sequence[AnchorFact], *, log: LogFacts, findings: Findings
) -> None:
    """Count the events of each item that no confirmed anchor holds yet: the chain says nothing of them."""
    held = max((anchor.size for anchor in anchors if anchor.confirmed), default=None)
    if held is None:
        return
    for item in items:
        younger = sum(index >= held for (subject, _), index in log.index.items() if subject.id == item)
        if younger:
            findings.remark(CONFIRMED, "anchor.younger", item, item=item, count=younger)


def _well_formed(parts: Iterable[AnchorPart]) -> Iterator[EthereumProof]:
    """The proofs that can be read; what is wrong with the others is said where they are judged."""
    for part in parts:
        if part.kind == KIND:
            with suppress(FormatError):
                yield parse_proof(part.data)


def _check_recorded(bundle: Bundle, event: Event, part: AnchorPart, size: int) -> None:
    """(1)."""
    note = bundle.notes.get(size)
    note_sha256 = hashlib.sha256(note.raw).hexdigest() if note else "no such checkpoint"
    for check, expected, found in (
        ("recorded checkpoint", event.fields["note_sha256"], note_sha256),
        ("recorded proof", event.fields["proof_sha256"], hashlib.sha256(part.data).hexdigest()),
        ("recorded kind", event.fields["anchor_kind"], part.kind),
    ):
        if expected != found:
            raise VerificationError(check, expected, found)


def _judge(
    part: AnchorPart,
    *,
    policy: TrustPolicy,
    trust: EthereumTrust,
    log: LogFacts,
    digest: Digest,
    standing: Standing,
    findings: Findings,
) -> AnchorFact | None:
    """(2) to (4)."""
    place = standing.place
    if part.kind != KIND:
        findings.open(INCLUDED, "anchor.unknown-kind", place, kind=part.kind)
        return None
    try:
        proof = parse_proof(part.data)
        head = log.heads[standing.size]
        contract = select_contract(proof, tree_head=head, contracts=trust.contracts)
        if contract is None:
            findings.open(INCLUDED, "anchor.unknown-contract", place, chain=proof.chain_id)
            return None
        included = verify_inclusion(proof, tree_head=head, trusted=contract, digest=digest)
        prev_size = _check_prev(included, log)
    except FormatError as error:
        raise FormatError(f"{place}: {error.place}", error.expected, error.found) from None
    except VerificationError as error:
        findings.error(INCLUDED, error, place)
        return None
    chain = next((known for known in policy.chains if known.chain_id == included.chain_id), None)
    network = name_network(
        chain.name if chain else None,
        f"chain {included.chain_id}",
        chain.chain_class if chain else None,
    )
    findings.passed(
        INCLUDED,
        "anchor.included",
        place,
        block=included.block_number,
        hash=included.block_hash.hex(),
        network=network.shown,
    )
    return settle(
        confirm_block(included, trusted=trust),
        network=network,
        number=included.block_number,
        prev_size=prev_size,
        standing=standing,
        policy=policy,
        findings=findings,
    )


def _check_prev(included: IncludedAnchor, log: LogFacts) -> int:
    """(3). Two histories need two chains of anchors; this one must be the chain of this log."""
    before = decode_prev(included.prev)
    if before is None:
        return 0
    size, root_prefix = before
    head = log.heads.get(size)
    if head is None:
        raise VerificationError("checkpoint of the anchor before", layout.note_path(size), "none")
    if head.root_hash[:24] != root_prefix:
        raise VerificationError("root of the anchor before", head.root_hash[:24], root_prefix)
    return size


def _added(
    bundle: Bundle, log: LogFacts, judge: Judge, *, lost: Collection[object], findings: Findings
) -> tuple[AnchorFact, ...]:
    """Later proofs: they may meet a requirement, and can't spoil a verdict, not even by their form.

    lost: digests of proofs; such a one counts for nothing here either.
    """
    facts: list[AnchorFact] = []
    for part in bundle.anchors:
        if not part.added:
            continue
        size = int(part.position[0].id)
        place = layout.anchor_path(size, part.position[1], added=True)
        aside = Findings()
        fact, reason = None, f"no checkpoint of size {size} that counts"
        is_lost = hashlib.sha256(part.data).hexdigest() in lost
        try:
            fact = judge(part, place, aside, is_lost) if size in log.heads else None
            reason = _why_open(aside) or reason
        except FormatError as error:
            reason = str(error)
        if fact and fact.confirmed:
            facts.append(fact)
            findings.extend(aside.all)
        else:
            findings.remark(INCLUDED, "anchor.added-open", place, reason=reason)
    return tuple(facts)


def _why_open(aside: Findings) -> str | None:
    """What kept an added proof from counting, in its own words where it has some."""
    if not aside.all:
        return None
    last = aside.all[-1]
    return last.values.get("reason") or last.values.get("check") or last.code
