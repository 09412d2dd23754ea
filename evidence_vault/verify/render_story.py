"""Writes the story of a report: events with who, why and when; the cases; files that were handed in. Text and JSON.

Every string of the events is hostile and shown as `escaping` says.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from evidence_vault.core.canonical import Json
from evidence_vault.core.names import encode_time
from evidence_vault.verify.escaping import escape
from evidence_vault.verify.report import Bounds, CaseReport, HandedIn, Person, Status, Told
from evidence_vault.verify.texts import LABEL

_ELSEWHERE = frozenset(("grant", "case", "order", "bundle", "cut", "parts_sha256", "digests", "secret"))
"""Fields that the report tells at another place, or that a person reads nothing from."""


def bounds_text(bounds: Iterable[Bounds], lang: str) -> Iterator[str]:
    """Yield a line for each event, and below it who acted, on what ground, and what he said."""
    unbounded, between = LABEL["unbounded"].lang(lang), LABEL["and"].lang(lang)
    for bound in bounds:
        lower, upper = _time(bound.not_before) or unbounded, _time(bound.not_after) or unbounded
        yield f"    {bound.seq:>4}  {escape(bound.type):<22} {lower} {between} {upper}"
        if bound.told is not None:
            yield f"          {_who(bound.told, lang)}"
            yield from (f"          {line}" for line in _what(bound.told, lang))


def case_text(case: CaseReport, lang: str) -> Iterator[str]:
    """Yield what is told of a case."""
    how = LABEL["exported" if case.exported else "as_of_cut"].lang(lang)
    yield f"{LABEL['case'].lang(lang)} {case.case}: {how}"
    if case.redacted:
        yield f"  {LABEL['redacted'].lang(lang)}: {case.redacted}"
    for item in case.left_out:
        yield f"  {LABEL['left_out'].lang(lang)}: {item}"
    yield f"  {LABEL['logged'].lang(lang)}"
    yield from bounds_text(case.bounds, lang)


def file_text(file: HandedIn, lang: str) -> Iterator[str]:
    """Yield what came of a file that was handed in: the same as which item, or as none."""
    yield f"{LABEL['handed_in'].lang(lang)} {escape(file.name)}: {_compared(file, lang)}"
    yield f"  SHA-256 {file.sha256.hex()}, {file.size} {LABEL['bytes'].lang(lang)}"


def other_file(file: HandedIn, lang: str) -> str:
    """Return the words for the verdict sentence about a file that is none of the items."""
    return LABEL["other_file"].lang(lang).format(name=escape(file.name), count=file.compared)


def bound_json(bound: Bounds) -> Json:
    """Return an event of the report."""
    told = bound.told
    return {
        "seq": bound.seq,
        "type": bound.type,
        "at": _time(bound.at),
        "not_before": _time(bound.not_before),
        "not_after": _time(bound.not_after),
        "told": None if told is None else _told_json(told),
    }


def case_json(case: CaseReport) -> Json:
    """Return a case of the report."""
    return {
        "case": case.case,
        "exported": case.exported,
        "redacted": case.redacted,
        "left_out": list[Json](case.left_out),
        "bounds": [bound_json(bound) for bound in case.bounds],
    }


def file_json(file: HandedIn) -> Json:
    """Return what came of a file that was handed in."""
    return {
        "name": file.name,
        "sha256": file.sha256.hex(),
        "size": file.size,
        "status": str(file.status),
        "items": list[Json](file.items),
        "compared": file.compared,
        "not_comparable": file.sealed,
        "text": {"zh": _compared(file, "zh"), "en": _compared(file, "en")},
    }


def _told_json(told: Told) -> Json:
    return {
        "actor": _person_json(told.actor),
        "result": told.result,
        "basis": told.basis,
        "grant": told.grant,
        "case": told.case,
        "order": told.order,
        "order_number": told.order_number,
        "fields": dict(told.fields),
        "disclosures": dict[str, Json](told.disclosures),
        "undisclosed": told.undisclosed,
    }


def _person_json(person: Person) -> Json:
    return {
        "id": person.id,
        "role": person.role,
        "auth": person.auth,
        "on_behalf_of": person.on_behalf_of,
        "name": person.name,
        "holder": person.holder,
    }


def _compared(file: HandedIn, lang: str) -> str:
    key = {Status.PASSED: "same_as", Status.FAILED: "none_of"}.get(file.status, "not_all_of")
    words = LABEL[key].lang(lang)
    beside = "" if file.recorded else LABEL["unauthenticated"].lang(lang)
    return words.format(items=", ".join(file.items), count=file.compared, sealed=file.sealed) + beside


def _who(told: Told, lang: str) -> str:
    actor = told.actor
    words = [f"{escape(actor.role)} {_named(actor.id, actor.name)}"]
    if actor.on_behalf_of is not None:
        words.append(f"{LABEL['for'].lang(lang)} {_named(actor.on_behalf_of, actor.holder)}")
    words.append(f"{LABEL['login'].lang(lang)} {escape(actor.auth)}")
    for name, text in (
        ("basis", told.basis),
        ("grant", told.grant),
        ("in_case", told.case),
        ("order", told.order),
        ("order_number", told.order_number),
    ):
        if text is not None:
            words.append(f"{LABEL[name].lang(lang)} {escape(text)}")
    return "; ".join(words)


def _what(told: Told, lang: str) -> Iterator[str]:
    words = [f"{name} {_shown(one)}" for name, one in sorted(_own(told).items())]
    if told.result != "ok":
        words.insert(0, f"{LABEL['result'].lang(lang)} {escape(told.result)}")
    if words:
        yield "; ".join(words)
    for name, text in sorted(told.disclosures.items()):
        yield f'{name}: "{escape(text).strip(chr(34))}"'
    if told.undisclosed:
        yield f"{LABEL['undisclosed'].lang(lang)}: {told.undisclosed}"


def _own(told: Told) -> Mapping[str, Json]:
    return {
        name: one
        for name, one in told.fields.items()
        if name not in _ELSEWHERE and not name.endswith("_sha256") and one not in (None, [], {})
    }


def _shown(one: Json) -> str:
    match one:
        case bool():
            return "true" if one else "false"
        case list():
            return ", ".join(escape(str(part)) for part in one[:10]) + (" …" if len(one) > 10 else "")
        case _:
            return escape(str(one))


def _named(actor_id: str, name: str | None) -> str:
    return escape(actor_id) if name is None else f"{escape(actor_id)} ({escape(name)})"


def _time(at: datetime | None) -> str | None:
    return None if at is None else encode_time(at)
