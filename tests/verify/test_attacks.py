"""Attacks on the verifier that once worked: crashes, one counted as two, and words that claimed too much."""

import argparse
import io
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence_vault.core import layout
from evidence_vault.core.events import MAX_FIELDS, Subject, encode_event, parse_event
from evidence_vault.errors import ConfigError, FormatError
from evidence_vault.verify import command
from evidence_vault.verify.checks.anchor_facts import AnchorFact
from evidence_vault.verify.escaping import escape
from evidence_vault.verify.reader import FileDigest, FolderFiles
from evidence_vault.verify.report import MAX_SHOWN, Findings, Status, Verdict
from evidence_vault.verify.trust import parse_policy
from evidence_vault.verify.verdict import chain_is_full
from tests.verify.asking import ask, flaws, outcome, policy_of, verify_bytes, write_policy
from tests.verify.handmade import PLATFORM, Sealed, Vault, good_bundle, sha256_hex, small_bundle
from tests.verify.outside import Authority, Chain


@pytest.fixture(scope="module")
def small() -> Sealed:
    return small_bundle()


def recorded(bundle: Sealed, event_type: str) -> tuple[Subject, int]:
    return next(
        (subject, event.seq)
        for subject, history in bundle.vault.events.items()
        for event in history
        if event.type == event_type
    )


# Events that stand where they don't belong.


def test_verify_anchoring_event_among_an_items_events_is_failed(small: Sealed) -> None:
    subject, seq = recorded(small, "CHECKPOINT_ANCHORED")
    event = small.vault.events[subject][seq].raw
    moved = small.changed({**small.files, f"proof/events/{small.items[0]}/9.json": event}, reseal="parts")
    assert "3:events.misplaced" in flaws(ask(moved))


@pytest.mark.parametrize("folder", ["platform", "item"])
def test_verify_content_token_without_a_deposit_is_failed(small: Sealed, folder: str) -> None:
    item = small.items[0]
    subject, seq = recorded(small, "CHECKPOINT_TIMESTAMPED")
    fields: dict[str, Any] = dict(small.vault.events[subject][seq].fields)
    event = encode_event(
        fields
        | {
            "type": "TIMESTAMP_OBTAINED",
            "subject": {"kind": "item", "id": item},
            "seq": 9,
            "prev": "00" * 32,
        }
    )
    place = item if folder == "item" else folder
    token = f"{layout.timestamp_folder(subject, seq)}/"
    parts = {
        f"proof/timestamps/{place}/9/{path.removeprefix(token)}": data
        for path, data in small.files.items()
        if path.startswith(token)
    }
    files = {**small.files, f"proof/events/{place}/9.json": event.raw, **parts}
    if folder == "item":
        files[f"proof/events/{item}/0.json"] = small.vault.events[PLATFORM][0].raw
    assert "3:events.misplaced" in flaws(ask(small.changed(files, reseal="parts")))


# What the calendar and memory don't hold.


@pytest.mark.parametrize("at", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
def test_verify_at_the_ends_of_the_calendar_is_refused(small: Sealed, at: datetime) -> None:
    with pytest.raises(ConfigError):
        ask(small, at=at)


def test_parse_event_of_unknown_type_keeps_only_what_is_common(small: Sealed) -> None:
    fields: dict[str, Any] = dict(small.vault.events[PLATFORM][0].fields)
    big = parse_event(encode_event(fields | {"type": "NEW_THING", "heap": [[] for _ in range(5000)]}).raw)
    assert big.fields["heap"] is None
    with pytest.raises(FormatError, match=f"at most {MAX_FIELDS} fields"):
        encode_event(fields | {"type": "NEW_THING"} | dict.fromkeys(map(str, range(MAX_FIELDS))))


def test_row_of_many_findings_shows_some_and_counts_the_rest() -> None:
    findings = Findings()
    for number in range(MAX_SHOWN + 7):
        findings.passed(3, "events.chain", str(number), count=1)
    findings.failed(3, "events.gap", "x", item="it_1")
    row = findings.row(3, "it_1")
    assert row.status is Status.FAILED
    assert [finding.code for finding in row.findings[-2:]] == ["events.gap", "more"]
    assert row.findings[-1].values == {"count": "7"}
    assert len(row.findings) == MAX_SHOWN + 2


def test_verify_handed_in_file_without_every_digest_is_compared_by_those_it_has() -> None:
    bundle = good_bundle()
    digest = FileDigest("x", ())
    digest.update(b"the first picture")
    report = verify_bytes(bundle.zip(), policy_of(bundle.vault.policy()), handed_in=[digest])
    said = [
        f.values["algorithms"]
        for item in report.items
        for f in item.rows[1].findings
        if f.place == "x" and f.status is Status.PASSED
    ]
    assert (report.verdict, said) == (Verdict.TOTAL_PASSED, ["sha256"])


# A folder that changes while it is read.


@pytest.mark.parametrize("swap", [Path.symlink_to, lambda path, _: os.mkfifo(path)])
def test_folder_file_swapped_after_the_walk_is_refused(
    tmp_path: Path, swap: Callable[[Path, Path], None]
) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "bundle"
    folder.mkdir()
    (folder / "README.txt").write_bytes(b"hello!")
    secret.write_bytes(b"secret")
    files = FolderFiles(folder)
    (folder / "README.txt").unlink()
    swap(folder / "README.txt", secret)
    with pytest.raises(FormatError, match="the file that was there before"):
        list(files.chunks("README.txt"))


# Policies: one counted as two, and what nobody would notice.


def authority(name: str, **changes: Any) -> dict[str, Any]:
    return Authority(name).policy | changes


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"tsa": [authority("A", group="Root"), authority("B", group="root ")]}, r"tsa\[1\]\.group"),
        ({"tsa": [authority("A", group="One"), authority("A", group="Two")]}, r"tsa\[1\]\.roots"),
        ({"tsa": [authority("A"), authority("A", **{"class": "development"})]}, r"tsa\[1\]\.roots"),
        ({"chain": [{"chain_id": 1, "class": "test"}, {"chain_id": 1, "class": "production"}]}, "chain"),
        (
            {"chain": [{"chain_id": n, "name": "x", "class": "test"} for n in (1, 2)]},
            r"chain\[1\]",
        ),
        ({"max_age_days": [30]}, "max_age_days"),
        ({"algorithms": {"refuse": {"sha-1": "2017-01-01"}}}, "algorithms"),
    ],
)
def test_parse_policy_that_counts_one_as_two_is_refused(
    small: Sealed, changes: dict[str, Any], place: str
) -> None:
    with pytest.raises(ConfigError, match=place):
        policy_of(small.vault.policy(**changes))


def test_parse_policy_with_the_logs_key_as_witness_is_refused(small: Sealed) -> None:
    witness = {"name": "w", "vkey": small.vault.keys.vkey}
    with pytest.raises(ConfigError, match="witness"):
        policy_of(small.vault.policy(witness=[witness]))


def test_parse_policy_with_a_log_key_twice_is_refused(small: Sealed) -> None:
    log = small.vault.policy()["log"][0]
    with pytest.raises(ConfigError, match="one entry for each key"):
        policy_of(small.vault.policy(log=[log | {"not_after": "2020-01-01"}, log]))


@pytest.mark.parametrize(
    "entry",
    [
        "skew_s = 0x" + "f" * 5000,
        "skew_s = " + "9" * 5000,
        "skew_s = " + "[" * 5000,
        "skew_s = 0001-01-01T00:00:00+23:59",
        "skew_s = 9999-12-31T23:59:59-23:59",
    ],
    ids=["hex", "decimal", "deep", "before time", "after time"],
)
def test_parse_policy_beyond_the_readers_limits_is_refused(small: Sealed, entry: str) -> None:
    text = write_policy(small.vault.policy()).replace("version = 1", f"version = 1\n{entry}", 1)
    with pytest.raises(ConfigError):
        parse_policy(text.encode(), name="trust.toml")


# Words.


def test_verify_development_token_on_the_content_is_development_evidence() -> None:
    development = Authority("Dev", tsa_class="development")
    vault = Vault()
    item = vault.receive(b"x", digests={"sha256": sha256_hex(b"x")})
    vault.stamp_item(item, development)
    size = vault.publish()
    for each in vault.authorities:
        vault.stamp(size, each)
    vault.anchor(size)
    bundle = vault.export([item])
    policy = vault.policy()
    report = ask(bundle, policy | {"tsa": [*policy["tsa"], development.policy]})
    # One authority of the two groups that are asked for dates no content; its class counts all the same.
    assert report.items[0].content_time is None
    assert outcome(report) == Verdict.DEVELOPMENT_PASSED


def test_verify_block_younger_than_the_given_time_counts_for_nothing() -> None:
    report = ask(small_bundle(chain=Chain(ahead=timedelta(days=3650))))
    assert outcome(report) == "INDETERMINATE 7:anchor.ahead"
    assert "anchors" in report.items[0].unmet


def test_verify_anchor_names_the_class_of_its_network(small: Sealed) -> None:
    assert ask(small).items[0].anchors == ("Main Street (TEST NETWORK), block 7000000",)


def anchored(size: int, prev: int, network: str) -> AnchorFact:
    return AnchorFact(
        size=size,
        network=network,
        chain_class="test",
        block_number=size,
        prev_size=prev,
        recorded_at=None,
        confirmed=None,
    )


@pytest.mark.parametrize(
    ("anchors", "whole"),
    [
        ([anchored(10, 0, "A"), anchored(20, 10, "A"), anchored(12, 0, "B")], True),
        # B anchored 10 too, and that one is missing: A's stood in for it.
        ([anchored(10, 0, "A"), anchored(20, 10, "B")], False),
        ([anchored(10, 0, "A"), anchored(30, 20, "A")], False),
        ([], False),
    ],
)
def test_chain_of_anchors_is_whole_on_each_network(anchors: list[AnchorFact], whole: bool) -> None:
    assert chain_is_full(anchors, 5) is whole


def test_verify_command_prints_on_a_terminal_without_chinese(
    small: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, trust = tmp_path / "b.zip", tmp_path / "t.toml"
    bundle.write_bytes(small.zip())
    trust.write_text(write_policy(small.vault.policy()))
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(out, encoding="ascii", write_through=True))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    call = [str(bundle), "--trust", str(trust), "--lang", "zh", "--at", "2026-12-01T00:00:00Z"]
    assert command.run(parser.parse_args(call)) == 0
    assert out.getvalue().startswith(b"TOTAL-PASSED: ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Example Court; can read content: no", '"Example Court; can read content: no"'),
        ("TOTAL-PASSED: nothing", '"TOTAL-PASSED: nothing"'),
        ("a\u3164b", r'"a\u{3164}b"'),
        ("vault.example:443/log", "vault.example:443/log"),
    ],
)
def test_escape_text_that_could_pass_for_ours_is_quoted(text: str, shown: str) -> None:
    assert escape(text) == shown
