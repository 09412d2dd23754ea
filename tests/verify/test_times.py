"""Row 8, and when a token counts: authorities that lie, certificates that end, authorities no longer trusted."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anchors.ethereum.proof import encode_proof
from evidence_vault.core import layout
from evidence_vault.core.events import Subject
from evidence_vault.core.merkle import prove_consistency
from evidence_vault.verify.report import Report, Verdict
from tests.verify.asking import ask, flaws, outcome
from tests.verify.handmade import START, Vault, encode_consistency
from tests.verify.outside import Authority, Chain

HOUR = timedelta(hours=1)
THREE = ("Alpha", "Beta", "Gamma")


def story(vault: Vault, *, rounds: int = 3) -> str:
    """An item, and rounds of view, checkpoint, tokens and anchor, two hours apart."""
    item = vault.receive(b"x")
    for _ in range(rounds):
        vault.view(item)
        size = vault.publish()
        for authority in vault.authorities:
            vault.stamp(size, authority)
        vault.anchor(size)
        vault.now += 2 * HOUR
    return item


def ask_about(authorities: Sequence[Authority], chain: Chain | None = None, **require: Any) -> Report:
    vault = Vault(authorities=authorities, chain=chain)
    item = story(vault)
    return ask(vault.export([item]), vault.policy(require={"tsa_groups": 2, "anchors": 1} | require))


@pytest.mark.parametrize("ahead", [-24 * HOUR, -3 * HOUR, 3 * HOUR, 24 * HOUR])
def test_one_lying_authority_of_three_does_not_move_the_verdicts_time(ahead: timedelta) -> None:
    report = ask_about([Authority("Alpha"), Authority("Beta"), Authority("Gamma", ahead=ahead)])
    record = report.items[0].record_time
    assert record is not None
    assert abs(record - START) < timedelta(minutes=1)
    assert report.verdict is not Verdict.TOTAL_FAILED


@pytest.mark.parametrize("ahead", [-24 * HOUR, -3 * HOUR, 3 * HOUR, 24 * HOUR])
def test_one_lying_authority_of_three_is_named(ahead: timedelta) -> None:
    report = ask_about([Authority("Alpha"), Authority("Beta"), Authority("Gamma", ahead=ahead)])
    assert outcome(report) == "INDETERMINATE 8:time.dissent"
    named = {
        f.values["group"] for row in report.items[0].rows for f in row.findings if f.code == "time.dissent"
    }
    assert named == {"Gamma group"}


@pytest.mark.parametrize("ahead", [-24 * HOUR, 24 * HOUR])
def test_lying_authority_of_one_with_k_of_one_contradicts_the_chain(ahead: timedelta) -> None:
    """Two sources, each against the other: nobody can say which one is wrong."""
    report = ask_about([Authority("Alpha", ahead=ahead)], tsa_groups=1)
    assert "8:time.contradiction" in flaws(report)
    assert report.verdict is Verdict.TOTAL_FAILED


def test_lying_chain_is_named() -> None:
    report = ask_about([Authority("Alpha"), Authority("Beta")], Chain(ahead=-24 * HOUR))
    assert outcome(report) == "INDETERMINATE 8:time.dissent"


def test_sources_within_skew_agree() -> None:
    late = timedelta(seconds=50)
    report = ask_about([Authority("Alpha"), Authority("Beta", ahead=late), Authority("Gamma", ahead=-late)])
    assert outcome(report) == "TOTAL-PASSED"


def test_verdict_time_is_the_second_earliest_group() -> None:
    early, late = timedelta(seconds=-40), timedelta(seconds=40)
    report = ask_about([Authority("Alpha", ahead=early), Authority("Beta"), Authority("Gamma", ahead=late)])
    record = report.items[0].record_time
    assert record == START + timedelta(seconds=5 + 1)  # the token is accurate to a second


def test_token_recorded_after_an_event_does_not_bound_it_from_below() -> None:
    """L counts only what was recorded before: a later record could be made up to fit."""
    vault = Vault()
    item = vault.receive(b"x")
    size = vault.publish()
    vault.view(item)
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.view(item)
    vault.anchor(size)
    two = vault.publish()
    for authority in vault.authorities:
        vault.stamp(two, authority)
    bounds = ask(vault.export([item])).items[0].bounds
    assert [bound.not_before is not None for bound in bounds] == [False, False, True, True]
    assert [bound.not_after is not None for bound in bounds] == [True, True, True, False]


# Certificates that end.

ENDS = datetime(2026, 11, 23, tzinfo=UTC)


def expired(*, later_proof: str | None, revoked: bool = False) -> Report:
    """Alpha's certificate ends (or is revoked) a day on; asked a year later. Who shows that its token is older?"""
    alpha = Authority("Alpha", not_after=ENDS if not revoked else datetime(2050, 1, 1, tzinfo=UTC))
    other = Authority("Beta" if later_proof == "other group" else "Alpha two", group="Alpha group")
    if later_proof == "other group":
        other = Authority("Beta")
    vault = Vault(authorities=[alpha, other])
    item = vault.receive(b"x")
    size = vault.publish()
    token = vault.stamp(size, alpha)
    if revoked:
        place = f"proof/timestamps/{size}/0/revocation/0.crl"
        vault.parts[place] = alpha.revoke(ENDS)
    assert token.response
    if later_proof == "not over the record":
        vault.stamp(size, Authority("Beta"))
        vault.authorities.append(Authority("Beta"))
    two = vault.publish()
    if later_proof in ("other group", "same group"):
        vault.stamp(two, other)
    if later_proof == "block":
        vault.anchor(two)
    if later_proof == "late":
        vault.now += timedelta(days=30)
        vault.stamp(two, Authority("Beta"))
        vault.authorities.append(Authority("Beta"))
    policy = vault.policy(require={"tsa_groups": 1, "anchors": 0})
    sealed = vault.export([item], cut=size if later_proof in (None, "not over the record") else two)
    return ask(sealed, policy, at=datetime(2027, 11, 23, tzinfo=UTC))


@pytest.mark.parametrize("revoked", [False, True])
@pytest.mark.parametrize("later_proof", ["other group", "block"])
def test_token_of_a_certificate_that_ended_counts_with_proof_that_it_is_older(
    later_proof: str, revoked: bool
) -> None:
    report = expired(later_proof=later_proof, revoked=revoked)
    assert outcome(report) == "TOTAL-PASSED"
    assert "Alpha group" in report.items[0].record_groups


@pytest.mark.parametrize("revoked", [False, True])
@pytest.mark.parametrize("later_proof", [None, "same group", "late", "not over the record"])
def test_token_of_a_certificate_that_ended_does_not_count_without_proof(
    later_proof: str | None, revoked: bool
) -> None:
    report = expired(later_proof=later_proof, revoked=revoked)
    assert "5:token.open" in flaws(report)
    alpha = [time for time in report.items[0].record_groups if time == "Alpha group"]
    assert alpha == (["Alpha group"] if later_proof == "same group" else [])


@pytest.mark.parametrize(("days", "counts"), [(1, True), (-1, False)])
def test_authority_no_longer_trusted_counts_until_then(days: int, counts: bool) -> None:
    vault = Vault()
    item = story(vault, rounds=2)
    alpha, beta = vault.policy()["tsa"]
    trusted = [alpha | {"distrust_after": START + timedelta(days=days)}, beta]
    report = ask(vault.export([item]), vault.policy(tsa=trusted))
    assert (report.verdict is Verdict.TOTAL_PASSED) == counts, outcome(report)
    assert ("Alpha group" in report.items[0].record_groups) == counts


def test_token_from_the_future_fails() -> None:
    vault = Vault(authorities=[Authority("Alpha", ahead=timedelta(days=60)), Authority("Beta")])
    item = story(vault)
    report = ask(vault.export([item]))
    assert "5:mismatch(RFC 3161 §2.4.2 genTime)" in flaws(report)


def test_content_time_never_fills_in_for_the_record_time() -> None:
    """Tokens on the file alone: somebody had it, nobody recorded it."""
    vault = Vault()
    item = vault.receive(b"x")
    for authority in vault.authorities:
        vault.stamp_item(item, authority)
    size = vault.publish()
    vault.anchor(size)
    report = ask(vault.export([item], cut=size))
    assert report.items[0].content_time is not None
    assert report.items[0].record_time is None
    assert "tsa-groups" in report.items[0].unmet
    assert report.verdict is Verdict.INDETERMINATE


def test_added_token_informs_and_changes_nothing() -> None:
    vault = Vault()
    item = vault.receive(b"x")
    size = vault.publish()
    vault.stamp(size, vault.authorities[0])
    vault.anchor(size)
    sealed = vault.export([item])
    token = vault.authorities[1].stamp(hashlib.sha256(vault.notes[size]).digest(), vault.now)
    files = sealed.files | token.files(f"proof/added/timestamps/{size}/0")
    report = ask(sealed.changed(files))
    assert report.items[0].unmet == ("tsa-groups",)
    assert "token.added" in {f.code for row in report.items[0].rows for f in row.findings}
    wrong = vault.authorities[1].stamp(bytes(32), vault.now)
    files = sealed.files | wrong.files(f"proof/added/timestamps/{size}/0")
    assert ask(sealed.changed(files)).verdict is Verdict.INDETERMINATE


def test_added_anchor_meets_the_requirement() -> None:
    """Proofs that came after the export: the anchor of a later checkpoint, and the way to it."""
    vault = Vault()
    item = vault.receive(b"x")
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    sealed = vault.export([item])
    assert ask(sealed).items[0].unmet == ("anchors",)
    newest = max(vault.notes)
    vault.view(item)
    later = vault.publish()
    proof = vault.chain.anchor(later, vault.head(later).root_hash, vault.now)
    files = sealed.files | {
        layout.note_path(later, added=True): vault.notes[later],
        layout.consistency_path(newest, later, added=True): encode_consistency(
            prove_consistency(newest, later, vault.read)
        ),
        layout.anchor_path(later, 0, added=True): encode_proof(proof),
    }
    assert outcome(ask(sealed.changed(files))) == "TOTAL-PASSED"
    del files[layout.consistency_path(newest, later, added=True)]
    assert ask(sealed.changed(files)).items[0].unmet == ("anchors",)


def test_incident_subject_is_listed_by_log_order() -> None:
    vault = Vault()
    item = story(vault)
    bounds = ask(vault.export([item])).items[0].bounds
    assert [bound.seq for bound in bounds] == list(range(len(vault.events[Subject(kind="item", id=item)])))
