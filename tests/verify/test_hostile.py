"""Bundles made to harm whoever looks at them: strings that lie on a screen, sizes and depths without end."""

import io
import json
import os
import resource
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_vault.core import layout
from evidence_vault.core.zipform import ZipMember, write_zip
from evidence_vault.verify.escaping import escape
from evidence_vault.verify.render import render_text, report_json
from evidence_vault.verify.report import Report, Verdict
from evidence_vault.verify.verifier import verify_path
from tests.verify.asking import GIVEN, ask, hand_in, outcome, policy_of, verify_bytes
from tests.verify.handmade import PLATFORM, Sealed, Vault, bag_files, good_bundle, write_files

ANSI, BIDI, NEWLINE = "\x1b[31mRED\x1b[0m", "\u202egpj.exe", "a\nTOTAL-PASSED: all is well"
HOSTILE = [
    ANSI,
    BIDI,
    NEWLINE,
    "\u200b",
    "\ufeff",
    "\u2066x\u2069",
    "\x00",
    "\x7f",
    "\u2028",
    "\ue000",
    '"',
    "\\",
]


@pytest.fixture(scope="module")
def good() -> Sealed:
    return good_bundle()


# What is shown.


@given(st.text(max_size=50))
@settings(max_examples=300)
def test_escape_shows_only_what_is_harmless_and_every_text_differently(text: str) -> None:
    shown = escape(text)
    assert shown.isprintable()
    assert escape(shown) != shown or shown == text


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_escape_of_a_hostile_text_is_quoted(text: str) -> None:
    shown = escape(text)
    assert shown[0] == shown[-1] == '"'
    assert "\x1b" not in shown
    assert "\n" not in shown


def shown(report: Report) -> str:
    return render_text(report, lang="en") + render_text(report, lang="zh")


def test_report_shows_a_hostile_operators_name_escaped() -> None:
    vault = Vault()
    statement = {
        "operator": BIDI,
        "operated_by_depositor": True,
        "relation_to_parties": "\u2066friend\u2069",
        "filings": ["<script>alert(1)</script>", "{operator}"],
        "can_read_content": False,
    }
    vault.add(PLATFORM, "PLATFORM_STATED", **statement)  # type: ignore[arg-type]
    item = vault.receive(b"x", name=ANSI)
    size = vault.publish()
    for authority in vault.authorities:
        vault.stamp(size, authority)
    vault.anchor(size)
    text = shown(ask(vault.export([item])))
    assert "\\u{202e}gpj.exe" in text
    assert not any(c in text for c in "\u202e\u2066\u2069\x1b")
    assert text.replace("\n", "").isprintable()


def test_report_shows_a_hostile_file_name_escaped(good: Sealed) -> None:
    policy = policy_of(good.vault.policy())
    for name in HOSTILE:
        text = shown(verify_bytes(good.zip(), policy, handed_in=[hand_in(name, b"another")]))
        assert text.replace("\n", "").isprintable()
        assert text.startswith("TOTAL-FAILED: ")


@pytest.mark.parametrize("name", [ANSI, BIDI, "a\n", "ü.json", "a b"], ids=ascii)
def test_folder_with_a_hostile_name_is_unreadable(good: Sealed, tmp_path: Path, name: str) -> None:
    unpack(good, tmp_path)
    (tmp_path / name).write_bytes(b"x")
    report = verify_path(tmp_path, policy_of(good.vault.policy()), at=GIVEN)
    assert report.verdict is Verdict.UNREADABLE
    assert shown(report).replace("\n", "").isprintable()
    json.dumps(report_json(report))


# What is read: bounded in memory and time.


def unpack(sealed: Sealed, folder: Path) -> None:
    for path, data in (sealed.files | bag_files(sealed.bundle, sealed.files)).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def test_folder_with_a_link_is_unreadable(good: Sealed, tmp_path: Path) -> None:
    unpack(good, tmp_path)
    content = tmp_path / layout.content_path(good.items[0])
    content.rename(tmp_path.parent / "elsewhere")
    content.symlink_to(tmp_path.parent / "elsewhere")
    assert verify_path(tmp_path, policy_of(good.vault.policy()), at=GIVEN).verdict is Verdict.UNREADABLE


def test_folder_with_a_pipe_is_unreadable(good: Sealed, tmp_path: Path) -> None:
    unpack(good, tmp_path)
    os.mkfifo(tmp_path / "data" / "pipe")
    assert verify_path(tmp_path, policy_of(good.vault.policy()), at=GIVEN).verdict is Verdict.UNREADABLE


def test_folder_deeper_than_any_stack_is_unreadable(good: Sealed, tmp_path: Path) -> None:
    unpack(good, tmp_path)
    folder = tmp_path
    for _ in range(1500):
        folder /= "d"
        folder.mkdir()
    try:
        report = verify_path(tmp_path, policy_of(good.vault.policy()), at=GIVEN)
    finally:
        while folder != tmp_path:  # what removes folders by recursion, as pytest does, would fail on these
            folder.rmdir()
            folder = folder.parent
    assert report.verdict is Verdict.UNREADABLE


@pytest.mark.slow
def test_folder_with_a_sparse_gibibyte_is_failed_in_bounded_memory(good: Sealed, tmp_path: Path) -> None:
    unpack(good, tmp_path)
    content = tmp_path / layout.content_path(good.items[0])
    with content.open("ab") as file:
        file.truncate(1 << 30)
    sizes = {path: (tmp_path / path).stat().st_size for path in good.files if path.startswith("data/")}
    (tmp_path / layout.BAG_INFO).write_bytes(layout.encode_payload_oxum(sizes))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = verify_path(tmp_path, policy_of(good.vault.policy()), at=GIVEN)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert "content.size" in {f.code for item in report.items for row in item.rows for f in row.findings}
    assert report.verdict is Verdict.TOTAL_FAILED
    assert grown_kib < 32 * 1024


@pytest.mark.slow
def test_bundle_of_a_hundred_thousand_small_files_ends_in_seconds(good: Sealed) -> None:
    folder = f"proof/events/{good.items[0]}"
    files = good.files | {f"{folder}/{n}.json": b"{}" for n in range(6, 99_900)}
    out = io.BytesIO()
    write_files(out, layout.base_folder(good.bundle), files | bag_files_quickly(files))
    began = time.monotonic()
    report = verify_bytes(out.getvalue(), policy_of(good.vault.policy()))
    assert time.monotonic() - began < 60
    assert report.verdict is Verdict.UNREADABLE


def bag_files_quickly(files: dict[str, bytes]) -> dict[str, bytes]:
    return dict.fromkeys(layout.BAG_FILES, b"x")


def test_bundle_of_too_many_files_is_unreadable(good: Sealed) -> None:
    members = [ZipMember(name=f"ev-x/{n:06}", size=0, crc32=0) for n in range(100_001)]
    out = io.BytesIO()
    write_zip(out, members, lambda member: [b""])
    report = verify_bytes(out.getvalue(), policy_of(good.vault.policy()))
    assert outcome(report) == "UNREADABLE zip end record, entries"


def test_event_with_a_far_off_seq_ends_at_once(good: Sealed) -> None:
    """Attack: a history that is said to have 10^15 events."""
    path = f"proof/events/{good.items[0]}/999999999999999.json"
    event = json.loads(good.vault.events[PLATFORM][0].raw)
    files = good.files | {path: good.vault.events[PLATFORM][0].raw}
    assert event["seq"] == 0
    began = time.monotonic()
    report = ask(good.changed(files), good.vault.policy())
    assert time.monotonic() - began < 5
    assert report.verdict is Verdict.TOTAL_FAILED


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"[" * 30_000 + b"]" * 30_000,
        b"1" * 100_000,
        b'"' + b"\\u0041" * 10_000 + b'"',
        b"\xff" * 1000,
        b"NaN",
        b"1e999",
        b'{"v":1,"v":1}',
        b"",
    ],
    ids=lambda data: repr(data[:8]),
)
@pytest.mark.parametrize(
    "path",
    [
        "proof/bundle.json",
        "proof/disclosures.json",
        "proof/log/consistency/8-13.json",
        "proof/anchors/8/2.json",
    ],
)
def test_hostile_json_is_unreadable(good: Sealed, path: str, data: bytes) -> None:
    report = ask(good.changed(good.files | {path: data}), good.vault.policy())
    assert report.verdict is Verdict.UNREADABLE
    assert report.unreadable is not None
    assert path in report.unreadable.place


PEM = "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "chain",
    [
        PEM.format("A" * 15_000_000 + "\n"),
        PEM.format("AAAA\n") * 1000,
        "-----BEGIN CERTIFICATE-----\n" * 300_000,
        PEM.format("A" * 63 + "\n"),
        "",
    ],
    ids=["huge", "many", "begun only", "no base64", "empty"],
)
def test_hostile_certificates_are_unreadable(good: Sealed, chain: str) -> None:
    path = "proof/timestamps/8/0/chain.pem"
    began = time.monotonic()
    report = ask(good.changed(good.files | {path: chain.encode()}), good.vault.policy())
    assert time.monotonic() - began < 20
    assert report.verdict is Verdict.UNREADABLE
    assert report.unreadable is not None
    assert "proof/timestamps/8/0" in report.unreadable.place


@pytest.mark.parametrize("size", [16 * 1024 * 1024 + 1, 64 * 1024 * 1024])
def test_part_over_the_limit_is_unreadable_without_being_read(good: Sealed, size: int) -> None:
    path = "proof/timestamps/8/0/response.tsr"
    report = ask(good.changed(good.files | {path: bytes(size)}), good.vault.policy())
    assert outcome(report) == f"UNREADABLE {path}"


@pytest.mark.parametrize(
    "path",
    ["proof/timestamps/8/0/response.tsr", "proof/log/13.note", "proof/anchors/8/2.json", "proof/parts.txt"],
)
@given(data=st.binary(max_size=300))
@settings(max_examples=30, deadline=None)
def test_part_of_any_bytes_never_ends_in_a_traceback(path: str, data: bytes) -> None:
    bundle = GOOD.changed(GOOD.files | {path: data})
    assert ask(bundle, GOOD.vault.policy()).verdict is not Verdict.TOTAL_PASSED


def test_anchor_proofs_without_end_are_unreadable(good: Sealed) -> None:
    """Attack: work for the slowest hash there is here."""
    proof = b'{"kind":"ethereum","nodes":"' + b"0" * 60_000 + b'"}'
    files = good.files | {f"proof/anchors/8/{n}.json": proof for n in range(3, 300)}
    began = time.monotonic()
    report = ask(good.changed(files), good.vault.policy())
    assert time.monotonic() - began < 20
    assert report.unreadable is not None
    assert "together" in (report.unreadable.expected or "")


GOOD = good_bundle()
