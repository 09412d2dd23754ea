"""Row 9: attestations, as of the cut. Signed by whom, what was examined, and whether it was taken back.

    (1) every recorded statement is there, with its signature, byte for byte as recorded; none is there unrecorded
    (2) it is about this item of this log, in a state that this history had before; a withdrawal names one
        attestation of this item. A true statement moved to another item or state would lie: FAILED
    (3) who signed it, judged at the outside time by which the event was logged (`verify.cms`): an attestation
        outlives its certificate. Without such a time: at the given one. Revocation by its own evidence and by what
        other attestations of the bundle brought
    (4) what was withdrawn, whether the withdrawal's own statement holds or not, is no more than INDETERMINATE;
        so is an unsigned one (a signed-in person's word, in the vault's record), and one whose own result is not
        that everything matches

Deliberately not checked: that the item was in the case that a statement names; that who withdrew is who signed
(both are shown); that a withdrawal doesn't lie beyond the cut; that what was examined is enough, which is for the
reader to judge.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from anchors.base import Indeterminate
from anchors.values import value
from evidence_vault.core import layout
from evidence_vault.core.attestation import Attestation, Withdrawal, parse_statement
from evidence_vault.core.canonical import as_integer
from evidence_vault.core.events import Event
from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.verify.checks.events import events_in_place
from evidence_vault.verify.checks.log import LogFacts
from evidence_vault.verify.checks.times import Timeline
from evidence_vault.verify.cms import SignedBy, verify_detached_cms
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.parts import AttestationPart, Position, Redacted
from evidence_vault.verify.report import Findings
from evidence_vault.verify.trust import TrustPolicy

ROW = 9
ATTESTED, WITHDRAWN = "ATTESTED", "ATTESTATION_WITHDRAWN"


@value
class _Judged:
    """A statement that is where it belongs, under a good signature or none. signer: None where unsigned."""

    statement: Attestation | Withdrawal
    signer: SignedBy | Indeterminate | None


def check_attestations(
    bundle: Bundle,
    policy: TrustPolicy,
    *,
    at: datetime,
    timeline: Timeline,
    log: LogFacts,
    findings: Findings,
) -> None:
    """Judge every attestation and withdrawal of the carried items."""
    parts = {part.position: part for part in bundle.attestations}
    recorded = dict(events_in_place(bundle, ATTESTED, WITHDRAWN))
    judged: dict[Position, _Judged] = {}
    evidence = {der: part.chain for part in bundle.attestations for der in part.revocation}
    for position, event in recorded.items():
        part = parts.pop(position, None)
        # (1) what was recorded is there
        if part is None:
            place = layout.attestation_folder(*position)
            findings.failed(ROW, "attestation.missing", place, item=position[0].id)
            continue
        upper = timeline.upper(log.index[position]) if position in log.index else None
        moment = upper.latest if upper else at
        result = _judge(bundle, policy, event, part, evidence, moment=moment, findings=findings)
        if result:
            judged[position] = result
    for subject, seq in parts:
        item = subject.id if subject.kind == "item" else None
        findings.failed(ROW, "attestation.unrecorded", layout.attestation_folder(subject, seq), item=item)
    # (4) what was taken back doesn't pass
    withdrawals = _withdrawals(recorded)
    for position, result in judged.items():
        if isinstance(result.statement, Attestation) and position in withdrawals:
            _tell_withdrawn(position, withdrawals[position], judged, findings=findings)
        elif isinstance(result.statement, Attestation):
            _tell_attestation(position, result.statement, result.signer, findings=findings)
        else:
            _tell_withdrawal(position, result.statement, result.signer, findings=findings)


def _judge(
    bundle: Bundle,
    policy: TrustPolicy,
    event: Event,
    part: AttestationPart,
    evidence: Mapping[bytes, tuple[bytes, ...]],
    *,
    moment: datetime,
    findings: Findings,
) -> _Judged | None:
    """(1) to (3) for one statement; None if it failed."""
    item = part.position[0].id
    place = layout.attestation_folder(*part.position)
    try:
        _check_recorded(event, part)
        statement = parse_statement(part.statement, place=f"{place}/statement.txt")
        flaw = _misplaced(bundle, part.position, event, statement)
        if flaw:
            what, expected, found = flaw
            findings.failed(
                ROW, "attestation.moved", place, item=item, what=what, expected=expected, found=found
            )
            return None
        return _Judged(statement=statement, signer=_signer(part, evidence, policy, moment, place=place))
    except VerificationError as error:
        findings.error(ROW, error, place, item=item)
        return None


def _check_recorded(event: Event, part: AttestationPart) -> None:
    """(1) Nobody may put another statement or signature in the place of the recorded one."""
    signature = "none" if part.signature is None else hashlib.sha256(part.signature).hexdigest()
    for check, expected, found in (
        ("recorded statement", event.fields["statement_sha256"], hashlib.sha256(part.statement).hexdigest()),
        ("recorded signature", event.fields["signature_sha256"] or "none", signature),
    ):
        if expected != found:
            raise VerificationError(check, expected, found)


def _misplaced(
    bundle: Bundle, position: Position, event: Event, statement: Attestation | Withdrawal
) -> tuple[str, object, object] | None:
    """(2) The first thing that shows a statement to be about something else: what, expected, found."""
    subject, seq = position
    history = bundle.histories[subject]
    facts: list[tuple[str, object, object]] = [
        ("origin", bundle.origin, statement.origin),
        ("item", subject.id, statement.item),
    ]
    match statement:
        case Attestation():
            head = history.get(statement.head_seq) if statement.head_seq < seq else None
            first = history.get(0)
            facts += [
                ("kind", ATTESTED, event.type),
                ("head", _hex(head), statement.head_sha256.hex()),
                (
                    "digests",
                    first.fields.get("digests") if isinstance(first, Event) else "none",
                    statement.digests,
                ),
            ]
        case Withdrawal():
            named = history.get(statement.attested_seq) if statement.attested_seq < seq else None
            attested = named if isinstance(named, Event) and named.type == ATTESTED else None
            facts += [
                ("kind", WITHDRAWN, event.type),
                ("attested seq", event.fields.get("attested_seq"), statement.attested_seq),
                ("attested event", _hex(attested), statement.attested_sha256.hex()),
                (
                    "attested statement",
                    attested.fields["statement_sha256"] if attested else "none",
                    statement.statement_sha256.hex(),
                ),
            ]
    return next(((what, expected, found) for what, expected, found in facts if expected != found), None)


def _signer(
    part: AttestationPart,
    evidence: Mapping[bytes, tuple[bytes, ...]],
    policy: TrustPolicy,
    moment: datetime,
    *,
    place: str,
) -> SignedBy | Indeterminate | None:
    """(3). evidence: of the whole bundle, each piece once, with the certificates that it lies beside.

    There is room for some pieces only: those come first that lie beside the most certificates of this chain.
    """
    if part.signature is None:
        return None
    own = frozenset(part.chain)
    nearest = sorted(evidence, key=lambda der: -len(own.intersection(evidence[der])))
    try:
        return verify_detached_cms(
            signature=part.signature,
            content=part.statement,
            chain=part.chain,
            revocation=part.revocation,
            more_revocation=tuple(nearest),
            roots=policy.notary_roots,
            at=moment,
            refused_algorithms=policy.refused,
        )
    except FormatError as error:
        raise FormatError(f"{place}: {error.place}", error.expected, error.found) from None


def _withdrawals(recorded: Mapping[Position, Event]) -> dict[Position, Position]:
    """Which attestation was taken back by which event; the first of several stands.

    By the events alone, so that a withdrawal whose statement is wrong doesn't leave a pass behind.
    """
    found: dict[Position, Position] = {}
    for position, event in recorded.items():
        if event.type == WITHDRAWN:
            found.setdefault((position[0], as_integer(event.fields["attested_seq"])), position)
    return found


def _tell_withdrawn(
    position: Position, by: Position, judged: Mapping[Position, _Judged], *, findings: Findings
) -> None:
    statement = judged[by].statement if by in judged else None
    findings.open(
        ROW,
        "attestation.withdrawn",
        layout.attestation_folder(*position),
        item=position[0].id,
        seq=by[1],
        reason=statement.reason if isinstance(statement, Withdrawal) and statement.reason else "—",
    )


def _tell_attestation(
    position: Position,
    statement: Attestation,
    signer: SignedBy | Indeterminate | None,
    *,
    findings: Findings,
) -> None:
    place, item = layout.attestation_folder(*position), position[0].id
    said = {
        "examined": "; ".join(f"{what} ({how})" for what, how in statement.examined) or "—",
        "not_examined": "; ".join(statement.not_examined) or "—",
        "head": statement.head_seq,
        "remark": statement.remark or "—",
    }
    match signer:
        case None:
            findings.open(ROW, "attestation.unsigned", place, item=item, result=statement.result, **said)
        case Indeterminate():
            findings.open(
                ROW, "attestation.open", place, item=item, reason=signer.reason, sub=signer.sub_indication
            )
        case SignedBy() if statement.result != "matches":
            findings.open(
                ROW, f"attestation.{statement.result}", place, item=item, signer=signer.subject, **said
            )
        case SignedBy():
            findings.passed(ROW, "attestation.signed", place, item=item, signer=signer.subject, **said)
            if not signer.revocation_checked:
                findings.remark(ROW, "attestation.revocation-unknown", place, item=item)


def _tell_withdrawal(
    position: Position,
    statement: Withdrawal,
    signer: SignedBy | Indeterminate | None,
    *,
    findings: Findings,
) -> None:
    """Who took it back. That it was taken back stands with the attestation and doesn't depend on this."""
    place, item = layout.attestation_folder(*position), position[0].id
    match signer:
        case None:
            findings.open(
                ROW, "attestation.withdrawal-unsigned", place, item=item, seq=statement.attested_seq
            )
        case Indeterminate():
            findings.open(
                ROW, "attestation.open", place, item=item, reason=signer.reason, sub=signer.sub_indication
            )
        case SignedBy():
            findings.remark(
                ROW,
                "attestation.withdrawal-signed",
                place,
                item=item,
                seq=statement.attested_seq,
                signer=signer.subject,
            )


def _hex(link: Event | Redacted | None) -> str:
    return link.sha256.hex() if link else "none"
