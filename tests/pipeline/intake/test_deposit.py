"""Deposit: what is acknowledged is there, what is refused leaves nothing."""

import hashlib
from pathlib import Path

import pytest

from evidence_vault.core.disclosures import parse_disclosure
from evidence_vault.core.events import Subject
from evidence_vault.core.receipt import parse_receipt, verify_receipt
from evidence_vault.errors import (
    Conflict,
    FormatError,
    InProgress,
    TooLarge,
    UnavailableError,
    VerificationError,
)
from evidence_vault.pipeline.intake.deposit import begin_deposit, deposit_digests
from evidence_vault.pipeline.intake.deposited import parse_journal
from evidence_vault.pipeline.intake.wishes import Wish
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import events, items, jobs
from tests.pipeline.vaults import OWNER, SetClock, deposit, new_vault


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return new_vault(tmp_path)


def files(vault: Vault) -> list[str]:
    home = vault.settings.home
    return sorted(
        str(p.relative_to(home))
        for name in ("blobs", "incoming")
        for p in (home / name).rglob("*")
        if p.is_file()
    )


@pytest.mark.parametrize("size", [0, 1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_500_000])
def test_deposit_of_any_size_is_there_byte_for_byte(vault: Vault, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    done = deposit(vault, content)
    assert b"".join(vault.blobs.chunks(done.item_id)) == content
    assert done.sha256 == hashlib.sha256(content).digest()
    receipt = parse_receipt(done.receipt)
    verify_receipt(receipt, trusted=[vault.receipt_signer.verifier_key])
    assert receipt.event.fields["size"] == size
    with vault.database.read() as session:
        item = items.get_item(session, done.item_id)
        assert item is not None
        assert (item.size, item.sha256, item.receipt) == (size, done.sha256, done.receipt)
        assert items.item_progress(session, item).state == "received"
        [event] = events.events_of(session, Subject(kind="item", id=done.item_id))
        assert event.raw == receipt.event.raw
        assert [job.target for job in jobs.jobs_of(session, receipt.event.subject)] == ["tsa"]


def test_deposit_journal_holds_all_that_a_replay_needs(vault: Vault) -> None:
    done = deposit(vault, b"x", file_name="合同 📜.pdf", media_type="application/pdf")
    raw = vault.blobs.journal(done.item_id)
    assert raw is not None
    journal = parse_journal(raw, place="journal")
    assert journal.receipt_bytes == done.receipt
    assert {n: parse_disclosure(d).value for n, d in journal.disclosures.items()} == {
        "file_name": "合同 📜.pdf",
        "media_type": "application/pdf",
    }


@pytest.mark.db
def test_deposit_keeps_names_out_of_the_event(vault: Vault) -> None:
    done = deposit(vault, b"x", file_name="secret-plan.txt")
    event = parse_receipt(done.receipt).event
    assert b"secret-plan" not in event.raw
    with vault.database.read() as session:
        found = events.find_event(session, event.sha256)
        assert found is not None
        [text] = events.disclosures_of(session, [found.id])[found.id].values()
    assert parse_disclosure(text).digest in event.disclosure_digests


@pytest.mark.parametrize(
    "name",
    ["", "../x", "a/b", "a\\b", "..", "nul\x00", "line\nbreak", "x" * 256, "字" * 256, "\ud800", "a\u2028b"],
)
def test_deposit_of_a_bad_name_is_refused_before_any_byte(vault: Vault, name: str) -> None:
    with pytest.raises(FormatError) as caught:
        begin_deposit(vault, Wish(actor=OWNER, file_name=name))
    assert caught.value.place == "file name"
    assert files(vault) == []


def test_deposit_over_the_limit_is_refused_while_streaming(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, max_upload_bytes=2_000_000)
    with begin_deposit(vault, Wish(actor=OWNER)) as one:
        one.write(bytes(2_000_000))
        with pytest.raises(TooLarge):
            one.write(bytes(1_000_000))
    assert files(vault) == []
    with pytest.raises(TooLarge):
        begin_deposit(vault, Wish(actor=OWNER, declared_size=2_000_001))


@pytest.mark.db
def test_deposit_whose_client_stops_midway_leaves_nothing(vault: Vault) -> None:
    with begin_deposit(vault, Wish(actor=OWNER, idempotency_key="k")) as one:
        one.write(bytes(3_000_000))
        assert files(vault) != []
    assert files(vault) == []
    assert not deposit(vault, b"again", idempotency_key="k").replayed


@pytest.mark.parametrize("wrong", [{"declared_size": 3}, {"declared_sha256": b"\x00" * 32}])
def test_deposit_that_is_not_what_was_declared_is_refused(vault: Vault, wrong: dict[str, object]) -> None:
    with pytest.raises(VerificationError, match="declared"):
        deposit(vault, b"four", **wrong)
    assert files(vault) == []
    right = {"declared_size": 4, "declared_sha256": hashlib.sha256(b"four").digest()}
    assert deposit(vault, b"four", **right).size == 4


def test_deposit_of_one_content_twice_makes_two_items(vault: Vault) -> None:
    assert deposit(vault, b"same").item_id != deposit(vault, b"same").item_id


@pytest.mark.db
def test_deposit_beyond_the_backlog_is_put_off(tmp_path: Path) -> None:
    vault = new_vault(tmp_path, max_pending_events=3)
    deposit(vault)
    with pytest.raises(UnavailableError) as caught:
        deposit(vault)
    assert caught.value.retry_after_s == 5


def test_deposit_while_read_only_is_refused(vault: Vault) -> None:
    with begin_deposit(vault, Wish(actor=OWNER)) as one:
        one.write(b"x")
        vault.gate.shut("two histories")
        with pytest.raises(UnavailableError, match="two histories"):
            one.commit()
    assert files(vault) == []


@pytest.mark.db
def test_deposit_with_the_same_key_again_returns_the_same_receipt(vault: Vault) -> None:
    first = deposit(vault, b"bytes", idempotency_key="k-1", file_name="a.txt")
    second = deposit(vault, b"bytes", idempotency_key="k-1", file_name="a.txt")
    assert (second.item_id, second.receipt, second.replayed) == (first.item_id, first.receipt, True)
    assert len(files(vault)) == 2
    for content, changes in (
        (b"other", {}),
        (b"bytes", {"secret": True}),
        (b"bytes", {"file_name": "b.txt"}),
    ):
        with pytest.raises(Conflict):
            deposit(vault, content, **{"idempotency_key": "k-1", "file_name": "a.txt", **changes})
    assert deposit(vault, b"bytes", idempotency_key="k-1", endpoint="other").item_id != first.item_id


@pytest.mark.db
def test_deposit_in_flight_elsewhere_is_told_to_wait_until_the_lease_ends(tmp_path: Path) -> None:
    clock = SetClock()
    vault = new_vault(tmp_path, clock=clock)
    slow = begin_deposit(vault, Wish(actor=OWNER, idempotency_key="k"))
    slow.write(b"slo")
    with pytest.raises(InProgress) as caught:
        begin_deposit(vault, Wish(actor=OWNER, idempotency_key="k"))
    assert caught.value.retry_after_s == 30
    clock.advance(20)
    slow.write(b"w")  # renews the lease
    clock.advance(20)
    with pytest.raises(InProgress):
        begin_deposit(vault, Wish(actor=OWNER, idempotency_key="k"))
    clock.advance(31)  # as if the slow one had died
    quick_one = begin_deposit(vault, Wish(actor=OWNER, idempotency_key="k"))
    quick_one.write(b"slow")
    with slow, pytest.raises(Conflict, match="another request took it"):
        slow.commit()
    quick = quick_one.commit()
    assert deposit(vault, b"slow", idempotency_key="k").item_id == quick.item_id
    assert len(files(vault)) == 2


@pytest.mark.db
def test_deposit_of_digests_keeps_no_content_and_asks_no_one_about_secrets(vault: Vault) -> None:
    digest = hashlib.sha256(b"kept at home").hexdigest()
    open_one = deposit_digests(vault, Wish(actor=OWNER), digests={"sha256": digest}, size=12)
    secret = deposit_digests(vault, Wish(actor=OWNER, secret=True), digests={"sha256": digest}, size=None)
    assert not vault.blobs.exists(open_one.item_id)
    assert vault.blobs.journal(secret.item_id) is not None
    with vault.database.read() as session:
        assert jobs.jobs_of(session, Subject(kind="item", id=secret.item_id)) == []
        assert len(jobs.jobs_of(session, Subject(kind="item", id=open_one.item_id))) == 1


@pytest.mark.parametrize(
    "digests", [{}, {"sha256": "ab"}, {"sha512": "ab" * 64}, {"sha256": "AB" * 32}, {"md5": "ab"}]
)
def test_deposit_of_bad_digests_is_refused(vault: Vault, digests: dict[str, str]) -> None:
    with pytest.raises(FormatError):
        deposit_digests(vault, Wish(actor=OWNER, idempotency_key="k"), digests=digests, size=None)
    assert files(vault) == []
    good = {"sha256": "ab" * 32}
    assert deposit_digests(vault, Wish(actor=OWNER, idempotency_key="k"), digests=good, size=None).item_id
