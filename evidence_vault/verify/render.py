"""Writes a report: as text for people (zh or en), and as JSON for programs (`docs/spec/schemas/report.json`).

Strings from a bundle are hostile. In text they are shown quoted, with control, bidi and format characters escaped;
nothing is ever interpreted as markup. The verdict line is first and last.
"""

import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime

from evidence_vault.core.canonical import Json
from evidence_vault.core.names import encode_time
from evidence_vault.verify.escaping import escape
from evidence_vault.verify.finding_texts import FINDING
from evidence_vault.verify.render_story import (
    bound_json,
    bounds_text,
    case_json,
    case_text,
    file_json,
    file_text,
    other_file,
)
from evidence_vault.verify.report import Finding, ItemReport, Report, Row, Stamper, Status
from evidence_vault.verify.texts import (
    CLAUSE,
    LABEL,
    NEVER_PROVED,
    NOT_CHECKED,
    NOT_CHECKED_WITH_MIRROR,
    QUALIFICATION,
    ROW,
    ROW_NAME,
    SINCE_ANCHORING,
    STATUS,
    UNMET,
    VERDICT,
    Text,
)
from evidence_vault.verify.trusted_lists import Qualification


def verdict_line(report: Report, lang: str) -> str:
    """Return the one line that says what came out."""
    return f"{report.verdict}: {_sentence(report, lang)}"


def render_text(report: Report, *, lang: str) -> str:
    """Return the whole report as text, ending with LF."""
    lines = [verdict_line(report, lang), "", *_head(report, lang)]
    if report.unreadable:
        lines += ["", *_finding(report.unreadable, lang)]
    for file in report.files:
        lines += ["", *file_text(file, lang)]
    said: set[tuple[int, str]] = set()
    for item in report.items:
        lines += ["", *_item(item, lang, said)]
    for case in report.cases:
        lines += ["", *case_text(case, lang)]
    if report.items:
        lines += ["", f"{LABEL['not_checked'].lang(lang)}:"]
        lines += [f"  – {text.lang(lang)}" for text in _not_checked(report)]
    lines += ["", verdict_line(report, lang)]
    return "\n".join(lines) + "\n"


def report_json(report: Report) -> dict[str, Json]:
    """Return the report as JSON; texts in both languages, so that nobody has to translate a verdict."""
    return {
        "v": 1,
        "verdict": str(report.verdict),
        "exit_code": report.exit_code,
        "sentence": _both(lambda lang: _sentence(report, lang)),
        "bundle": report.bundle,
        "origin": report.origin,
        "class": report.log_class,
        "as_of": {"size": report.cut_size, "time": _time(report.cut_time), "age_s": _age_s(report)},
        "complete_as_of": report.complete_size,
        "at": encode_time(report.at),
        "policy": {"name": report.policy_name, "sha256": report.policy_sha256.hex()},
        "verifier": {
            "name": "evidence-vault",
            "version": report.verifier_version,
            "ran_by": report.ran_by,
        },
        "unreadable": _finding_json(report.unreadable) if report.unreadable else None,
        "files": [file_json(file) for file in report.files],
        "items": [_item_json(item) for item in report.items],
        "cases": [case_json(case) for case in report.cases],
        "not_checked": [{"zh": text.zh, "en": text.en} for text in _not_checked(report)],
        "never_proved": [{"zh": text.zh, "en": text.en} for text in NEVER_PROVED],
    }


def _not_checked(report: Report) -> tuple[Text, ...]:
    """What a mirror of the log answered is no longer open."""
    return NOT_CHECKED if report.complete_size is None else NOT_CHECKED_WITH_MIRROR


def _sentence(report: Report, lang: str) -> str:
    records = [item.record_time for item in report.items if item.record_time]
    record = encode_time(max(records)) if records else "—"
    cut = encode_time(report.cut_time) if report.cut_time else "—"
    return (
        VERDICT[report.verdict].lang(lang).format(record=record, cut=cut, what=_what_is_wrong(report, lang))
    )


def _what_is_wrong(report: Report, lang: str) -> str:
    if report.unreadable:
        return _place_and_expectation(report.unreadable, lang)
    comma, opening, closing = ("、", "（", "）") if lang == "zh" else (", ", " (", ")")
    wrong = [
        f"{item.item}{opening}{comma.join(failed)}{closing}"
        for item in report.items
        if (failed := [ROW_NAME[r.number].lang(lang) for r in item.rows if r.status is Status.FAILED])
    ]
    wrong += [other_file(file, lang) for file in report.files if file.status is Status.FAILED]
    return comma.join(wrong[:5]) + (" …" if len(wrong) > 5 else "")


def _place_and_expectation(finding: Finding, lang: str) -> str:
    found = f", {LABEL['found'].lang(lang)} {escape(finding.found)}" if finding.found else ""
    return f"{escape(finding.place)}: {LABEL['expected'].lang(lang)} {escape(finding.expected or '')}{found}"


def _head(report: Report, lang: str) -> Iterator[str]:
    if report.bundle:
        yield f"{LABEL['bundle'].lang(lang)}: {report.bundle}"
    if report.origin:
        log_class = f" ({report.log_class})" if report.log_class else ""
        yield f"{LABEL['log'].lang(lang)}: {report.origin}{log_class}"
    if report.cut_size:
        age = _age_s(report)
        days = "" if age is None else f", {age // 86400} d {age % 86400 // 3600} h"
        yield f"{LABEL['as_of'].lang(lang)}: {report.cut_size}, {_time(report.cut_time) or '—'}{days}"
    if report.complete_size is not None:
        yield f"{LABEL['complete'].lang(lang)}: {report.complete_size}"
    yield f"{LABEL['given'].lang(lang)}: {encode_time(report.at)}"
    yield f"{LABEL['policy'].lang(lang)}: {escape(report.policy_name)}, SHA-256 {report.policy_sha256.hex()}"
    ran_by = f", {LABEL['ran_by'].lang(lang)} {escape(report.ran_by)}" if report.ran_by else ""
    yield f"{LABEL['verifier'].lang(lang)}: evidence-vault {report.verifier_version}{ran_by}"


def _item(item: ItemReport, lang: str, said: set[tuple[int, str]]) -> Iterator[str]:
    """One item; what passed, and was said of an item before, is only counted."""
    yield f"{LABEL['item'].lang(lang)} {item.item}: {item.verdict}"
    if item.record_time:
        groups = ", ".join(escape(group) for group in item.record_groups)
        yield f"  {LABEL['record_time'].lang(lang)}: {encode_time(item.record_time)} ({groups})"
    if item.content_time:
        yield f"  {LABEL['content_time'].lang(lang)}: {encode_time(item.content_time)}"
    for stamper in item.stampers:
        status = _qualification(stamper.qualification, lang)
        yield f"  {LABEL['stamper'].lang(lang)}: {escape(stamper.name)} ({escape(stamper.group)}), {status}"
    for anchor in item.anchors:
        yield f"  {LABEL['anchors'].lang(lang)}: {escape(anchor)}"
    for key in item.unmet:
        yield f"  {LABEL['unmet'].lang(lang)}: {UNMET[key].lang(lang)}"
    yield ""
    yield f"  {LABEL['since'].lang(lang)}"
    for row in item.rows:
        if row.number in SINCE_ANCHORING:
            yield from _row(row, lang, said)
    yield f"  {LABEL['before'].lang(lang)}"
    for row in item.rows:
        if row.number not in SINCE_ANCHORING:
            yield from _row(row, lang, said)
    yield f"  {LABEL['never'].lang(lang)}"
    yield from (f"      – {text.lang(lang)}" for text in NEVER_PROVED)
    yield f"  {LABEL['logged'].lang(lang)}"
    yield from bounds_text(item.bounds, lang)


def _qualification(found: Qualification, lang: str) -> str:
    issued = found.issued.strftime("%Y-%m-%d") if found.issued else ""
    return QUALIFICATION[found.status].lang(lang).format(list=escape(found.list_name or ""), issued=issued)


def _stamper_json(stamper: Stamper) -> Json:
    found = stamper.qualification
    return {
        "name": stamper.name,
        "group": stamper.group,
        "class": stamper.tsa_class,
        "qualified": {
            "status": found.status,
            "list": found.list_name,
            "issued": _time(found.issued),
            "text": _both(lambda lang: _qualification(found, lang)),
        },
    }


def _row(row: Row, lang: str, said: set[tuple[int, str]]) -> Iterator[str]:
    title = f"{ROW[row.number].lang(lang)}  [{CLAUSE[row.number]}]"
    yield f"    {row.number:>2}  {_pad(STATUS[row.status].lang(lang), 13)}  {title}"
    again = 0
    for finding in row.findings:
        if finding.status is not row.status and finding.status is Status.PASSED:
            continue
        lines = list(_finding(finding, lang))
        about = (row.number, "\n".join(lines))
        if about in said and finding.status not in (Status.FAILED, Status.INDETERMINATE):
            again += 1
        else:
            said.add(about)
            yield from lines
    if again:
        yield f"        · {LABEL['again'].lang(lang).format(count=again)}"


def _pad(text: str, columns: int) -> str:
    """Fill up to a width on the screen, where Chinese characters take two columns."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return text + " " * (columns - len(text) - wide)


def _finding(finding: Finding, lang: str) -> Iterator[str]:
    mark = {Status.PASSED: "✓", Status.FAILED: "✗", Status.INDETERMINATE: "?"}.get(finding.status, "·")
    yield f"        {mark} {escape(finding.place)}: {_finding_text(finding, lang)}"
    if finding.expected is not None:
        yield f"            {LABEL['expected'].lang(lang)} {escape(finding.expected)}"
    if finding.found is not None:
        yield f"            {LABEL['found'].lang(lang)} {escape(finding.found)}"


def _finding_text(finding: Finding, lang: str) -> str:
    values = {name: escape(value) for name, value in finding.values.items()}
    return FINDING[finding.code].lang(lang).format(place=escape(finding.place), **values)


def _finding_json(finding: Finding) -> Json:
    return {
        "status": str(finding.status),
        "code": finding.code,
        "place": finding.place,
        "expected": finding.expected,
        "found": finding.found,
        "text": _both(lambda lang: _finding_text(finding, lang)),
    }


def _item_json(item: ItemReport) -> Json:
    return {
        "item": item.item,
        "verdict": str(item.verdict),
        "record_time": _time(item.record_time),
        "record_groups": list[Json](item.record_groups),
        "content_time": _time(item.content_time),
        "authorities": [_stamper_json(stamper) for stamper in item.stampers],
        "anchors": list[Json](item.anchors),
        "unmet": [{"code": key, "zh": UNMET[key].zh, "en": UNMET[key].en} for key in item.unmet],
        "rows": [_row_json(row) for row in item.rows],
        "bounds": [bound_json(bound) for bound in item.bounds],
    }


def _row_json(row: Row) -> Json:
    return {
        "row": row.number,
        "status": str(row.status),
        "title": {"zh": ROW[row.number].zh, "en": ROW[row.number].en},
        "clause": CLAUSE[row.number],
        "block": "since-anchoring" if row.number in SINCE_ANCHORING else "before-anchoring",
        "findings": [_finding_json(finding) for finding in row.findings],
    }


def _both(text_in: Callable[[str], str]) -> Json:
    return {"zh": text_in("zh"), "en": text_in("en")}


def _time(at: datetime | None) -> str | None:
    return None if at is None else encode_time(at)


def _age_s(report: Report) -> int | None:
    return None if report.cut_time is None else int((report.at - report.cut_time).total_seconds())
