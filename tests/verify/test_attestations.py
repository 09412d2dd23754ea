"""Row 9 on small histories: what counts, what is moved, withdrawn, unsigned or missing, and what is then said."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from anchors.rfc3161.revocation import MAX_EVIDENCE
from anchors.values import replace
from evidence_vault.core.attestation import Attestation, Withdrawal, encode_statement
from evidence_vault.core.canonical import Json
from evidence_vault.core.events import Event, Subject, encode_event
from evidence_vault.core.names import encode_id, encode_time
from evidence_vault.errors import FormatError
from evidence_vault.verify.checks.attestations import check_attestations
from evidence_vault.verify.checks.log import LogFacts
from evidence_vault.verify.checks.times import Source, Timeline
from evidence_vault.verify.contents import Bundle
from evidence_vault.verify.finding_texts import FINDING
from evidence_vault.verify.parts import AttestationPart
from evidence_vault.verify.report import Finding, Findings, Status
from evidence_vault.verify.trust import TrustPolicy
from tests.verify.notary import NOW, YEAR, Holder, empty_crl, issue, revoke, sign

ORIGIN = "vault.example/log"
ITEM = Subject(kind="item", id=encode_id("it", bytes(16)))
OTHER = Subject(kind="item", id=encode_id("it", bytes(15) + b"\x01"))
DIGESTS = {"sha256": hashlib.sha256(b"content").hexdigest()}

ROOT = issue("Notaries' Root", authority=True)
NOTARY = issue("A Notary", issuer=ROOT)
STRANGER = issue("A Stranger")
POLICY = TrustPolicy(name="test", sha256=bytes(32), notary_roots=(ROOT.der,))


class Vault:
    """A vault in memory that records what it is told, true or not."""

    def __init__(self) -> None:
        self.histories: dict[Subject, dict[int, Event]] = {}
        self.parts: list[AttestationPart] = []
        self.recorded_by: datetime | None = None
        for subject in (ITEM, OTHER):
            received: dict[str, Json] = {
                "type": "ITEM_RECEIVED",
                "mode": "content",
                "digests": dict[str, Json](DIGESTS),
                "size": 7,
                "secret": False,
            }
            self.add(subject, received)
            access: Json = {"basis": "owner", "grant": None, "case": None}
            self.add(subject, {"type": "VIEWED", "what": "content", "why": access})

    def add(self, subject: Subject, fields: dict[str, Json]) -> Event:
        history = self.histories.setdefault(subject, {})
        seq = len(history)
        common: dict[str, Json] = {
            "v": 1,
            "origin": ORIGIN,
            "env": "test",
            "subject": {"kind": subject.kind, "id": subject.id},
            "seq": seq,
            "prev": history[seq - 1].sha256.hex() if seq else None,
            "at": encode_time(NOW),
            "clock": {"source": "system", "offset_ms": None},
            "actor": {
                "id": encode_id("ac", bytes(16)),
                "role": "NO",
                "auth": "token",
                "on_behalf_of": None,
                "signature": None,
            },
            "where": {},
            "why": {},
            "how": {"tool": "test", "version": "0"},
            "result": "ok",
            "nonce": hashlib.sha256(f"{subject.id}/{seq}".encode()).hexdigest(),
            "_sd": [],
        }
        history[seq] = encode_event({**common, **fields})
        return history[seq]

    def attestation(self, subject: Subject = ITEM) -> Attestation:
        """A true statement about an item's newest state."""
        head = max(self.histories[subject].values(), key=lambda event: event.seq)
        return Attestation(
            origin=ORIGIN,
            item=subject.id,
            case=None,
            head_seq=head.seq,
            head_sha256=head.sha256,
            digests=dict(DIGESTS),
            examined=(("content", "re-hashed the stored bytes"),),
            not_examined=("the website itself",),
            result="matches",
            remark="",
        )

    def attest(
        self,
        statement: Attestation | Withdrawal,
        *,
        by: Holder | None = NOTARY,
        subject: Subject = ITEM,
        type_name: str = "ATTESTED",
        more: dict[str, Json] | None = None,
        revocation: tuple[bytes, ...] = (),
    ) -> Event:
        """Record a statement and keep its part, as the vault would."""
        text = encode_statement(statement)
        signature = None if by is None else sign(text, by)
        event = self.add(
            subject,
            {
                "type": type_name,
                "statement_sha256": hashlib.sha256(text).hexdigest(),
                "signature_sha256": None if signature is None else hashlib.sha256(signature).hexdigest(),
                **(more or {}),
            },
        )
        part = AttestationPart(
            position=(subject, event.seq),
            statement=text,
            signature=signature,
            chain=(by.der, ROOT.der) if by else (),
            revocation=revocation,
        )
        self.parts.append(part)
        return event

    def withdrawal(self, attested: Event, *, reason: str = "the wrong file was shown") -> Withdrawal:
        return Withdrawal(
            origin=ORIGIN,
            item=ITEM.id,
            attested_seq=attested.seq,
            attested_sha256=attested.sha256,
            statement_sha256=bytes.fromhex(str(attested.fields["statement_sha256"])),
            reason=reason,
        )

    def withdraw(self, statement: Withdrawal, *, by: Holder | None = NOTARY, seq: int | None = None) -> Event:
        """Record a withdrawal; `seq`: what the event names, if not what the statement does."""
        return self.attest(
            statement,
            by=by,
            type_name="ATTESTATION_WITHDRAWN",
            more={"attested_seq": statement.attested_seq if seq is None else seq},
        )

    def check(self, *, policy: TrustPolicy = POLICY, at: datetime = NOW) -> list[Finding]:
        positions = [(s, seq) for s, history in self.histories.items() for seq in history]
        index = {position: number for number, position in enumerate(positions)}
        tokens: tuple[Source, ...] = ()
        if self.recorded_by is not None:
            tokens = (
                Source(
                    place="somewhere",
                    time=self.recorded_by,
                    accuracy=timedelta(seconds=1),
                    group="g",
                    covers=len(index),
                    recorded_at=None,
                ),
            )
        findings = Findings()
        check_attestations(
            _bundle(self.histories, self.parts),
            policy,
            at=at,
            timeline=Timeline(tokens=tokens, blocks=(), k=1),
            log=LogFacts(heads={}, index=index, authentic=True, log_class="test", logs=(), witnesses={}),
            findings=findings,
        )
        for found in findings.all:
            assert found.row == 9
            _sentence(found)
        return findings.all


def _bundle(histories: dict[Subject, dict[int, Event]], parts: Sequence[AttestationPart]) -> Bundle:
    return Bundle(
        base=None,
        origin=ORIGIN,
        id=encode_id("bd", bytes(16)),
        items=tuple(subject.id for subject in histories),
        histories=histories,
        disclosures={},
        notes={},
        added_notes={},
        inclusion={},
        consistency={},
        added_consistency={},
        tokens=(),
        anchors=(),
        attestations=tuple(parts),
        parts={},
        parts_sha256=bytes(32),
        sealed={},
        contents={},
        never_deposited=frozenset(),
        damage=(),
    )


def _sentence(found: Finding) -> str:
    """The finding's sentence; every placeholder has its value, in both languages."""
    text = FINDING[found.code]
    return " ".join(text.lang(lang).format(place=found.place, **found.values) for lang in ("zh", "en"))


def codes(findings: list[Finding]) -> list[tuple[Status, str]]:
    return [(found.status, found.code) for found in findings]


def test_check_attestations_without_any_says_nothing() -> None:
    assert Vault().check() == []


def test_check_attestations_signed_passes_and_says_what_was_examined() -> None:
    vault = Vault()
    vault.attest(vault.attestation(), revocation=(empty_crl(ROOT, published=NOW),))
    found = vault.check()
    assert codes(found) == [(Status.PASSED, "attestation.signed")]
    assert found[0].item == ITEM.id
    assert "CN=A Notary" in _sentence(found[0])
    assert "content (re-hashed the stored bytes)" in _sentence(found[0])
    assert "the website itself" in _sentence(found[0])


def test_check_attestations_without_revocation_evidence_says_so() -> None:
    vault = Vault()
    vault.attest(vault.attestation())
    assert codes(vault.check()) == [
        (Status.PASSED, "attestation.signed"),
        (Status.REMARK, "attestation.revocation-unknown"),
    ]


@pytest.mark.parametrize("result", ["differs", "inconclusive"])
def test_check_attestations_with_an_adverse_result_does_not_pass(result: str) -> None:
    vault = Vault()
    vault.attest(replace(vault.attestation(), result=result))
    assert codes(vault.check()) == [(Status.INDETERMINATE, f"attestation.{result}")]


def test_check_attestations_unsigned_is_undecided() -> None:
    vault = Vault()
    vault.attest(vault.attestation(), by=None)
    assert codes(vault.check()) == [(Status.INDETERMINATE, "attestation.unsigned")]


def test_check_attestations_by_an_unknown_root_is_undecided() -> None:
    vault = Vault()
    vault.attest(vault.attestation(), by=STRANGER)
    found = vault.check()
    assert codes(found) == [(Status.INDETERMINATE, "attestation.open")]
    assert found[0].values["sub"] == "NO_CERTIFICATE_CHAIN_FOUND"
    assert codes(vault.check(policy=replace(POLICY, notary_roots=()))) == codes(found)


def test_check_attestations_outlives_its_certificate_where_outside_time_shows_it_existed() -> None:
    vault = Vault()
    vault.attest(vault.attestation())
    later = NOW + 2 * YEAR
    assert codes(vault.check(at=later)) == [(Status.INDETERMINATE, "attestation.open")]
    vault.recorded_by = NOW
    assert codes(vault.check(at=later))[0] == (Status.PASSED, "attestation.signed")
    vault.recorded_by = NOW + YEAR
    assert codes(vault.check(at=later)) == [(Status.INDETERMINATE, "attestation.open")]


def test_check_attestations_with_a_refused_algorithm_is_undecided() -> None:
    vault = Vault()
    vault.attest(vault.attestation())
    policy = replace(POLICY, refused={"secp256r1": NOW.date()})
    assert codes(vault.check(policy=policy)) == [(Status.INDETERMINATE, "attestation.open")]


def test_check_attestations_revocation_is_seen_however_much_evidence_others_brought() -> None:
    vault = Vault()
    for number in range(MAX_EVIDENCE):
        other = issue(f"Another Root {number}", authority=True)
        vault.attest(
            vault.attestation(),
            by=issue("Another Notary", issuer=other),
            revocation=(empty_crl(other, published=NOW),),
        )
    revoked = revoke(ROOT, NOTARY, when=NOW - YEAR, published=NOW)
    vault.attest(vault.attestation(), revocation=(revoked,))
    vault.attest(replace(vault.attestation(), remark="Evidence lies beside the first, once in a bundle."))
    for found in vault.check()[-2:]:
        assert (found.status, found.values["sub"]) == (Status.INDETERMINATE, "REVOKED_NO_POE")


def test_check_attestations_missing_part_fails() -> None:
    vault = Vault()
    vault.attest(vault.attestation())
    vault.parts.clear()
    assert codes(vault.check()) == [(Status.FAILED, "attestation.missing")]


@pytest.mark.parametrize("seq", [1, 3])
def test_check_attestations_unrecorded_part_fails(seq: int) -> None:
    """At an event of another type, or where there is none."""
    vault = Vault()
    vault.attest(vault.attestation())
    vault.parts.append(replace(vault.parts[0], position=(ITEM, seq)))
    assert (Status.FAILED, "attestation.unrecorded") in codes(vault.check())


@pytest.mark.parametrize("field", ["statement", "signature"])
def test_check_attestations_part_that_was_not_recorded_fails(field: str) -> None:
    """Another good statement, or another good signature over the same one, in place of the recorded one."""
    vault = Vault()
    vault.attest(vault.attestation())
    other = encode_statement(replace(vault.attestation(), remark="another"))
    changed = (
        replace(vault.parts[0], statement=other)
        if field == "statement"
        else replace(vault.parts[0], signature=sign(vault.parts[0].statement, NOTARY))
    )
    vault.parts = [changed]
    found = vault.check()
    assert codes(found) == [(Status.FAILED, "mismatch")]
    assert found[0].values["check"] == f"recorded {field}"


def test_check_attestations_stripped_signature_fails() -> None:
    """A bad signature can't be turned into none, nor the reverse."""
    vault = Vault()
    vault.attest(vault.attestation())
    vault.parts = [replace(vault.parts[0], signature=None, chain=())]
    assert codes(vault.check()) == [(Status.FAILED, "mismatch")]
    vault = Vault()
    vault.attest(vault.attestation(), by=None)
    vault.parts = [replace(vault.parts[0], signature=sign(vault.parts[0].statement, NOTARY))]
    assert codes(vault.check()) == [(Status.FAILED, "mismatch")]


def test_check_attestations_bad_signature_fails() -> None:
    """Recorded as it is, by a vault that didn't look."""
    vault = Vault()
    signature = sign(b"another statement", NOTARY)
    text = encode_statement(vault.attestation())
    event = vault.add(
        ITEM,
        {
            "type": "ATTESTED",
            "statement_sha256": hashlib.sha256(text).hexdigest(),
            "signature_sha256": hashlib.sha256(signature).hexdigest(),
        },
    )
    vault.parts.append(
        AttestationPart(
            position=(ITEM, event.seq), statement=text, signature=signature, chain=(ROOT.der,), revocation=()
        )
    )
    found = vault.check()
    assert codes(found) == [(Status.FAILED, "mismatch")]
    assert "messageDigest" in found[0].values["check"]


def test_check_attestations_malformed_statement_or_signature_is_unreadable() -> None:
    for text, signature in ((b"no statement", None), (encode_statement(Vault().attestation()), b"no CMS")):
        vault = Vault()
        event = vault.add(
            ITEM,
            {
                "type": "ATTESTED",
                "statement_sha256": hashlib.sha256(text).hexdigest(),
                "signature_sha256": None if signature is None else hashlib.sha256(signature).hexdigest(),
            },
        )
        vault.parts.append(
            AttestationPart(
                position=(ITEM, event.seq), statement=text, signature=signature, chain=(), revocation=()
            )
        )
        with pytest.raises(FormatError) as refused:
            vault.check()
        assert refused.value.place.startswith(f"proof/attestations/{ITEM.id}/{event.seq}")


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("origin", {"origin": "another.example/log"}),
        ("item", {"item": OTHER.id}),
        ("head", {"head_sha256": bytes(32)}),
        ("head", {"head_seq": 0}),
        ("head", {"head_seq": 2}),
        ("head", {"head_seq": 7}),
        ("digests", {"digests": {"sha256": "00" * 32}}),
        ("digests", {"digests": {**DIGESTS, "sha512": "00" * 64}}),
    ],
)
def test_check_attestations_moved_fails(what: str, changed: dict[str, object]) -> None:
    """A statement that a notary did sign, but about another log, item, state or content."""
    vault = Vault()
    vault.attest(replace(vault.attestation(), **changed))  # by the table above
    found = vault.check()
    assert codes(found) == [(Status.FAILED, "attestation.moved")]
    assert found[0].values["what"] == what


def test_check_attestations_about_another_items_state_fails() -> None:
    vault = Vault()
    vault.attest(vault.attestation(OTHER), subject=ITEM)
    assert codes(vault.check()) == [(Status.FAILED, "attestation.moved")]


def test_check_attestations_withdrawn_is_undecided_and_shows_the_reason() -> None:
    vault = Vault()
    attested = vault.attest(vault.attestation())
    vault.withdraw(vault.withdrawal(attested))
    found = vault.check()
    assert codes(found) == [
        (Status.INDETERMINATE, "attestation.withdrawn"),
        (Status.REMARK, "attestation.withdrawal-signed"),
    ]
    assert "the wrong file was shown" in _sentence(found[0])


def test_check_attestations_withdrawn_leaves_others_alone() -> None:
    vault = Vault()
    attested = vault.attest(vault.attestation())
    vault.attest(vault.attestation())
    vault.withdraw(vault.withdrawal(attested))
    assert codes(vault.check())[:2] == [
        (Status.INDETERMINATE, "attestation.withdrawn"),
        (Status.PASSED, "attestation.signed"),
    ]


def test_check_attestations_unsigned_or_strangers_withdrawal_still_counts() -> None:
    for by, code in ((None, "attestation.withdrawal-unsigned"), (STRANGER, "attestation.open")):
        vault = Vault()
        attested = vault.attest(vault.attestation())
        vault.withdraw(vault.withdrawal(attested), by=by)
        assert codes(vault.check()) == [
            (Status.INDETERMINATE, "attestation.withdrawn"),
            (Status.INDETERMINATE, code),
        ]


def test_check_attestations_bad_withdrawal_leaves_no_pass_behind() -> None:
    vault = Vault()
    attested = vault.attest(vault.attestation())
    vault.withdraw(vault.withdrawal(attested))
    del vault.parts[-1]
    assert codes(vault.check()) == [
        (Status.FAILED, "attestation.missing"),
        (Status.INDETERMINATE, "attestation.withdrawn"),
    ]


@pytest.mark.parametrize(
    ("what", "changed", "seq"),
    [
        ("origin", {"origin": "another.example/log"}, None),
        ("item", {"item": OTHER.id}, None),
        ("attested seq", {}, 1),
        ("attested event", {"attested_sha256": bytes(32)}, None),
        ("attested event", {"attested_seq": 1}, None),
        ("attested event", {"attested_seq": 3}, None),
        ("attested statement", {"statement_sha256": bytes(32)}, None),
    ],
)
def test_check_attestations_moved_withdrawal_fails(
    what: str, changed: dict[str, object], seq: int | None
) -> None:
    vault = Vault()
    attested = vault.attest(vault.attestation())
    vault.withdraw(
        replace(vault.withdrawal(attested), **changed),  # by the table above
        seq=seq,
    )
    failed = [found for found in vault.check() if found.status is Status.FAILED]
    assert [(found.code, found.values["what"]) for found in failed] == [("attestation.moved", what)]


def test_check_attestations_statement_under_the_other_type_fails() -> None:
    vault = Vault()
    attested = vault.attest(vault.attestation())
    vault.attest(vault.withdrawal(attested))
    vault.attest(vault.attestation(), type_name="ATTESTATION_WITHDRAWN", more={"attested_seq": attested.seq})
    failed = [found for found in vault.check() if found.status is Status.FAILED]
    assert [(found.code, found.values["what"]) for found in failed] == [("attestation.moved", "kind")] * 2
