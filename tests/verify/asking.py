"""Asks the verifier: writes a trust policy, hands in bytes, and says shortly what came out."""

import io
import json
from datetime import UTC, datetime
from typing import Any

from evidence_vault.core.zipreader import ZipLimits, open_zip
from evidence_vault.errors import FormatError
from evidence_vault.verify.reader import FileDigest, ZipFiles
from evidence_vault.verify.render import render_text, report_json
from evidence_vault.verify.report import Report, Status
from evidence_vault.verify.trust import TrustPolicy, parse_policy
from evidence_vault.verify.verifier import unreadable_report, verify_files
from tests.verify.handmade import Sealed

GIVEN = datetime(2026, 12, 1, tzinfo=UTC)


def write_policy(document: dict[str, Any]) -> str:
    """A trust policy as TOML: scalars, tables, arrays of tables."""
    plain = {name: value for name, value in document.items() if not _is_table(value)}
    text = "".join(f"{name} = {_toml(value)}\n" for name, value in plain.items())
    for name, value in document.items():
        if isinstance(value, dict):
            text += f"\n[{name}]\n" + "".join(f"{key} = {_toml(member)}\n" for key, member in value.items())
        elif _is_table(value):
            for entry in value:
                text += f"\n[[{name}]]\n"
                text += "".join(f"{key} = {_toml(member)}\n" for key, member in entry.items())
    return text


def policy_of(document: dict[str, Any]) -> TrustPolicy:
    return parse_policy(write_policy(document).encode(), name="trust.toml")


def ask(
    bundle: Sealed | bytes,
    policy: dict[str, Any] | None = None,
    *,
    at: datetime = GIVEN,
    files: dict[str, bytes] | None = None,
    **arguments: Any,
) -> Report:
    """Verify a bundle under a policy (its own vault's, if none is given), and render it in every way."""
    if policy is None:
        assert isinstance(bundle, Sealed)
        policy = bundle.vault.policy()
    data = bundle.zip() if isinstance(bundle, Sealed) else bundle
    report = verify_bytes(
        data,
        policy_of(policy),
        at=at,
        handed_in=[hand_in(*file) for file in (files or {}).items()],
        **arguments,
    )
    for lang in ("zh", "en"):
        assert render_text(report, lang=lang).endswith("\n")
    json.dumps(report_json(report))
    return report


def verify_bytes(data: bytes, policy: TrustPolicy, *, at: datetime = GIVEN, **arguments: Any) -> Report:
    """Verify a zip in memory."""
    file = io.BytesIO(data)
    try:
        files = ZipFiles(file, open_zip(file, ZipLimits()))
        return verify_files(files, policy, at=at, **arguments)
    except FormatError as error:
        return unreadable_report(error, policy, at=at)


def hand_in(name: str, data: bytes) -> FileDigest:
    digest = FileDigest(name, ("sha256", "sha512", "sha3_256", "sm3"))
    digest.update(data)
    return digest


def outcome(report: Report) -> str:
    """`VERDICT` and the rows that kept it from passing, each with its codes: what a table compares."""
    if report.unreadable:
        return f"{report.verdict} {report.unreadable.place}"
    return " ".join([str(report.verdict), *sorted(flaws(report))])


def flaws(report: Report) -> set[str]:
    """`row:code` (with the check where it is a plain mismatch) of every finding that is FAILED or open."""
    return {
        f"{finding.row}:{finding.code}"
        + (f"({finding.values['check']})" if "check" in finding.values else "")
        for item in report.items
        for row in item.rows
        for finding in row.findings
        if finding.status in (Status.FAILED, Status.INDETERMINATE)
    }


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)
    )


def _toml(value: object) -> str:
    match value:
        case bool() | int():
            return json.dumps(value)
        case str() if "\n" in value:
            return f'"""\n{value}"""'
        case str():
            return json.dumps(value)
        case datetime():
            return value.isoformat()
        case list():
            return "[" + ", ".join(_toml(member) for member in value) + "]"
        case dict():
            return "{" + ", ".join(f"{name} = {_toml(member)}" for name, member in value.items()) + "}"
        case _:
            raise TypeError(type(value))
