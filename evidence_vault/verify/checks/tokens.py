"""Row 5: RFC 3161 tokens. Existed no later than …, says an authority that the policy trusts.

    (1) every recorded token is there, in the form in which it was recorded
    (2) its imprint is the content's SHA-256 (item), or that of the checkpoint's note
    (3) the token itself, judged at its gen_time (`anchors.rfc3161.verify`)
        and by the revocation evidence of all recorded tokens: a list fetched later may show an earlier theft
    (4) still good at the given time, or proved to have existed while it was: a stolen, expired key signs any past
        time, so such a token counts only if a good time from another group covers the event that recorded it

Tokens whose paths share a key below their roots are of one authority, and of one group, whichever roots certified
the key: one thief has them all.

A token that no event recorded is FAILED inside the seal; under proof/added it informs and changes nothing.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from anchors.base import Indeterminate
from anchors.rfc3161.certificate import load_certificate
from anchors.rfc3161.revocation import MAX_EVIDENCE, RevocationFinding, judge_revocation
from anchors.rfc3161.verdict import Rfc3161Trust, VerifiedToken
from anchors.rfc3161.verify import verify_response
from anchors.values import replace, value
from evidence_vault.core import layout
from evidence_vault.core.canonical import as_object, as_text
from evidence_vault.core.events import Event, Subject
from evidence_vault.core.names import encode_time
from evidence_vault.errors import FormatError, VerificationError
from evidence_vault.verify.checks.anchor_facts import AnchorFact
from evidence_vault.verify.checks.events import events_in_place
from evidence_vault.verify.checks.log import LogFacts
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.parts import Position, TokenPart
from evidence_vault.verify.report import Findings
from evidence_vault.verify.trust import TrustPolicy
from evidence_vault.verify.trusted_lists import NOT_DETERMINED, Qualification, qualification_of

ROW = 5
RECORDING = ("TIMESTAMP_OBTAINED", "CHECKPOINT_TIMESTAMPED")


@value
class TokenFact:
    """A token that passed row 5. covers: size of the checkpoint it stamps; None for a token on content.

    recorded_at: index of the event that recorded it; None if that event's inclusion did not verify.
    qualification: what the policy's trusted lists say of its authority then; informs only.
    """

    position: Position
    token: VerifiedToken
    covers: int | None
    recorded_at: int | None
    qualification: Qualification = NOT_DETERMINED


def check_tokens(
    bundle: Bundle,
    policy: TrustPolicy,
    *,
    at: datetime,
    log: LogFacts,
    blocks: Sequence[AnchorFact],
    findings: Findings,
) -> tuple[TokenFact, ...]:
    """Return the tokens that count."""
    trusted = Rfc3161Trust(
        authorities=policy.authorities, refused_algorithms=policy.refused, at=at, skew=policy.skew
    )
    parts = {part.position: part for part in bundle.tokens if not part.added}
    judged: list[TokenFact] = []
    evidence: dict[bytes, None] = {}
    for position, event in events_in_place(bundle, *RECORDING):
        part = parts.pop(position, None)
        place = layout.timestamp_folder(*position)
        item = position[0].id if position[0].kind == "item" else None
        if part is None:
            findings.failed(ROW, "token.missing", place, item=item)
            continue
        try:
            digests, covers = _statement(bundle, position)
            _check_recorded(event, part, digests)
            verdict = _verify(part, digests, trusted, place=place)
        except VerificationError as error:
            findings.error(ROW, error, place, item=item)
            continue
        if not isinstance(verdict, Indeterminate) or verdict.sub_indication == "REVOKED_NO_POE":
            evidence |= dict.fromkeys(part.revocation)  # else nobody has read it yet
        if isinstance(verdict, Indeterminate):
            _tell_open(findings, position, verdict)
            continue
        judged.append(
            TokenFact(
                position=position,
                token=verdict,
                covers=covers,
                recorded_at=log.index.get(position),
                qualification=_qualification(verdict, policy),
            )
        )
    for position in parts:
        findings.failed(ROW, "token.unrecorded", layout.timestamp_folder(*position))
    _remark_secret(bundle, findings=findings)
    _remark_added(bundle, trusted, findings=findings)
    unrevoked = _by_all_evidence(judged, tuple(evidence)[-MAX_EVIDENCE:], findings=findings)
    return _good(_one_group_a_key(unrevoked, policy), at=at, blocks=blocks, findings=findings)


def _by_all_evidence(
    judged: Sequence[TokenFact], evidence: Sequence[bytes], *, findings: Findings
) -> list[TokenFact]:
    """(3), once for each path: the last pieces of evidence are the newest."""
    revoked: dict[tuple[bytes, ...], RevocationFinding] = {}
    unrevoked: list[TokenFact] = []
    for fact in judged:
        token = fact.token
        if token.path not in revoked:
            path = tuple(load_certificate(der) for der in token.path)
            revoked[token.path] = judge_revocation(path, evidence=evidence, moment=token.gen_time)
        found = revoked[token.path]
        if (stolen := found.by(token.gen_time)) is not None:
            _tell_open(findings, fact.position, stolen)
            continue
        earliest = min((end for end in (token.revoked_at, found.revoked_at) if end), default=None)
        unrevoked.append(replace(fact, token=replace(token, revoked_at=earliest)))
    return unrevoked


def _one_group_a_key(judged: Sequence[TokenFact], policy: TrustPolicy) -> list[TokenFact]:
    """Who has certificates under the roots of two groups counts once: as the one that the policy names first."""
    rank = {group: n for n, group in enumerate(dict.fromkeys(one.group for one in policy.authorities))}
    keys = [{load_certificate(der).key_octets for der in fact.token.path[:-1]} for fact in judged]
    groups = [fact.token.group for fact in judged]
    while True:
        first: dict[bytes, str] = {}
        for mine, group in zip(keys, groups, strict=True):
            for key in mine:
                first[key] = min(first.get(key, group), group, key=rank.__getitem__)
        settled = [
            min((group, *(first[key] for key in mine)), key=rank.__getitem__)
            for mine, group in zip(keys, groups, strict=True)
        ]
        if settled == groups:
            break
        groups = settled
    return [
        replace(fact, token=replace(fact.token, group=group))
        for fact, group in zip(judged, groups, strict=True)
    ]


def _remark_secret(bundle: Bundle, *, findings: Findings) -> None:
    """Why there is no token on an item: nobody outside was to see the digest of what may be guessed."""
    for subject, history in bundle.histories.items():
        first = history.get(0)
        if not isinstance(first, Event) or first.type != "ITEM_RECEIVED":
            continue
        if first.fields["mode"] == "hash" and first.fields["secret"] is True:
            findings.remark(ROW, "token.secret", f"{subject.id}/0", item=subject.id)


def _qualification(token: VerifiedToken, policy: TrustPolicy) -> Qualification:
    if not policy.trusted_lists:
        return NOT_DETERMINED
    return qualification_of(
        [hashlib.sha256(der).digest() for der in token.path],
        gen_time=token.gen_time,
        accuracy=token.accuracy,
        trusted_lists=policy.trusted_lists,
    )


def _statement(bundle: Bundle, position: Position) -> tuple[Mapping[str, bytes], int | None]:
    """(2) What the token must be over, by algorithm; and the checkpoint's size if it is over one."""
    subject = position[0]
    if subject.kind == "checkpoint":
        note = bundle.notes.get(int(subject.id))
        if note is None:
            raise VerificationError(
                "checkpoint of a recorded token", layout.note_path(int(subject.id)), "none"
            )
        return {"sha256": hashlib.sha256(note.raw).digest()}, int(subject.id)
    first = bundle.histories[subject].get(0)
    if not isinstance(first, Event) or first.type != "ITEM_RECEIVED":
        raise VerificationError("deposit of a recorded token", "ITEM_RECEIVED at seq 0", "none")
    digests = {name: as_text(value) for name, value in as_object(first.fields["digests"]).items()}
    return {name: bytes.fromhex(value) for name, value in digests.items() if name != "commitment"}, None


def _check_recorded(event: Event, part: TokenPart, digests: Mapping[str, bytes]) -> None:
    """(1) and (2): nobody may put another token in the place of the recorded one."""
    for check, expected, found in (
        ("recorded imprint", event.fields["imprint_sha256"], digests.get("sha256", b"").hex()),
        ("recorded response", event.fields["response_sha256"], hashlib.sha256(part.response).hexdigest()),
        ("recorded request", event.fields["request_sha256"], hashlib.sha256(part.request).hexdigest()),
    ):
        if expected != found:
            raise VerificationError(check, expected, found)


def _verify(
    part: TokenPart, digests: Mapping[str, bytes], trusted: Rfc3161Trust, *, place: str
) -> VerifiedToken | Indeterminate:
    try:
        return verify_response(
            response=part.response,
            request=part.request,
            chain=part.chain,
            revocation=part.revocation,
            digests=digests,
            trusted=trusted,
        )
    except FormatError as error:
        raise FormatError(f"{place}: {error.place}", error.expected, error.found) from None


def _good(
    judged: Sequence[TokenFact], *, at: datetime, blocks: Sequence[AnchorFact], findings: Findings
) -> tuple[TokenFact, ...]:
    """(4). Repeated until nothing changes: a token that is shown to be good may show the next one to be."""
    good = [fact for fact in judged if fact.token.good_at(at)]
    waiting = [fact for fact in judged if not fact.token.good_at(at)]
    while proven := [fact for fact in waiting if _existed_in_time(fact, good, blocks)]:
        good += proven
        waiting = [fact for fact in waiting if fact not in proven]
    for fact in good:
        findings.passed(
            ROW,
            "token.good" if fact.covers is None else "token.good-checkpoint",
            layout.timestamp_folder(*fact.position),
            item=_item(fact.position[0]),
            authority=fact.token.authority,
            group=fact.token.group,
            tsa_class=fact.token.tsa_class,
            time=encode_time(fact.token.gen_time),
        )
        findings.remark(
            ROW,
            "token.not-revoked" if fact.token.revocation_checked else "token.revocation-unknown",
            layout.timestamp_folder(*fact.position),
            item=_item(fact.position[0]),
            authority=fact.token.authority,
            time=encode_time(fact.token.gen_time),
        )
    for fact in waiting:
        if (why := fact.token.why_not_good(at)) is not None:
            _tell_open(findings, fact.position, why)
    return tuple(good)


def _tell_open(findings: Findings, position: Position, why: Indeterminate) -> None:
    findings.open(
        ROW,
        "token.open",
        layout.timestamp_folder(*position),
        item=_item(position[0]),
        reason=why.reason,
        sub=why.sub_indication,
    )


def _existed_in_time(fact: TokenFact, good: Sequence[TokenFact], blocks: Sequence[AnchorFact]) -> bool:
    """Whether a good time of another group shows that the token was recorded before it went bad."""
    if fact.recorded_at is None:
        return False
    index = fact.recorded_at
    existed_by: Callable[[datetime], bool] = fact.token.good_at
    return any(
        other.covers is not None
        and other.covers > index
        and other.token.group != fact.token.group
        and existed_by(other.token.gen_time + other.token.accuracy)
        for other in good
    ) or any(
        block.confirmed is not None
        and block.size > index
        and existed_by(block.confirmed.time + block.confirmed.accuracy)
        for block in blocks
    )


def _remark_added(bundle: Bundle, trusted: Rfc3161Trust, *, findings: Findings) -> None:
    """Tokens outside the seal are judged and told, but change no verdict."""
    for part in bundle.tokens:
        if not part.added:
            continue
        size = int(part.position[0].id)
        place = layout.timestamp_folder(*part.position, added=True)
        note = bundle.notes.get(size) or bundle.added_notes.get(size)
        try:
            if note is None:
                raise FormatError(place, "a checkpoint of this bundle", size)
            digests = {"sha256": hashlib.sha256(note.raw).digest()}
            verdict = _verify(part, digests, trusted, place=place)
        except (VerificationError, FormatError) as error:
            findings.remark(ROW, "token.added-wrong", place, reason=str(error))
            continue
        if isinstance(verdict, Indeterminate):
            findings.remark(ROW, "token.added-wrong", place, reason=verdict.reason)
        else:
            findings.remark(
                ROW, "token.added", place, authority=verdict.authority, time=encode_time(verdict.gen_time)
            )


def _item(subject: Subject) -> str | None:
    return subject.id if subject.kind == "item" else None
