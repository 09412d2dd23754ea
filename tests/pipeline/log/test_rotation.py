"""Rotation of the log's keys: one event, both signatures, bundles old and new; and a crash at every step."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from evidence_vault.core.checkpoint import open_checkpoint
from evidence_vault.core.events import LOG, Subject
from evidence_vault.core.note_keys import VerifierKey, encode_vkey
from evidence_vault.core.notes import Verified, verify_signatures
from evidence_vault.core.receipt import parse_receipt, verify_receipt
from evidence_vault.errors import ConfigError, ReadOnly
from evidence_vault.pipeline.export.export import advance_export
from evidence_vault.pipeline.export.trust import final_blocks, policy_text
from evidence_vault.pipeline.log import rotation
from evidence_vault.pipeline.log.log_keys import log_keys, named_keys
from evidence_vault.pipeline.log.publish import published_head
from evidence_vault.pipeline.log.rotation import rotate_key
from evidence_vault.pipeline.operation.start import check_start
from evidence_vault.pipeline.vault import Vault
from evidence_vault.store.queries import bundles, cosignatures, events, log
from evidence_vault.verify.report import Report, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verifier import verify_path
from evidence_vault.workers.runner import advance_due, advance_log, singly
from tests.pipeline.faults import dying_in
from tests.pipeline.story import Story, begin_story
from tests.pipeline.vaults import deposit, new_vault, published_sizes, reopened

pytestmark = pytest.mark.db


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    vault = new_vault(tmp_path)
    advance_log(vault)
    return vault


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    story = begin_story(tmp_path, log_class="production")
    yield story
    story.chain.close()


def policy_of(story: Story) -> str:
    with story.vault.database.read() as session:
        newest = log.latest_published(session)
        assert newest is not None
        blocks = final_blocks(session, bundles.anchored_sizes(session, published=newest.size))
        return policy_text(story.vault, session, known_blocks=blocks)


def verified(story: Story, bundle: str, text: str) -> Report:
    policy = parse_policy(text.encode(), name="trust.toml")
    return verify_path(story.bundle(bundle), policy, at=story.clock() + timedelta(hours=1))


def rotations(vault: Vault) -> int:
    with vault.database.read() as session:
        return sum(row.type == "KEY_ROTATED" for row in events.events_of(session, LOG))


def signers_of_published(vault: Vault, *trusted: VerifierKey) -> set[VerifierKey]:
    note = vault.public.checkpoint()
    assert note is not None
    opened = open_checkpoint(note, origin=vault.settings.origin, trusted=trusted)
    assert isinstance(opened.signed, Verified)
    return {signature.key for signature in opened.signed.signatures}


def test_rotation_is_signed_by_both_keys_once_and_by_the_new_one_from_then_on(vault: Vault) -> None:
    old = vault.log_signer.verifier_key
    done = rotate_key(vault, "log")
    assert (done.old, done.begun_before) == (old, False)
    assert rotate_key(vault, "log").begun_before  # the same one, not the next
    advance_log(vault)
    r = published_head(vault).size
    assert signers_of_published(vault, old, done.new) == {old, done.new}
    assert vault.log_signer.verifier_keys == (done.new,)  # the old one is gone from the disk
    deposit(vault)
    advance_log(vault)
    assert signers_of_published(vault, old, done.new) == {done.new}
    with vault.database.read() as session:
        [first, second] = log_keys(session)
        assert (first.key, first.from_size, first.last_size) == (old, 0, r)
        assert (second.key, second.from_size, second.last_size) == (done.new, r, None)
        text = policy_text(vault, session)
        [line] = cosignatures.cosignatures_of(session, [r])[r]
    policy = parse_policy(text.partition("[[tsa]]")[0].encode(), name="own")
    assert [(k.key, k.from_size, k.last_size) for k in policy.logs] == [(old, 0, r), (done.new, r, None)]
    note = vault.public.note_path(r).read_bytes()
    opened = open_checkpoint(note, origin=vault.settings.origin, trusted=[old])
    assert len(opened.note.signatures) == 1
    assert isinstance(verify_signatures(opened.note.text, [line], trusted=[done.new]), Verified)
    assert vault.public.note_path(r).with_suffix(".cosigs").read_bytes().startswith("— development/".encode())
    assert rotations(vault) == 1
    assert check_start(reopened(vault)).problems == ()


def test_bundles_from_before_across_and_after_a_rotation_verify(story: Story) -> None:
    item = story.deposit(b"first")
    story.go_on(30)
    before = story.export(item)
    story.go_on(10)
    open_ended = policy_of(story)
    across = story.export(item)
    work = story.work()["export"]
    assert advance_due(
        story.vault, "export", singly(advance_export), owner="test"
    )  # sealed; M is still to come
    rotate_key(story.vault, "log")
    rotated_then = story.export(item)
    assert advance_due(story.vault, "export", work.stage, owner="test")  # sealed between the event and r
    story.go_on(30)
    second = story.deposit(b"second")
    story.go_on(30)
    rotate_key(story.vault, "log")
    story.go_on(30)
    after = story.export(item, second)
    story.go_on(10)
    text = policy_of(story)
    assert text.count("[[log]]") == 3
    for bundle in (before, across, rotated_then, after):
        report = verified(story, bundle, text)
        assert report.verdict is Verdict.TOTAL_PASSED, report
    assert verified(story, before, open_ended).verdict is Verdict.TOTAL_PASSED
    assert verified(story, after, open_ended).verdict is Verdict.INDETERMINATE  # the new key is to be named


def rotate_and_publish(vault: Vault) -> None:
    rotate_key(vault, "log")
    advance_log(vault)


CRASHES = {
    "key": (rotation, "create_key"),
    "event": (rotation, "append_event"),
    "guard": ("log_signer", "_save"),
    "countersign": ("log_signer", "countersign"),
    "row": (log, "add_checkpoint"),
    "line": (cosignatures, "add_cosignature"),
    "note": ("public", "write_note"),
    "cosigs": ("public", "write_cosignatures"),
    "checkpoint": ("public", "write_checkpoint"),
    "mark": (log, "mark_published"),
    "retire": (rotation, "promote_key"),
}


@pytest.mark.parametrize(
    ("persisted", "more"),
    [(False, True), (True, False), (True, True)],
    ids=["failed", "failed-but-persisted", "failed-but-persisted, and deposits go on"],
)
@pytest.mark.parametrize("point", CRASHES)
def test_rotation_after_a_crash_at_any_step_goes_on_to_exactly_one(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, point: str, persisted: bool, more: bool
) -> None:
    old = vault.log_signer.verifier_key
    owner, name = CRASHES[point]
    owner = type(getattr(vault, owner)) if isinstance(owner, str) else owner
    with dying_in(monkeypatch, owner, name, persisted=persisted):
        rotate_and_publish(vault)
    again = reopened(vault)
    assert check_start(again).problems == ()
    if more:
        deposit(again)
        advance_log(again)
    if rotations(again) == 0 or len(again.log_signer.verifier_keys) == 2:
        rotate_key(again, "log")  # the operator runs it again: it resumes
    for _ in range(2):
        advance_log(again)
        deposit(again)
        advance_log(again)
    assert rotations(again) == 1
    [new] = again.log_signer.verifier_keys
    assert new != old
    assert signers_of_published(again, old, new) == {new}
    with again.database.read() as session:
        [first, second] = log_keys(session)
        assert (first.key, second.key) == (old, new)
        assert cosignatures.cosignatures_of(session, [second.from_size])
        assert log.signed_only(session, below=10_000) == []  # r too is public, whatever came after it
        for size in published_sizes(session):
            kept = log.get_checkpoint(session, size)
            assert kept is not None
            key = old if size <= second.from_size else new
            opened = open_checkpoint(kept.note, origin=again.settings.origin, trusted=[key])
            assert isinstance(opened.signed, Verified), size
    assert check_start(reopened(again)).problems == ()


def test_vault_without_the_key_that_its_log_names_signs_nothing(vault: Vault) -> None:
    rotate_key(vault, "log")
    (vault.settings.home / "keys" / "log.next.key").unlink()
    again = reopened(vault)
    advance_log_fails(again)
    with pytest.raises(ConfigError, match="its file is not here"):
        rotate_key(reopened(vault), "log")
    assert rotations(vault) == 1


def advance_log_fails(vault: Vault) -> None:
    with pytest.raises(Exception, match="not in the keys folder"):
        advance_log(vault)
    assert any("not in the keys folder" in problem for problem in check_start(vault).problems)


def test_stranger_in_the_key_file_signs_nothing_in_the_logs_name(vault: Vault) -> None:
    (vault.settings.home / "keys" / "log.key").write_bytes(b"x" * 32)
    deposit(vault)
    with pytest.raises(ReadOnly, match="not in the keys folder"):
        advance_log(vault)


def test_receipts_by_a_retired_key_stay_good(vault: Vault) -> None:
    before = parse_receipt(deposit(vault).receipt)
    old = vault.receipt_signer.verifier_key
    done = rotate_key(vault, "receipt")
    again = reopened(vault)
    after = parse_receipt(deposit(again).receipt)
    assert again.receipt_signer.verifier_key == done.new != old
    advance_log(again)
    with again.database.read() as session:
        assert named_keys(session, "receipt") == (old, done.new)
        text = policy_text(again, session).partition("[[tsa]]")[0]
    [entry] = parse_policy(text.encode(), name="own").logs
    assert (entry.receipt_key, entry.former_receipt_keys) == (done.new, (old,))
    for receipt, key in ((before, old), (after, done.new)):
        verify_receipt(receipt, trusted=[key])
    assert encode_vkey(done.new).startswith(f"{again.settings.origin}/receipt+")
    assert check_start(again).problems == ()
    with again.database.read() as session:
        assert events.events_of(session, Subject(kind="log", id="log"))[1].type == "KEY_ROTATED"
