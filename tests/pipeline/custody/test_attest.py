"""Statements on their way into the record: what is accepted, and each way in which one is refused."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from anchors.rfc3161.der import SEQUENCE, context_constructed, parse_whole, tlv
from evidence_vault.core.attestation import encode_statement
from evidence_vault.core.canonical import as_text
from evidence_vault.core.events import VAULT, Subject, parse_event
from evidence_vault.core.names import encode_id
from evidence_vault.errors import (
    AccessRefused,
    Conflict,
    EvidenceError,
    FormatError,
    Locked,
    Overloaded,
    TooMany,
    UnavailableError,
    VerificationError,
)
from evidence_vault.pipeline.custody import fixity
from evidence_vault.pipeline.custody.attest import AlreadyAttested, RecordedStatement, record_attestation
from evidence_vault.pipeline.custody.fixity import check_fixity
from evidence_vault.pipeline.custody.statements import Submission
from evidence_vault.pipeline.custody.withdraw import record_withdrawal
from evidence_vault.pipeline.record import EventActor
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.models import Item
from evidence_vault.store.queries import attestations, events, items, jobs, revocation
from tests.pipeline.attesting import (
    ACTOR,
    APPRAISER,
    KNOWN,
    MIDDLE,
    NOTARY,
    ROOT,
    STRANGER,
    add_notary,
    attest,
    signed,
    true_statement,
    withdraw,
    withdrawal_of,
)
from tests.pipeline.vaults import deposit, new_vault
from tests.verify.notary import KINDS, NOW, Holder, issue, make_key, openssl_sign, revoke

LONG_AGO = NOW - timedelta(days=100)
OTHER = EventActor(id=encode_id("ac", b"p" * 16), role="AP", auth="token")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = new_vault(tmp_path, **KNOWN)
    add_notary(made)
    add_notary(made, OTHER)
    yield made
    made.database.dispose()


@pytest.fixture
def item(vault: Vault) -> str:
    return deposit(vault).item_id


def types_of(vault: Vault, item: str) -> list[str]:
    with vault.database.read() as session:
        return [row.type for row in events.events_of(session, Subject(kind="item", id=item))]


def row_of(vault: Vault, item: str) -> Item:
    with vault.database.read() as session:
        found = items.get_item(session, item)
        assert found is not None
        return found


@pytest.mark.db
@pytest.mark.parametrize("kind", KINDS)
def test_attest_records_statement_signature_and_chain(kind: str, tmp_path: Path, engine: str) -> None:
    vault = new_vault(tmp_path, **KNOWN)
    add_notary(vault)
    item = deposit(vault).item_id
    notary = issue("A Notary", issuer=ROOT, key=make_key(kind))
    submission = signed(vault, true_statement(vault, item), notary, pss=kind == "pss")
    recorded = record_attestation(vault, item, attester=ACTOR, submission=submission)
    assert recorded.signed.status == "trusted"
    assert recorded.signed.chain == (notary.der, ROOT.der)
    with vault.database.read() as session:
        row = attestations.event_at(session, item, recorded.seq)
        assert row is not None
        event, parts = parse_event(row.raw), events.proof_parts_of(session, row.id)
    assert event.type == "ATTESTED"
    assert parts["statement.txt"] == submission.statement
    assert parts["signature.p7s"] == submission.signature
    for name, part in (("statement_sha256", "statement.txt"), ("signature_sha256", "signature.p7s")):
        assert event.fields[name] == hashlib.sha256(parts[part]).hexdigest()
    vault.database.dispose()


@pytest.mark.parametrize("kind", ["rsa", "pss", "p256", "p384", "p521"])
def test_attest_takes_what_openssl_signed(kind: str, vault: Vault, item: str, tmp_path: Path) -> None:
    notary = issue("A Notary", issuer=ROOT, key=make_key(kind))
    text = encode_statement(true_statement(vault, item))
    options = ("-keyopt", "rsa_padding_mode:pss") if kind == "pss" else ()
    signature = openssl_sign(text, notary, tmp_path, "-cades", *options)
    submission = Submission(statement=text, signature=signature)
    assert record_attestation(vault, item, attester=ACTOR, submission=submission).signed.status == "trusted"


def test_attest_under_another_root_is_recorded_and_says_so(vault: Vault, item: str) -> None:
    """The names are those of a known notary and his authority; the keys are not."""
    recorded = attest(vault, item, STRANGER)
    assert recorded.signed.status == "unknown-root"
    assert recorded.signed.chain == (STRANGER.der,)
    with vault.database.read() as session:  # nobody vouches for addresses in its certificates
        assert revocation.get_want(session, hashlib.sha256(recorded.signed.chain_pem).digest()) is None


def test_attest_by_a_self_signed_certificate_of_the_same_name_is_no_known_one(
    vault: Vault, item: str
) -> None:
    assert attest(vault, item, issue("A Notary")).signed.status == "unknown-root"


def test_attest_without_a_certificate_says_so(vault: Vault, item: str) -> None:
    recorded = attest(vault, item, None)
    assert recorded.signed.status == "unsigned"
    with vault.database.read() as session:
        row = attestations.event_at(session, item, recorded.seq)
        assert row is not None
        assert parse_event(row.raw).fields["signature_sha256"] is None
        assert set(events.proof_parts_of(session, row.id)) == {"statement.txt"}


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ("origin", {"origin": "vault.example/other"}),
        ("item", {"item": encode_id("it", b"x" * 16)}),
        ("digests", {"digests": {"sha256": "00" * 32}}),
        ("digests", {"digests": {"sha512": "00" * 64}}),
        ("head.event_sha256", {"head_sha256": bytes(32)}),
        ("head.event_sha256", {"head_seq": 7}),
        ("case", {"case": encode_id("cs", bytes(16))}),
    ],
)
def test_attest_refuses_a_statement_about_something_else(
    place: str, changes: dict[str, Any], vault: Vault, item: str
) -> None:
    with pytest.raises(VerificationError, match=f"statement {place}"):
        attest(vault, item, **changes)
    assert "ATTESTED" not in types_of(vault, item)


def test_attest_refuses_a_good_statement_moved_to_another_item(vault: Vault, item: str) -> None:
    """The same bytes were deposited twice, so digests agree; item and head don't."""
    other = deposit(vault).item_id
    moved = signed(vault, true_statement(vault, item))
    with pytest.raises(VerificationError, match="statement item"):
        record_attestation(vault, other, attester=ACTOR, submission=moved)


def test_attest_refuses_a_state_that_is_long_gone(vault: Vault, item: str) -> None:
    late = signed(vault, true_statement(vault, item))
    vault.clock.advance(8 * 86_400)  # type: ignore[attr-defined]
    with pytest.raises(VerificationError, match="look again"):
        record_attestation(vault, item, attester=ACTOR, submission=late)


def test_attest_takes_a_state_with_later_events_but_not_with_damage_since(vault: Vault, item: str) -> None:
    before = signed(vault, true_statement(vault, item))
    check_fixity(vault, row_of(vault, item), actor=ACTOR)
    assert record_attestation(vault, item, attester=ACTOR, submission=before).seq > 1
    before = signed(vault, true_statement(vault, item))
    vault.clock.advance(60)  # type: ignore[attr-defined]
    spoil(vault)
    assert not check_fixity(vault, row_of(vault, item), actor=ACTOR).intact
    with pytest.raises(VerificationError, match="found damage"):
        record_attestation(vault, item, attester=ACTOR, submission=before)
    assert attest(vault, item, result="differs").signed.status == "trusted"


@pytest.mark.parametrize("by", [NOTARY, None])
def test_attest_refuses_a_replay_even_after_its_withdrawal(
    by: Holder | None, vault: Vault, item: str
) -> None:
    submission = signed(vault, true_statement(vault, item), by)
    first = record_attestation(vault, item, attester=ACTOR, submission=submission)
    with pytest.raises(AlreadyAttested) as caught:
        record_attestation(vault, item, attester=ACTOR, submission=submission)
    assert caught.value.seq == first.seq
    withdraw(vault, item, first, by)
    with pytest.raises(AlreadyAttested):
        record_attestation(vault, item, attester=ACTOR, submission=submission)


def test_attest_refuses_a_replay_that_was_written_anew(vault: Vault, item: str) -> None:
    """ECDSA signs the same text differently each time, and unsigned attributes are anybody's to add."""
    statement = true_statement(vault, item)
    record_attestation(vault, item, attester=ACTOR, submission=signed(vault, statement))
    again = signed(vault, statement)
    assert again.signature != signed(vault, statement).signature
    with pytest.raises(AlreadyAttested):
        record_attestation(vault, item, attester=OTHER, submission=again)


def test_attest_by_two_signers_of_one_text_are_two(vault: Vault, item: str) -> None:
    statement = true_statement(vault, item)
    first = record_attestation(vault, item, attester=ACTOR, submission=signed(vault, statement))
    second = record_attestation(vault, item, attester=OTHER, submission=signed(vault, statement, APPRAISER))
    assert second.seq == first.seq + 1


@pytest.mark.parametrize(
    ("holder", "why"),
    [
        (
            issue(
                "Ended",
                issuer=ROOT,
                not_after=LONG_AGO,
            ),
            "OUT_OF_BOUNDS",
        ),
        (issue("Encipherer", issuer=ROOT, signs=False), "without digitalSignature"),
        (issue("Server", issuer=ROOT, purposes=("1.3.6.1.5.5.7.3.1",)), "purposes"),
        (
            issue("Ended alone", not_after=LONG_AGO),
            "OUT_OF_BOUNDS",
        ),
        (issue("Encipherer alone", signs=False), "without digitalSignature"),
        (issue("Pupil", issuer=NOTARY), None),
    ],
    ids=lambda one: one.certificate.subject.rfc4514_string() if isinstance(one, Holder) else "",
)
def test_attest_refuses_a_certificate_that_cannot_sign_now(
    holder: Holder, why: str | None, vault: Vault, item: str
) -> None:
    """Whether its root is known or not; a notary's own pupil has no path at all."""
    if why is None:
        assert attest(vault, item, holder).signed.status == "unknown-root"
        return
    with pytest.raises(VerificationError, match=why):
        attest(vault, item, holder)


def test_attest_refuses_who_is_known_to_be_revoked(vault: Vault, item: str) -> None:
    now = vault.clock()
    crl = revoke(MIDDLE, NOTARY, when=now - timedelta(days=2), published=now - timedelta(days=1))
    assert attest(vault, item).signed.status == "trusted"
    with vault.database.write() as session:
        revocation.add_evidence(
            session,
            hashlib.sha256(NOTARY.der).digest(),
            sha256=hashlib.sha256(crl).digest(),
            kind="crl",
            body=crl,
            this_update=now - timedelta(days=1),
            next_update=now + timedelta(days=6),
            fetched_at=now,
        )
    with pytest.raises(VerificationError, match="REVOKED"):
        attest(vault, item)
    assert attest(vault, item, APPRAISER).signed.status == "trusted"


def test_attest_wants_evidence_for_the_time_of_the_checkpoint(vault: Vault, item: str) -> None:
    named = notary_with_addresses()
    recorded = attest(vault, item, named)
    chain_sha256 = hashlib.sha256(recorded.signed.chain_pem).digest()
    with vault.database.read() as session:
        want = revocation.get_want(session, chain_sha256)
        assert want is not None
        wait = timedelta(seconds=vault.settings.token_interval_s + vault.settings.checkpoint_interval_s)
        assert want.wanted_at >= vault.clock() + wait
        found = jobs.jobs_of(session, VAULT)
    assert [job.target for job in found if job.kind == "revocation"] == [chain_sha256.hex()]


def test_attest_refuses_a_list_inside_that_nobody_can_read(vault: Vault, item: str) -> None:
    """A verifier who knows the root would find the whole bundle unreadable."""
    good = signed(vault, true_statement(vault, item), STRANGER)
    assert good.signature is not None
    bag = tlv(context_constructed(0), STRANGER.der)
    assert good.signature.count(bag) == 1
    spoiled = with_crls(good.signature, bag, tlv(0x30, b"\x02\x01\x00"))
    with pytest.raises(FormatError):
        record_attestation(
            vault, item, attester=ACTOR, submission=Submission(statement=good.statement, signature=spoiled)
        )


def test_attest_no_flipped_byte_is_recorded_as_trusted(vault: Vault, item: str) -> None:
    good = signed(vault, true_statement(vault, item))
    assert good.signature is not None
    for at in range(0, len(good.signature), 11):
        flipped = bytearray(good.signature)
        flipped[at] ^= 1
        one = Submission(statement=good.statement, signature=bytes(flipped), chain=(MIDDLE.der,))
        with pytest.raises(EvidenceError):
            record_attestation(vault, item, attester=ACTOR, submission=one)
    for at in range(0, len(good.statement), 5):
        flipped = bytearray(good.statement)
        flipped[at] ^= 1
        one = Submission(statement=bytes(flipped), signature=good.signature, chain=good.chain)
        with pytest.raises(EvidenceError):
            record_attestation(vault, item, attester=ACTOR, submission=one)
    assert "ATTESTED" not in types_of(vault, item)


def test_attest_refuses_two_signers_in_one_signature(vault: Vault, item: str, tmp_path: Path) -> None:
    text = encode_statement(true_statement(vault, item))
    certificate, key = APPRAISER.save(tmp_path, "second")
    options = ("-cades", "-signer", str(certificate), "-inkey", str(key))
    signature = openssl_sign(text, NOTARY, tmp_path, *options)
    with pytest.raises(VerificationError, match="one signer"):
        record_attestation(
            vault, item, attester=ACTOR, submission=Submission(statement=text, signature=signature)
        )


def test_attest_refuses_certificates_without_a_signature_and_kinds_mixed_up(vault: Vault, item: str) -> None:
    text = encode_statement(true_statement(vault, item))
    with pytest.raises(FormatError, match="chain"):
        record_attestation(
            vault,
            item,
            attester=ACTOR,
            submission=Submission(statement=text, signature=None, chain=(NOTARY.der,)),
        )
    recorded = attest(vault, item)
    taken_back = signed(vault, withdrawal_of(vault, item, recorded))
    with pytest.raises(FormatError, match="an attestation"):
        record_attestation(vault, item, attester=ACTOR, submission=taken_back)


def test_attest_stops_where_a_bundle_would(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, notary={"roots": [], "max_per_item": 2})
    add_notary(vault)
    item = deposit(vault).item_id
    for _ in range(2):
        attest(vault, item)
    with pytest.raises(TooMany, match="a bundle carries no more"):
        attest(vault, item)
    vault.database.dispose()


def test_withdraw_records_a_reason_and_stands_once(vault: Vault, item: str) -> None:
    attested = attest(vault, item)
    taken_back = withdraw(vault, item, attested)
    with vault.database.read() as session:
        row = attestations.event_at(session, item, taken_back.seq)
        assert row is not None
        event = parse_event(row.raw)
    assert event.type == "ATTESTATION_WITHDRAWN"
    assert event.fields["attested_seq"] == attested.seq
    with pytest.raises(Conflict, match=f"event {taken_back.seq} has withdrawn it already"):
        withdraw(vault, item, attested, reason="again")


def test_withdraw_by_the_same_account_unsigned_or_with_a_renewed_certificate(vault: Vault, item: str) -> None:
    assert withdraw(vault, item, attest(vault, item), None).signed.status == "unsigned"
    renewed = issue("A Notary", issuer=MIDDLE)
    assert withdraw(vault, item, attest(vault, item), renewed).signed.signer is not None


def test_withdraw_by_the_signer_of_what_somebody_else_brought(vault: Vault, item: str) -> None:
    brought = attest(vault, item, NOTARY, actor=OTHER)
    assert withdraw(vault, item, brought, NOTARY, actor=ACTOR).seq == brought.seq + 1


@pytest.mark.parametrize(
    ("by", "actor"),
    [(None, OTHER), (APPRAISER, OTHER), (APPRAISER, ACTOR), (STRANGER, OTHER)],
    ids=["unsigned by another", "signed by another", "own account, another's name", "impostor"],
)
def test_withdraw_by_anybody_else_is_refused(
    by: Holder | None, actor: EventActor, vault: Vault, item: str
) -> None:
    attested = attest(vault, item)
    with pytest.raises(VerificationError, match="withdrawal"):
        withdraw(vault, item, attested, by, actor=actor)
    assert "ATTESTATION_WITHDRAWN" not in types_of(vault, item)


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ("origin", {"origin": "vault.example/other"}),
        ("item", {"item": encode_id("it", b"x" * 16)}),
        ("attested.seq", {"attested_seq": 5}),
        ("attested.event_sha256", {"attested_sha256": bytes(32)}),
        ("attested.statement_sha256", {"statement_sha256": bytes(32)}),
        ("reason", {"reason": " \n"}),
    ],
)
def test_withdraw_names_one_attestation_and_a_reason(
    place: str, changes: dict[str, Any], vault: Vault, item: str
) -> None:
    attested = attest(vault, item)
    with pytest.raises(VerificationError, match=f"statement {place}"):
        withdraw(vault, item, attested, **changes)


def test_withdraw_what_is_no_attestation_is_not_found(vault: Vault, item: str) -> None:
    attested = attest(vault, item)
    submission = signed(vault, withdrawal_of(vault, item, attested))
    for seq in (0, attested.seq + 1):
        with pytest.raises(AccessRefused):
            record_withdrawal(vault, item, seq, attester=ACTOR, submission=submission)


@pytest.mark.db
def test_a_replay_and_two_withdrawals_at_once_leave_one_of_each(tmp_path: Path, engine: str) -> None:
    """Eight hands bring the same statement, then eight take it back: the head's lock lets one through."""
    vault = new_vault(tmp_path, **KNOWN)
    add_notary(vault)
    item = deposit(vault).item_id
    submission = signed(vault, true_statement(vault, item))

    def outcome(work: Callable[[], RecordedStatement]) -> RecordedStatement | None:
        while True:
            try:
                return work()
            except Conflict:
                return None
            except UnavailableError:  # another transaction was first: as a client would, again
                continue

    def eight(work: Callable[[], RecordedStatement]) -> RecordedStatement:
        with ThreadPoolExecutor(8) as pool:
            (one,) = [found for found in pool.map(outcome, [work] * 8) if found is not None]
        return one

    attested = eight(lambda: record_attestation(vault, item, attester=ACTOR, submission=submission))
    eight(lambda: withdraw(vault, item, attested))
    assert types_of(vault, item) == ["ITEM_RECEIVED", "ATTESTED", "ATTESTATION_WITHDRAWN"]
    vault.database.dispose()


def test_check_fixity_reads_the_stored_bytes_and_says_who_asked(vault: Vault, item: str) -> None:
    found = check_fixity(vault, row_of(vault, item), actor=ACTOR)
    assert found.intact
    assert found.found_sha256 == hashlib.sha256(b"evidence").digest()
    with vault.database.read() as session:
        row = attestations.event_at(session, item, found.seq)
        assert row is not None
        assert as_text(parse_event(row.raw).fields["sha256"]) == found.found_sha256.hex()
        assert f'"id":"{ACTOR.id}"'.encode() in row.raw


def test_check_fixity_finds_damage_and_records_it(vault: Vault, item: str) -> None:
    spoil(vault)
    found = check_fixity(vault, row_of(vault, item), actor=ACTOR)
    assert not found.intact
    assert types_of(vault, item)[-1] == "FIXITY_FAILED"


def test_check_fixity_waits_between_two_and_alone(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    add_notary(vault)
    row = row_of(vault, deposit(vault).item_id)
    check_fixity(vault, row, actor=ACTOR)
    with pytest.raises(Overloaded) as caught:
        check_fixity(vault, row, actor=ACTOR)
    assert caught.value.retry_after_s == pytest.approx(10, abs=0.1)
    vault.clock.advance(11)  # type: ignore[attr-defined]
    with fixity._alone(row.id), pytest.raises(Locked):
        check_fixity(vault, row, actor=ACTOR)
    with ExitStack() as others:
        for number in range(fixity.READERS):
            others.enter_context(fixity._alone(f"it_{number}"))
        with pytest.raises(Locked):
            check_fixity(vault, row, actor=ACTOR)
    assert check_fixity(vault, row, actor=ACTOR).intact
    vault.database.dispose()


def spoil(vault: Vault) -> None:
    """Change a byte of every content that is stored."""
    for path in vault.settings.home.glob("blobs/*/it_*"):
        data = path.read_bytes()
        if path.suffix != ".event":
            path.write_bytes(data.replace(b"evidence", b"evidencf"))


def notary_with_addresses() -> Holder:
    """A notary whose certificate says where revoked ones are listed."""
    base = issue("A Notary", issuer=ROOT)
    point = x509.DistributionPoint(
        full_name=[x509.UniformResourceIdentifier("http://crl.example/notaries.crl")],
        relative_name=None,
        reasons=None,
        crl_issuer=None,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(base.certificate.subject)
        .issuer_name(ROOT.certificate.subject)
        .public_key(base.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(base.certificate.not_valid_before_utc)
        .not_valid_after(base.certificate.not_valid_after_utc)
        .add_extension(x509.CRLDistributionPoints([point]), critical=False)
    )
    return Holder(key=base.key, certificate=builder.sign(ROOT.key, hashes.SHA256()))


def with_crls(signature: bytes, bag: bytes, crl: bytes) -> bytes:
    """Put a list of revoked certificates behind the certificates of a SignedData; nothing signed changes."""
    content = load_content(signature)
    changed = content.replace(bag, bag + tlv(context_constructed(1), crl))
    oid = signature[signature.index(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02") :][:11]
    return tlv(0x30, oid, tlv(context_constructed(0), tlv(0x30, changed)))


def load_content(signature: bytes) -> bytes:
    """The contents of the SignedData."""
    info = parse_whole(signature, SEQUENCE, "p7s")
    info.oid("contentType")
    return info.inside(context_constructed(0), "content").element(SEQUENCE, "signedData").contents
