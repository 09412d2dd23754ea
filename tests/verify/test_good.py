"""Bundles that nobody touched: what passes, what doesn't suffice, and what is told."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence_vault.core import layout
from evidence_vault.verify.render import verdict_line
from evidence_vault.verify.report import Report, Status
from evidence_vault.verify.verifier import verify_path
from tests.verify.asking import GIVEN, ask, hand_in, outcome, policy_of, verify_bytes
from tests.verify.handmade import Sealed, Vault, good_bundle, good_vault, sha256_hex, small_bundle
from tests.verify.outside import Authority, Chain


@pytest.fixture(scope="module")
def good() -> Sealed:
    return good_bundle()


def test_export_repeated_gives_the_same_bytes() -> None:
    assert good_bundle().zip() == good_bundle().zip()


def test_verify_good_bundle_is_total_passed(good: Sealed) -> None:
    report = ask(good)
    assert outcome(report) == "TOTAL-PASSED"
    assert report.exit_code == 0
    assert {row.number: row.status for row in report.items[0].rows} == {
        **dict.fromkeys((1, 2, 3, 4, 5, 6, 7, 8, 10, 11), Status.PASSED),
        9: Status.NOT_PRESENT,
    }
    assert report.items[0].record_groups == ("Alpha group", "Beta group")
    assert report.items[0].record_time == datetime(2026, 11, 22, 16, 0, 10, tzinfo=UTC)
    assert report.items[0].content_time == datetime(2026, 11, 22, 16, 0, 7, tzinfo=UTC)
    assert report.cut_time == datetime(2026, 11, 22, 16, 0, 19, tzinfo=UTC)


def test_verify_unpacked_folder_gives_the_report_of_the_zip(good: Sealed, tmp_path: Path) -> None:
    packed = tmp_path / "bundle.zip"
    packed.write_bytes(good.zip())
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path)
    policy = policy_of(good.vault.policy())
    folder = verify_path(tmp_path / f"ev-{good.bundle}", policy, at=GIVEN)
    assert outcome(folder) == "TOTAL-PASSED"
    assert folder == verify_path(packed, policy, at=GIVEN)


def test_verify_development_class_is_development_passed() -> None:
    chain = Chain(chain_class="development")
    authorities = [Authority(name, tsa_class="development") for name in ("Alpha", "Beta")]
    report = ask(good_bundle(env="development", chain=chain, authorities=authorities))
    assert outcome(report) == "DEVELOPMENT-PASSED"
    assert report.exit_code == 5


@pytest.mark.parametrize("development", ["log", "authority", "chain"])
def test_verify_any_development_evidence_is_not_total_passed(development: str) -> None:
    classes = {
        name: "development" if name == development else "production" for name in ("log", "authority", "chain")
    }
    report = ask(
        good_bundle(
            env=classes["log"],
            authorities=[Authority("Alpha"), Authority("Beta", tsa_class=classes["authority"])],
            chain=Chain(chain_class=classes["chain"]),
        )
    )
    assert outcome(report) == "DEVELOPMENT-PASSED"


def test_verify_under_a_policy_that_trusts_nobody_is_indeterminate(good: Sealed) -> None:
    report = ask(good, {"version": 1})
    assert report.exit_code == 3
    assert outcome(report).startswith("INDETERMINATE 4:log.unknown 5:token.open")
    assert Status.FAILED not in {row.status for item in report.items for row in item.rows}


@pytest.mark.parametrize(
    ("require", "unmet"),
    [
        ({"tsa_groups": 3}, {"tsa-groups"}),
        ({"anchors": 2}, {"anchors"}),
        ({"witnesses": 1}, {"witnesses"}),
        ({"tsa_groups": 0, "anchors": 0, "content": False}, set()),
        ({"full_chain": True}, set()),
    ],
)
def test_verify_requirement_is_met_or_named(good: Sealed, require: dict[str, Any], unmet: set[str]) -> None:
    report = ask(good, good.vault.policy(require=require))
    assert {key for item in report.items for key in item.unmet} == unmet
    assert outcome(report).startswith("INDETERMINATE" if unmet else "TOTAL-PASSED")


def test_verify_two_authorities_of_one_group_count_once() -> None:
    one_root = [Authority("Alpha", group="Root Operator"), Authority("Beta", group="Root Operator")]
    report = ask(good_bundle(authorities=one_root))
    assert report.exit_code == 3
    assert "tsa-groups" in report.items[0].unmet


def test_verify_beyond_max_age_is_indeterminate(good: Sealed) -> None:
    policy = good.vault.policy(max_age_days=8)
    assert outcome(ask(good, policy, at=datetime(2026, 11, 30, 16, 0, 19, tzinfo=UTC))) == "TOTAL-PASSED"
    late = ask(good, policy, at=datetime(2026, 11, 30, 16, 0, 20, tzinfo=UTC))
    assert late.exit_code == 3
    assert late.items[0].unmet == ("too-old",)


def test_verify_without_blocks_that_are_known_is_indeterminate(good: Sealed) -> None:
    chain = good.vault.chain.policy | {"known_blocks": []}
    report = ask(good, good.vault.policy(chain=[chain]))
    assert outcome(report) == "INDETERMINATE 7:anchor.unconfirmed"
    assert report.items[0].unmet == ("anchors",)


# Content.


def items_of(report: Report) -> list[tuple[str, tuple[str, ...]]]:
    return [(str(item.verdict), item.unmet) for item in report.items]


def hash_only() -> tuple[Sealed, str]:
    vault = Vault()
    item = vault.receive(b"a secret", mode="hash", digests={"sha256": sha256_hex(b"a secret")}, size=None)
    vault.contents[item] = None
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    return vault.export([item]), item


def test_verify_hash_only_item_without_its_file_is_record_intact() -> None:
    report = ask(hash_only()[0])
    assert items_of(report) == [("INDETERMINATE", ("no-content-compared",))]
    assert report.items[0].rows[1].status is Status.NOT_PRESENT


def test_verify_hash_only_item_with_its_file_is_total_passed() -> None:
    assert outcome(ask(hash_only()[0], files={"any name": b"a secret"})) == "TOTAL-PASSED"


def test_verify_hash_only_item_with_another_file_is_failed_and_the_item_is_not() -> None:
    report = ask(hash_only()[0], files={"secret.txt": b"another"})
    assert outcome(report) == "TOTAL-FAILED"
    assert report.exit_code == 2
    assert items_of(report) == [("INDETERMINATE", ("no-content-compared",))]
    assert [(one.name, one.status, one.compared) for one in report.files] == [("secret.txt", "FAILED", 1)]
    assert verdict_line(report, "en") == (
        "TOTAL-FAILED: Does not match: the file handed in, secret.txt, is the content of no item in this bundle (1 "
        "compared)."
    )


def test_verify_file_beside_a_commitment_is_not_said_to_be_another() -> None:
    vault = Vault()
    vault.receive(b"", digests={"commitment": "00" * 32}, mode="commitment", size=None)
    item = next(iter(vault.contents))
    vault.contents[item] = None
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    report = ask(vault.export([item]), files={"x": b"it may be this one"})
    assert report.verdict == "INDETERMINATE"
    assert [(one.status, one.compared, one.sealed) for one in report.files] == [("INDETERMINATE", 0, 1)]


def test_verify_content_withheld_is_record_intact() -> None:
    vault, items = good_vault()
    vault.contents[items[0]] = None
    report = ask(vault.export(items))
    assert {item.item: item.verdict for item in report.items} == {
        items[0]: "INDETERMINATE",
        items[1]: "TOTAL-PASSED",
    }
    assert report.verdict == "INDETERMINATE"


def test_verify_handed_in_file_is_matched_by_digest(good: Sealed) -> None:
    same = ask(good, files={"x": b"the second picture"})
    assert (outcome(same), same.files[0].items) == ("TOTAL-PASSED", (good.items[1],))
    other = ask(good, files={"first.jpg": b"the first picturf"})
    assert (outcome(other), other.files[0].items) == ("TOTAL-FAILED", ())
    assert {verdict for verdict, _ in items_of(other)} == {"TOTAL-PASSED"}, "the items are what they were"


def test_verify_two_handed_in_files_of_one_name_are_both_compared(good: Sealed) -> None:
    same, other = hand_in("picture.jpg", b"the first picture"), hand_in("picture.jpg", b"another picture")
    for files in ([same, other], [other, same]):
        report = verify_bytes(good.zip(), policy_of(good.vault.policy()), handed_in=files)
        assert outcome(report) == "TOTAL-FAILED"
        assert {one.status for one in report.files} == {"PASSED", "FAILED"}


def test_verify_item_said_never_deposited_though_it_was_is_failed(good: Sealed) -> None:
    item = good.items[0]
    files = {path: data for path, data in good.files.items() if path != layout.content_path(item)}
    files[layout.no_content_path(item)] = layout.NEVER_DEPOSITED
    report = ask(good.changed(files))
    assert "2:content.denied" in outcome(report)
    assert report.exit_code == 2


def test_verify_small_bundle_is_total_passed() -> None:
    assert outcome(ask(small_bundle())) == "TOTAL-PASSED"
