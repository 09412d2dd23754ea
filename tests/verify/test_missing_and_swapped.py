"""Nothing passes without any one of its files, or under a policy that names anybody else."""

from typing import Any

import pytest

from anchors.values import replace
from evidence_vault.core import layout
from evidence_vault.verify.report import Verdict
from tests.verify.asking import ask, flaws, outcome
from tests.verify.handmade import Keys, Sealed, good_bundle
from tests.verify.outside import Authority

PASSED = {Verdict.TOTAL_PASSED, Verdict.DEVELOPMENT_PASSED}


@pytest.fixture(scope="module")
def good() -> Sealed:
    return good_bundle().with_bag()


@pytest.mark.parametrize("reseal", ["raw", "bag", "parts", "exported"])
def test_bundle_without_any_one_of_its_files_never_passes(good: Sealed, reseal: str) -> None:
    passed = []
    resealed = {layout.PARTS} if reseal in ("parts", "exported") else set()
    for path in good.files.keys() - resealed:
        files = {other: data for other, data in good.files.items() if other != path}
        if ask(good.changed(files, reseal=reseal), good.vault.policy()).verdict in PASSED:
            passed.append(path)
    assert passed == []


def test_bundle_without_any_one_of_its_bag_files_is_unreadable(good: Sealed) -> None:
    assert good.bag is not None
    for path in good.bag:
        bag = {other: data for other, data in good.bag.items() if other != path}
        report = ask(replace(good, bag=bag), good.vault.policy())
        assert outcome(report) == f"UNREADABLE {path}"


def changed(good: Sealed, table: str, **changes: Any) -> dict[str, Any]:
    policy = good.vault.policy()
    return policy | {table: [policy[table][0] | changes, *policy[table][1:]]}


def anchored(good: Sealed, **changes: Any) -> dict[str, Any]:
    return changed(good, "log", anchor=[good.vault.chain.anchor_policy | changes])


def known(good: Sealed, **changes: Any) -> dict[str, Any]:
    blocks = good.vault.chain.policy["known_blocks"]
    return changed(good, "chain", known_blocks=[block | changes for block in blocks])


@pytest.mark.parametrize(
    ("policy", "flaw"),
    [
        (lambda g: changed(g, "log", vkey=Keys("attacker").vkey), "4:log.unknown-key"),
        (
            lambda g: changed(g, "log", origin="a.example/log", vkey=Keys("x", "a.example/log").vkey),
            "4:log.unknown",
        ),
        (lambda g: changed(g, "log", **{"class": "test"}), "4:log.class"),
        (lambda g: changed(g, "log", from_size=9), "4:log.key-range"),
        (lambda g: changed(g, "log", last_size=20), "4:log.key-range"),
        (lambda g: changed(g, "log", not_after="2026-11-22T16:00:17Z"), "4:log.key-expired"),
        (lambda g: changed(g, "tsa", roots=[Authority("Gamma").root_pem]), "5:token.open"),
        (lambda g: changed(g, "tsa", policies=["1.2.3"]), "5:token.open"),
        (lambda g: changed(g, "tsa", distrust_after="2026-11-22T16:00:00Z"), "5:token.open"),
        (lambda g: changed(g, "tsa", group="Beta group"), None),
        (lambda g: g.vault.policy(tsa=None), "5:token.open"),
        (lambda g: anchored(g, contract="00" * 20), "6:mismatch(ethereum contract)"),
        (lambda g: anchored(g, sender="00" * 20), "6:mismatch(ethereum sender)"),
        (lambda g: anchored(g, chain=1), "6:anchor.unknown-contract"),
        (lambda g: anchored(g, to_size=7), "6:anchor.unknown-contract"),
        (lambda g: anchored(g, from_size=14), "6:anchor.unknown-contract"),
        (lambda g: changed(g, "chain", chain_id=1), "7:anchor.unconfirmed"),
        (lambda g: known(g, hash="00" * 32), "7:anchor.unconfirmed"),
        (lambda g: known(g, number=1, hash="00" * 32), "7:anchor.unconfirmed"),
        (lambda g: g.vault.policy(chain=None), "7:anchor.unconfirmed"),
        (lambda g: g.vault.policy(algorithms={"refuse": {"sha256": "2026-11-30"}}), "10:algorithm.refused"),
        (lambda g: g.vault.policy(algorithms={"refuse": {"ed25519": "2026-11-30"}}), "10:algorithm.refused"),
        (lambda g: g.vault.policy(algorithms={"refuse": {"secp256r1": "2026-11-22"}}), "5:token.open"),
    ],
)
def test_policy_that_names_another_never_passes(good: Sealed, policy: Any, flaw: str | None) -> None:
    report = ask(good, policy(good))
    assert report.verdict not in PASSED
    assert flaw is None or flaw in flaws(report), outcome(report)


def test_policy_entry_left_out_never_passes(good: Sealed) -> None:
    """Every entry that is no limit: taken out whole, one after the other."""
    policy = good.vault.policy()
    for name in ("log", "tsa", "chain"):
        for number in range(len(policy[name])):
            rest = [entry for place, entry in enumerate(policy[name]) if place != number]
            report = ask(good, {k: v for k, v in (policy | {name: rest}).items() if v != []})
            assert report.verdict is Verdict.INDETERMINATE, (name, number)


def test_key_trusted_until_after_the_cut_passes(good: Sealed) -> None:
    policy = changed(good, "log", not_after="2026-11-22T16:00:19Z")
    assert outcome(ask(good, policy)) == "TOTAL-PASSED"
