"""The operator holds the log's key, and lies. What he signs is genuine; what catches him is outside.

He can obtain real tokens and anchors, but only at the real time, and only for what he shows them. Each
test is one lie, told as well as he can tell it.
"""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from anchors.ethereum.proof import encode_proof
from evidence_vault.core import layout
from evidence_vault.core.disclosures import encode_disclosure
from evidence_vault.core.events import Subject
from evidence_vault.core.names import encode_time
from evidence_vault.core.notes import encode_signatures, parse_note, sign_note
from evidence_vault.verify.report import Verdict
from tests.verify.asking import ask, flaws, outcome
from tests.verify.forging import forge
from tests.verify.handmade import LOG, PLATFORM, START, Keys, Sealed, Vault, good_bundle
from tests.verify.outside import Authority, Chain, encode_prev


def item_of(name: str) -> Subject:
    return Subject(kind="item", id=name)


def recorded(vault: Vault) -> int:
    """A checkpoint with tokens of all groups, and an anchor."""
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    return size


# Back-dating.


def test_operator_who_backdates_a_deposit_is_found_late() -> None:
    """`at` before the times that were already recorded when the event entered the log."""
    vault = Vault()
    vault.receive(b"honest")
    recorded(vault)
    vault.now += timedelta(days=2)
    recorded(vault)
    item = vault.receive(b"late", at=encode_time(START + timedelta(minutes=1)))
    recorded(vault)
    report = ask(vault.export([item]))
    assert outcome(report) == "INDETERMINATE 8:time.late"


def test_operator_who_backdates_within_the_merge_delay_stays_within_the_bounds() -> None:
    """Half an hour can't be told from honest waiting; the verdict's time is the authorities', not `at`."""
    vault = Vault()
    vault.receive(b"honest")
    recorded(vault)
    vault.now += timedelta(minutes=30)
    item = vault.receive(b"late", at=encode_time(START))
    stamped = vault.now
    recorded(vault)
    report = ask(vault.export([item]))
    assert outcome(report) == "TOTAL-PASSED"
    assert report.items[0].record_time is not None
    assert report.items[0].record_time >= stamped


def test_operator_who_dates_an_event_after_it_was_recorded_fails() -> None:
    vault = Vault()
    item = vault.receive(b"x", at=encode_time(START + timedelta(hours=2)))
    recorded(vault)
    report = ask(vault.export([item]))
    assert outcome(report) == "TOTAL-FAILED 8:time.ahead"


# Hiding, dropping, reordering.


def hiding(good: Sealed, *, redated: bool) -> Sealed:
    """The log built again without one view; authorities and chain answer at the real time, a day later."""
    vault = Vault(opened=False, authorities=good.vault.authorities, chain=good.vault.chain)
    vault.now = good.vault.now + timedelta(days=1)
    hidden = layout.event_path(item_of(good.items[0]), 3)
    files = {path: data for path, data in good.files.items() if path != hidden}
    return forge(good, files, vault, redated=redated)


def test_operator_who_hides_an_event_needs_new_times_and_is_found_late() -> None:
    """A second history can be told, but not stamped in the past: the old claims no longer fit."""
    good = good_bundle()
    report = ask(hiding(good, redated=False), good.vault.policy())
    assert "8:time.late" in flaws(report)
    assert report.verdict is Verdict.INDETERMINATE


def test_operator_who_hides_an_event_and_dates_all_anew_loses_time_and_anchors() -> None:
    """What passes then, says: from today, and only where nobody asks for an anchor: the contract takes each
    size of a sender once, so the second history has none. Two bundles of two histories prove the fork."""
    good = good_bundle()
    policy = good.vault.policy()  # the chain as it was: with the first history's anchors
    other = hiding(good, redated=True)
    later = other.vault.now + timedelta(days=1)
    assert outcome(ask(good, policy, at=later)) == "TOTAL-PASSED"
    second = ask(other, policy, at=later)
    assert second.verdict is Verdict.INDETERMINATE
    assert second.items[0].unmet == ("anchors",)
    alone = ask(other, policy | {"require": {"tsa_groups": 2, "anchors": 0}}, at=later)
    assert alone.verdict is Verdict.TOTAL_PASSED
    assert all(
        item.record_time and item.record_time > good.vault.now + timedelta(days=1) for item in alone.items
    )
    same_size = [size for size in good.vault.notes if size in other.vault.notes]
    assert any(good.vault.notes[size] != other.vault.notes[size] for size in same_size)


def test_operator_who_forks_after_an_anchor_fails_at_prev() -> None:
    """The contract wrote the first history's checkpoint into the second one's anchor."""
    honest = Vault()
    honest.receive(b"shown to one")
    recorded(honest)
    forked = Vault(authorities=honest.authorities, chain=honest.chain)
    item = forked.receive(b"shown to another")
    size = forked.publish()
    for authority in forked.authorities:
        forked.stamp(size, authority)
    forked.view(item)
    two = forked.publish()
    for authority in forked.authorities:
        forked.stamp(two, authority)
    link = encode_prev(3, honest.head(3).root_hash)
    proof = forked.chain.anchor(two, forked.head(two).root_hash, forked.now, prev=link)
    forked.record_anchor(two, encode_proof(proof))
    report = ask(forked.export([item]))
    assert outcome(report) == "TOTAL-FAILED 6:mismatch(root of the anchor before)"


def test_operator_who_leaves_out_the_anchor_before_fails() -> None:
    vault = Vault()
    item = vault.receive(b"x")
    recorded(vault)
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size, prev=2)  # a checkpoint that the bundle doesn't have
    report = ask(vault.export([item]))
    assert outcome(report) == "TOTAL-FAILED 6:mismatch(checkpoint of the anchor before)"


def test_operator_who_reorders_a_subject_fails() -> None:
    """Index must rise with seq: the chain says one order, the log another."""
    vault = Vault()
    item = vault.receive(b"x")
    vault.view(item)
    vault.view(item)
    vault.order[-1], vault.order[-2] = vault.order[-2], vault.order[-1]
    vault.leaves[-1], vault.leaves[-2] = vault.leaves[-2], vault.leaves[-1]
    recorded(vault)
    assert outcome(ask(vault.export([item]))) == "TOTAL-FAILED 4:log.order"


def test_operator_who_logs_an_event_beside_the_chain_fails() -> None:
    """Each leaf is genuine; the event names another one before it."""
    vault = Vault()
    item = vault.receive(b"x")
    vault.view(item, prev="00" * 32)
    recorded(vault)
    assert outcome(ask(vault.export([item]))) == "TOTAL-FAILED 3:events.prev"


def test_operator_who_discloses_what_was_never_recorded_fails() -> None:
    vault = Vault()
    item = vault.receive(b"x")
    vault.disclosed[f"{item}/0"] = [encode_disclosure("file_name", "forged.jpg", salt=bytes(16))]
    recorded(vault)
    assert outcome(ask(vault.export([item]))) == "TOTAL-FAILED 3:mismatch(disclosure 'file_name')"


def test_operator_who_seals_other_parts_fails() -> None:
    """EXPORTED is in the log, over a list that was not this one."""
    vault = Vault()
    item = vault.receive(b"x")
    recorded(vault)
    sealed = vault.export([item])
    files = sealed.files | {layout.README: b"something else"}
    assert outcome(ask(sealed.changed(files, reseal="parts"))) == "TOTAL-FAILED 3:events.parts-changed"


def test_operator_who_cuts_off_the_newest_events_fails_at_the_seal_or_lacks_it() -> None:
    """EXPORTED is head + 1 of everything that was; leaving out a view needs another EXPORTED in the log."""
    good = good_bundle()
    subject = item_of(good.items[0])
    cut_off = [layout.event_path(subject, seq) for seq in (4, 5)]
    cut_off += [layout.inclusion_path(subject, seq) for seq in (4, 5)]
    files = {path: data for path, data in good.files.items() if path not in cut_off}
    for reseal in ("bag", "parts", "exported"):
        report = ask(good.changed(files, reseal=reseal), good.vault.policy())
        assert "3:events.not-sealed" in flaws(report)
        assert report.verdict is not Verdict.TOTAL_PASSED


def test_operator_who_exports_an_old_cut_is_seen_at_the_cut() -> None:
    """A cut before the deposit shows nothing of it."""
    vault = Vault()
    vault.receive(b"first")
    early = recorded(vault)
    item = vault.receive(b"second")
    recorded(vault)
    report = ask(vault.export([item], cut=early))
    assert report.verdict is Verdict.INDETERMINATE
    assert report.items[0].unmet == ("cut",)


@pytest.mark.parametrize("honest_cut", [True, False])
def test_thief_of_an_old_key_can_not_append(honest_cut: bool) -> None:
    """Trusted up to a time: what the stolen key signs later, onto the true log, doesn't pass."""
    vault = Vault()
    vault.receive(b"honest")
    early = recorded(vault)
    until = vault.now + timedelta(days=1)
    vault.now += timedelta(days=30)
    item = vault.receive(b"forged")
    recorded(vault)
    log = [vault.policy()["log"][0] | {"not_after": until}]
    sealed = vault.export([item], cut=early if honest_cut else None)
    report = ask(sealed, vault.policy(log=log), at=vault.now + timedelta(days=1))
    assert outcome(report) == ("INDETERMINATE" if honest_cut else "INDETERMINATE 4:log.key-expired")
    assert report.items[0].unmet == (("cut",) if honest_cut else ("row-4",))


# Proofs that are not over what they are recorded for.


def with_token(digest: bytes, authority: Authority, **own: Any) -> Sealed:
    vault = Vault()
    item = vault.receive(b"x")
    token = authority.stamp(digest, vault.now)
    vault.record_token(item_of(item), authority.name, token, **own)
    recorded(vault)
    return vault.export([item])


def test_recorded_token_over_another_digest_fails() -> None:
    report = ask(with_token(bytes(32), Authority("Alpha")))
    assert report.verdict is Verdict.TOTAL_FAILED
    assert any(flaw.startswith("5:mismatch") for flaw in flaws(report))


def test_recorded_imprint_of_another_file_fails() -> None:
    report = ask(with_token(bytes(32), Authority("Alpha"), imprint_sha256="00" * 32))
    assert outcome(report) == "TOTAL-FAILED 5:mismatch(recorded imprint)"


def test_recorded_token_of_a_stranger_is_open_and_does_not_count() -> None:
    report = ask(with_token(hashlib.sha256(b"x").digest(), Authority("Gamma")))
    assert flaws(report) == {"5:token.open"}
    assert report.items[0].content_time is None


def anchored_by(**changes: Any) -> tuple[Sealed, dict[str, Any]]:
    """An anchor that says what it is, from somewhere the policy doesn't name."""
    vault = Vault()
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    other = Chain(**changes)
    vault.anchor(size, chain=other)
    return vault.export([item]), vault.policy(chain=[other.policy])


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"contract": bytes(20)}, "6:mismatch(ethereum contract)"),
        ({"sender": bytes(20)}, "6:mismatch(ethereum sender)"),
        ({"chain_id": 1}, "6:anchor.unknown-contract"),
    ],
)
def test_recorded_anchor_from_elsewhere_does_not_count(changes: dict[str, Any], flaw: str) -> None:
    sealed, policy = anchored_by(**changes)
    report = ask(sealed, policy)
    assert flaws(report) == {flaw}
    assert report.verdict is not Verdict.TOTAL_PASSED


@pytest.mark.parametrize(
    ("size", "root", "flaw"),
    [
        (4, None, "6:mismatch(ethereum anchored size)"),
        (None, b"\x11" * 32, "6:mismatch(ethereum anchored root)"),
    ],
)
def test_recorded_anchor_of_another_tree_head_fails(size: int | None, root: bytes | None, flaw: str) -> None:
    vault = Vault()
    item = vault.receive(b"x")
    own = vault.publish()
    for authority in vault.authorities:
        vault.stamp(own, authority)
    proof = vault.chain.anchor(size or own, root or vault.head(own).root_hash, vault.now)
    vault.record_anchor(own, encode_proof(proof))
    assert outcome(ask(vault.export([item]))) == f"TOTAL-FAILED {flaw}"


def test_recorded_anchor_of_an_unknown_kind_is_open() -> None:
    vault = Vault()
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.record_anchor(size, b'{"kind":"stone","v":1}', anchor_kind="stone")
    report = ask(vault.export([item]))
    assert outcome(report) == "INDETERMINATE 6:anchor.unknown-kind"


def test_operator_who_signs_with_a_key_that_the_log_never_named_fails() -> None:
    """Two logs under one origin, one per key: the policy may know both, the log's own events only one."""
    vault = Vault()
    item = vault.receive(b"x")
    vault.keys = Keys("second")
    recorded(vault)
    report = ask(vault.export([item]))
    assert "4:log.unnamed-key" in flaws(report)
    assert report.verdict is Verdict.TOTAL_FAILED


def test_log_that_was_opened_after_its_first_leaf_fails() -> None:
    """Leaf 0 names the keys, before anything else is in the log."""
    vault = Vault(opened=False)
    item = vault.receive(b"x")
    vault.add(LOG, "LOG_OPENED", log_vkey=vault.keys.vkey, receipt_vkey=vault.keys.receipt_vkey, anchors=[])
    recorded(vault)
    assert outcome(ask(vault.export([item]))) == "TOTAL-FAILED 4:log.not-opened"


def test_event_of_an_unknown_type_is_open() -> None:
    vault = Vault()
    item = vault.receive(b"x")
    vault.add(item_of(item), "TELEPORTED", planet="Mars")
    recorded(vault)
    assert outcome(ask(vault.export([item]))) == "INDETERMINATE 3:events.unknown-type"


def test_key_rotation_is_followed() -> None:
    """The old key signs up to size r, the new one from r; KEY_ROTATED names it."""
    sealed, old, new, r = rotated()
    log = [
        sealed.vault.policy()["log"][0] | {"vkey": old, "last_size": r},
        sealed.vault.policy()["log"][0] | {"vkey": new, "from_size": r},
    ]
    assert outcome(ask(sealed, sealed.vault.policy(log=log))) == "TOTAL-PASSED"
    wrong = [log[0] | {"last_size": r - 1}, log[1]]
    assert "4:log.key-range" in flaws(ask(sealed, sealed.vault.policy(log=wrong)))
    only_old = ask(sealed, sealed.vault.policy(log=[log[0]]))
    assert flaws(only_old) == {"4:log.unknown-key"}
    assert only_old.verdict is Verdict.INDETERMINATE


def test_rotation_holds_also_where_the_policy_names_no_ranges() -> None:
    sealed, old, new, _ = rotated()
    assert outcome(ask(sealed, both(sealed, old, new))) == "TOTAL-PASSED"


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        ({"line": None}, "4:log.rotation"),  # the thief of the old key names a key of his, and can't do more
        ({"line": "stranger"}, "4:log.rotation"),
        ({"line": "other text"}, "4:log.rotation"),
        ({"old": "stranger"}, "4:log.rotation"),  # takes over from a key that was not in use
        ({"new": "honest"}, "4:log.rotation"),  # from a key to itself
        ({"after": "honest"}, "4:log.key-order"),  # the retired key signs on
        ({"at": "rotated"}, "4:log.key-order"),  # the new key signs r alone
        ({"event": False}, "4:log.unnamed-key"),  # the log never named it
    ],
    ids=str,
)
def test_rotation_that_was_not_signed_by_both_keys_fails(change: dict[str, Any], flaw: str) -> None:
    sealed, old, new, _ = rotated(**change)
    report = ask(sealed, both(sealed, old, new))
    assert flaw in flaws(report)
    assert report.verdict is Verdict.TOTAL_FAILED


def test_history_without_the_rotation_by_the_thief_of_the_old_key_stops_at_last_size() -> None:
    """He signs a second history as if no rotation had been: only a policy with last_size can know."""
    sealed, old, new, r = rotated(event=False, line=None, after="honest")
    open_ended = both(sealed, old, new)
    assert outcome(ask(sealed, open_ended)) == "TOTAL-PASSED"
    open_ended["log"][0]["last_size"] = r
    report = ask(sealed, open_ended)
    assert "4:log.key-range" in flaws(report)
    assert report.verdict is Verdict.TOTAL_FAILED


def test_rotation_event_that_is_missing_or_redacted_is_no_pass() -> None:
    sealed, old, new, _ = rotated()
    gone = {path: data for path, data in sealed.files.items() if "/log/1." not in path}
    for reseal in ("bag", "parts", "exported"):
        report = ask(sealed.changed(gone, reseal=reseal), both(sealed, old, new))
        assert report.verdict is Verdict.TOTAL_FAILED
        assert "4:log.unnamed-key" in flaws(report)
    hidden = {**gone, "proof/events/log/1.redacted.json": b"{}"}
    assert ask(sealed.changed(hidden), both(sealed, old, new)).verdict is Verdict.UNREADABLE


def test_two_rotations_follow_each_other() -> None:
    vault = Vault()
    item = vault.receive(b"x")
    vkeys = [vault.keys.vkey]
    recorded(vault)
    for seed in ("second", "third"):
        rotate(vault, Keys(seed))
        vkeys.append(vault.keys.vkey)
        vault.view(item)
        recorded(vault)
    policy = vault.policy(log=[vault.policy()["log"][0] | {"vkey": vkey} for vkey in vkeys])
    assert outcome(ask(vault.export([item]), policy)) == "TOTAL-PASSED"


def both(sealed: Sealed, old: str, new: str) -> dict[str, Any]:
    """A policy that names both keys, and no sizes."""
    log = sealed.vault.policy()["log"][0]
    return sealed.vault.policy(log=[log | {"vkey": old}, log | {"vkey": new}])


def rotate(
    vault: Vault,
    new: Keys,
    *,
    old: str | None = None,
    named: str | None = None,
    line: str | None = "rotated",
    at: str | None = None,
    event: bool = True,
) -> int:
    """Rotate as an honest vault does, but for what is said otherwise; return r."""
    if event:
        old_vkey = Keys(old).vkey if old else vault.keys.vkey
        new_vkey = Keys(named).vkey if named else new.vkey
        vault.add(LOG, "KEY_ROTATED", purpose="log", old_vkey=old_vkey, new_vkey=new_vkey)
    before = vault.keys
    vault.keys = Keys(at) if at else before
    r = vault.publish()
    if line:
        text = parse_note(vault.notes[r]).text
        signer = Keys("stranger") if line == "stranger" else new
        signed = sign_note(
            text if line != "other text" else text + "more\n", name=before.origin, private_key=signer.log
        )
        vault.cosigs[r] = encode_signatures([signed])
    vault.keys = new
    return r


def rotated(*, new: str = "rotated", after: str = "rotated", **lies: Any) -> tuple[Sealed, str, str, int]:
    vault = Vault()
    old = vault.keys
    item = vault.receive(b"x")
    recorded(vault)
    named = None if new == "rotated" else new
    r = rotate(vault, Keys("rotated"), named=named, **lies)
    vault.keys = Keys(after)
    vault.view(item)
    recorded(vault)
    return vault.export([item]), old.vkey, Keys("rotated").vkey, r


def test_incident_that_overlaps_is_told() -> None:
    vault = Vault()
    incident: Any = {
        "incident": "i1",
        "kind": "clock",
        "began_at": encode_time(START),
        "summary": "An hour off.",
    }
    vault.add(PLATFORM, "INCIDENT_NOTED", ended_at=None, **incident)
    item = vault.receive(b"x")
    recorded(vault)
    report = ask(vault.export([item]))
    assert flaws(report) == {"11:platform.incident"}


def incident_outcome(*noted: tuple[int, int | None], name: str = "i") -> set[str]:
    """Flaws of a bundle after these (began, ended), minutes from the deposit, were noted of one incident."""
    vault = Vault()
    item = vault.receive(b"x")
    at = vault.events[Subject(kind="item", id=item)][0].at
    for began, ended in noted:
        vault.add(
            PLATFORM,
            "INCIDENT_NOTED",
            incident=name,
            kind="fixity",
            began_at=encode_time(at + timedelta(minutes=began)),
            ended_at=None if ended is None else encode_time(at + timedelta(minutes=ended)),
            summary="A disk.",
        )
    recorded(vault)
    return flaws(ask(vault.export([item])))


@pytest.mark.parametrize(
    ("noted", "overlaps"),
    [
        ([(-20, -10)], False),
        ([(-20, None)], True),  # nobody knows whether it ended
        ([(-20, None), (-20, -10)], False),  # it went on, and then ended
        ([(-20, 0)], True),
        ([(-20, 10)], True),
        ([(-20, 10), (-20, -10)], True),  # made smaller afterwards
        ([(-20, 10), (-20, None), (-20, -10)], True),
    ],
)
def test_incident_counts_at_its_widest(noted: list[tuple[int, int | None]], overlaps: bool) -> None:
    assert incident_outcome(*noted) == ({"11:platform.incident"} if overlaps else set())


@pytest.mark.parametrize(
    ("mended", "code"), [(False, "content.fixity-failed"), (True, "content.fixity-failed-once")]
)
def test_vault_that_found_its_copy_damaged_says_so_beside_the_comparison(mended: bool, code: str) -> None:
    vault = Vault()
    item = vault.receive(b"x")
    subject = Subject(kind="item", id=item)
    digest = hashlib.sha256(b"x").hexdigest()
    failed: dict[str, Any] = {"cause": "unreadable", "expected_sha256": digest, "found_sha256": None}
    vault.add(subject, "FIXITY_FAILED", **failed, result="failed")
    if mended:
        vault.add(subject, "FIXITY_CHECKED", sha256=digest)
    recorded(vault)
    report = ask(vault.export([item]))
    assert {finding.code for finding in report.items[0].rows[1].findings} == {"content.same", code}
    assert outcome(report) == "TOTAL-PASSED"
